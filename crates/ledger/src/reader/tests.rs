//! What is read of a ledger, for every filter.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use event_detector::{Change, Effect};
use event_detector_runtime::{DeclaredJob, Ledger, LedgerError, RecordedVerdict, Recording, Said, Stage};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Coverage, Filter, Open, Order, Reader, Status};
use crate::files::Files;
use crate::open_error::OpenError;
use crate::rows::{self, Attempt, ChangeRecord, Job, Letter, Run, Tombstone, Verdict};
use crate::sqlite::{Options, Sqlite};

/// Tables without a store around them, where anything can be written.
struct Tables {
    folder: TempDir,
    connection: Connection,
}

impl Tables {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(Files::new(folder.path()).database()).unwrap();
        connection.execute_batch("PRAGMA journal_mode = wal; PRAGMA user_version = 1;").unwrap();
        connection.execute_batch(include_str!("../schema.sql")).unwrap();
        Self { folder, connection }
    }

    fn reader(&self) -> Reader {
        Reader::open(self.folder.path()).unwrap()
    }

    fn change(&self, row: i64, id: &str, recorded_at: i64) {
        let change: Change = Change::update("moves").key(row).before(serde_json::json!({ "a": 1 })).into();
        let change = change.with_id(id);
        let stored = change.to_stored();
        let record = ChangeRecord {
            change: row,
            source: "file".into(),
            seq: row,
            id: id.into(),
            database: "".into(),
            collection: if row % 2 == 0 { "orders".into() } else { "moves".into() },
            operation: "update".into(),
            key: row.to_string().into(),
            correlation_id: format!("cause-{row}").into(),
            committed_at: None,
            recorded_at,
            form: stored.form.as_str().into(),
            body: stored.bytes,
            beside: stored.beside,
            deaths: 0,
        };
        rows::insert(&self.connection, &record).unwrap();
    }

    fn verdict(&self, change: i64, run: i64, event: &str, said: &str) {
        let verdict = Verdict { change, run, event: event.into(), said: said.into(), fires: true, detail: None };
        rows::insert(&self.connection, &verdict).unwrap();
    }

    /// A job, whose row is ten times that of its change and its number on top, and the letter of a dead one.
    fn job(&self, change: i64, nth: u32, stage: &'static str, failures: u32) {
        let job = Job {
            job: change * 10 + i64::from(nth),
            change,
            run: 0,
            event: "e".into(),
            name: "j".into(),
            nth,
            options: "{}".into(),
            effect: "pure".into(),
            ordered: false,
            stage: stage.into(),
            attempts: 1,
            failures,
            due_at: (stage == "waiting").then_some(9),
            updated_at: 5,
            result: None,
            error: None,
        };
        rows::insert(&self.connection, &job).unwrap();
        if stage == "dead" {
            self.letter(job.job, None);
        }
    }

    /// A letter with the number of its job.
    fn letter(&self, job: i64, resolution: Option<&'static str>) {
        let resolved_at = resolution.map(|_| 8);
        let resolution = resolution.map(Into::into);
        let letter = Letter { letter: job, job, reason: "it failed".into(), died_at: 7, resolved_at, resolution };
        rows::replace(&self.connection, &letter).unwrap();
    }
}

fn rows(reader: &Reader, filter: Filter, order: Order, limit: usize) -> Vec<i64> {
    reader.changes(&filter, order, limit).unwrap().iter().map(|change| change.row).collect()
}

