//! What is a job before it runs: a name, its limits, and how to start one attempt?

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::context::JobContext;
use crate::effect::Effect;
use crate::state::{MissingState, StateNeed};

type Start = dyn Fn(JobContext) -> BoxFuture<'static, Result<serde_json::Value, anyhow::Error>> + Send + Sync;

/// Work that waits to be started. Making one does nothing; a runtime starts it, perhaps several times.
#[derive(Clone)]
pub struct Job {
    name: Cow<'static, str>,
    timeout: Option<Duration>,
    retries: Option<u32>,
    effect: Effect,
    options: Vec<JobOption>,
    start: Arc<Start>,
}

/// One argument of a job, as reports show it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOption {
    /// The parameter's name.
    pub name: &'static str,
    /// The argument: its JSON where it can be serialised, else its debug text, else its type.
    pub value: serde_json::Value,
}

impl Job {
    /// A job that calls `work` once per attempt.
    ///
    /// ```
    /// use event_detector::Job;
    ///
    /// let greeting = String::from("hello");
    /// let job = Job::new("greet", async move |_cx| Ok::<_, anyhow::Error>(greeting.len()));
    /// assert_eq!(job.name(), "greet");
    /// ```
    pub fn new<W, F, T, E>(name: impl Into<Cow<'static, str>>, work: W) -> Self
    where
        W: FnOnce(JobContext) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: Into<anyhow::Error>,
    {
        let start = move |cx: JobContext| -> BoxFuture<'static, _> {
            let work = work.clone();
            Box::pin(async move {
                let value = work(cx).await.map_err(Into::into)?;
                serde_json::to_value(value)
                    .map_err(|cause| {
                        anyhow::Error::new(cause).context("the job succeeded, but its result cannot be written as JSON")
                    })
                    .fatal()
            })
        };
        Self {
            name: name.into(),
            timeout: None,
            retries: None,
            effect: Effect::default(),
            options: Vec::new(),
            start: Arc::new(start),
        }
    }

    /// Cuts every attempt after `limit`. The runtime's default is 30 seconds.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Tries again up to `count` times after a failed attempt. The runtime's default is no retry.
    #[must_use]
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = Some(count);
        self
    }

    /// Says what it comes to when the job is run again after an attempt that was interrupted; the default is idempotent.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Names the job differently in this use. Two jobs of one name in one event stay two.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Reports `value` as the argument `name`; `#[job]` does this for every argument that is not skipped.
    #[must_use]
    pub fn option(mut self, name: &'static str, value: serde_json::Value) -> Self {
        self.options.push(JobOption { name, value });
        self
    }

    /// The job's name, as reports show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, for a runtime that keeps it.
    pub fn shared_name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    /// The limit of one attempt, where this job sets one.
    pub fn own_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The retries after a failed attempt, where this job sets them.
    pub fn own_retries(&self) -> Option<u32> {
        self.retries
    }

    /// What it comes to when the job is run again after an attempt that was interrupted.
    pub fn declared_effect(&self) -> Effect {
        self.effect
    }

    /// The arguments that are reported, in the order of declaration.
    pub fn options(&self) -> &[JobOption] {
        &self.options
    }

    /// Starts one attempt; nothing runs until the future is polled.
    pub fn start(&self, cx: JobContext) -> BoxFuture<'static, Result<serde_json::Value, anyhow::Error>> {
        (self.start)(cx)
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Job")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("effect", &self.effect)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Marks an error that no retry can cure.
pub trait Fatal {
    /// What carries the mark.
    type Output;

    /// Stops the retries of the job that returns this.
    ///
    /// ```
    /// use event_detector::{Fatal, is_fatal};
    ///
    /// fn amount(text: &str) -> anyhow::Result<u32> {
    ///     Ok(text.parse::<u32>().fatal()?) // the same text fails the same way tomorrow
    /// }
    ///
    /// assert!(is_fatal(&amount("many").unwrap_err()));
    /// ```
    fn fatal(self) -> Self::Output;
}

impl Fatal for anyhow::Error {
    type Output = anyhow::Error;

    fn fatal(self) -> anyhow::Error {
        anyhow::Error::new(FatalError(self))
    }
}

impl<T, E: Into<anyhow::Error>> Fatal for Result<T, E> {
    type Output = anyhow::Result<T>;

    fn fatal(self) -> anyhow::Result<T> {
        self.map_err(|error| error.into().fatal())
    }
}

/// Whether a job's error says that another attempt cannot succeed.
pub fn is_fatal(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<FatalError>() || cause.is::<MissingState>())
}

/// An error under the mark of [`Fatal`]; it shows as the error itself.
struct FatalError(anyhow::Error);

impl fmt::Debug for FatalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

impl fmt::Display for FatalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl std::error::Error for FatalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// A job as `#[job]` declared it, found by `list` and by the check of state at start.
#[derive(Debug, Clone, Copy)]
pub struct JobDeclaration {
    /// The function's name.
    pub name: &'static str,
    /// The module it stands in.
    pub module: &'static str,
    /// The source file, as the compiler was given it.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// The first line of the function's documentation.
    pub doc: &'static str,
    /// The types its source asks of the state.
    pub needs: &'static [StateNeed],
}

inventory::collect!(JobDeclaration);

impl JobDeclaration {
    /// Every declared job that is linked into this program, sorted by name and place.
    pub fn linked() -> Vec<&'static Self> {
        let mut jobs: Vec<_> = inventory::iter::<Self>().collect();
        jobs.sort_by_key(|job| (job.name, job.file, job.line));
        jobs
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::{Fatal, is_fatal};

    #[test]
    fn a_fatal_mark_survives_added_context_and_does_not_change_the_text() {
        let error = Err::<(), _>(anyhow::anyhow!("no such account")).fatal().context("charging").unwrap_err();

        assert!(is_fatal(&error));
        assert_eq!(format!("{error:#}"), "charging: no such account");
    }

    #[test]
    fn an_ordinary_error_is_not_fatal() {
        assert!(!is_fatal(&anyhow::anyhow!("connection reset")));
    }
}
