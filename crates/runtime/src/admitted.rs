//! What happens to one change, from its admission until its report?

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use event_detector::{Change, JobScope};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::batch::Jobs;
use crate::detection::Detection;
use crate::journal::Journal;
use crate::lanes::{Running, Ticket};
use crate::ledger::{JobRow, JobState, LedgerError, Receipt, Recorded, Recording, time};
use crate::plugin::Hook;
use crate::report::{EventReport, Report};
use crate::runtime::{Inner, Runtime};
use crate::supervise::Supervisor;
use crate::timer::after;
use crate::torture::crash_point;

/// A change that has its place among those in flight, in the order of its document. The detectors were asked about it, and what they
/// want is on its way to the ledger.
///
/// One that is dropped gives up its place; what is on its way to the ledger is recorded all the same.
pub struct Admitted {
    runtime: Runtime,
    change: Arc<Change>,
    detection: Detection,
    place: Place,
    record: Record,
    /// When its detection began.
    start: Instant,
    span: Span,
}

/// What became of a change that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk, where there is a ledger and somebody wants it.
    New,
    /// It was there before, so nothing is run.
    Duplicate {
        /// When it was recorded.
        recorded_at: SystemTime,
    },
}

enum Place {
    Waiting(Ticket),
    Running(Running),
}

/// What the ledger has of a change.
enum Record {
    /// There is no ledger, or nobody wants the change.
    None,
    /// It was asked to record it; `begins` says that the first attempts are recorded as started.
    Asked {
        receipt: Receipt<Recorded>,
        begins: bool,
    },
    /// It was recorded: the rows of its jobs.
    Rows {
        jobs: Vec<JobRow>,
        begins: bool,
    },
    Duplicate {
        recorded_at: SystemTime,
    },
    Refused(LedgerError),
}

impl Runtime {
    /// Waits for a place among the changes in flight, asks the detectors, and has the ledger record what they want.
    ///
    /// The order in which the futures are first polled is the order of a document's changes.
    pub fn admit(&self, change: Change) -> impl Future<Output = Admitted> + Send {
        self.admit_at(change, None::<fn() -> Vec<u8>>)
    }

    /// As [`admit`](Self::admit), for a change of a source that is at `position` behind it: that is recorded with it.
    pub(crate) fn admit_at(
        &self,
        mut change: Change,
        position: Option<impl FnOnce() -> Vec<u8> + Send>,
    ) -> impl Future<Output = Admitted> + Send {
        let lane = change.lane();
        // An async function would hold its argument twice, and a change is large.
        async move {
            let Inner { lanes, plugins, config, context, ledger, .. } = &*self.inner;
            let ticket = lanes.admit(lane).await;
            crash_point("after_recv");
            self.inner.metrics.change();
            let start = Instant::now();
            change.add_default_context(context);
            plugins.change(&mut change, config.plugin_timeout).await;
            let change = Arc::new(change);
            let span = tracing::info_span!(
                "change",
                id = change.id(),
                collection = change.collection(),
                operation = %change.operation(),
                traceparent = change.traceparent(),
            );
            let detection = span.in_scope(|| self.inner.detect(&self.registry, &change));
            let place = ticket.try_start().map_or_else(Place::Waiting, Place::Running);
            let record = match ledger {
                Some(ledger) if !detection.events.is_empty() || config.record_all => {
                    crash_point("after_detect_before_commit");
                    let begins = matches!(place, Place::Running(_)) && !detection.seats.is_empty();
                    let receipt = ledger.record(Recording {
                        change: Arc::clone(&change),
                        position: position.map(|position| position()),
                        verdicts: detection.recorded_verdicts(),
                        jobs: detection.declared_jobs(),
                        begins,
                    });
                    Record::Asked { receipt, begins }
                }
                _ => Record::None,
            };
            Admitted { runtime: self.clone(), change, detection, place, record, start, span }
        }
    }
}

