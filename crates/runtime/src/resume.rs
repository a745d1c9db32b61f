//! How does the work go on that a former process left, or that waited in the ledger for its time?

use std::sync::Arc;

use event_detector::Change;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::admitted::event_report;
use crate::detection::{Detection, take_seats};
use crate::journal::{Journal, refused};
use crate::lanes::Ticket;
use crate::ledger::{JobRow, JobState, Ledger, LedgerError, Unfinished, UnfinishedJob};
use crate::plugin::Hook;
use crate::report::Report;
use crate::runtime::Runtime;
use crate::work::Work;

/// Changes with due jobs that are taken from the ledger at a time.
const AT_A_TIME: usize = 64;

/// A change seen to have been in flight at so many deaths of the program is a suspect: it runs alone.
const SUSPECT: u32 = 2;

/// A recorded change that has its place among those in flight, in the order of its document.
struct Resumed {
    runtime: Runtime,
    change: Arc<Change>,
    jobs: Vec<UnfinishedJob>,
    ticket: Ticket,
}

impl Runtime {
    /// Goes on with what a former process left; returns when all of it has its place, so that what comes later comes behind it.
    pub(crate) async fn recover(&self, ledger: &Arc<dyn Ledger>, work: &Arc<Work>) -> Result<(), LedgerError> {
        let recovered = ledger.recover().await?;
        if recovered.quarantined > 0 {
            tracing::error!(
                changes = recovered.quarantined,
                "the program died again and again in the middle of the jobs of these changes; they are set aside: see `dead-letters list`"
            );
        }
        if recovered.interrupted > 0 {
            tracing::warn!(
                changes = recovered.interrupted,
                "a former process did not end in order; the jobs that it had in hand go on"
            );
        }
        for unfinished in recovered.unfinished {
            let is_suspect = unfinished.deaths >= SUSPECT;
            let Some(resumed) = self.resume(ledger, unfinished).await else { continue };
            if is_suspect {
                work.settle().await;
                work.counts.add_resumed(resumed.settle().await);
            } else {
                resumed.go_on(work);
            }
        }
        Ok(())
    }

    /// Takes up the jobs whose time has come; returns how many changes they are of.
    pub(crate) async fn take_up(&self, ledger: &Arc<dyn Ledger>, work: &Arc<Work>) -> Result<usize, LedgerError> {
        let mut taken = 0;
        // A cut makes jobs due again at once, and nobody is to take them up here any more.
        while !self.is_cancelled() {
            let due = ledger.take_due(AT_A_TIME).await?;
            if due.is_empty() {
                break;
            }
            taken += due.len();
            for unfinished in due {
                if let Some(resumed) = self.resume(ledger, unfinished).await {
                    resumed.go_on(work);
                }
            }
        }
        Ok(taken)
    }

    /// Waits for a place for a recorded change; `None` where it cannot be read, which makes its jobs dead letters.
    async fn resume(&self, ledger: &Arc<dyn Ledger>, unfinished: Unfinished) -> Option<Resumed> {
        let Unfinished { change, jobs, .. } = unfinished;
        match change {
            Ok(mut change) => {
                // What was missing when it was recorded may be why its jobs failed.
                change.add_default_context(&self.inner.context);
                let ticket = self.inner.lanes.admit(change.lane()).await;
                Some(Resumed { runtime: self.clone(), change: Arc::new(change), jobs, ticket })
            }
            Err(error) => {
                refuse(ledger, &jobs, &format!("the recorded change cannot be read: {error}")).await;
                None
            }
        }
    }
}

impl Resumed {
    /// Settles in a task that the run waits for.
    fn go_on(self, work: &Work) {
        let counts = work.counts.clone();
        work.spawn(async move { counts.add_resumed(self.settle().await) });
    }

    /// Waits for the document's turn, and settles the jobs; `None` where there is none that can be run.
    async fn settle(self) -> Option<Report> {
        let Self { runtime, change, jobs, ticket } = self;
        let span = tracing::info_span!(
            "change",
            id = change.id(),
            collection = change.collection(),
            operation = %change.operation(),
            traceparent = change.traceparent(),
            resumed = true,
        );
        let settling = async {
            let mut running = ticket.start().await;
            let start = Instant::now();
            let ledger = runtime.inner.ledger.as_ref()?;
            let (detection, rows) = find_jobs(&runtime, ledger, &change, &jobs).await;
            if detection.seats.is_empty() {
                return None;
            }
            let journal = Journal::new(Arc::clone(ledger), rows);
            let report = runtime.inner.settle(start, change, detection, Some(journal), &mut running).await;
            running.settled();
            runtime.inner.plugins.tell(Hook::Report(&report), runtime.inner.config.plugin_timeout).await;
            Some(report)
        };
        settling.instrument(span).await
    }
}

/// Asks the events for their jobs again, and takes those that are recorded as unfinished; others are not run. What is recorded and
/// not declared any more becomes a dead letter.
async fn find_jobs(
    runtime: &Runtime,
    ledger: &Arc<dyn Ledger>,
    change: &Change,
    unfinished: &[UnfinishedJob],
) -> (Detection, Vec<(JobRow, JobState)>) {
    let mut detection = Detection::default();
    let mut rows = Vec::new();
    for of_event in unfinished.chunk_by(|one, next| one.event == next.event) {
        let event = of_event[0].event.as_str();
        let Some(detector) = runtime.registry.get(event) else {
            // An event that this program has and does not watch for now is left as it is, for a run that watches for it.
            if !runtime.registry.knows(event) {
                refuse(ledger, of_event, "the event is not declared any more").await;
            }
            continue;
        };
        let mut seats = Vec::new();
        match detector.jobs(change) {
            Ok(jobs) => take_seats(&mut seats, detection.events.len(), detector, jobs, &Span::current()),
            Err(panic) => {
                refuse(ledger, of_event, &format!("the event's `jobs` {panic}")).await;
                continue;
            }
        }
        for job in of_event {
            match seats.iter().position(|seat| seat.job.name() == job.name && seat.nth == job.nth) {
                Some(at) => {
                    detection.seats.push(seats.swap_remove(at));
                    rows.push((job.row, job.state));
                }
                None => refuse(ledger, std::slice::from_ref(job), "the event's `jobs` does not return it any more").await,
            }
        }
        detection.events.push(event_report(detector.name()));
    }
    (detection, rows)
}

/// Makes dead letters of jobs that cannot be run.
async fn refuse(ledger: &Arc<dyn Ledger>, jobs: &[UnfinishedJob], reason: &str) {
    tracing::error!(
        event = jobs[0].event,
        jobs = jobs.len(),
        reason,
        "jobs that were recorded cannot be run; they are dead letters"
    );
    if let Err(error) = ledger.note(jobs.iter().map(|job| (job.row, refused(reason))).collect()).await {
        tracing::error!(%error, "that is not recorded");
    }
}
