//! What happens to one change?

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use event_detector::{
    Cancellation, Canceller, Change, Detector, Job, JobDeclaration, JobEnvironment, JobScope, Registry, State, Unknown, Verdict,
};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::batch::{Jobs, Seat};
use crate::config::Config;
use crate::job_threads::{JobThreads, lock};
use crate::lanes::{Lanes, Running, Ticket};
use crate::metrics::Metrics;
use crate::plugin::{Hook, Plugin, Plugins, Problem};
use crate::report::{EventReport, Report};
use crate::supervise::Supervisor;
use crate::timer::after;

/// Per event the unknowns that are warned of; a detector that reads columns by computed names has any number of them.
const MAX_WARNINGS: usize = 50;

/// One change in, every job settled. Cheap to clone; all clones are one runtime.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
    /// The events this one watches, which [`Runtime::narrowed`] makes fewer.
    registry: Arc<Registry>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    environment: Arc<JobEnvironment>,
    context: Map<String, Value>,
    pub(crate) plugins: Plugins,
    pub(crate) lanes: Lanes,
    threads: JobThreads,
    metrics: Arc<Metrics>,
    canceller: Mutex<Option<Canceller>>,
    /// Told after the canceller is gone.
    cancelled: Notify,
    /// Unknowns that were warned of, so that each is told once.
    warned: Mutex<HashMap<&'static str, Vec<String>>>,
}

/// The parts of a runtime.
pub struct Builder {
    registry: Registry,
    config: Config,
    state: State,
    context: Map<String, Value>,
    plugins: Plugins,
}

/// Why a runtime cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no tokio runtime around the call.
    #[error(
        "a runtime is built inside tokio, whose timers and I/O its jobs use; call `build` in an async function, e.g. under `#[tokio::main]`"
    )]
    OutsideTokio,
    /// A job that an event names asks for state that is not registered.
    #[error(
        "the job `{job}` of the event `{event}` needs state of type `{wanted}`, and none is registered; add `.state(value)` to the program's `App`"
    )]
    MissingState {
        /// The event's name.
        event: &'static str,
        /// The job's name.
        job: &'static str,
        /// The type that is missing.
        wanted: &'static str,
    },
}

impl Builder {
    /// Replaces the limits.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Replaces what jobs find with [`JobContext::state`](event_detector::JobContext::state).
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Injects a value into the context of every change that has none of that name.
    #[must_use]
    pub fn context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }

    /// Adds a plugin.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.add(plugin);
        self
    }

    /// Starts the runtime inside the tokio runtime of the caller.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when there is none, or when a job that an event names in its source needs state that is not registered.
    pub fn build(self) -> Result<Runtime, BuildError> {
        let tokio = Handle::try_current().map_err(|_| BuildError::OutsideTokio)?;
        require_state(&self.registry, &self.state)?;
        let (canceller, cancellation) = Cancellation::new();
        let inner = Inner {
            lanes: Lanes::new(&self.config),
            threads: JobThreads::new(tokio),
            config: self.config,
            environment: Arc::new(JobEnvironment { state: self.state, cancellation }),
            context: self.context,
            plugins: self.plugins,
            metrics: Arc::default(),
            canceller: Mutex::new(Some(canceller)),
            cancelled: Notify::new(),
            warned: Mutex::default(),
        };
        Ok(Runtime { inner: Arc::new(inner), registry: Arc::new(self.registry) })
    }
}

fn require_state(registry: &Registry, state: &State) -> Result<(), BuildError> {
    let declared = JobDeclaration::linked();
    for detector in registry.detectors() {
        for job in declared.iter().filter(|job| detector.declared().calls.contains(&job.name)) {
            if let Some(need) = job.needs.iter().find(|need| !state.satisfies(need)) {
                return Err(BuildError::MissingState { event: detector.name(), job: job.name, wanted: need.type_name() });
            }
        }
    }
    Ok(())
}

/// A change that has its place among those in flight, in the order of its document.
pub struct Admitted {
    runtime: Runtime,
    change: Change,
    ticket: Ticket,
}

impl Runtime {
    /// The parts of a runtime over `registry`, with the default limits.
    pub fn builder(registry: Registry) -> Builder {
        Builder { registry, config: Config::default(), state: State::default(), context: Map::new(), plugins: Plugins::default() }
    }

