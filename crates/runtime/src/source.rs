//! Where do changes come from, and how are they taken until somebody says stop?

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use event_detector::{Change, Registry, catch_panic};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::guard::Guarded;
use crate::job_threads::lock;
use crate::ledger::LedgerError;
use crate::metrics::Metrics;
use crate::plugin::Hook;
use crate::report::{JobStatus, Report};
use crate::runtime::{Runtime, Taken};
use crate::timer::after;

/// Why a source cannot go on.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A source of changes.
pub trait Source: Send + 'static {
    /// The source's name, in the banner and in reports.
    fn name(&self) -> String;

    /// Hands over changes until there are no more, or the intake is stopping.
    ///
    /// # Errors
    ///
    /// What keeps the source from going on; the other sources go on. [`NotTaken`], passed on from the intake, is a stop, not a failure.
    fn run(self, intake: Intake) -> impl Future<Output = Result<SourceEnd, SourceError>> + Send;
}

/// How a source ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEnd {
    /// There are no more changes.
    Exhausted,
    /// It stopped because the intake did.
    Stopped {
        /// What it did not hand over, in words.
        left: String,
    },
}

/// Why a change was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// The intake no longer takes changes.
    #[error("the program is stopping and takes no more changes")]
    Stopping,
    /// The ledger does not record it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Something a source read that is not a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The source's name.
    pub source: String,
    /// Where in the source it stands.
    pub place: String,
    /// What is wrong with it.
    pub error: String,
}

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
}

/// Takes the changes of one source. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    runtime: Runtime,
    source: Arc<str>,
    /// The end of the drain, once the run is told to stop.
    stopping: watch::Receiver<Option<Instant>>,
    work: Arc<Work>,
}

/// What the intakes of a run share.
struct Work {
    /// The changes in flight; `None` once the run is over, so that a forgotten intake hands over nothing that nobody waits for.
    tasks: Mutex<Option<JoinSet<()>>>,
    summary: Arc<Mutex<Summary>>,
    on_reject: Box<dyn Fn(&Rejected) + Send + Sync>,
}

impl Intake {
    /// Takes a change: waits for a place, and returns while it is handled.
    ///
    /// The order of the calls is the order in which the changes of one document are handled. A call whose future is dropped
    /// before it returned has not taken the change.
    ///
    /// # Errors
    ///
    /// [`NotTaken`]; the change was not taken.
    pub async fn submit(&self, change: Change) -> Result<(), NotTaken> {
        self.submit_then(change, drop).await.map(drop)
    }

    /// As [`submit`](Self::submit), and gives the change's report to `done`, for a source that must answer somebody.
    ///
    /// `done` is called when the report is counted, on a thread that timers and sources need, so it should be short. Where the
    /// change is not taken, or is cut, it is dropped instead.
    ///
    /// # Errors
    ///
    /// [`NotTaken`]; the change was not taken.
    pub fn submit_then(
        &self,
        change: Change,
        done: impl FnOnce(Report) + Send + 'static,
    ) -> impl Future<Output = Result<Taken, NotTaken>> + Send {
        let change = if change.source().is_empty() { change.with_source(Arc::clone(&self.source)) } else { change };
        async move {
            if self.is_stopping() {
                return Err(NotTaken::Stopping);
            }
            let mut place = pin!(self.runtime.admit(change));
            // To wait for the stop costs more than to ask for it, and mostly there is a place.
            let admitted = match futures::poll!(&mut place) {
                Poll::Ready(admitted) => admitted,
                Poll::Pending => tokio::select! {
                    biased;
                    () = self.stopping() => return Err(NotTaken::Stopping),
                    admitted = place => admitted,
                },
            };
            if lock(&self.work.tasks).is_none() {
                return Err(NotTaken::Stopping);
            }
            let summary = Arc::clone(&self.work.summary);
            let mut handled = Box::pin(async move {
                let report = admitted.settle().await;
                lock(&summary).add(&report);
                if let Err(panic) = catch_panic(|| done(report)) {
                    tracing::error!(%panic, "a report could not be given to the source of its change");
                }
            });
            // Most changes come to nothing, and that at once: a task of its own would cost as much again.
            if futures::poll!(&mut handled).is_ready() {
                return Ok(Taken::New);
            }
            let mut tasks = lock(&self.work.tasks);
            let tasks = tasks.as_mut().ok_or(NotTaken::Stopping)?;
            tasks.spawn(handled);
            while let Some(ended) = tasks.try_join_next() {
                note(ended);
            }
            Ok(Taken::New)
        }
    }