impl Admitted {
    /// Whether the ledger was asked to record the change.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self.record, Record::Asked { .. })
    }

    /// Waits until the change is on disk, where there is a ledger and a detector wants it.
    ///
    /// # Errors
    ///
    /// Why the ledger does not record it; no job of it will run.
    pub async fn recorded(&mut self) -> Result<Taken, LedgerError> {
        if let Record::Asked { receipt, begins } = &mut self.record {
            let begins = *begins;
            self.record = match receipt.await {
                Ok(Recorded::New { jobs, .. }) => Record::Rows { jobs, begins },
                Ok(Recorded::Duplicate { recorded_at, .. }) => Record::Duplicate { recorded_at: time(recorded_at) },
                Err(error) => Record::Refused(error),
            };
        }
        match &self.record {
            Record::Duplicate { recorded_at } => Ok(Taken::Duplicate { recorded_at: *recorded_at }),
            Record::Refused(error) => Err(error.clone()),
            Record::None | Record::Asked { .. } | Record::Rows { .. } => Ok(Taken::New),
        }
    }

    /// The rest of [`Runtime::handle`]: waits until the change is on disk and for the document's turn, and settles the jobs.
    pub async fn settle(mut self) -> Report {
        let recorded = self.recorded().await;
        let Self { runtime, change, mut detection, place, record, start, span } = self;
        let settling = async {
            match recorded {
                Ok(Taken::New) => {}
                Ok(Taken::Duplicate { recorded_at }) => {
                    return Report { change, events: Vec::new(), duration: start.elapsed(), duplicate: Some(recorded_at) };
                }
                Err(error) => {
                    tracing::error!(%error, "the change is not recorded, so no job of it runs");
                    refuse(&mut detection, &error);
                }
            }
            let (mut running, start) = match place {
                Place::Running(running) => (running, start),
                Place::Waiting(ticket) => (ticket.start().await, Instant::now()),
            };
            let inner = &runtime.inner;
            inner.tell_detection(&change, &detection).await;
            let journal = match (&inner.ledger, record) {
                (Some(ledger), Record::Rows { jobs, begins }) => {
                    let state = JobState::recorded(begins);
                    Some(Journal::new(Arc::clone(ledger), jobs.into_iter().map(|row| (row, state)).collect()))
                }
                _ => None,
            };
            let report = inner.settle(start, change, detection, journal, &mut running).await;
            // Before anybody sees the report, so that who has seen it finds the change settled.
            running.settled();
            inner.plugins.tell(Hook::Report(&report), inner.config.plugin_timeout).await;
            report
        };
        settling.instrument(span).await
    }
}

/// Lets no job run, and says so in each event.
fn refuse(detection: &mut Detection, error: &LedgerError) {
    detection.seats.clear();
    for event in &mut detection.events {
        event.error = Some(format!("its jobs do not run, because the change is not recorded: {error}"));
    }
}

impl Inner {
    /// Settles the jobs that the detection found.
    pub(crate) async fn settle(
        &self,
        start: Instant,
        change: Arc<Change>,
        detection: Detection,
        journal: Option<Journal>,
        running: &mut Running,
    ) -> Report {
        let Detection { mut events, seats, .. } = detection;
        if !seats.is_empty() {
            let supervisor = Supervisor {
                config: &self.config,
                plugins: &self.plugins,
                metrics: &self.metrics,
                journal: journal.as_ref(),
                cancellation: &self.environment.cancellation,
                cancelled: &self.cancelled,
                change: &change,
                start,
                deadline: self.config.change_deadline.map(|limit| after(start, limit)),
            };
            let scope = JobScope { change: Arc::clone(&change), environment: Arc::clone(&self.environment) };
            let jobs = Jobs::new(seats, scope, Arc::clone(self.threads.queue()));
            supervisor.settle_all(jobs, &mut events, running).await;
            events.iter().flat_map(|event| &event.jobs).for_each(|job| self.metrics.job(job.status));
        }
        Report { change, events, duration: start.elapsed(), duplicate: None }
    }
}

/// An event of a report before its jobs have run.
pub(crate) fn event_report(name: &'static str) -> EventReport {
    EventReport { name, detected: true, error: None, undecided: Vec::new(), jobs: Vec::new() }
}
