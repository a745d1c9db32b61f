//! Does a ledger keep what the trait promises?

use event_detector_runtime::{Ledger, Recorded};

use crate::support::{change, job, now, open, recording};

/// Makes ledgers, and takes them from one process to the next.
trait Home {
    /// The ledger, as the next process finds it; the one before it was closed.
    fn open(&self) -> Box<dyn Ledger>;
}

impl Home for tempfile::TempDir {
    fn open(&self) -> Box<dyn Ledger> {
        Box::new(open(self.path()))
    }
}

#[test]
fn a_change_is_recorded_once() {
    let home = tempfile::tempdir().unwrap();
    let ledger = Home::open(&home);

    let first = now(ledger.record(recording(change("a", "1", 1), Some(b"p1"), vec![job("one"), job("two")]))).unwrap();
    let again = now(ledger.record(recording(change("a", "1", 1), Some(b"p2"), vec![job("one")]))).unwrap();

    let Recorded::New { change, jobs } = first else { panic!("{first:?}") };
    assert_eq!(jobs.len(), 2);
    assert!(matches!(again, Recorded::Duplicate { change: earlier, .. } if earlier == change), "{again:?}");
    assert_eq!(now(ledger.position("a")).unwrap().as_deref(), Some(&b"p2"[..]));
    now(ledger.close()).unwrap();
}