    /// Takes a change with the position behind it.
    ///
    /// # Errors
    ///
    /// [`NotTaken`]
    pub async fn submit_at(&self, change: Change, _position: Vec<u8>) -> Result<(), NotTaken> {
        self.submit(change).await
    }

    /// Where the source was.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]
    pub async fn position(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(None)
    }

    /// Keeps a position.
    pub fn keep(&self, _position: Vec<u8>) {}

    /// Records a gap.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]
    pub async fn gap(&self, _from: String, _to: String, _reason: String) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Whether there is a ledger.
    pub fn has_ledger(&self) -> bool {
        false
    }

    /// This intake, whose changes are watched only for the events that `keep` says yes to.
    #[must_use]
    pub fn narrowed(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self { runtime: self.runtime.narrowed(keep), ..self.clone() }
    }

    /// The events that are watched for.
    pub fn registry(&self) -> &Registry {
        self.runtime.registry()
    }

    /// What the runtime has done since it started, in numbers.
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.runtime.metrics()
    }

    /// The changes that were admitted, from all sources, and have not settled.
    pub fn admitted(&self) -> usize {
        self.runtime.admitted()
    }

    /// Whether every place was taken a moment ago, so that [`submit`](Self::submit) would have waited.
    pub fn is_full(&self) -> bool {
        self.runtime.is_full()
    }

    /// Notes something that is not a change; it is counted and shown, and the source decides whether to go on.
    pub fn reject(&self, place: impl Into<String>, error: impl fmt::Display) {
        let rejected = Rejected { source: self.source.to_string(), place: place.into(), error: error.to_string() };
        lock(&self.work.summary).rejected += 1;
        if let Err(panic) = catch_panic(|| (self.work.on_reject)(&rejected)) {
            tracing::error!(%panic, "what was rejected could not be shown");
        }
    }

    /// Whether the intake takes no more changes.
    pub fn is_stopping(&self) -> bool {
        self.drain_end().is_some()
    }

    /// When the changes in flight are cut; `None` as long as changes are taken.
    pub fn drain_end(&self) -> Option<Instant> {
        *self.stopping.borrow()
    }

    /// Waits until the intake takes no more changes.
    pub async fn stopping(&self) {
        // The sender lives as long as the run; without it there is nobody left to hand changes to.
        let mut stopping = self.stopping.clone();
        let _gone = stopping.wait_for(Option::is_some).await;
    }
}

impl Summary {
    fn add(&mut self, report: &Report) {
        self.changes += 1;
        for event in &report.events {
            self.events += u64::from(event.detected);
            self.undecided += u64::from(!event.undecided.is_empty());
            self.event_errors += u64::from(event.error.is_some());
        }
        for job in report.jobs() {
            match job.status {
                JobStatus::Succeeded => self.jobs_succeeded += 1,
                JobStatus::Expired | JobStatus::Cancelled => self.jobs_cut += 1,
                JobStatus::Retrying => {}
                JobStatus::Failed | JobStatus::Panicked | JobStatus::TimedOut => self.jobs_failed += 1,
            }
        }
    }
}

type StartedSource = Box<dyn FnOnce(Intake) -> BoxFuture<'static, Result<SourceEnd, SourceError>> + Send>;

/// Sources that wait to be run.
#[derive(Default)]
pub struct Sources {
    sources: Vec<(String, StartedSource)>,
}

impl Sources {
    /// Adds a source.
    pub fn add(&mut self, source: impl Source) {
        let name = source.name();
        self.sources.push((name, Box::new(move |intake| source.run(intake).boxed())));
    }

