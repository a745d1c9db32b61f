//! A ledger that says what a test wants of it.

use std::mem;
use std::sync::{Arc, Mutex};

use event_detector_runtime::{
    Entry, Gap, JobRow, Ledger, LedgerError, Millis, Receipt, Recorded, Recording, Recovered, Unfinished,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

/// When the changes were recorded that are there before: 2026-05-04, 08:15:30.125.
pub(crate) const BEFORE: Millis = 1_777_882_530_125;

/// Cheap to clone; the clones are one ledger.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<State>);

#[derive(Default)]
struct State {
    says: Mutex<Says>,
    is_held: Mutex<bool>,
    released: Notify,
    entries: Mutex<Vec<Entry>>,
}

/// What becomes of a change that is to be recorded.
#[derive(Clone, Default)]
pub(crate) enum Says {
    #[default]
    New,
    Duplicate,
    Error(LedgerError),
}

impl Disk {
    pub(crate) fn saying(says: Says) -> Self {
        let disk = Self::default();
        *disk.0.says.lock().unwrap() = says;
        disk
    }

    /// Brings nothing to the disk until it is released.
    pub(crate) fn hold(&self) {
        *self.0.is_held.lock().unwrap() = true;
    }

    pub(crate) fn release(&self) {
        *self.0.is_held.lock().unwrap() = false;
        self.0.released.notify_waiters();
    }

    /// What was noted of jobs.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        mem::take(&mut self.0.entries.lock().unwrap())
    }

    fn receipt<T: Send + 'static>(&self, answer: Result<T, LedgerError>) -> Receipt<T> {
        let disk = self.clone();
        async move {
            loop {
                let released = disk.0.released.notified();
                if !*disk.0.is_held.lock().unwrap() {
                    return answer;
                }
                released.await;
            }
        }
        .boxed()
    }
}

impl Ledger for Disk {
    fn record(&self, recording: Recording) -> Receipt<Recorded> {
        let rows = (1..).take(recording.jobs.len()).collect();
        self.receipt(match self.0.says.lock().unwrap().clone() {
            Says::New => Ok(Recorded::New { change: 1, jobs: rows }),
            Says::Duplicate => Ok(Recorded::Duplicate { change: 1, recorded_at: BEFORE }),
            Says::Error(error) => Err(error),
        })
    }

    fn note(&self, entries: Vec<(JobRow, Entry)>) -> Receipt<()> {
        self.0.entries.lock().unwrap().extend(entries.into_iter().map(|(_, entry)| entry));
        self.receipt(Ok(()))
    }

    fn keep(&self, _source: &str, _position: Vec<u8>) {}

    fn position(&self, _source: &str) -> Receipt<Option<Vec<u8>>> {
        self.receipt(Ok(None))
    }

    fn gap(&self, _gap: Gap) -> Receipt<()> {
        self.receipt(Ok(()))
    }

    fn recover(&self) -> Receipt<Recovered> {
        self.receipt(Ok(Recovered::default()))
    }

    fn take_due(&self, _limit: usize) -> Receipt<Vec<Unfinished>> {
        self.receipt(Ok(Vec::new()))
    }

    fn wait_for_due(&self) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }

    fn close(&self) -> Receipt<()> {
        self.receipt(Ok(()))
    }
}
