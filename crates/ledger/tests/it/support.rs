//! What do the tests share?

use std::path::Path;
use std::sync::Arc;

use event_detector::{Change, Effect};
use event_detector_ledger::{Options, Sqlite};
use event_detector_runtime::{DeclaredJob, Ledger, LedgerError, Receipt, RecordedVerdict, Recording, Said};
use futures::executor::block_on;
use serde_json::json;

pub(crate) const EVENT: &str = "move.created";

pub(crate) fn change(source: &str, id: &str, value: i64) -> Change {
    let change: Change = Change::insert("moves").key(value).id(id).after(json!({ "value": value })).into();
    change.with_source(source)
}

pub(crate) fn job(name: &'static str) -> DeclaredJob {
    DeclaredJob { event: EVENT, name: name.into(), nth: 0, options: "{}".to_owned(), effect: Effect::Idempotent, ordered: false }
}

/// A change with one verdict and these jobs.
pub(crate) fn recording(change: Change, position: Option<&[u8]>, jobs: Vec<DeclaredJob>) -> Recording {
    let verdict = RecordedVerdict { event: EVENT, fires: true, said: Said::Detected, detail: None };
    Recording { change: Arc::new(change), position: position.map(<[u8]>::to_vec), verdicts: vec![verdict], jobs, begins: false }
}

pub(crate) fn open(dir: &Path) -> Sqlite {
    Sqlite::open(dir, Options::default()).unwrap()
}

pub(crate) fn close(ledger: impl Ledger) {
    now(ledger.close()).unwrap();
}

pub(crate) fn now<T>(receipt: Receipt<T>) -> Result<T, LedgerError> {
    block_on(receipt)
}
