//! What happens to one job from its start until it has settled?

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use event_detector::{Cancellation, Change, Job, JobContext, JobRun, Panic, State, is_fatal};
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use crate::config::Config;
use crate::job_threads::{Attempt, JobThreads};
use crate::plugin::{Hook, Plugins, Problem};
use crate::report::{JobReport, JobStatus};
use crate::retry::RetrySchedule;
use crate::timer::{Timer, Waited};

/// What every job of a change shares.
pub(crate) struct Supervisor<'r> {
    pub(crate) config: &'r Config,
    pub(crate) threads: &'r JobThreads,
    pub(crate) plugins: &'r Plugins,
    pub(crate) state: &'r Arc<State>,
    pub(crate) cancellation: &'r Cancellation,
    pub(crate) change: &'r Arc<Change>,
    pub(crate) timer: Timer,
    /// The end of the whole change.
    pub(crate) deadline: Option<Instant>,
}

/// A job with its place: the event it belongs to, and how many of its name come before it there.
pub(crate) struct Placed {
    pub(crate) job: Job,
    pub(crate) event: &'static str,
    pub(crate) nth: u32,
}

/// How one attempt ended.
enum Ended {
    Succeeded(serde_json::Value),
    Failed { error: String, fatal: bool },
    Panicked(Panic),
    /// It was cut, or could not be because it blocked its thread.
    TimedOut { limit: Duration, blocked: bool },
    ChangeOver,
    Cancelled,
}

type AttemptResult = Result<Result<serde_json::Value, (String, bool)>, Panic>;

impl Supervisor<'_> {
    /// Runs one job to its end: attempts, waits between them, and the hooks around it.
    pub(crate) async fn settle(&self, placed: Placed) -> JobReport {
        let Placed { job, event, nth } = placed;
        let start = self.timer.now();
        let limit = job.own_timeout().unwrap_or(self.config.job_timeout);
        let retries = job.own_retries().unwrap_or(self.config.job_retries);
        let mut schedule = RetrySchedule::new(self.config, retries);
        let run = Arc::new(JobRun {
            change: Arc::clone(self.change),
            event,
            job: job.shared_name(),
            nth,
            state: Arc::clone(self.state),
            cancellation: self.cancellation.clone(),
        });
        let span = tracing::info_span!("job", name = job.name());
        self.plugins
            .tell(Hook::JobStarted(&JobContext::new(Arc::clone(&run), 1, None)), self.config.plugin_timeout)
            .await;
        let mut attempts = 0;
        let ended = loop {
            attempts += 1;
            let ended = self.attempt(&job, &run, attempts, limit, &span).await;
            if !ended.may_be_retried() {
                break ended;
            }
            let Some(wait) = schedule.next() else { break ended };
            tracing::debug!(parent: &span, attempt = attempts, error = ended.text(), ?wait, "the attempt failed; the job is tried again");
            if let Some(cut) = self.pause(wait).await {
                break cut;
            }
        };
        let duration = Instant::now().saturating_duration_since(start);
        let report = ended.report(job.shared_name(), &job, attempts, retries.saturating_add(1), duration);
        self.tell_end(event, &report).await;
        report
    }

    async fn attempt(&self, job: &Job, run: &Arc<JobRun>, number: u32, limit: Duration, span: &tracing::Span) -> Ended {
        let over = self.timer.now() + limit;
        let deadline = self.deadline.map_or(over, |end| end.min(over));
        let cx = JobContext::new(Arc::clone(run), number, Some(deadline.into_std()));
        let job = job.clone();
        let span = span.clone();
        let mut attempt: Attempt<AttemptResult> = self.threads.start(move || {
            let work = job.start(cx).map(|result| result.map_err(|error| (format!("{error:#}"), is_fatal(&error))));
            Box::pin(work.instrument(span))
        });
        match self.timer.wait(deadline, &mut attempt.task).await {
            Waited::Done(Ok(Ok(value))) => Ended::Succeeded(value),
            Waited::Done(Ok(Err((error, fatal)))) => Ended::Failed { error, fatal },
            Waited::Done(Err(panic)) => Ended::Panicked(panic),
            Waited::TimeIsOver if deadline < over => Ended::ChangeOver,
            Waited::TimeIsOver => Ended::TimedOut { limit, blocked: attempt.is_polling() },
            Waited::Cancelled => Ended::Cancelled,
        }
    }

    /// Waits before the next attempt; returns the end when the change ends first.
    async fn pause(&self, wait: Duration) -> Option<Ended> {
        let until = self.timer.now() + wait;
        let end = self.deadline.unwrap_or(until).min(until);
        match self.timer.wait(end, &mut std::future::pending::<()>()).await {
            Waited::Cancelled => Some(Ended::Cancelled),
            _ if end < until => Some(Ended::ChangeOver),
            _ => None,
        }
    }

    async fn tell_end(&self, event: &'static str, report: &JobReport) {
        let limit = self.config.plugin_timeout;
        self.plugins.tell(Hook::JobEnded(self.change, event, report), limit).await;
        if !report.completed() {
            let problem = Problem::Job { event, job: Box::new(report.clone()) };
            self.plugins.tell(Hook::Error(self.change, &problem), limit).await;
        }
    }

    /// Waits until all of `jobs` have settled, whatever any of them does; the results keep their order.
    pub(crate) async fn settle_all(&self, jobs: impl IntoIterator<Item = Placed>) -> Vec<JobReport> {
        let waits: Vec<_> = jobs.into_iter().map(|placed| self.settle(placed)).collect();
        self.timer.join(waits, self.cancellation).await
    }
}

impl Ended {
    fn may_be_retried(&self) -> bool {
        match self {
            Self::Succeeded(_) | Self::ChangeOver | Self::Cancelled => false,
            Self::Failed { fatal, .. } => !fatal,
            // What could not be cut still runs; a second attempt beside it would do everything twice.
            Self::TimedOut { blocked, .. } => !blocked,
            Self::Panicked(_) => true,
        }
    }

    fn text(&self) -> Option<String> {
        Some(match self {
            Self::Succeeded(_) => return None,
            Self::Failed { error, .. } => error.clone(),
            Self::Panicked(panic) => panic.to_string(),
            Self::TimedOut { limit, blocked: false } => format!("timed out after {limit:?}"),
            Self::TimedOut { limit, blocked: true } => format!(
                "timed out after {limit:?}, and could not be stopped because it blocks its thread; \
                 put blocking work into `tokio::task::spawn_blocking`, or ask `cx.is_cancelled()` now and then"
            ),
            Self::ChangeOver => "cut: the deadline of the whole change was over".to_owned(),
            Self::Cancelled => "cut: the program stopped".to_owned(),
        })
    }

    fn report(self, name: Cow<'static, str>, job: &Job, attempts: u32, attempts_allowed: u32, duration: Duration) -> JobReport {
        let status = match &self {
            Self::Succeeded(_) => JobStatus::Succeeded,
            Self::Failed { .. } => JobStatus::Failed,
            Self::Panicked(_) => JobStatus::Panicked,
            Self::TimedOut { .. } => JobStatus::TimedOut,
            Self::ChangeOver | Self::Cancelled => JobStatus::Cancelled,
        };
        let error = self.text();
        let result = match self {
            Self::Succeeded(value) => Some(value),
            _ => None,
        };
        JobReport { name, options: job.options().to_vec(), status, attempts, attempts_allowed, duration, result, error }
    }
}
