//! What is no longer kept, and what stays of it?

use std::path::Path;
use std::time::Duration;

use event_detector_ledger::{Options, Sqlite, check};
use event_detector_runtime::{Entry, Ledger};

use crate::support::{begin, change, close, died, job, new, note, now, open, recording, rows, succeeded};

/// Opens the ledger and lets the writer look through it; old changes are deleted between what it is asked for.
fn retain(dir: &Path, options: Options) -> Sqlite {
    let ledger = Sqlite::open(dir, options).unwrap();
    for _turn in 0..20 {
        now(ledger.position("a")).unwrap();
    }
    ledger
}

fn nothing_is_young() -> Options {
    Options { retention: Duration::ZERO, ..Options::default() }
}

fn seqs(dir: &Path, source: &str) -> Vec<String> {
    rows(dir, &format!("SELECT seq FROM changes WHERE source = '{source}' ORDER BY seq"))
}

fn tombstones(dir: &Path) -> Vec<String> {
    rows(dir, "SELECT source, first_seq, last_seq FROM tombstones ORDER BY source, first_seq")
}

#[test]
fn old_changes_leave_with_all_that_came_of_them_and_ranges_stay() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    for number in 1..=6 {
        let jobs = begin(&ledger, &number.to_string(), vec![job("one")]);
        note(&ledger, vec![(jobs[0], succeeded())]);
        now(ledger.record(recording(change("b", &number.to_string(), number), None, vec![]))).unwrap();
    }
    close(&ledger);

    let ledger = retain(dir.path(), nothing_is_young());

    // The newest change and the change of the newest job stay, so that no number is given out twice.
    assert_eq!((seqs(dir.path(), "a"), seqs(dir.path(), "b")), (vec!["6".to_owned()], vec!["6".to_owned()]));
    assert_eq!(tombstones(dir.path()), ["a 1 5", "b 1 5"]);
    for table in ["jobs", "attempts"] {
        assert_eq!(rows(dir.path(), &format!("SELECT count(*) FROM {table}")), ["1"], "{table}");
    }
    assert_eq!(rows(dir.path(), "SELECT count(*) FROM verdicts"), ["2"]);
    let next = new(now(ledger.record(recording(change("a", "7", 7), None, vec![]))).unwrap());
    assert_eq!(next.0, 13);
    assert_eq!(seqs(dir.path(), "a"), ["6", "7"]);
    assert!(check(dir.path()).unwrap().is_whole());
}

#[test]
fn what_somebody_still_has_to_do_or_to_decide_stays() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let jobs: Vec<_> = (1..=7).map(|number| begin(&ledger, &number.to_string(), vec![job("one")])[0]).collect();
    for (number, job) in (1..).zip(&jobs) {
        match number {
            3 => note(&ledger, vec![(*job, died())]),
            5 => {}
            6 => note(&ledger, vec![(*job, died()), (*job, Entry::Dropped { at: 0 })]),
            _ => note(&ledger, vec![(*job, succeeded())]),
        }
    }
    close(&ledger);

    let ledger = retain(dir.path(), nothing_is_young());
    assert_eq!(seqs(dir.path(), "a"), ["3", "5", "7"]);
    assert_eq!(tombstones(dir.path()), ["a 1 2", "a 4 4", "a 6 6"]);
    assert_eq!(rows(dir.path(), "SELECT count(*) FROM dead_letters"), ["1"]);

    note(&ledger, vec![(jobs[2], Entry::Dropped { at: 0 }), (jobs[4], succeeded())]);
    close(&ledger);
    close(&retain(dir.path(), nothing_is_young()));

    assert_eq!(seqs(dir.path(), "a"), ["7"]);
    assert_eq!(tombstones(dir.path()), ["a 1 6"]);
    assert!(check(dir.path()).unwrap().is_whole());
}

#[test]
fn young_changes_stay() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    for number in 1..=3 {
        now(ledger.record(recording(change("a", &number.to_string(), number), None, vec![]))).unwrap();
    }
    close(&ledger);

    close(&retain(dir.path(), Options::default()));

    assert_eq!(seqs(dir.path(), "a").len(), 3);
}

#[test]
fn the_oldest_leave_while_the_ledger_is_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let receipts: Vec<_> =
        (1..=3_000).map(|number| ledger.record(recording(change("a", &number.to_string(), number), None, vec![]))).collect();
    receipts.into_iter().for_each(|receipt| drop(now(receipt).unwrap()));
    close(&ledger);
    let whole = std::fs::metadata(dir.path().join("ledger.db")).unwrap().len();

    close(&retain(dir.path(), Options { max_bytes: Some(whole / 2), ..Options::default() }));

    let left: i64 = rows(dir.path(), "SELECT count(*) FROM changes")[0].parse().unwrap();
    assert!((1_000..2_000).contains(&left), "{left}");
    assert_eq!(tombstones(dir.path()), [format!("a 1 {}", 3_000 - left)]);
    assert!(check(dir.path()).unwrap().is_whole());
}
