//! Is any damage to the files of a ledger silent?

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use event_detector_ledger::{Options, Sqlite, check};
use event_detector_runtime::{Ledger, Recording};
use fastrand::Rng;

use crate::support::{begin, change, close, copy_files, died, job, note, now, open, parked, recording, rows, succeeded};

const DAMAGES: u64 = 100;

/// What a user would miss if it were gone.
const CONTENT: [&str; 6] = [
    "SELECT change, source, seq, id, hex(body), beside, deaths, sum FROM changes ORDER BY change",
    "SELECT change, run, event, said, fires, detail, sum FROM verdicts ORDER BY change, run, event",
    "SELECT job, change, event, name, stage, attempts, failures, due_at, result, error, sum FROM jobs ORDER BY job",
    "SELECT job, attempt, started_at, finished_at, outcome, error, sum FROM attempts ORDER BY job, attempt",
    "SELECT letter, job, reason, died_at, resolved_at, sum FROM dead_letters ORDER BY letter",
    "SELECT source, hex(position), seq, sum FROM positions ORDER BY source",
];

fn content(dir: &Path) -> Vec<Vec<String>> {
    CONTENT.iter().map(|sql| rows(dir, sql)).collect()
}

/// The files of a killed process, with rows in the database and in its log.
fn killed_ledger(dir: &Path) {
    let alive = dir.join("alive");
    for part in 0..2 {
        let ledger = open(&alive);
        for number in 0..60 {
            let (id, source) = (format!("{part}-{number}"), if number % 3 == 0 { "b" } else { "a" });
            let jobs = begin(&ledger, &id, vec![job("one"), job("two")]);
            let other = recording(change(source, &format!("x{id}"), number), Some(id.as_bytes()), vec![job("one")]);
            now(ledger.record(Recording { begins: true, ..other })).unwrap();
            note(&ledger, vec![(jobs[0], if number % 5 == 0 { died() } else { succeeded() }), (jobs[1], parked(number))]);
        }
        if part == 0 {
            close(&ledger);
        } else {
            copy_files(&alive, &dir.join("killed"));
        }
    }
}

/// Damages one file at random; says what it did.
fn damage(dir: &Path, rng: &mut Rng) -> String {
    let name = ["ledger.db", "ledger.db", "ledger.db-wal", "ledger.db-wal", "mark"][rng.usize(..5)];
    let file = OpenOptions::new().read(true).write(true).open(dir.join(name)).unwrap();
    let length = file.metadata().unwrap().len();
    let at = rng.u64(..length);
    match rng.u8(..3) {
        0 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ (1 << rng.u8(..8))], at).unwrap();
            format!("a bit of byte {at} of {name} flipped")
        }
        1 => {
            file.set_len(at).unwrap();
            format!("{name} cut from {length} bytes to {at}")
        }
        _ => {
            let page = at / 4096 * 4096;
            file.write_all_at(&vec![0; usize::try_from(length.min(page + 4096) - page).unwrap()], page).unwrap();
            format!("the page at {page} of {name} set to zero")
        }
    }
}

/// Whether opening or checking the ledger says that something is wrong.
fn is_noticed(dir: &Path) -> bool {
    let Ok(report) = check(dir) else { return true };
    if !report.is_whole() {
        return true;
    }
    let Ok(ledger) = Sqlite::open(dir, Options::default()) else { return true };
    let is_noticed = now(ledger.position("a")).is_err() || now(ledger.close()).is_err();
    is_noticed || !rows(dir, "SELECT gap FROM gaps").is_empty()
}

#[test]
fn every_damage_is_noticed_or_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    killed_ledger(dir.path());
    // Not in place: whoever closes a database last removes its log.
    copy_files(&dir.path().join("killed"), &dir.path().join("whole"));
    let whole = content(&dir.path().join("whole"));
    let seed = std::env::var("DETECTOR_SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("DETECTOR_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut harmless = 0;

    for number in 0..DAMAGES {
        let damaged = dir.path().join("damaged");
        copy_files(&dir.path().join("killed"), &damaged);
        let what = damage(&damaged, &mut rng);

        if !is_noticed(&damaged) {
            assert_eq!(content(&damaged), whole, "damage {number}: {what}");
            harmless += 1;
        }
        fs::remove_dir_all(&damaged).unwrap();
    }
    println!("{DAMAGES} damages, {harmless} of them harmless and the others noticed");
}