#[test]
fn each_filter_finds_its_changes_and_all_of_them_together_narrow() {
    let tables = Tables::new();
    for row in 1..=6 {
        tables.change(row, &format!("id-{row}"), row * 100);
        tables.verdict(row, 0, if row <= 3 { "a.b" } else { "c.d" }, "detected");
    }
    tables.verdict(2, 1, "a.b", "detected");
    tables.verdict(6, 0, "a.b", "detected");
    let reader = tables.reader();
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let one = |name: &str| Some(name.to_owned());
    let cases = [
        (Filter::default(), vec![1, 2, 3, 4, 5, 6]),
        (Filter { events: named(&["a.b"]), ..Filter::default() }, vec![1, 2, 3, 6]),
        (Filter { events: named(&["a.b", "c.d"]), ..Filter::default() }, vec![1, 2, 3, 4, 5, 6]),
        (Filter { events: named(&[]), ..Filter::default() }, vec![]),
        (Filter { since: Some(300), ..Filter::default() }, vec![3, 4, 5, 6]),
        (Filter { since: Some(200), until: Some(400), ..Filter::default() }, vec![2, 3]),
        (Filter { since: Some(700), ..Filter::default() }, vec![]),
        (Filter { keys: named(&["2", "\"2\"", "3"]), ..Filter::default() }, vec![2, 3]),
        (Filter { keys: named(&["2", "3"]), collection: one("orders"), ..Filter::default() }, vec![2]),
        (Filter { collection: one("moves"), ..Filter::default() }, vec![1, 3, 5]),
        (Filter { correlation_id: one("cause-4"), ..Filter::default() }, vec![4]),
        (Filter { source: one("file"), ..Filter::default() }, vec![1, 2, 3, 4, 5, 6]),
        (Filter { source: one("other"), ..Filter::default() }, vec![]),
        (Filter { rows: Some(vec![5, 1, 77]), ..Filter::default() }, vec![1, 5]),
        (Filter { events: named(&["a.b"]), since: Some(200), collection: one("orders"), ..Filter::default() }, vec![2, 6]),
    ];
    for (filter, expected) in cases {
        assert_eq!(rows(&reader, filter.clone(), Order::After(0), 100), expected, "{filter:?}");
        assert_eq!(reader.count(&filter, 0, 100).unwrap(), expected.len() as u64, "{filter:?}");
        let newest: Vec<i64> = expected.iter().rev().copied().take(2).collect();
        assert_eq!(rows(&reader, filter.clone(), Order::Newest, 2), newest, "{filter:?}");
        let behind: Vec<i64> = expected.iter().copied().filter(|row| *row > 2).take(1).collect();
        assert_eq!(rows(&reader, filter, Order::After(2), 1), behind);
    }
}

#[test]
fn what_the_tables_say_of_a_status_is_what_a_change_says_of_it() {
    const STAGES: [&str; 6] = ["queued", "running", "waiting", "succeeded", "dead", "dropped"];
    let tables = Tables::new();
    let mut row = 0;
    // Every pair of jobs, with and without failures, beside every verdict.
    for said in ["detected", "undecided", "failed"] {
        for first in STAGES {
            for second in [None, Some("succeeded"), Some("dead"), Some("waiting")] {
                for failures in [0, 1] {
                    row += 1;
                    tables.change(row, &format!("id-{row}"), row);
                    tables.verdict(row, 0, "e", said);
                    tables.job(row, 0, first, failures);
                    if let Some(second) = second {
                        tables.job(row, 1, second, 0);
                    }
                }
            }
        }
    }
    row += 1;
    tables.change(row, "without jobs", row);
    tables.verdict(row, 0, "e", "detected");
    let reader = tables.reader();
    let all = reader.changes(&Filter::default(), Order::After(0), 1_000).unwrap();

    for status in Status::ALL {
        let by_change: Vec<i64> = all.iter().filter(|change| status.is_of(change)).map(|change| change.row).collect();
        let by_tables = rows(&reader, Filter { status: Some(status), ..Filter::default() }, Order::After(0), 1_000);

        assert_eq!(by_tables, by_change, "{status:?}");
        assert!(!by_change.is_empty() && by_change.len() < all.len(), "{status:?} tells something");
    }
    let ok: Vec<&str> = all
        .iter()
        .filter(|change| Status::of(change) == Status::Ok)
        .flat_map(|change| change.jobs.iter().map(|job| job.state.stage.as_str()))
        .collect();
    assert_eq!(ok.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(["dropped", "succeeded"]));
}

