//! What becomes of what is asked for where the store cannot do it?

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use event_detector::Change;
use event_detector_runtime::{Ledger, LedgerError, Receipt, Recorded, Recording};
use futures::FutureExt;
use futures::executor::block_on;
use serde_json::json;

use super::{Options, Sqlite};
use crate::queue::WhenFull;

/// A change that takes more than a page.
fn record(ledger: &Sqlite, number: usize, position: Option<&[u8]>) -> Receipt<Recorded> {
    let change: Change = Change::insert("moves").id(&number.to_string()).after(json!({ "notes": "x".repeat(5_000) })).into();
    let position = position.map(<[u8]>::to_vec);
    let change = change.with_source("a").into();
    ledger.record(Recording { change, position, verdicts: vec![], jobs: vec![], begins: false })
}

/// Lets the database grow by so many pages and no more, as a disk does; a full disk does not keep this from being done.
fn allow(ledger: &Sqlite, pages: i64) {
    let allowed = ledger.ask(pages, WhenFull::Read, |store, pages| {
        let count: i64 = store.connection().query_row("PRAGMA page_count", [], |row| row.get(0))?;
        Ok(store.connection().query_row(&format!("PRAGMA max_page_count = {}", count + pages), [], |_| Ok(()))?)
    });
    block_on(allowed).unwrap();
}

/// A ledger that has no space left.
fn full_ledger(dir: &Path) -> Sqlite {
    let ledger = Sqlite::open(dir, Options::default()).unwrap();
    block_on(record(&ledger, 0, Some(b"0"))).unwrap();
    allow(&ledger, 0);
    assert_eq!(block_on(record(&ledger, 1, None)), Err(LedgerError::Full));
    ledger
}

#[test]
fn what_belongs_to_a_position_waits_for_space_in_its_order_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = full_ledger(dir.path());

    let attempts = Arc::new(AtomicU32::new(0));
    let counted = ledger.ask(Arc::clone(&attempts), WhenFull::Wait, |_, attempts| {
        attempts.fetch_add(1, Relaxed);
        Ok(())
    });
    let mut waiting: Vec<_> = (2..20).map(|number| record(&ledger, number, Some(b"later"))).collect();
    let mut noted = ledger.note(vec![]);
    while attempts.load(Relaxed) < 2 {
        std::thread::yield_now();
    }
    assert_eq!(block_on(record(&ledger, 1, None)), Err(LedgerError::Full));
    assert_eq!(block_on(ledger.position("a")).unwrap().as_deref(), Some(&b"0"[..]));
    assert!(waiting.iter_mut().all(|receipt| receipt.now_or_never().is_none()) && (&mut noted).now_or_never().is_none());
    assert!(ledger.stats().is_full && ledger.stats().queued >= 18, "{:?}", ledger.stats());
    allow(&ledger, 1_000);

    let rows: Vec<i64> = waiting
        .into_iter()
        .map(|receipt| match block_on(receipt).unwrap() {
            Recorded::New { change, .. } => change,
            duplicate => panic!("{duplicate:?}"),
        })
        .collect();
    assert_eq!(rows, (2..20).collect::<Vec<_>>());
    assert_eq!((block_on(counted), block_on(noted)), (Ok(()), Ok(())));
    assert!(!ledger.stats().is_full);
    assert!(block_on(record(&ledger, 1, None)).is_ok());
    assert_eq!(block_on(ledger.position("a")).unwrap().as_deref(), Some(&b"later"[..]));
}

#[test]
fn a_ledger_that_is_closed_on_a_full_disk_gives_up_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = full_ledger(dir.path());
    let waiting = record(&ledger, 2, Some(b"2"));

    assert_eq!(block_on(ledger.close()), Err(LedgerError::Full));
    assert_eq!(block_on(waiting), Err(LedgerError::Full));

    let again = Sqlite::open(dir.path(), Options::default()).unwrap();
    assert_eq!(block_on(again.position("a")).unwrap().as_deref(), Some(&b"0"[..]));
}

#[test]
fn nobody_waits_for_a_writer_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Sqlite::open(dir.path(), Options::default()).unwrap();

    let broken: Receipt<()> = ledger.ask((), WhenFull::Wait, |_, ()| panic!("a mistake in the store"));
    let behind = record(&ledger, 1, None);

    assert_eq!(block_on(broken), Err(LedgerError::Closed));
    assert_eq!(block_on(behind), Err(LedgerError::Closed));
    assert_eq!(block_on(record(&ledger, 2, None)), Err(LedgerError::Closed));
    block_on(ledger.wait_for_due());
}