    /// The events this runtime knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether what it takes is kept in a ledger.
    pub fn has_ledger(&self) -> bool {
        false
    }

    /// What it has done since it started, in numbers.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// This runtime, watching only for the events that `keep` says yes to; it may leave none.
    ///
    /// All else is shared with this one: places, lanes, threads, limits, state, plugins and the cut.
    #[must_use]
    pub fn narrowed(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self { inner: Arc::clone(&self.inner), registry: Arc::new(Registry::clone(&self.registry).filtered(keep)) }
    }

    /// Feeds a change to every detector, starts the jobs of those that matched together, and waits until all have settled.
    ///
    /// Changes of one document are handled in the order of the calls, or rather of the first polls of their futures, others side by
    /// side, up to [`Config::in_flight`] at a time. No failure, panic or timeout of one event or job touches another, and none is
    /// lost: all stand in the report. Dropping the future cuts the jobs that have not settled; one that blocks its thread goes on
    /// until it returns. A job must not wait for another change of this runtime: it may wait for itself.
    pub async fn handle(&self, change: impl Into<Change>) -> Report {
        self.admit(change.into()).await.settle().await
    }

    /// Waits for a place among the changes in flight.
    ///
    /// The order in which the futures are first polled is the order of a document's changes; an [`Admitted`] that is dropped gives
    /// up its turn.
    pub fn admit(&self, change: Change) -> impl Future<Output = Admitted> + Send {
        let lane = change.lane();
        // An async function would hold its argument twice, and a change is large.
        async move {
            let ticket = self.inner.lanes.admit(lane).await;
            Admitted { runtime: self.clone(), change, ticket }
        }
    }

    /// The changes that were admitted and have not settled: one whose report is being told is none of them.
    pub fn admitted(&self) -> usize {
        self.inner.lanes.admitted(&self.inner.config)
    }

    /// Whether every place was taken a moment ago, so that [`admit`](Self::admit) would have waited.
    pub fn is_full(&self) -> bool {
        self.admitted() == self.inner.config.admitted.max(1)
    }

    /// Whether [`cancel`](Self::cancel) was called, so that no job is started any more.
    pub fn is_cancelled(&self) -> bool {
        self.inner.environment.cancellation.is_cancelled()
    }

    /// Cuts every job that has not settled, now and from now on; each is reported as cancelled.
    pub fn cancel(&self) {
        // The lock is not held while all who wait are told.
        let canceller = lock(&self.inner.canceller).take();
        drop(canceller);
        self.inner.cancelled.notify_waiters();
    }
}

/// What became of a change that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk, where there is a ledger and somebody wants it.
    New,
    /// It was there before, so nothing is run.
    Duplicate {
        /// When it was recorded.
        recorded_at: std::time::SystemTime,
    },
}

impl Admitted {
    /// Waits until the change is on disk.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub async fn recorded(&mut self) -> Result<Taken, crate::ledger::LedgerError> {
        Ok(Taken::New)
    }

    /// The rest of [`Runtime::handle`]: waits for the document's turn, detects, and settles the jobs.
    pub async fn settle(self) -> Report {
        let mut running = self.ticket.start().await;
        let Runtime { inner, registry } = &self.runtime;
        inner.handle(registry, self.change, &mut running).await
    }
}

/// What the detectors said of one change.
#[derive(Default)]
struct Detection {
    events: Vec<EventReport>,
    /// Per event what was said of it; empty without plugins, who alone are told.
    verdicts: Vec<Verdict>,
    problems: Vec<Problem>,
    /// The jobs of all events, in order.
    seats: Vec<Seat>,
}

/// Gives each of the jobs of the event `name`, the change's event number `event`, its seat.
fn take_seats(seats: &mut Vec<Seat>, event: usize, name: &'static str, jobs: Vec<Job>, parent: &Span) {
    let first = seats.len();
    seats.reserve_exact(jobs.len());
    for job in jobs {
        let nth = seats[first..].iter().filter(|before| before.job.name() == job.name()).count();
        let span = tracing::info_span!(parent: parent, "job", name = job.name());
        seats.push(Seat::new(event, name, job, u32::try_from(nth).unwrap_or(u32::MAX), span));
    }
}