#[test]
fn a_change_is_found_by_its_row_its_id_what_both_begin_with_and_its_cause() {
    let tables = Tables::new();
    for (row, id) in [(1, "82ab01"), (2, "82ab02"), (3, "7"), (4, "cd\u{fffd}e")] {
        tables.change(row, id, row);
    }
    let reader = tables.reader();
    let found = |id: &str| reader.find(id, 10).unwrap();

    assert_eq!(found("1"), [1]);
    assert_eq!(found("7"), [3], "no row has this number");
    assert_eq!(found("82ab02"), [2]);
    assert_eq!(found("82ab"), [1, 2]);
    assert_eq!(reader.find("82", 1).unwrap(), [1]);
    assert_eq!(found("cd"), [4]);
    assert_eq!(found("cause-2"), [2]);
    assert_eq!(found("cause").len(), 4);
    assert!(found("x").is_empty() && found("").is_empty() && found("82ab%").is_empty());
}

#[test]
fn a_whole_change_has_its_content_jobs_attempts_letters_and_runs() {
    let tables = Tables::new();
    tables.change(1, "one", 10);
    tables.verdict(1, 0, "e", "detected");
    tables.verdict(1, 3, "e", "detected");
    tables.job(1, 0, "dead", 2);
    for run in [3, 4] {
        let run = Run { run, started_at: 20, finished_at: None, selection: "{}".to_owned(), reached: 1 };
        rows::insert(&tables.connection, &run).unwrap();
    }
    for (attempt, finished_at) in [(1, Some(12)), (2, None)] {
        let outcome = finished_at.map(|_| "failed".into());
        let attempt = Attempt { job: 10, attempt, started_at: 11, finished_at, outcome, error: None };
        rows::insert(&tables.connection, &attempt).unwrap();
    }

    let whole = tables.reader().whole(1).unwrap().unwrap();

    assert!(whole.change.unwrap().before("a") == 1);
    assert_eq!(whole.recorded.verdicts.iter().map(|verdict| verdict.run).collect::<Vec<_>>(), [0, 3]);
    assert_eq!(whole.jobs[0].job.state.stage, Stage::Dead);
    assert_eq!(whole.jobs[0].attempts.iter().map(|attempt| attempt.finished_at).collect::<Vec<_>>(), [Some(12), None]);
    assert_eq!(whole.jobs[0].letters[0].reason, "it failed");
    assert_eq!(whole.runs.iter().map(|run| run.run).collect::<Vec<_>>(), [3]);
    assert!(tables.reader().whole(2).unwrap().is_none());
}

#[test]
fn a_letter_that_was_decided_on_is_shown_only_where_all_are_asked_for() {
    let tables = Tables::new();
    tables.change(1, "one", 10);
    tables.job(1, 0, "dead", 1);
    tables.job(1, 1, "dead", 1);
    tables.letter(10, Some("dropped"));
    let reader = tables.reader();
    let letters =
        |open| reader.letters(open).unwrap().into_iter().map(|(letter, job)| (letter.letter, job.nth)).collect::<Vec<_>>();

    assert_eq!(letters(Open::Only), [(11, 1)]);
    assert_eq!(letters(Open::AndClosed), [(10, 0), (11, 1)]);
    assert_eq!(reader.letter(10).unwrap().unwrap().0.resolution.as_deref(), Some("dropped"));
    assert_eq!(reader.letter(3).unwrap(), None);
    assert_eq!(reader.counts().unwrap().open_letters, 1);
}

#[test]
fn what_others_write_meanwhile_is_noticed_and_read() {
    let tables = Tables::new();
    let reader = tables.reader();
    let (before, none) = (reader.version().unwrap(), reader.events().unwrap());

    tables.change(1, "one", 10);
    for event in ["b", "a", "b.c"] {
        tables.verdict(1, 0, event, "detected");
    }

    assert!(none.is_empty());
    assert_ne!(reader.version().unwrap(), before);
    assert_eq!(reader.events().unwrap(), ["a", "b", "b.c"]);
    assert_eq!(reader.collections().unwrap(), ["moves"]);
}

