//! What becomes of a group of which one part cannot be written, and how much does a group take?

use std::thread;
use std::time::Duration;

use event_detector_ledger::check;
use event_detector_runtime::{Ledger, LedgerError, Recorded};

use crate::support::{change, close, job, new, now, open, recording, rows};

#[test]
fn what_cannot_be_written_takes_nothing_else_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let receipts: Vec<_> = (0..50)
        .map(|number: i64| {
            let id = number.to_string();
            // Two jobs of one name and number are no two jobs.
            let jobs = if number % 10 == 5 { vec![job("one"), job("one")] } else { vec![job("one"), job("two")] };
            ledger.record(recording(change("a", &id, number), None, jobs))
        })
        .collect();

    let mut last = 0;
    for (number, receipt) in receipts.into_iter().enumerate() {
        match now(receipt) {
            Err(LedgerError::Failed(_)) if number % 10 == 5 => {}
            Ok(Recorded::New { change, .. }) if number % 10 != 5 && change > last => last = change,
            recorded => panic!("{number}: {recorded:?} behind {last}"),
        }
    }

    let count = |table| rows(dir.path(), &format!("SELECT count(*) FROM {table}"));
    assert_eq!((count("changes"), count("jobs")), (vec!["45".to_owned()], vec!["90".to_owned()]));
    assert!(check(dir.path()).unwrap().is_whole());
}

#[test]
fn many_that_ask_at_once_share_transactions() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());

    let asked: Vec<_> = (0..2_000)
        .map(|number: i64| ledger.record(recording(change("a", &number.to_string(), number), None, vec![job("one")])))
        .collect();
    asked.into_iter().for_each(|receipt| drop(new(now(receipt).unwrap())));

    let stats = ledger.stats();
    assert!((4..1_000).contains(&stats.commits), "{stats:?}");
    assert_eq!((stats.rows, stats.queued, stats.is_full), (6_000, 0, false));
    assert!(stats.last_commit > Duration::ZERO && stats.commit_time >= stats.last_commit, "{stats:?}");
}

#[test]
fn positions_alone_are_written_about_once_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    now(ledger.position("a")).unwrap();
    let before = ledger.stats().commits;
    let begun = std::time::Instant::now();

    let mut number = 0_u64;
    while rows(dir.path(), "SELECT source FROM positions").is_empty() {
        number += 1;
        ledger.keep("a", number.to_le_bytes().to_vec());
        thread::yield_now();
    }

    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(ledger.stats().commits, before + 1);
    ledger.keep("a", b"last".to_vec());
    close(&ledger);
    assert_eq!(now(open(dir.path()).position("a")).unwrap().as_deref(), Some(&b"last"[..]));
}

#[test]
fn an_owner_that_another_took_over_from_writes_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    now(ledger.record(recording(change("a", "1", 1), None, vec![]))).unwrap();

    // A lock that does not hold, as on some network file systems.
    std::fs::remove_file(dir.path().join("lock")).unwrap();
    let other = open(dir.path());

    let refused = now(ledger.record(recording(change("a", "2", 2), None, vec![])));
    assert!(matches!(&refused, Err(LedgerError::Failed(why)) if why.contains("taken it over")), "{refused:?}");
    assert!(now(other.record(recording(change("a", "2", 2), None, vec![]))).is_ok());
}
