//! What happens to one job from its start until it has settled?
//!
//! The jobs of a change are supervised by one future, on the caller's runtime; only their attempts run on the job threads. It
//! looks at all of them whenever one has ended or a limit is over, and lets each go as far as it can.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use event_detector::{Cancellation, Change, Job, JobContext, JobRun, Panic, State, is_fatal};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::task::AtomicWaker;
use tokio::time::Instant;
use tracing::Span;

use crate::attempt::Attempt;
use crate::config::Config;
use crate::job_threads::{Queue, Work};
use crate::plugin::{Hook, Plugins, Problem};
use crate::report::{EventReport, JobReport, JobStatus};
use crate::retry::RetrySchedule;
use crate::timer::{Timer, after};

/// What every job of a change shares.
pub(crate) struct Supervisor<'r> {
    pub(crate) config: &'r Config,
    pub(crate) queue: &'r Arc<Queue>,
    pub(crate) plugins: &'r Plugins,
    pub(crate) state: &'r Arc<State>,
    pub(crate) cancellation: &'r Cancellation,
    pub(crate) change: &'r Arc<Change>,
    /// The end of the whole change.
    pub(crate) deadline: Option<Instant>,
    /// Woken when any attempt has ended.
    pub(crate) settled: Arc<AtomicWaker>,
}

/// The jobs of one event, in the order of declaration.
pub(crate) struct Wanted {
    /// Which of the change's events it is.
    pub(crate) event: usize,
    pub(crate) name: &'static str,
    pub(crate) span: Span,
    pub(crate) jobs: Vec<Job>,
}

/// One look at all jobs of a change.
struct Look {
    timer: Timer,
    cancelled: bool,
    /// The attempts that go to the job threads together at the end of the look.
    starting: Vec<Arc<dyn Work>>,
}

/// A job on its way to its report.
struct Settling<'r> {
    /// Which of the change's events it belongs to.
    event: usize,
    /// The jobs of that event, and which of them it is.
    jobs: Arc<[Job]>,
    place: usize,
    run: Arc<JobRun>,
    span: Span,
    /// When the first attempt began.
    start: Instant,
    attempts: u32,
    schedule: Option<RetrySchedule>,
    /// Why the attempt before failed.
    before: Option<String>,
    phase: Phase<'r>,
}