#[test]
fn a_row_that_is_not_what_was_written_is_named_by_whoever_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let jobs = begin(&ledger, "1", vec![job("one"), job("two")]);
    close(&ledger);
    let connection = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    connection.execute("UPDATE jobs SET failures = 9 WHERE job = ?1", [jobs[1]]).unwrap();
    let ledger = open(dir.path());

    let calls = [vec![(jobs[0], succeeded())], vec![(jobs[1], succeeded())]].map(|entries| ledger.note(entries));
    let [whole, damaged] = calls.map(now);

    assert_eq!(whole, Ok(()));
    let message = damaged.unwrap_err().to_string();
    assert!(message.contains(&format!("table `jobs`, job {} is not what was written", jobs[1])), "{message}");
    let report = check(dir.path()).unwrap();
    assert_eq!(report.problems.len(), 1, "{report:?}");
}

#[test]
fn a_change_that_cannot_be_read_any_more_is_handed_over_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    begin(&ledger, "1", vec![job("one")]);
    begin(&ledger, "2", vec![job("one")]);
    close(&ledger);
    let connection = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    connection.execute("UPDATE changes SET body = x'00' WHERE id = '1'", []).unwrap();

    let recovered = now(open(dir.path()).recover()).unwrap();

    let [damaged, whole] = &recovered.unfinished[..] else { panic!("{recovered:?}") };
    assert!(damaged.change.as_ref().unwrap_err().contains("table `changes`, change 1"), "{damaged:?}");
    assert_eq!(damaged.jobs.len(), 1);
    assert_eq!(whole.change.as_ref().unwrap().id(), "2");
}

#[test]
fn a_source_whose_position_is_damaged_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    for source in ["a", "b"] {
        now(ledger.record(recording(change(source, "1", 1), Some(b"p1"), vec![]))).unwrap();
    }
    // The writer knows the rows by heart until somebody else writes.
    rusqlite::Connection::open(dir.path().join("ledger.db"))
        .unwrap()
        .execute("UPDATE positions SET position = x'00' WHERE source = 'a'", [])
        .unwrap();

    ledger.keep("a", b"p2".to_vec());
    let mut receipts = Vec::new();
    for number in 2..20 {
        let id = number.to_string();
        receipts.push(ledger.record(recording(change("b", &id, number), Some(b"p2"), vec![])));
        ledger.keep("a", b"p3".to_vec());
    }
    let damaged = ledger.record(recording(change("a", "2", 2), Some(b"p2"), vec![]));

    receipts.into_iter().for_each(|receipt| drop(now(receipt).unwrap()));
    assert!(now(damaged).unwrap_err().to_string().contains("table `positions`, source `a`"));
    close(&ledger);
    let refused = Sqlite::open(dir.path(), Options::default()).unwrap_err();
    assert!(refused.to_string().contains("table `positions`, source `a`"), "{refused}");
}

#[test]
fn a_damaged_job_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let jobs: Vec<_> = ["1", "2", "3", "4"].map(|id| begin(&ledger, id, vec![job("one")])[0]).into();
    note(&ledger, vec![(jobs[0], parked(1)), (jobs[1], parked(2))]);
    close(&ledger);
    let connection = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    for row in [jobs[0], jobs[2]] {
        connection.execute("UPDATE jobs SET failures = 9 WHERE job = ?1", [row]).unwrap();
    }
    drop(connection);

    let ledger = open(dir.path());
    let recovered = now(ledger.recover()).unwrap();
    let due = now(ledger.take_due(9)).unwrap();

    let rows = |taken: &[event_detector_runtime::Unfinished]| taken.iter().map(|change| change.jobs[0].row).collect::<Vec<_>>();
    assert_eq!(rows(&recovered.unfinished), [jobs[3]]);
    assert_eq!(rows(&due), [jobs[1]]);
    assert!(now(ledger.take_due(9)).unwrap().is_empty());
    assert!(!check(dir.path()).unwrap().is_whole());
}
