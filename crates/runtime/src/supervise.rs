//! What happens to one job from its start until it has settled?

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_detector::{Cancellation, Change, Job, JobContext, JobRun, Panic, State, is_fatal};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::task::AtomicWaker;
use tokio::time::Instant;
use tracing::Span;

use crate::attempt::Attempt;
use crate::config::Config;
use crate::job_threads::{Queue, Work, lock};
use crate::plugin::{Hook, Plugins, Problem};
use crate::report::{JobReport, JobStatus};
use crate::retry::RetrySchedule;
use crate::timer::{Timer, Waited};

/// What every job of a change shares.
pub(crate) struct Supervisor<'r> {
    pub(crate) config: &'r Config,
    pub(crate) plugins: &'r Plugins,
    pub(crate) state: &'r Arc<State>,
    pub(crate) cancellation: &'r Cancellation,
    pub(crate) change: &'r Arc<Change>,
    pub(crate) timer: Timer,
    /// The end of the whole change.
    pub(crate) deadline: Option<Instant>,
    pub(crate) attempts: Attempts<'r>,
}

/// The attempts of one change on their way to the job threads.
pub(crate) struct Attempts<'r> {
    queue: &'r Arc<Queue>,
    /// Woken when any of them has ended.
    settled: Arc<AtomicWaker>,
    /// Those that go into the queue together at the end of this look.
    starting: Mutex<Vec<Arc<dyn Work>>>,
}

/// A job with its place: the event it belongs to, and how many of its name come before it there.
pub(crate) struct Placed {
    pub(crate) job: Job,
    pub(crate) event: &'static str,
    pub(crate) nth: u32,
    /// The span of the event.
    pub(crate) span: Span,
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

impl<'r> Attempts<'r> {
    pub(crate) fn new(queue: &'r Arc<Queue>) -> Self {
        Self { queue, settled: Arc::default(), starting: Mutex::default() }
    }

    fn start(&self, job: &Arc<Job>, cx: JobContext, span: Span) -> Attempt<Result<serde_json::Value, (String, bool)>> {
        let job = Arc::clone(job);
        let make = move || job.start(cx).map(|result| result.map_err(|error| (format!("{error:#}"), is_fatal(&error))));
        let attempt = Attempt::new(make, span, Arc::clone(&self.settled), Arc::clone(self.queue));
        lock(&self.starting).push(attempt.work());
        attempt
    }

    fn send(&self) {
        let starting = std::mem::take(&mut *lock(&self.starting));
        if !starting.is_empty() {
            self.queue.push(starting);
        }
    }
}

impl Supervisor<'_> {
    /// Runs one job to its end: attempts, waits between them, and the hooks around it.
    async fn settle(&self, placed: Placed) -> JobReport {
        let Placed { job, event, nth, span } = placed;
        let limit = job.own_timeout().unwrap_or(self.config.job_timeout);
        let retries = job.own_retries().unwrap_or(self.config.job_retries);
        let job = Arc::new(job);
        let mut schedule = RetrySchedule::new(self.config, retries);
        let run = Arc::new(JobRun {
            change: Arc::clone(self.change),
            event,
            job: job.shared_name(),
            nth,
            state: Arc::clone(self.state),
            cancellation: self.cancellation.clone(),
        });
        let span = tracing::info_span!(parent: &span, "job", name = job.name());
        if !self.plugins.is_empty() {
            self.tell_start(&run).await;
        }
        let start = self.timer.now();
        let mut attempts = 0;
        let mut before = None;
        let ended = loop {
            if let Some(cut) = self.cut() {
                break cut;
            }
            attempts += 1;
            let ended = self.attempt(&job, &run, attempts, limit, &span).await;
            if !ended.may_be_retried() {
                break ended;
            }
            let Some(wait) = schedule.next() else { break ended };
            before = ended.text();
            tracing::debug!(parent: &span, attempt = attempts, error = before, ?wait, "the attempt failed; the job is tried again");
            if let Some(cut) = self.pause(wait).await {
                break cut;
            }
        };
        let duration = self.timer.now().saturating_duration_since(start);
        let report = ended.report(&job, attempts, retries.saturating_add(1), duration, before);
        if !self.plugins.is_empty() {
            self.tell_end(event, &report).await;
        }
        report
    }

