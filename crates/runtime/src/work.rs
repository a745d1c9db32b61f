//! Who owns the changes in flight of a run, and what do they come to?

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};

use event_detector::catch_panic;
use tokio::task::{JoinError, JoinSet};

use crate::admitted::Admitted;
use crate::job_threads::lock;
use crate::report::{JobStatus, Report};
use crate::source::{NotTaken, Rejected};

/// What the sources of a runtime came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The changes that were handled to their end.
    pub changes: u64,
    /// The events that were detected.
    pub events: u64,
    /// The events that were undecided.
    pub undecided: u64,
    /// The events whose own code failed.
    pub event_errors: u64,
    /// The jobs that succeeded.
    pub jobs_succeeded: u64,
    /// The jobs that failed, panicked or timed out.
    pub jobs_failed: u64,
    /// The jobs that were cut because the program stopped or the change's deadline was over.
    pub jobs_cut: u64,
    /// What was read and is not a change.
    pub rejected: u64,
    /// Per source that failed, its name and why.
    pub source_errors: Vec<(String, String)>,
    /// Per source that was stopped, its name and what it did not hand over.
    pub left: Vec<(String, String)>,
    /// The changes that had not settled when the program was told to stop.
    pub in_flight_at_stop: usize,
    /// The changes that were delivered again, and are in the ledger once.
    pub duplicates: u64,
    /// The changes whose jobs went on out of the ledger: a former process had left them, or they waited for another attempt.
    pub resumed: u64,
    /// The jobs that failed, and wait in the ledger for another attempt.
    pub jobs_retrying: u64,
}

/// What the intakes of a run share.
pub(crate) struct Work {
    /// The changes in flight; `None` once the run is over, so that a forgotten intake hands over nothing that nobody waits for.
    pub(crate) tasks: Mutex<Option<JoinSet<()>>>,
    pub(crate) counts: Counts,
    pub(crate) on_reject: Box<dyn Fn(&Rejected) + Send + Sync>,
}

/// What a run comes to so far. Its tasks have this and not the [`Work`], which owns them.
#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<Summary>>);

impl Summary {
    fn add(&mut self, report: &Report) {
        self.changes += 1;
        for event in &report.events {
            self.events += u64::from(event.detected);
            self.undecided += u64::from(!event.undecided.is_empty());
            self.event_errors += u64::from(event.error.is_some());
        }
        self.add_jobs(report);
    }

    fn add_jobs(&mut self, report: &Report) {
        for job in report.jobs() {
            match job.status {
                JobStatus::Succeeded => self.jobs_succeeded += 1,
                JobStatus::Expired | JobStatus::Cancelled => self.jobs_cut += 1,
                JobStatus::Failed | JobStatus::Panicked | JobStatus::TimedOut => self.jobs_failed += 1,
                JobStatus::Retrying => self.jobs_retrying += 1,
            }
        }
    }
}

impl Work {
    /// Settles a change, at once where nothing of it waits, and else in a task of its own.
    pub(crate) fn handle(&self, admitted: Admitted, done: impl FnOnce(Report) + Send + 'static) -> Result<(), NotTaken> {
        let counts = self.counts.clone();
        let mut handled = Box::pin(async move { counts.add(admitted.settle().await, done) });
        // Most changes come to nothing, and that at once: a task of its own would cost as much again.
        let mut cx = Context::from_waker(Waker::noop());
        if handled.as_mut().poll(&mut cx).is_ready() || self.spawn(handled) {
            return Ok(());
        }
        Err(NotTaken::Stopping)
    }

    /// Runs a task that the run waits for; false when it waits for nothing any more.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = lock(&self.tasks);
        let Some(tasks) = tasks.as_mut() else { return false };
        tasks.spawn(task);
        while let Some(ended) = tasks.try_join_next() {
            note(ended);
        }
        true
    }

    pub(crate) fn source_failed(&self, name: &str, error: String) {
        self.counts.lock().source_errors.push((name.to_owned(), error));
    }

    /// Waits for the changes in flight.
    pub(crate) async fn settle(&self) {
        loop {
            let mut tasks = {
                let mut slot = lock(&self.tasks);
                match slot.as_mut() {
                    Some(tasks) if !tasks.is_empty() => std::mem::take(tasks),
                    _ => return,
                }
            };
            while let Some(ended) = tasks.join_next().await {
                note(ended);
            }
        }
    }
}

impl Counts {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Summary> {
        lock(&self.0)
    }

    /// Counts a report, and gives it to the source that waits for it.
    pub(crate) fn add(&self, report: Report, done: impl FnOnce(Report)) {
        self.lock().add(&report);
        if let Err(panic) = catch_panic(|| done(report)) {
            tracing::error!(%panic, "a report could not be given to the source of its change");
        }
    }

    /// Counts a change that is in the ledger already.
    pub(crate) fn add_duplicate(&self) {
        self.lock().duplicates += 1;
    }

    /// Counts what came of jobs that went on out of the ledger.
    pub(crate) fn add_resumed(&self, report: Option<Report>) {
        let mut summary = self.lock();
        if let Some(report) = report {
            summary.add_jobs(&report);
            summary.resumed += 1;
        }
    }
}

/// Nothing of users runs unguarded in the task of a change, so this is a defect of ours, and must not pass in silence.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a change was not handled to its end");
    }
}
