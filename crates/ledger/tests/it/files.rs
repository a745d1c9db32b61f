//! Who may open a ledger, what does it find there, and what is lost with a file?

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use event_detector_ledger::{Desk, OpenError, Options, Sqlite, check};
use event_detector_runtime::Ledger;
use rusqlite::Connection;

use crate::support::{change, clock, close, copy_files, job, now, open, recording, rows};

fn fails(dir: &Path) -> OpenError {
    match Sqlite::open(dir, Options::default()) {
        Ok(ledger) => panic!("{ledger:?}"),
        Err(error) => error,
    }
}

/// Records so many changes of each of two sources, each in a transaction of its own.
fn fill(ledger: &Sqlite, count: i64) {
    for number in 0..count {
        for source in ["a", "b"] {
            let position = number.to_string();
            let recording = recording(change(source, &position, number), Some(position.as_bytes()), vec![job("one")]);
            now(ledger.record(recording)).unwrap();
        }
    }
}

#[test]
fn a_second_owner_is_refused_and_told_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let before = clock();
    let ledger = open(dir.path());

    let error = fails(dir.path());

    let OpenError::Locked { pid, host, since } = &error else { panic!("{error}") };
    assert_eq!(*pid, std::process::id());
    assert!(!host.is_empty());
    assert!((before..=clock()).contains(since));
    assert!(error.to_string().contains(&format!("process {pid} on `{host}`")), "{error}");
    close(&ledger);
    close(&open(dir.path()));
}

#[test]
fn a_ledger_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("deep/ledger");
    let ledger = open(&home);
    fill(&ledger, 1);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode(&home), 0o700);
    let names: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for path in names {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_newer_ledger_is_refused_and_both_versions_are_named() {
    let dir = tempfile::tempdir().unwrap();
    close(&open(dir.path()));
    let connection = Connection::open(dir.path().join("ledger.db")).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();

    for error in [fails(dir.path()), Desk::open(dir.path()).unwrap_err(), check(dir.path()).unwrap_err()] {
        assert!(matches!(error, OpenError::Newer { found: 7, supported: 1 }), "{error}");
    }
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::open(dir.path().join("ledger.db")).unwrap();
    connection.execute_batch("CREATE TABLE theirs (a)").unwrap();

    assert!(matches!(fails(dir.path()), OpenError::Damaged(why) if why.contains("another program")));
}

#[test]
fn a_file_that_is_no_database_is_said_to_be_damaged() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ledger.db"), "no database at all".repeat(100)).unwrap();

    let error = fails(dir.path());

    assert!(matches!(error, OpenError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("`ledger check`"), "{error}");
}

#[test]
fn a_database_that_is_gone_is_not_begun_anew_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    fill(&ledger, 1);
    close(&ledger);
    fs::remove_file(dir.path().join("ledger.db")).unwrap();

    assert!(matches!(fails(dir.path()), OpenError::Damaged(why) if why.contains("remove the file `mark`")));

    fs::remove_file(dir.path().join("mark")).unwrap();
    fs::remove_file(dir.path().join("ledger.db")).unwrap();
    close(&open(dir.path()));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("file");
    fs::write(&home, "").unwrap();

    let error = fails(&home);

    assert!(error.to_string().contains("file` cannot be used"), "{error}");
}

#[test]
fn what_a_killed_process_had_on_disk_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    fill(&ledger, 20);
    let killed = dir.path().join("killed");

    copy_files(dir.path(), &killed);

    let again = open(&killed);
    assert_eq!(now(again.position("b")).unwrap().as_deref(), Some(&b"19"[..]));
    assert_eq!(now(again.recover()).unwrap().unfinished.len(), 40);
    assert!(rows(&killed, "SELECT reason FROM gaps").is_empty());
    assert!(check(&killed).unwrap().is_whole());
}

#[test]
fn the_loss_of_the_last_transactions_is_recorded_as_a_gap_of_every_source() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    fill(&ledger, 20);
    for (name, damage) in [
        ("cut", (|log, length| fs::File::set_len(log, length * 2 / 3).unwrap()) as fn(&fs::File, u64)),
        ("flipped", |log, length| log.write_all_at(b"damage", length * 2 / 3).unwrap()),
        ("gone", |log, _| log.set_len(0).unwrap()),
    ] {
        let killed = dir.path().join(name);
        copy_files(dir.path(), &killed);
        let log = OpenOptions::new().write(true).open(killed.join("ledger.db-wal")).unwrap();
        damage(&log, log.metadata().unwrap().len());

        if name == "gone" {
            // The tables were made in the log, too.
            assert!(matches!(fails(&killed), OpenError::Damaged(_)));
            continue;
        }
        assert!(!check(&killed).unwrap().is_whole());
        assert!(matches!(Desk::open(&killed), Err(OpenError::Damaged(_))));
        let again = open(&killed);
        let position = now(again.position("a")).unwrap().unwrap();
        let kept = rows(&killed, "SELECT max(seq) - 1 FROM changes WHERE source = 'a'");
        assert_eq!(String::from_utf8(position).unwrap(), kept[0]);
        let gaps = rows(&killed, r#"SELECT source || ' ' || "from" || ' ' || reason FROM gaps ORDER BY source"#);
        assert_eq!(gaps.len(), 2, "{gaps:?}");
        assert!(gaps[0].starts_with("a change ") && gaps[0].contains("transactions were lost"), "{gaps:?}");
        close(&again);

        assert!(check(&killed).unwrap().is_whole());
        close(&open(&killed));
        assert_eq!(rows(&killed, "SELECT gap FROM gaps").len(), 2);
    }
}

#[test]
fn a_mark_that_is_gone_or_damaged_is_written_anew() {
    for damage in [|mark: &Path| fs::remove_file(mark).unwrap(), |mark: &Path| fs::write(mark, "no mark").unwrap()] {
        let dir = tempfile::tempdir().unwrap();
        close(&open(dir.path()));
        damage(&dir.path().join("mark"));

        assert!(!check(dir.path()).unwrap().is_whole());
        close(&open(dir.path()));

        assert!(check(dir.path()).unwrap().is_whole());
    }
}

#[test]
fn each_owner_is_another_generation() {
    let dir = tempfile::tempdir().unwrap();

    for generation in 1..4 {
        close(&open(dir.path()));

        assert_eq!(rows(dir.path(), "SELECT generation FROM ledger"), [generation.to_string()]);
    }
}

#[test]
fn what_waits_when_a_ledger_is_dropped_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let last = ledger.record(recording(change("a", "1", 1), Some(b"p1"), vec![]));
    ledger.keep("b", b"kept".to_vec());
    drop(ledger);

    assert!(now(last).is_ok());
    let again = loop {
        match Sqlite::open(dir.path(), Options::default()) {
            Ok(ledger) => break ledger,
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(now(again.position("b")).unwrap().as_deref(), Some(&b"kept"[..]));
}
