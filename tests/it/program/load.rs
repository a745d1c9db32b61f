//! Does the memory stay flat however many changes come?
#![cfg(target_os = "linux")]

use std::io::{BufWriter, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use super::{Start, built, resident};

const CHANGES: u64 = 100_000;

/// What memory may grow by between the first fifth of the changes and nearly all, in KiB: the larger of the two.
const GROWTH: u64 = 4 * 1024;
const GROWTH_PERCENT: u64 = 10;

/// Every tenth change is an event of the hundred.
fn change(number: u64) -> String {
    let kind = if number.is_multiple_of(10) { format!("load.e{:02}", number / 10 % 100) } else { "other".to_owned() };
    let note = "x".repeat(200);
    format!(
        r#"{{"operation":"update","collection":"things","key":{number},"before":{{"kind":"none"}},"after":{{"kind":"{kind}","note":"{note}"}}}}"#
    )
}

#[test]
fn a_hundred_thousand_changes_and_a_hundred_detectors_leave_memory_flat() {
    let mut start = Start::of(&built("event-detector-load"), ["run", "--file", "-", "--quiet"]);
    let mut child = start.command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = BufWriter::new(child.stdin.take().unwrap());
    let mut stderr = child.stderr.take().unwrap();
    let reader = thread::spawn(move || {
        let mut err = String::new();
        stderr.read_to_string(&mut err).map(|_| err)
    });
    let (tell, told) = mpsc::channel();
    // The pipe fills up when the program is slower, so what was written was handled, but for some thousand.
    let feeder = thread::spawn(move || {
        for number in 0..CHANGES {
            writeln!(stdin, "{}", change(number)).unwrap();
            if number == CHANGES / 5 || number == CHANGES / 20 * 19 {
                tell.send(()).unwrap();
            }
        }
    });

    told.recv().unwrap();
    let early = resident(child.id());
    told.recv().unwrap();
    let late = resident(child.id());
    feeder.join().unwrap();

    let err = reader.join().unwrap().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    eprintln!("{early} KiB after a fifth, {late} KiB near the end; {err}");
    assert!(late.saturating_sub(early) <= GROWTH.max(early * GROWTH_PERCENT / 100), "{early} KiB grew to {late} KiB");
    assert!(err.contains("Watching 1 source (stdin) for 100 events"), "{err}");
    assert!(
        err.contains("Handled 100,000 changes in ") && err.contains(" a second): 10,000 events, 10,000 jobs succeeded."),
        "{err}"
    );
}
