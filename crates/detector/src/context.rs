//! What does a job know about the change it runs for?

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;
use uuid::Uuid;

use crate::change::Change;
use crate::state::{MissingState, State};
use crate::value::Value;

/// Everything a job is given besides its own arguments; cheap to clone.
#[derive(Clone)]
pub struct JobContext {
    scope: Arc<JobScope>,
    run: JobRun,
    attempt: u32,
    deadline: Option<Instant>,
}

/// What all jobs of one change share.
///
/// A runtime makes it; job authors meet [`JobContext`].
pub struct JobScope {
    /// The change that the events were detected in.
    pub change: Arc<Change>,
    /// What all jobs of the runtime share.
    pub environment: Arc<JobEnvironment>,
}

/// What all jobs of one runtime share.
pub struct JobEnvironment {
    /// What the program registered.
    pub state: State,
    /// Told when the work is no longer wanted.
    pub cancellation: Cancellation,
}

/// What tells one job of a change from the others, the same through all of its attempts.
///
/// A runtime makes it; job authors meet [`JobContext`].
#[derive(Debug, Clone)]
pub struct JobRun {
    /// The event's name.
    pub event: &'static str,
    /// The job's name, as reported.
    pub job: Cow<'static, str>,
    /// How many jobs of this name come before it in the same event.
    pub nth: u32,
}

impl JobContext {
    /// The context of one attempt, counted from 1, that will be cut at `deadline`.
    pub fn new(scope: Arc<JobScope>, run: JobRun, attempt: u32, deadline: Option<Instant>) -> Self {
        Self { scope, run, attempt, deadline }
    }

    /// The change that the event was detected in.
    pub fn change(&self) -> &Change {
        &self.scope.change
    }

    /// The name of the event that this job runs for.
    pub fn event(&self) -> &str {
        self.run.event
    }

    /// The job's name, as reports show it.
    pub fn job(&self) -> &str {
        &self.run.job
    }

    /// Which attempt this is, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// A key that is the same for every attempt of this job, and differs for every other job.
    ///
    /// It is a UUID of version 5 over the change's source and id, the event, the job's name and its place among the jobs of that name.
    /// Hand it to whatever the job calls, so that an effect happens once although a job may run more than once.
    pub fn idempotency_key(&self) -> String {
        let change = &self.scope.change;
        let parts = [change.source(), change.id(), self.run.event, &self.run.job, &self.run.nth.to_string()];
        let text: String = parts.iter().flat_map(|part| [part.len().to_string(), ":".to_owned(), (*part).to_owned()]).collect();
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string()
    }

    /// The id that ties together everything that follows from one cause.
    pub fn correlation_id(&self) -> &str {
        self.scope.change.correlation_id()
    }

    /// When this attempt is cut; `None` when it may run as long as it likes.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long this attempt may still run; zero when it is over.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether the attempt's time is over or its work is no longer wanted.
    ///
    /// Work that blocks its thread cannot be cut, so it asks here now and then.
    pub fn is_cancelled(&self) -> bool {
        self.scope.environment.cancellation.is_cancelled() || self.remaining() == Some(Duration::ZERO)
    }

    /// Waits until the work is no longer wanted. An attempt that merely awaits is cut anyway and need not ask.
    pub async fn cancelled(&self) {
        self.scope.environment.cancellation.cancelled().await;
    }

    /// A value of the injected context, [missing](Value::is_missing) when nobody injected it.
    pub fn context(&self, name: &str) -> Value<'_> {
        self.scope.change.context(name)
    }

    /// The value of type `T` that the program registered.
    ///
    /// # Errors
    ///
    /// [`MissingState`] when none is registered. `#[job]` sees the types asked for here, and a program whose events use
    /// the job refuses to start without them.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<&T, MissingState> {
        self.scope.environment.state.require()
    }

    /// The value of type `T`, when the program registered one.
    pub fn try_state<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.scope.environment.state.get()
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("JobContext")
            .field("change", &self.scope.change.id())
            .field("event", &self.run.event)
            .field("job", &self.run.job)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// The end of a change's work that may come from outside: a shutdown, or the deadline of the whole change.
#[derive(Clone)]
pub struct Cancellation {
    is_cancelled: Arc<AtomicBool>,
    ended: Shared<oneshot::Receiver<()>>,
}

/// The other end of a [`Cancellation`]: dropping it, or calling [`cancel`](Canceller::cancel), tells every job.
#[derive(Debug)]
pub struct Canceller {
    cancelled: Arc<AtomicBool>,
    #[expect(dead_code, reason = "held for its drop, which ends the channel after the flag is set")]
    ended: oneshot::Sender<()>,
}

impl Canceller {
    /// Tells every holder of the cancellation.
    pub fn cancel(self) {}
}

impl Drop for Canceller {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Release);
    }
}

impl Cancellation {
    /// A cancellation and the canceller that ends it.
    pub fn new() -> (Canceller, Self) {
        let (sender, receiver) = oneshot::channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        (
            Canceller { cancelled: Arc::clone(&cancelled), ended: sender },
            Self { is_cancelled: cancelled, ended: receiver.shared() },
        )
    }

    /// Whether the work is no longer wanted.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }

    /// Waits until the work is no longer wanted.
    pub async fn cancelled(&self) {
        let _ended = self.ended.clone().await;
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Cancellation").field("cancelled", &self.is_cancelled()).finish()
    }
}
