//! What do the tests share?

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use event_detector::{Change, Effect};
use event_detector_ledger::{Options, Sqlite};
use event_detector_runtime::{
    DeclaredJob, Entry, JobRow, Ledger, LedgerError, Millis, Outcome, Receipt, Recorded, RecordedVerdict, Recording, Said,
};
use futures::executor::block_on;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::json;

pub(crate) const EVENT: &str = "move.created";

pub(crate) fn change(source: &str, id: &str, value: i64) -> Change {
    let change: Change = Change::insert("moves").key(value).id(id).after(json!({ "value": value })).into();
    change.with_source(source)
}

pub(crate) fn job(name: &'static str) -> DeclaredJob {
    DeclaredJob { event: EVENT, name: name.into(), nth: 0, options: "{}".to_owned(), effect: Effect::Idempotent, ordered: false }
}

pub(crate) fn once(name: &'static str) -> DeclaredJob {
    DeclaredJob { effect: Effect::Once, ..job(name) }
}

/// A change with one verdict and these jobs, which do not begin at once.
pub(crate) fn recording(change: Change, position: Option<&[u8]>, jobs: Vec<DeclaredJob>) -> Recording {
    let verdict = RecordedVerdict { event: EVENT, fires: true, said: Said::Detected, detail: None };
    Recording { change: Arc::new(change), position: position.map(<[u8]>::to_vec), verdicts: vec![verdict], jobs, begins: false }
}

/// A change of the source `a` whose jobs begin at once; the rows of the jobs.
pub(crate) fn begin(ledger: &dyn Ledger, id: &str, jobs: Vec<DeclaredJob>) -> Vec<JobRow> {
    let recording = Recording { begins: true, ..recording(change("a", id, 1), Some(id.as_bytes()), jobs) };
    new(now(ledger.record(recording)).unwrap()).1
}

/// The rows of a change that was new, and of its jobs.
pub(crate) fn new(recorded: Recorded) -> (i64, Vec<JobRow>) {
    match recorded {
        Recorded::New { change, jobs } => (change, jobs),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn succeeded() -> Entry {
    Entry::Finished { at: clock(), outcome: Outcome::Succeeded { result: json!({ "ok": true }) } }
}

pub(crate) fn died() -> Entry {
    Entry::Finished { at: clock(), outcome: Outcome::Dead { status: "failed", error: "no way".to_owned() } }
}

/// The attempt failed, and the next is due then.
pub(crate) fn parked(due: Millis) -> Entry {
    let outcome = Outcome::Retry { status: "timed_out", error: "too slow".to_owned(), due, kept: false };
    Entry::Finished { at: clock(), outcome }
}

pub(crate) fn note(ledger: &dyn Ledger, entries: Vec<(JobRow, Entry)>) {
    now(ledger.note(entries)).unwrap();
}

pub(crate) fn open(dir: &Path) -> Sqlite {
    Sqlite::open(dir, Options::default()).unwrap()
}

pub(crate) fn close(ledger: &dyn Ledger) {
    now(ledger.close()).unwrap();
}

/// What is told when it is on disk.
pub(crate) fn now<T>(receipt: Receipt<T>) -> Result<T, LedgerError> {
    block_on(receipt)
}

pub(crate) fn clock() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// The files of a ledger as they are at this moment, somewhere else: what a process leaves that is killed now.
pub(crate) fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    // The log last: what a checkpoint moves meanwhile is then in both.
    for name in ["mark", "ledger.db", "ledger.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// The rows of a query, each as a text, as somebody sees them who looks with another program.
pub(crate) fn rows(dir: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(dir.join("ledger.db")).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let cell = |value: ValueRef<'_>| match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let read =
        statement.query_map([], |row| Ok((0..columns).map(|at| cell(row.get_ref(at).unwrap())).collect::<Vec<_>>().join(" ")));
    read.unwrap().map(Result::unwrap).collect()
}
