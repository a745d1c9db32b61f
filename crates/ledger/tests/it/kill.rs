//! Is what was acknowledged there after `kill -9`?
//!
//! A process of its own records and says what was acknowledged; it is killed in the middle, again and again over one ledger.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use event_detector_ledger::check;
use event_detector_runtime::{Ledger, Recorded, Recording};

use crate::support::{change, close, job, now, open, recording, rows, succeeded};

/// The folder of the process that is to be killed, and the number it begins with.
const DIR: &str = "DETECTOR_TEST_KILL_DIR";
const FIRST: &str = "DETECTOR_TEST_KILL_FIRST";

const IN_FLIGHT: i64 = 64;
const RECORDS: i64 = 4_096;
const KILLS: usize = 8;

/// Is run by the tests below in a process of its own, and has nothing to do without them.
#[test]
fn records_until_it_is_killed() {
    let (Ok(dir), Ok(first)) = (std::env::var(DIR), std::env::var(FIRST)) else { return };
    let ledger = open(Path::new(&dir));
    now(ledger.recover()).unwrap();
    let first: i64 = first.parse().unwrap();
    let mut out = std::io::stdout().lock();
    for from in (first..first + RECORDS).step_by(usize::try_from(IN_FLIGHT).unwrap()) {
        let receipts: Vec<_> = (from..from + IN_FLIGHT)
            .map(|number| {
                let id = number.to_string();
                let asked = recording(change("a", &id, number), Some(id.as_bytes()), vec![job("one"), job("two")]);
                ledger.record(Recording { begins: true, ..asked })
            })
            .collect();
        for (number, receipt) in (from..).zip(receipts) {
            let Recorded::New { jobs, .. } = now(receipt).unwrap() else { panic!("{number} was there already") };
            writeln!(out, "acknowledged {number}").unwrap();
            out.flush().unwrap();
            drop(ledger.note(vec![(jobs[0], succeeded())]));
        }
    }
    close(&ledger);
}

/// Lets a process with these variables record until it is killed behind so many acknowledgements, or dies by itself; returns what it
/// acknowledged.
fn record(dir: &Path, first: i64, kill_behind: Option<usize>, variables: &[(&str, &str)]) -> Vec<i64> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::records_until_it_is_killed", "--nocapture"]).stdout(Stdio::piped()).stderr(Stdio::null());
    command.env(DIR, dir).env(FIRST, first.to_string());
    command.envs(variables.iter().copied());
    let mut child = command.spawn().unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if let Some(number) = line.strip_prefix("acknowledged ") {
            acknowledged.extend(number.parse::<i64>());
        }
        if kill_behind.is_some_and(|count| acknowledged.len() >= count) {
            let _gone_already = child.kill();
        }
    }
    assert!(!child.wait().unwrap().success(), "it was to be killed");
    acknowledged
}

/// What was acknowledged is there once, nothing else is missing, and the position is that of the last row.
fn verify(dir: &Path, acknowledged: &BTreeSet<i64>) -> i64 {
    let report = check(dir).unwrap();
    assert!(report.is_whole(), "{report:?}");
    let there: Vec<i64> = rows(dir, "SELECT id FROM changes ORDER BY change").iter().map(|id| id.parse().unwrap()).collect();
    let last = i64::try_from(there.len()).unwrap();
    assert_eq!(there, (1..=last).collect::<Vec<_>>());
    assert!(acknowledged.iter().all(|number| *number <= last));
    assert_eq!(rows(dir, "SELECT position FROM positions"), rows(dir, "SELECT id FROM changes ORDER BY change DESC LIMIT 1"));
    last
}

#[test]
fn what_was_acknowledged_outlives_a_kill_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut last) = (BTreeSet::new(), 0);

    for _kill in 0..KILLS {
        acknowledged.extend(record(dir.path(), last + 1, Some(fastrand::usize(1..600)), &[]));
        last = verify(dir.path(), &acknowledged);
    }

    assert!(acknowledged.len() >= KILLS);
}

#[cfg(feature = "torture")]
#[test]
fn what_was_acknowledged_outlives_an_end_at_each_point() {
    let dir = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut last) = (BTreeSet::new(), 0);

    for point in
        ["before_ledger_commit:9", "after_ledger_commit:9", "mid_checkpoint", "before_ledger_commit:40", "after_ledger_commit"]
    {
        acknowledged.extend(record(dir.path(), last + 1, None, &[("DETECTOR_CRASH_AT", point)]));
        last = verify(dir.path(), &acknowledged);
    }

    let dir = tempfile::tempdir().unwrap();
    assert!(record(dir.path(), 1, None, &[("DETECTOR_CRASH_AT", "mid_migration")]).is_empty());
    close(&open(dir.path()));
}

#[cfg(feature = "torture")]
#[test]
fn a_promise_that_is_broken_is_noticed() {
    let crash = ("DETECTOR_CRASH_AT", "before_ledger_commit:9");

    let dir = tempfile::tempdir().unwrap();
    let acknowledged = record(dir.path(), 1, None, &[crash, ("DETECTOR_SPOIL", "commit-before-receipt")]);
    let there = rows(dir.path(), "SELECT count(*) FROM changes")[0].parse::<usize>().unwrap();
    assert!(acknowledged.len() > there, "{} acknowledged, {there} there", acknowledged.len());

    // Some of its transactions have positions alone, and the next one the rows.
    let is_ahead = |nth: u32| {
        let dir = tempfile::tempdir().unwrap();
        let crash = ("DETECTOR_CRASH_AT", &*format!("before_ledger_commit:{nth}"));
        record(dir.path(), 1, None, &[crash, ("DETECTOR_SPOIL", "position-with-rows")]);
        let number = |sql| rows(dir.path(), sql)[0].parse::<i64>().unwrap();
        number("SELECT CAST(position AS TEXT) FROM positions") > number("SELECT ifnull(max(seq), 0) FROM changes")
    };
    assert!((9..25).any(is_ahead));
}