impl Inner {
    async fn handle(&self, registry: &Registry, mut change: Change, running: &mut Running) -> Report {
        let start = Instant::now();
        change.add_default_context(&self.context);
        self.plugins.change(&mut change, self.config.plugin_timeout).await;
        let change = Arc::new(change);
        let span = tracing::info_span!(
            "change",
            id = change.id(),
            collection = change.collection(),
            operation = %change.operation(),
            traceparent = change.traceparent(),
        );
        async {
            let report = self.run(registry, start, change).await;
            // Before anybody sees the report, so that who has seen it finds the change settled.
            running.settled();
            self.plugins.tell(Hook::Report(&report), self.config.plugin_timeout).await;
            report
        }
        .instrument(span)
        .await
    }

    async fn run(&self, registry: &Registry, start: Instant, change: Arc<Change>) -> Report {
        let detection = self.detect(registry, &change);
        self.tell_detection(&change, &detection).await;
        let Detection { mut events, seats, .. } = detection;
        if !seats.is_empty() {
            let supervisor = Supervisor {
                config: &self.config,
                plugins: &self.plugins,
                cancellation: &self.environment.cancellation,
                cancelled: &self.cancelled,
                change: &change,
                start,
                deadline: self.config.change_deadline.map(|limit| after(start, limit)),
            };
            let scope = JobScope { change: Arc::clone(&change), environment: Arc::clone(&self.environment) };
            let jobs = Jobs::new(seats, scope, Arc::clone(self.threads.queue()));
            supervisor.settle_all(jobs, &mut events).await;
        }
        Report { change, events, duration: start.elapsed() }
    }

    /// Asks every detector, and collects the jobs of those that matched.
    fn detect(&self, registry: &Registry, change: &Change) -> Detection {
        let mut detection = Detection::default();
        Detector::evaluate_all(registry.detectors(), change, |detector, verdict| {
            let span = tracing::info_span!("event", name = detector.name());
            let _entered = span.enter();
            self.note(&mut detection, detector, change, verdict, &span);
        });
        detection
    }

    /// Notes an event that was detected, failed or is undecided, and the jobs it wants.
    fn note(&self, detection: &mut Detection, detector: &Detector, change: &Change, verdict: Verdict, span: &Span) {
        let event = detector.name();
        let mut report =
            EventReport { name: event, detected: detector.fires(&verdict), error: None, undecided: Vec::new(), jobs: Vec::new() };
        match &verdict {
            Verdict::No | Verdict::Detected => {}
            Verdict::Undecided(unknowns) => {
                self.warn_once(event, unknowns);
                report.undecided.clone_from(unknowns);
            }
            Verdict::Failed(panic) => {
                tracing::error!(%panic, "the event's `detect` failed");
                report.error = Some(format!("`detect` {panic}"));
                detection.problems.push(Problem::Detection { event, error: panic.to_string() });
            }
        }
        if report.detected {
            match detector.jobs(change) {
                Ok(jobs) => {
                    report.jobs.reserve_exact(jobs.len());
                    take_seats(&mut detection.seats, detection.events.len(), event, jobs, span);
                }
                Err(panic) => {
                    tracing::error!(%panic, "the event's `jobs` failed; the event is detected, but none of its jobs runs");
                    report.error = Some(format!("`jobs` {panic}"));
                    detection.problems.push(Problem::Jobs { event, error: panic.to_string() });
                }
            }
        }
        detection.events.push(report);
        if !self.plugins.is_empty() {
            detection.verdicts.push(verdict);
        }
    }

    /// Warns of each unknown the first time that an event meets it.
    fn warn_once(&self, event: &'static str, unknowns: &[Unknown]) {
        let mut warned = lock(&self.warned);
        let known = warned.entry(event).or_default();
        for unknown in unknowns {
            if known.len() < MAX_WARNINGS && !known.contains(&unknown.read) {
                known.push(unknown.read.clone());
                tracing::warn!(target: "event_detector::undecided", event, read = unknown.read, cure = unknown.cure, "undecided");
            }
        }
    }

    async fn tell_detection(&self, change: &Change, detection: &Detection) {
        let limit = self.config.plugin_timeout;
        for (event, verdict) in detection.events.iter().zip(&detection.verdicts) {
            self.plugins.tell(Hook::Detection(change, event.name, verdict), limit).await;
        }
        for problem in &detection.problems {
            self.plugins.tell(Hook::Error(change, problem), limit).await;
        }
    }
}
