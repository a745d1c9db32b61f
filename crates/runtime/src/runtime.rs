//! What is a runtime made of?

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use event_detector::{Cancellation, Canceller, Change, JobDeclaration, JobEnvironment, Registry, State};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::config::Config;
use crate::job_threads::{JobThreads, lock};
use crate::lanes::Lanes;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::plugin::{Plugin, Plugins};
use crate::report::Report;

/// One change in, every job settled. Cheap to clone; all clones are one runtime.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
    /// The events this one watches, which [`Runtime::narrowed`] makes fewer.
    pub(crate) registry: Arc<Registry>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) ledger: Option<Arc<dyn Ledger>>,
    pub(crate) environment: Arc<JobEnvironment>,
    pub(crate) context: Map<String, Value>,
    pub(crate) plugins: Plugins,
    pub(crate) lanes: Lanes,
    pub(crate) threads: JobThreads,
    pub(crate) metrics: Metrics,
    canceller: Mutex<Option<Canceller>>,
    /// Told after the canceller is gone.
    pub(crate) cancelled: Notify,
    /// Unknowns that were warned of, so that each is told once.
    pub(crate) warned: Mutex<HashMap<&'static str, Vec<String>>>,
}

/// The parts of a runtime.
pub struct Builder {
    registry: Registry,
    config: Config,
    ledger: Option<Arc<dyn Ledger>>,
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

    /// Keeps what happens in `ledger`, so that nothing is lost when the program ends, however it ends.
    ///
    /// Without one, a restart knows nothing of what was in flight. A ledger belongs to one runtime. It is [`run`](Runtime::run) that
    /// goes on with what a former process left and with jobs whose time has come: hand changes over through its sources.
    #[must_use]
    pub fn ledger(mut self, ledger: impl Ledger) -> Self {
        self.ledger = Some(Arc::new(ledger));
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
            metrics: Metrics::default(),
            config: self.config,
            ledger: self.ledger,
            environment: Arc::new(JobEnvironment { state: self.state, cancellation }),
            context: self.context,
            plugins: self.plugins,
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

impl Runtime {
    /// The parts of a runtime over `registry`, with the default limits.
    pub fn builder(registry: Registry) -> Builder {
        Builder {
            registry,
            config: Config::default(),
            ledger: None,
            state: State::default(),
            context: Map::new(),
            plugins: Plugins::default(),
        }
    }

    /// The events this runtime knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
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
    ///
    /// With a ledger, the jobs start when the change is on disk. One that is there already runs nothing, and its report
    /// [says so](Report::duplicate); where it cannot be recorded, its events say why and no job runs.
    pub async fn handle(&self, change: impl Into<Change>) -> Report {
        self.admit(change.into()).await.settle().await
    }

    /// Whether a ledger keeps what is taken.
    pub fn has_ledger(&self) -> bool {
        self.inner.ledger.is_some()
    }

    /// What it has done since it started, in numbers.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
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