enum Phase<'r> {
    /// The hooks before the first attempt.
    Beginning(BoxFuture<'r, ()>),
    /// The first attempt is next.
    Ready,
    Attempting {
        attempt: Attempt<AttemptResult>,
        deadline: Instant,
    },
    /// Between two attempts.
    Pausing {
        until: Instant,
    },
    /// The hooks after the last attempt.
    Ending(BoxFuture<'r, JobReport>),
    Settled(JobReport),
}

/// What a job returned, or its error and whether that is fatal.
type AttemptResult = Result<serde_json::Value, (String, bool)>;

/// How one attempt ended.
enum Ended {
    Succeeded(serde_json::Value),
    Failed {
        error: String,
        fatal: bool,
    },
    Panicked(Panic),
    /// It was cut, or could not be because it blocked its thread.
    TimedOut {
        limit: Duration,
        blocked: bool,
    },
    ChangeOver,
    Cancelled,
}

impl<'r> Supervisor<'r> {
    /// Waits until all jobs have settled, whatever any of them does, and notes their reports in their events, in order.
    pub(crate) async fn settle_all(&self, wanted: Vec<Wanted>, events: &mut [EventReport]) {
        let count = wanted.iter().map(|wanted| wanted.jobs.len()).sum();
        let mut look = Look { timer: Timer::new(), cancelled: false, starting: Vec::with_capacity(count) };
        let mut jobs = Vec::with_capacity(count);
        for wanted in wanted {
            events[wanted.event].jobs.reserve_exact(wanted.jobs.len());
            self.prepare(wanted, look.timer.now(), &mut jobs);
        }
        let mut cancelled = pin!(self.cancellation.cancelled());
        poll_fn(|cx| {
            self.settled.register(cx.waker());
            loop {
                look.timer.look();
                look.cancelled = look.cancelled || cancelled.as_mut().poll(cx).is_ready();
                let mut pending = false;
                for job in &mut jobs {
                    pending |= self.advance(job, &mut look, cx).is_pending();
                }
                if !look.starting.is_empty() {
                    self.queue.push(look.starting.drain(..));
                }
                if !pending {
                    return Poll::Ready(());
                }
                if look.timer.poll_next(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
        for job in jobs {
            if let Phase::Settled(report) = job.phase {
                events[job.event].jobs.push(report);
            }
        }
    }

    fn prepare(&self, wanted: Wanted, now: Instant, settling: &mut Vec<Settling<'r>>) {
        let Wanted { event, name, span, jobs } = wanted;
        let jobs: Arc<[Job]> = jobs.into();
        for (place, job) in jobs.iter().enumerate() {
            let nth = jobs[..place].iter().filter(|before| before.name() == job.name()).count();
            let run = Arc::new(JobRun {
                change: Arc::clone(self.change),
                event: name,
                job: job.shared_name(),
                nth: u32::try_from(nth).unwrap_or(u32::MAX),
                state: Arc::clone(self.state),
                cancellation: self.cancellation.clone(),
            });
            settling.push(Settling {
                event,
                jobs: Arc::clone(&jobs),
                place,
                span: tracing::info_span!(parent: &span, "job", name = job.name()),
                phase: if self.plugins.is_empty() { Phase::Ready } else { Phase::Beginning(self.tell_start(&run)) },
                run,
                start: now,
                attempts: 0,
                schedule: None,
                before: None,
            });
        }
    }

    /// Lets `job` go as far as it can in this look; ready when it has settled.
    fn advance(&self, job: &mut Settling<'r>, look: &mut Look, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            job.phase = match &mut job.phase {
                Phase::Settled(_) => return Poll::Ready(()),
                Phase::Beginning(told) => {
                    if told.poll_unpin(cx).is_pending() {
                        return Poll::Pending;
                    }
                    // The hooks took their time, perhaps without letting go of the thread.
                    look.timer.look_again();
                    Phase::Ready
                }
                Phase::Ready => {
                    job.start = look.timer.now();
                    self.attempt(job, look)
                }
                Phase::Attempting { attempt, deadline } => match attempt.poll_unpin(cx) {
                    Poll::Ready(result) => self.ended(job, Ended::from(result), look),
                    Poll::Pending if look.cancelled => self.ended(job, Ended::Cancelled, look),
                    Poll::Pending if !look.timer.is_over(*deadline) => return Poll::Pending,
                    Poll::Pending if self.deadline.is_some_and(|end| end <= *deadline) => {
                        self.ended(job, Ended::ChangeOver, look)
                    }
                    Poll::Pending => {
                        let blocked = attempt.cut();
                        self.ended(job, Ended::TimedOut { limit: self.limit(job.job()), blocked }, look)
                    }
                },
                Phase::Pausing { until } => {
                    let until = self.deadline.map_or(*until, |end| end.min(*until));
                    if !look.cancelled && !look.timer.is_over(until) {
                        return Poll::Pending;
                    }
                    self.attempt(job, look)
                }
                Phase::Ending(told) => match told.poll_unpin(cx) {
                    Poll::Ready(report) => Phase::Settled(report),
                    Poll::Pending => return Poll::Pending,
                },
            };
        }
    }

    fn limit(&self, job: &Job) -> Duration {
        job.own_timeout().unwrap_or(self.config.job_timeout)
    }

    fn retries(&self, job: &Job) -> u32 {
        job.own_retries().unwrap_or(self.config.job_retries)
    }

    /// Begins the next attempt, unless there is no use in one.
    fn attempt(&self, job: &mut Settling<'r>, look: &mut Look) -> Phase<'r> {
        if look.cancelled {
            return self.end(job, Ended::Cancelled, look);
        }
        let now = look.timer.now();
        if self.deadline.is_some_and(|end| end <= now) {
            return self.end(job, Ended::ChangeOver, look);
        }
        job.attempts += 1;
        let own = after(now, self.limit(job.job()));
        let deadline = self.deadline.map_or(own, |end| end.min(own));
        let cx = JobContext::new(Arc::clone(&job.run), job.attempts, Some(deadline.into_std()));
        let (jobs, place) = (Arc::clone(&job.jobs), job.place);
        let make = move || jobs[place].start(cx).map(|result| result.map_err(|error| (format!("{error:#}"), is_fatal(&error))));
        let attempt = Attempt::new(make, job.span.clone(), Arc::clone(&self.settled), Arc::clone(self.queue));
        look.starting.push(attempt.work());
        Phase::Attempting { attempt, deadline }
    }

    /// After an attempt: another one later, or the end.
    fn ended(&self, job: &mut Settling<'r>, ended: Ended, look: &Look) -> Phase<'r> {
        if ended.may_be_retried() {
            let retries = self.retries(job.job());
            let schedule = job.schedule.get_or_insert_with(|| RetrySchedule::new(self.config, retries));
            if let Some(wait) = schedule.next() {
                job.before = ended.text();
                tracing::debug!(parent: &job.span, attempt = job.attempts, error = job.before, ?wait, "the attempt failed; the job is tried again");
                return Phase::Pausing { until: after(look.timer.now(), wait) };
            }
        }
        self.end(job, ended, look)
    }

    fn end(&self, job: &mut Settling<'r>, ended: Ended, look: &Look) -> Phase<'r> {
        let status = ended.status();
        let mut error = ended.text();
        if let (JobStatus::Cancelled, Some(error), Some(before)) = (status, &mut error, &job.before) {
            error.push_str("; the attempt before: ");
            error.push_str(before);
        }
        let report = JobReport {
            name: job.job().shared_name(),
            options: job.job().options().to_vec(),
            status,
            attempts: job.attempts,
            attempts_allowed: self.retries(job.job()).saturating_add(1),
            duration: look.timer.now().saturating_duration_since(job.start),
            result: ended.result(),
            error,
        };
        if self.plugins.is_empty() { Phase::Settled(report) } else { Phase::Ending(self.tell_end(job.run.event, report)) }
    }

    fn tell_start(&self, run: &Arc<JobRun>) -> BoxFuture<'r, ()> {
        let (plugins, limit, cx) = (self.plugins, self.config.plugin_timeout, JobContext::new(Arc::clone(run), 1, None));
        Box::pin(async move { plugins.tell(Hook::JobStarted(&cx), limit).await })
    }

    fn tell_end(&self, event: &'static str, report: JobReport) -> BoxFuture<'r, JobReport> {
        let (plugins, limit, change) = (self.plugins, self.config.plugin_timeout, self.change);
        Box::pin(async move {
            plugins.tell(Hook::JobEnded(change, event, &report), limit).await;
            if !report.completed() {
                let problem = Problem::Job { event, job: Box::new(report.clone()) };
                plugins.tell(Hook::Error(change, &problem), limit).await;
            }
            report
        })
    }
}

impl Settling<'_> {
    fn job(&self) -> &Job {
        &self.jobs[self.place]
    }
}

impl From<Result<AttemptResult, Panic>> for Ended {
    fn from(result: Result<AttemptResult, Panic>) -> Self {
        match result {
            Ok(Ok(value)) => Self::Succeeded(value),
            Ok(Err((error, fatal))) => Self::Failed { error, fatal },
            Err(panic) => Self::Panicked(panic),
        }
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

    fn status(&self) -> JobStatus {
        match self {
            Self::Succeeded(_) => JobStatus::Succeeded,
            Self::Failed { .. } => JobStatus::Failed,
            Self::Panicked(_) => JobStatus::Panicked,
            Self::TimedOut { .. } => JobStatus::TimedOut,
            Self::ChangeOver | Self::Cancelled => JobStatus::Cancelled,
        }
    }

    fn result(self) -> Option<serde_json::Value> {
        match self {
            Self::Succeeded(value) => Some(value),
            _ => None,
        }
    }
}
