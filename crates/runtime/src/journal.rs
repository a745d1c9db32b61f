//! What is noted of the jobs of one change?

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::ledger::{Entry, JobRow, JobState, Ledger, LedgerError, Outcome, Stage, millis};

/// A retry that is due later than this is given to the ledger, so that neither the document nor a place waits for it.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Notes in the ledger what happens to the jobs of one change.
pub(crate) struct Journal {
    ledger: Arc<dyn Ledger>,
    /// Each job's row, and where it was when this began, in the order of the seats.
    jobs: Vec<(JobRow, JobState)>,
}

impl Journal {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, jobs: Vec<(JobRow, JobState)>) -> Self {
        Self { ledger, jobs }
    }

    /// Where the job at `place` was.
    pub(crate) fn state(&self, place: usize) -> JobState {
        self.jobs[place].1
    }

    /// Whether the next attempt of the job at `place` is recorded as started already.
    pub(crate) fn has_begun(&self, place: usize) -> bool {
        self.state(place).stage == Stage::Running
    }

    /// Whether a retry after `wait` is given to the ledger.
    pub(crate) fn parks(wait: Duration, ordered: bool) -> bool {
        wait > KEPT_FOR && !ordered
    }

    /// Notes an entry; it is on its way when this returns, and on disk when the future is ready.
    pub(crate) fn note(&self, place: usize, entry: Entry) -> BoxFuture<'static, Result<(), LedgerError>> {
        self.ledger.note(vec![(self.jobs[place].0, entry)])
    }

    /// Notes an entry whose coming to the disk nobody waits for.
    pub(crate) fn note_on_the_way(&self, place: usize, entry: Entry) {
        drop(self.note(place, entry));
    }

    /// Notes how an attempt ended, or that the job is given back; ready when that is on disk.
    pub(crate) fn note_end(&self, place: usize, entry: Entry) -> BoxFuture<'static, ()> {
        let noted = self.note(place, entry);
        async move {
            if let Err(error) = noted.await {
                tracing::error!(%error, "the end of a job is not recorded, so that it may be run again");
            }
        }
        .boxed()
    }
}

/// That the next attempt starts now.
pub(crate) fn started() -> Entry {
    Entry::Started { at: millis(SystemTime::now()) }
}

/// That the attempt ended so.
pub(crate) fn finished(outcome: Outcome) -> Entry {
    Entry::Finished { at: millis(SystemTime::now()), outcome }
}

/// That the job is given back, to be taken up again.
pub(crate) fn interrupted() -> Entry {
    Entry::Interrupted { at: millis(SystemTime::now()) }
}

/// That the job is given back before its attempt has begun.
pub(crate) fn not_begun() -> Entry {
    Entry::NotBegun { at: millis(SystemTime::now()) }
}

/// That the job cannot be run.
pub(crate) fn refused(reason: impl Into<String>) -> Entry {
    Entry::Refused { at: millis(SystemTime::now()), reason: reason.into() }
}
