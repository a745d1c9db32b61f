//! How does a program watch or enrich what the runtime does?

use std::any::type_name;
use std::future::Future;
use std::time::Duration;

use event_detector::{Change, JobContext, Verdict, catch_panic};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use crate::guard::Guarded;
use crate::report::{JobReport, Report};

/// What a hook answers; any error is logged and changes nothing.
pub type PluginResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Something that went wrong in users' code while a change was handled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Problem {
    /// An event's `detect` panicked.
    Detection {
        /// The event's name.
        event: &'static str,
        /// The panic.
        error: String,
    },
    /// An event's `jobs` panicked; the event is detected, and none of its jobs runs.
    Jobs {
        /// The event's name.
        event: &'static str,
        /// The panic.
        error: String,
    },
    /// A job did not succeed, after its last attempt.
    Job {
        /// The event's name.
        event: &'static str,
        /// What came of the job.
        job: Box<JobReport>,
    },
}

/// Hooks into the runtime. Every method is optional: the default does nothing.
///
/// Hooks of one change are awaited, so that what they do is in order; those of several plugins run side by side. A hook that
/// fails, panics or takes longer than [`Config::plugin_timeout`](crate::Config::plugin_timeout) is logged and ignored. Hooks run on
/// the threads of the program's tokio runtime, so one that blocks its thread cannot be cut; blocking work belongs into
/// `tokio::task::spawn_blocking`.
pub trait Plugin: Send + Sync + 'static {
    /// The plugin's name in logs.
    fn name(&self) -> &str {
        type_name::<Self>()
    }

    /// A change is about to be detected; its context and correlation id may be added to. Plugins see it one after another, in
    /// the order of registration.
    fn change(&self, change: &mut Change) -> impl Future<Output = PluginResult> + Send {
        let _ = change;
        async { Ok(()) }
    }

    /// An event was detected, is undecided or failed; events that did not happen are not told.
    fn detection(&self, change: &Change, event: &str, verdict: &Verdict) -> impl Future<Output = PluginResult> + Send {
        let _ = (change, event, verdict);
        async { Ok(()) }
    }

    /// A job is about to be started: for the first time, or for the first time since it was taken up out of the ledger.
    fn job_started(&self, cx: &JobContext) -> impl Future<Output = PluginResult> + Send {
        let _ = cx;
        async { Ok(()) }
    }

    /// A job has settled.
    fn job_ended(&self, change: &Change, event: &str, job: &JobReport) -> impl Future<Output = PluginResult> + Send {
        let _ = (change, event, job);
        async { Ok(()) }
    }

    /// A change has settled.
    fn report(&self, report: &Report) -> impl Future<Output = PluginResult> + Send {
        let _ = report;
        async { Ok(()) }
    }

    /// Something went wrong in users' code.
    fn error(&self, change: &Change, problem: &Problem) -> impl Future<Output = PluginResult> + Send {
        let _ = (change, problem);
        async { Ok(()) }
    }

    /// The sources have ended; what is buffered should be written.
    fn flush(&self) -> impl Future<Output = PluginResult> + Send {
        async { Ok(()) }
    }

    /// The program ends. Called once per [`Runtime::run`](crate::Runtime::run), after [`flush`](Self::flush).
    fn shutdown(&self) -> impl Future<Output = PluginResult> + Send {
        async { Ok(()) }
    }
}

/// A plugin of any type, its hooks boxed.
trait AnyPlugin: Send + Sync {
    fn change<'a>(&'a self, change: &'a mut Change) -> BoxFuture<'a, PluginResult>;
    fn call<'a>(&'a self, hook: Hook<'a>) -> BoxFuture<'a, PluginResult>;
}

/// A hook that only looks, with what it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hook<'a> {
    Detection(&'a Change, &'a str, &'a Verdict),
    JobStarted(&'a JobContext),
    JobEnded(&'a Change, &'a str, &'a JobReport),
    Report(&'a Report),
    Error(&'a Change, &'a Problem),
    Flush,
    Shutdown,
}

impl Hook<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Detection(..) => "detection",
            Self::JobStarted(..) => "job_started",
            Self::JobEnded(..) => "job_ended",
            Self::Report(..) => "report",
            Self::Error(..) => "error",
            Self::Flush => "flush",
            Self::Shutdown => "shutdown",
        }
    }
}

impl<P: Plugin> AnyPlugin for P {
    fn change<'a>(&'a self, change: &'a mut Change) -> BoxFuture<'a, PluginResult> {
        Plugin::change(self, change).boxed()
    }

    fn call<'a>(&'a self, hook: Hook<'a>) -> BoxFuture<'a, PluginResult> {
        match hook {
            Hook::Detection(change, event, verdict) => self.detection(change, event, verdict).boxed(),
            Hook::JobStarted(cx) => self.job_started(cx).boxed(),
            Hook::JobEnded(change, event, job) => self.job_ended(change, event, job).boxed(),
            Hook::Report(report) => self.report(report).boxed(),
            Hook::Error(change, problem) => self.error(change, problem).boxed(),
            Hook::Flush => self.flush().boxed(),
            Hook::Shutdown => self.shutdown().boxed(),
        }
    }
}

/// The plugins of a runtime.
#[derive(Default)]
pub(crate) struct Plugins {
    /// Each with the name it gave when it was added.
    plugins: Vec<(String, Box<dyn AnyPlugin>)>,
}

impl Plugins {
    pub(crate) fn add(&mut self, plugin: impl Plugin) {
        self.plugins.push((plugin.name().to_owned(), Box::new(plugin)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plugins.is_empty()
    }

    /// Lets each plugin add to the change, in the order of registration.
    pub(crate) async fn change(&self, change: &mut Change, limit: Duration) {
        for (name, plugin) in &self.plugins {
            guarded(name, "change", limit, || plugin.change(change)).await;
        }
    }

    /// Tells every plugin at the same time, and waits for all.
    pub(crate) async fn tell(&self, hook: Hook<'_>, limit: Duration) {
        if !self.is_empty() {
            join_all(self.plugins.iter().map(|(name, plugin)| guarded(name, hook.name(), limit, || plugin.call(hook)))).await;
        }
    }
}

/// Runs one hook; whatever it does, nothing but a log line comes of it.
async fn guarded<'a>(plugin: &str, hook: &str, limit: Duration, call: impl FnOnce() -> BoxFuture<'a, PluginResult>) {
    let error = match tokio::time::timeout(limit, Guarded::run(call)).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => catch_panic(move || error.to_string()).unwrap_or_else(|panic| panic.to_string()),
        Ok(Err(panic)) => panic.to_string(),
        Err(_elapsed) => format!("it took longer than {limit:?}"),
    };
    tracing::error!(plugin, hook, error, "a plugin failed; the change goes on without it");
}
