//! What is read of a ledger, for every filter.

use std::collections::BTreeSet;
use std::path::Path;

use event_detector::Change;
use event_detector_runtime::Stage;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::{FILE, Filter, Open, Order, ReadError, Reader, Status};

/// Tables without a store around them, where anything can be written.
struct Tables {
    folder: TempDir,
    connection: Connection,
}

impl Tables {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join(FILE)).unwrap();
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
        let collection = if row % 2 == 0 { "orders" } else { "moves" };
        self.connection
            .execute(
                "INSERT INTO changes VALUES (?1, 'file', ?1, ?2, '', ?3, 'update', ?4, ?5, NULL, ?6, ?7, ?8, ?9, 0, 0)",
                params![
                    row,
                    id,
                    collection,
                    row.to_string(),
                    format!("cause-{row}"),
                    recorded_at,
                    stored.form.as_str(),
                    stored.bytes,
                    stored.beside
                ],
            )
            .unwrap();
    }

    fn verdict(&self, change: i64, run: i64, event: &str, said: &str) {
        self.connection
            .execute("INSERT INTO verdicts VALUES (?, ?, ?, ?, 1, NULL, 0)", params![change, run, event, said])
            .unwrap();
    }

    fn job(&self, change: i64, nth: u32, stage: &str, failures: u32) {
        let due = (stage == "waiting").then_some(9_i64);
        self.connection
            .execute(
                "INSERT INTO jobs (change, run, event, name, nth, options, effect, ordered, stage, attempts, failures, due_at, updated_at, sum) \
                 VALUES (?, 0, 'e', 'j', ?, '{}', 'pure', 0, ?, 1, ?, ?, 5, 0)",
                params![change, nth, stage, failures, due],
            )
            .unwrap();
        if stage == "dead" {
            let job = self.connection.last_insert_rowid();
            self.connection.execute("INSERT INTO dead_letters VALUES (NULL, ?, 'it failed', 7, NULL, NULL, 0)", [job]).unwrap();
        }
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
        assert_eq!(reader.count(&filter, 0).unwrap(), expected.len() as u64, "{filter:?}");
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
    let sql = "INSERT INTO runs VALUES (3, 20, NULL, '{}', 1, 0), (4, 21, NULL, '{}', 1, 0);
         INSERT INTO attempts VALUES (1, 1, 11, 12, 'failed', 'no', 0), (1, 2, 13, NULL, NULL, NULL, 0);";
    tables.connection.execute_batch(sql).unwrap();

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
    tables.connection.execute_batch("UPDATE dead_letters SET resolved_at = 8, resolution = 'dropped' WHERE letter = 1").unwrap();
    let reader = tables.reader();
    let letters =
        |open| reader.letters(open).unwrap().into_iter().map(|(letter, job)| (letter.letter, job.nth)).collect::<Vec<_>>();

    assert_eq!(letters(Open::Only), [(2, 1)]);
    assert_eq!(letters(Open::AndClosed), [(1, 0), (2, 1)]);
    assert_eq!(reader.letter(1).unwrap().unwrap().0.resolution.as_deref(), Some("dropped"));
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
fn what_is_no_ledger_is_told_apart() {
    let tables = Tables::new();
    let error = |dir: &Path| Reader::open(dir).unwrap_err();

    assert_eq!(error(Path::new("no/such")), ReadError::Missing("no/such".into()));
    tables.connection.execute_batch("PRAGMA user_version = 9").unwrap();
    assert_eq!(error(tables.folder.path()), ReadError::Newer { found: 9, supported: 1 });
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join(FILE), "this is no database, however long it may be").unwrap();
    assert!(matches!(error(other.path()), ReadError::Damaged(_)));
}

#[test]
fn a_row_that_says_nonsense_is_damage_and_no_panic() {
    let tables = Tables::new();
    tables.change(1, "one", 10);
    tables.job(1, 0, "succeeded", 0);
    tables.connection.execute_batch("UPDATE jobs SET stage = 'elsewhere'").unwrap();

    let error = tables.reader().changes(&Filter::default(), Order::Newest, 1).unwrap_err();

    assert_eq!(error, ReadError::Damaged("the stage of job 1 is `elsewhere`".to_owned()));
    tables
        .connection
        .execute_batch("UPDATE jobs SET stage = 'succeeded'; UPDATE changes SET form = 'xml', beside = '?'")
        .unwrap();
    assert!(tables.reader().content(1).unwrap().unwrap_err().contains("xml"));
}