#[test]
fn the_changes_themselves_come_in_their_order_and_the_ledger_says_which_it_covers() {
    let tables = Tables::new();
    assert_eq!(tables.reader().coverage().unwrap(), Coverage::default());
    for (row, at) in [(1, 30), (2, 10), (4, 20)] {
        tables.change(row, &format!("id-{row}"), at);
    }
    let tombstone = Tombstone { source: "file".to_owned(), first_seq: 10, last_seq: 12, deleted_at: 5 };
    rows::insert(&tables.connection, &tombstone).unwrap();
    let reader = tables.reader();

    let found = reader.contents(1, 9).unwrap();

    let ids: Vec<_> = found.into_iter().map(|content| (content.row, content.change.unwrap().id().to_owned())).collect();
    assert_eq!(ids, [(2, "id-2".to_owned()), (4, "id-4".to_owned())]);
    assert_eq!(reader.contents(0, 2).unwrap().len(), 2);
    assert_eq!(reader.coverage().unwrap(), Coverage { changes: 3, first: Some(10), last: Some(30), deleted: 3 });
}

#[test]
fn what_is_no_ledger_is_told_apart() {
    let tables = Tables::new();
    let error = |dir: &Path| Reader::open(dir).unwrap_err();

    assert!(matches!(error(Path::new("no/such")), OpenError::Missing { dir } if dir == Path::new("no/such")));
    tables.connection.execute_batch("PRAGMA user_version = 9").unwrap();
    assert!(matches!(error(tables.folder.path()), OpenError::Newer { found: 9, supported: 1 }));
    let other = tempfile::tempdir().unwrap();
    std::fs::write(Files::new(other.path()).database(), "this is no database, however long it may be").unwrap();
    assert!(matches!(error(other.path()), OpenError::Damaged(_)));
}

#[test]
fn a_row_that_is_not_what_was_written_is_told_and_never_shown() {
    let tables = Tables::new();
    tables.change(1, "one", 10);
    tables.job(1, 0, "succeeded", 0);
    tables.connection.execute_batch("UPDATE jobs SET error = 'nothing'").unwrap();
    let reader = tables.reader();

    let error = reader.changes(&Filter::default(), Order::Newest, 1).unwrap_err();

    assert!(matches!(&error, LedgerError::Damaged(what) if what.contains("table `jobs`, job 10")), "{error}");
    assert!(
        matches!(reader.whole(1), Err(LedgerError::Damaged(_))) && matches!(reader.jobs(&[10]), Err(LedgerError::Damaged(_)))
    );
}

#[test]
fn a_ledger_is_read_while_a_program_owns_it_and_after_that() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Sqlite::open(folder.path(), Options::default()).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let change: Change = Change::insert("moves").key(7).after(serde_json::json!({ "a": 1 })).into();
    let job = DeclaredJob {
        event: "move.made",
        name: "send".into(),
        nth: 0,
        options: "{}".into(),
        effect: Effect::Once,
        ordered: true,
    };
    let recording = Recording {
        change: Arc::new(change.with_source("file").with_id("one")),
        position: None,
        verdicts: vec![RecordedVerdict { event: "move.made", fires: true, said: Said::Detected, detail: None }],
        jobs: vec![job],
        begins: true,
    };

    futures::executor::block_on(owner.record(recording)).unwrap();

    let listed = reader.changes(&Filter::default(), Order::Newest, 9).unwrap();
    assert_eq!((listed.len(), listed[0].key.as_str(), listed[0].jobs[0].state.stage), (1, "7", Stage::Running));
    futures::executor::block_on(owner.close()).unwrap();
    drop((owner, reader));
    let whole = Reader::open(folder.path()).unwrap().whole(1).unwrap().unwrap();
    assert!(whole.change.unwrap().after("a") == 1);
    assert_eq!((whole.jobs[0].job.effect, whole.jobs[0].attempts.len()), (Effect::Once, 1));
}
