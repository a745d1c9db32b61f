//! What becomes of a source of which a change cannot be recorded?

use event_detector_runtime::{Ledger, LedgerError};
use rusqlite::Connection;

use crate::support::{change, close, now, open, recording, rows};

#[test]
fn nothing_more_is_taken_of_a_source_behind_a_change_that_cannot_be_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let refuse =
        "CREATE TRIGGER refuse BEFORE INSERT ON changes WHEN NEW.id = '2' BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    Connection::open(dir.path().join("ledger.db")).unwrap().execute(refuse, []).unwrap();

    let receipts: Vec<_> = ["1", "2", "3"]
        .map(|id| ledger.record(recording(change("a", id, 1), Some(id.as_bytes()), Vec::new())))
        .into_iter()
        .chain([ledger.record(recording(change("b", "4", 1), Some(b"4"), Vec::new()))])
        .collect();
    ledger.keep("a", b"5".to_vec());
    let answers: Vec<_> = receipts.into_iter().map(now).collect();

    assert!(answers[0].is_ok() && answers[3].is_ok(), "{answers:?}");
    for answer in &answers[1..3] {
        assert!(matches!(answer, Err(LedgerError::Failed(why)) if why.contains("not this one")), "{answers:?}");
    }
    assert_eq!(now(ledger.position("a")), Ok(Some(b"1".to_vec())));
    close(&ledger);
    assert_eq!(rows(dir.path(), "SELECT source, position, seq FROM positions ORDER BY source"), ["a 1 1", "b 4 1"]);
}
