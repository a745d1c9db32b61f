//! What becomes of what is asked for while the disk is full?

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use event_detector_ledger::check;
use event_detector_runtime::{Ledger, LedgerError, Receipt, Recorded};
use futures::FutureExt;

use crate::support::{begin, change, close, job, note, now, open, recording, rows, succeeded};

const CYCLES: i64 = 10;

/// Whether this process is the one that has the small disk.
const DISK: &str = "DETECTOR_TEST_SMALL_DISK";

/// Runs the other test in a process that has a file system of 6 MiB to itself, where the system lets it have one.
#[test]
fn a_ledger_outlives_ten_full_disks() {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]);
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        println!("skipped: this system lets no test mount a file system");
        return;
    }
    let dir = tempfile::tempdir().unwrap();

    let output = unshare()
        .args([
            "sh",
            "-c",
            r#"mount -t tmpfs -o size=6m tmpfs "$1" && exec "$2" --exact full::on_a_small_disk --nocapture"#,
            "sh",
        ])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(DISK, dir.path())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("healed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Is run by the test above, and has nothing to do without it.
#[test]
fn on_a_small_disk() {
    let Ok(dir) = std::env::var(DISK) else { return };
    fill_and_free(Path::new(&dir));
    println!("healed {CYCLES} times");
}

fn fill_and_free(dir: &Path) {
    let (home, filler) = (dir.join("ledger"), dir.join("filler"));
    let ledger = open(&home);
    let mut number = 0;
    let mut next = |position: bool| {
        number += 1;
        let id = number.to_string();
        ledger.record(recording(change("a", &id, number), position.then_some(id.as_bytes()), vec![job("one")]))
    };
    let mut acknowledged = 0;

    for cycle in 0..CYCLES {
        let first = begin(&ledger, &format!("begun {cycle}"), vec![job("one")])[0];
        // Whatever is free is taken, whole or in part.
        let _until_full = fs::write(&filler, vec![7; 6 << 20]);
        let refused = loop {
            match now(next(false)) {
                Ok(_) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, LedgerError::Full);
        assert!(ledger.stats().is_full);

        // What belongs to a position or a job waits, in its order; what does not is refused; reads go on.
        let mut waiting: Vec<Receipt<Recorded>> = (0..20).map(|_| next(true)).collect();
        let noted = ledger.note(vec![(first, succeeded())]);
        assert_eq!(now(next(false)), Err(LedgerError::Full));
        assert!(now(ledger.position("a")).unwrap().is_some());
        assert!(waiting.iter_mut().all(|receipt| receipt.now_or_never().is_none()));

        fs::remove_file(&filler).unwrap();
        let freed = Instant::now();
        let rows: Vec<i64> = waiting.into_iter().map(|receipt| crate::support::new(now(receipt).unwrap()).0).collect();
        assert!(rows.is_sorted());
        assert_eq!(now(noted), Ok(()));
        assert!(freed.elapsed() < Duration::from_secs(5), "{:?}", freed.elapsed());
        assert!(!ledger.stats().is_full);
        acknowledged += 21;
    }
    close(&ledger);

    assert_eq!(rows(&home, "SELECT count(*) FROM changes"), [acknowledged.to_string()]);
    assert_eq!(rows(&home, "SELECT count(*) FROM jobs WHERE stage = 'succeeded'"), [CYCLES.to_string()]);
    let report = check(&home).unwrap();
    assert!(report.is_whole(), "{report:?}");
    note(&open(&home), vec![]);
}
