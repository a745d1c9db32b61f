//! How do closures in JavaScript take part? (`benches/peers/detect.mjs`, a program without packages.)

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::payloads::{Payloads, SHARED, Set};

/// The version of `node`, where there is one.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("node").arg("--version").output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The nanoseconds of CPU time that the program takes for a change.
pub(crate) fn per_change(payloads: &Payloads) -> Option<f64> {
    let file = std::env::temp_dir().join(format!("event-detector-payloads-{}.jsonl", std::process::id()));
    fs::write(&file, payloads.json.join("\n")).expect("the folder for temporary files can be written to");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/detect.mjs");
    let shared = if payloads.set == Set::Dense { SHARED } else { 1 };
    let numbers = [payloads.count, shared, payloads.expected].map(|number| number.to_string());
    let output = Command::new("node").arg(program).arg(&file).args(numbers).output().expect("node is there");
    fs::remove_file(&file).expect("the file is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