    async fn attempt(&self, job: &Arc<Job>, run: &Arc<JobRun>, number: u32, limit: Duration, span: &Span) -> Ended {
        let over = after(self.timer.now(), limit);
        let deadline = self.deadline.map_or(over, |end| end.min(over));
        let cx = JobContext::new(Arc::clone(run), number, Some(deadline.into_std()));
        let mut attempt = self.attempts.start(job, cx, span.clone());
        match self.timer.wait(deadline, &mut attempt).await {
            Waited::Done(Ok(Ok(value))) => Ended::Succeeded(value),
            Waited::Done(Ok(Err((error, fatal)))) => Ended::Failed { error, fatal },
            Waited::Done(Err(panic)) => Ended::Panicked(panic),
            Waited::TimeIsOver if deadline < over => Ended::ChangeOver,
            Waited::TimeIsOver => Ended::TimedOut { limit, blocked: attempt.cut() },
            Waited::Cancelled => Ended::Cancelled,
        }
    }

    /// The end, when there is no use in another attempt.
    fn cut(&self) -> Option<Ended> {
        if self.timer.is_cancelled() {
            Some(Ended::Cancelled)
        } else {
            self.deadline.filter(|end| *end <= self.timer.now()).map(|_| Ended::ChangeOver)
        }
    }

    /// Waits before the next attempt; returns the end when the change ends first.
    async fn pause(&self, wait: Duration) -> Option<Ended> {
        let until = after(self.timer.now(), wait);
        let end = self.deadline.unwrap_or(until).min(until);
        match self.timer.wait(end, &mut std::future::pending::<()>()).await {
            Waited::Cancelled => Some(Ended::Cancelled),
            _ if end < until => Some(Ended::ChangeOver),
            _ => None,
        }
    }

    /// Boxed, as what follows, so that a job without plugins does not carry the place for it.
    fn tell_start<'a>(&'a self, run: &'a Arc<JobRun>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let cx = JobContext::new(Arc::clone(run), 1, None);
            self.plugins.tell(Hook::JobStarted(&cx), self.config.plugin_timeout).await;
            // The hook took its own time, perhaps without letting go of the thread.
            self.timer.look();
        })
    }

    fn tell_end<'a>(&'a self, event: &'static str, report: &'a JobReport) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let limit = self.config.plugin_timeout;
            self.plugins.tell(Hook::JobEnded(self.change, event, report), limit).await;
            if !report.completed() {
                let problem = Problem::Job { event, job: Box::new(report.clone()) };
                self.plugins.tell(Hook::Error(self.change, &problem), limit).await;
            }
        })
    }

    /// Waits until all of `jobs` have settled, whatever any of them does; the results keep their order.
    pub(crate) async fn settle_all(&self, jobs: impl IntoIterator<Item = Placed>) -> Vec<JobReport> {
        let waits = jobs.into_iter().map(|placed| self.settle(placed));
        let mut all = pin!(self.timer.join(waits, self.cancellation));
        poll_fn(|cx| {
            self.attempts.settled.register(cx.waker());
            let all = all.as_mut().poll(cx);
            self.attempts.send();
            all
        })
        .await
    }
}

/// The time `wait` after `at`; without an end that a clock can express, a time nobody lives to see.
pub(crate) fn after(at: Instant, wait: Duration) -> Instant {
    const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    at.checked_add(wait).unwrap_or_else(|| at + AGES)
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

    /// `before` is why the attempt before failed.
    fn report(self, job: &Job, attempts: u32, attempts_allowed: u32, duration: Duration, before: Option<String>) -> JobReport {
        let status = match &self {
            Self::Succeeded(_) => JobStatus::Succeeded,
            Self::Failed { .. } => JobStatus::Failed,
            Self::Panicked(_) => JobStatus::Panicked,
            Self::TimedOut { .. } => JobStatus::TimedOut,
            Self::ChangeOver | Self::Cancelled => JobStatus::Cancelled,
        };
        let mut error = self.text();
        if let (JobStatus::Cancelled, Some(error), Some(before)) = (status, &mut error, before) {
            error.push_str("; the attempt before: ");
            error.push_str(&before);
        }
        let result = match self {
            Self::Succeeded(value) => Some(value),
            _ => None,
        };
        JobReport { name: job.shared_name(), options: job.options().to_vec(), status, attempts, attempts_allowed, duration, result, error }
    }
}
