//! Where do changes come from, and how are they taken until somebody says stop?

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_detector::Change;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::plugin::Hook;
use crate::report::{JobStatus, Report};
use crate::runtime::Runtime;

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
    /// What keeps the source from going on; the other sources go on.
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

/// The intake no longer takes changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the program is stopping and takes no more changes")]
pub struct Stopping;

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
    /// The changes that were in flight when the program was told to stop.
    pub in_flight_at_stop: usize,
}

/// Takes the changes of one source. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    runtime: Runtime,
    source: Arc<str>,
    stopping: watch::Receiver<bool>,
    work: Arc<Work>,
}

/// What the intakes of a run share.
struct Work {
    tasks: Mutex<JoinSet<()>>,
    summary: Mutex<Summary>,
    on_reject: Box<dyn Fn(&Rejected) + Send + Sync>,
}

impl Intake {
    /// Takes a change: waits for a place, and returns while it is handled.
    ///
    /// The order of the calls is the order in which the changes of one document are handled.
    ///
    /// # Errors
    ///
    /// [`Stopping`]; the change was not taken.
    pub async fn submit(&self, change: Change) -> Result<(), Stopping> {
        let change = if change.source().is_empty() { change.with_source(Arc::clone(&self.source)) } else { change };
        let admitted = tokio::select! {
            biased;
            () = self.stopping() => return Err(Stopping),
            admitted = self.runtime.admit(change) => admitted,
        };
        let work = Arc::clone(&self.work);
        let mut tasks = lock(&self.work.tasks);
        tasks.spawn(async move {
            let report = admitted.settle().await;
            lock(&work.summary).add(&report);
        });
        while tasks.try_join_next().is_some() {}
        Ok(())
    }

    /// Notes something that is not a change; it is counted and shown, and the source decides whether to go on.
    pub fn reject(&self, place: impl Into<String>, error: impl fmt::Display) {
        let rejected = Rejected { source: self.source.to_string(), place: place.into(), error: error.to_string() };
        lock(&self.work.summary).rejected += 1;
        (self.work.on_reject)(&rejected);
    }

    /// Whether the intake takes no more changes.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits until the intake takes no more changes.
    pub async fn stopping(&self) {
        // The sender lives as long as the run; without it there is nobody left to hand changes to.
        let mut stopping = self.stopping.clone();
        let _gone = stopping.wait_for(|stopping| *stopping).await;
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
                JobStatus::Cancelled => self.jobs_cut += 1,
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
    /// them is cut. In the end the plugins are flushed and shut down. `on_reject` is told of what is not a change.
    pub async fn run(&self, sources: Sources, stop: impl Future<Output = ()>, on_reject: impl Fn(&Rejected) + Send + Sync + 'static) -> Summary {
        let (stopper, stopping) = watch::channel(false);
        let work = Arc::new(Work { tasks: Mutex::default(), summary: Mutex::default(), on_reject: Box::new(on_reject) });
        let mut running = JoinSet::new();
        for (name, start) in sources.sources {
            let intake = Intake {
                runtime: self.clone(),
                source: name.as_str().into(),
                stopping: stopping.clone(),
                work: Arc::clone(&work),
            };
            running.spawn(async move { (name, std::panic::AssertUnwindSafe(start(intake)).catch_unwind().await) });
        }
        let all = async {
            while let Some(ended) = running.join_next().await {
                // A source's panic is caught inside its task, and nobody aborts it.
                let Ok((name, ended)) = ended else { continue };
                let mut summary = lock(&work.summary);
                match ended {
                    Ok(Ok(SourceEnd::Exhausted)) => {}
                    Ok(Ok(SourceEnd::Stopped { left })) => summary.left.push((name, left)),
                    Ok(Err(error)) => summary.source_errors.push((name, error.to_string())),
                    Err(_panic) => summary.source_errors.push((name, "it panicked".to_owned())),
                }
            }
            loop {
                let mut tasks = std::mem::take(&mut *lock(&work.tasks));
                if tasks.is_empty() {
                    break;
                }
                while tasks.join_next().await.is_some() {}
            }
        };
        let mut all = std::pin::pin!(all);
        let stopped = tokio::select! {
            biased;
            () = &mut all => false,
            () = stop => true,
        };
        if stopped {
            lock(&work.summary).in_flight_at_stop = self.admitted();
            stopper.send_replace(true);
            self.drain(&mut all).await;
        }
        let limit = self.inner.config.plugin_timeout;
        self.inner.plugins.tell(Hook::Flush, limit).await;
        self.inner.plugins.tell(Hook::Shutdown, limit).await;
        std::mem::take(&mut *lock(&work.summary))
    }

    /// Waits for `all`, cuts the jobs that have not settled by the end of the drain, and gives a cut one moment more to be reported.
    async fn drain(&self, all: &mut (impl Future<Output = ()> + Unpin)) {
        const MOMENT: Duration = Duration::from_secs(1);
        let end = Instant::now() + self.inner.config.drain;
        if timeout_at(end, &mut *all).await.is_err() {
            self.cancel();
            if timeout_at(end + MOMENT, all).await.is_err() {
                tracing::error!("a source or plugin did not end; it is left behind");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