    /// The names of the sources.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

impl Runtime {
    /// Takes the changes of all `sources` until they end or `stop` comes, and handles every change taken to its end.
    ///
    /// After `stop` no change is taken; those in flight have [`Config::drain`](crate::Config::drain) to settle, then what is left of
    /// them is cut, and this runtime starts no job any more. In the end the plugins are flushed and shut down. `on_reject` is told
    /// of what is not a change. Dropping the future cuts the sources and the changes in flight.
    pub async fn run(
        &self,
        sources: Sources,
        stop: impl Future<Output = ()>,
        on_reject: impl Fn(&Rejected) + Send + Sync + 'static,
    ) -> Summary {
        let (stopper, stopping) = watch::channel(None);
        let tasks = Mutex::new(Some(JoinSet::new()));
        let work = Arc::new(Work { tasks, summary: Arc::default(), on_reject: Box::new(on_reject) });
        let mut running = JoinSet::new();
        let mut names = HashMap::new();
        for (name, start) in sources.sources {
            let intake = Intake {
                runtime: self.clone(),
                source: name.as_str().into(),
                stopping: stopping.clone(),
                work: Arc::clone(&work),
            };
            let task = running.spawn(Guarded::run(move || start(intake)));
            names.insert(task.id(), name);
        }
        let names = Mutex::new(names);
        let mut all = Box::pin(async {
            while let Some(ended) = running.join_next_with_id().await {
                // A source's panic is caught inside its task, and nobody aborts it.
                let Ok((id, ended)) = ended else { continue };
                let name = lock(&names).remove(&id).unwrap_or_default();
                let mut summary = lock(&work.summary);
                match ended {
                    Ok(Ok(SourceEnd::Exhausted)) => {}
                    Ok(Ok(SourceEnd::Stopped { left })) => summary.left.push((name, left)),
                    Ok(Err(error)) if matches!(error.downcast_ref(), Some(NotTaken::Stopping)) => {
                        summary.left.push((name, "what it had not yet handed over".to_owned()))
                    }
                    Ok(Err(error)) => summary.source_errors.push((name, error.to_string())),
                    Err(panic) => summary.source_errors.push((name, format!("it {panic}"))),
                }
            }
            work.settle().await;
        });
        let stopped = tokio::select! {
            biased;
            () = &mut all => false,
            () = stop => true,
        };
        if stopped {
            lock(&work.summary).in_flight_at_stop = self.admitted();
            stopper.send_replace(Some(after(Instant::now(), self.inner.config.drain)));
            self.drain(&mut all).await;
        }
        // What has not ended by now is cut.
        drop(all);
        drop(running);
        drop(lock(&work.tasks).take());
        for name in lock(&names).drain().map(|(_, name)| name) {
            lock(&work.summary).source_errors.push((name, "it did not stop in time".to_owned()));
        }
        let limit = self.inner.config.plugin_timeout;
        self.inner.plugins.tell(Hook::Flush, limit).await;
        self.inner.plugins.tell(Hook::Shutdown, limit).await;
        std::mem::take(&mut *lock(&work.summary))
    }

    /// Waits for `all`, cuts the jobs that have not settled by the end of the drain, and gives a cut one moment more to be reported.
    async fn drain(&self, all: &mut (impl Future<Output = ()> + Unpin)) {
        const MOMENT: Duration = Duration::from_secs(1);
        if timeout(self.inner.config.drain, &mut *all).await.is_err() {
            self.cancel();
            if timeout(MOMENT, all).await.is_err() {
                tracing::error!(changes = self.admitted(), "a source, detector or plugin did not end; it is left behind");
            }
        }
    }
}

impl Work {
    /// Waits for the changes in flight, and then takes no more.
    async fn settle(&self) {
        loop {
            let mut tasks = {
                let mut slot = lock(&self.tasks);
                match slot.take() {
                    Some(tasks) if !tasks.is_empty() => {
                        *slot = Some(JoinSet::new());
                        tasks
                    }
                    _ => return,
                }
            };
            while let Some(ended) = tasks.join_next().await {
                note(ended);
            }
        }
    }
}

/// Nothing of users runs unguarded in the task of a change, so this is a defect of ours, and must not pass in silence.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a change was not handled to its end");
    }
}
