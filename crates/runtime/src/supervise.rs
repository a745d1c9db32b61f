//! What happens to one job from its start until it has settled?
//!
//! The jobs of a change are supervised by one future, on the caller's runtime; only their attempts run on the job threads. It
//! looks at all of them whenever one has ended or a limit is over, and lets each go as far as it can.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use event_detector::{Cancellation, Change, Job, Panic};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::batch::{AttemptResult, Cut, Jobs};
use crate::config::Config;
use crate::journal::{Journal, finished, interrupted, not_begun, refused, started};
use crate::lanes::Running;
use crate::ledger::{Entry, JobState, LedgerError, Outcome, millis};
use crate::metrics::Metrics;
use crate::plugin::{Hook, Plugins, Problem};
use crate::report::{EventReport, JobReport, JobStatus};
use crate::retry::RetrySchedule;
use crate::timer::{Timer, after};
use crate::torture::crash_point;

/// A poll that is not over this long after it was the last one blocks its thread.
const GRACE: Duration = Duration::from_millis(5);

/// A wait that is shorter is not worth giving up the place.
const REST: Duration = Duration::from_millis(500);

/// What every job of a change is subject to.
pub(crate) struct Supervisor<'r> {
    pub(crate) config: &'r Config,
    pub(crate) plugins: &'r Plugins,
    pub(crate) metrics: &'r Metrics,
    /// Where there is a ledger.
    pub(crate) journal: Option<&'r Journal>,
    pub(crate) cancellation: &'r Cancellation,
    /// Told when the cancellation ends; cheaper to wait for.
    pub(crate) cancelled: &'r Notify,
    pub(crate) change: &'r Change,
    /// When the change's detection began.
    pub(crate) start: Instant,
    /// The end of the whole change.
    pub(crate) deadline: Option<Instant>,
}

/// One look at all jobs of a change.
struct Look<'j> {
    jobs: &'j Jobs,
    timer: Timer<'j>,
    cancelled: bool,
    /// An attempt has begun in this look.
    begun: bool,
    /// The place among the running was given up, and `wants_place` says that there is something to do again.
    is_resting: bool,
    wants_place: bool,
}

/// The jobs of a change on their way. What has not settled when this is dropped is given back to the ledger.
struct Unsettled<'r> {
    jobs: Vec<Settling<'r>>,
    journal: Option<&'r Journal>,
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        let Some(journal) = self.journal else { return };
        for job in self.jobs.iter().filter(|job| !matches!(job.phase, Phase::Ending(_) | Phase::Settled(_))) {
            journal.note_on_the_way(job.place, if job.attempting { interrupted() } else { not_begun() });
        }
    }
}

/// A job on its way to its report.
struct Settling<'r> {
    place: usize,
    /// When the first attempt began.
    start: Instant,
    attempts: u32,
    /// Whether an attempt has begun and not ended.
    attempting: bool,
    /// Whether the ledger has the next attempt as started.
    begun: bool,
    /// The attempts that failed before this began, and so count against the retries.
    failures: u32,
    /// The attempts before this began that do not.
    uncounted: u32,
    retrying: Option<Box<Retrying>>,
    phase: Phase<'r>,
}

/// What a job has once an attempt has failed.
struct Retrying {
    schedule: RetrySchedule,
    /// Why the attempt before failed.
    before: Option<String>,
}

enum Phase<'r> {
    /// The hooks before the first attempt.
    Beginning(BoxFuture<'r, ()>),
    /// The first attempt is next.
    Ready,
    /// The ledger is told that an attempt is next.
    Recording(BoxFuture<'r, Result<(), LedgerError>>),
    Attempting {
        deadline: Instant,
    },
    /// The time of an attempt is over while a thread is inside; that poll is its last, and has until then to end.
    LastPoll {
        until: Instant,
    },
    /// Between two attempts.
    Pausing {
        until: Instant,
    },
    /// The ledger is told of the end, and then the hooks.
    Ending(BoxFuture<'r, JobReport>),
    Settled(JobReport),
}

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
    /// The ledger does not take it that an attempt starts.
    NotRecorded(LedgerError),
}

/// Whether a job is done, or waits for another attempt.
enum Last {
    Settled(Ended),
    Parked { ended: Ended, due: SystemTime },
}

impl<'r> Supervisor<'r> {
    /// Waits until all jobs have settled, whatever any of them does, and notes their reports in their events, in the order of the
    /// seats.
    ///
    /// While all that have not settled wait for their next attempt, the change gives up its place among the `running`.
    pub(crate) async fn settle_all(&self, mut jobs: Jobs, events: &mut [EventReport], running: &mut Running) {
        let alarm = pin!(None);
        let timer = Timer::new(self.start, alarm);
        let mut look = Look { jobs: &jobs, timer, cancelled: false, begun: false, is_resting: false, wants_place: false };
        let prepared = (0..jobs.seats().len()).map(|place| self.prepare(place, &look)).collect();
        let mut settling = Unsettled { jobs: prepared, journal: self.journal };
        let mut place = None;
        // It is told of every end from here on, also before it is polled.
        let mut cancelled = pin!(self.cancelled.notified());
        poll_fn(|cx| {
            jobs.supervisor.register(cx.waker());
            loop {
                look.timer.look();
                look.cancelled = self.cancellation.is_cancelled();
                look.is_resting = running.is_resting();
                look.wants_place = false;
                let mut pending = false;
                for job in &mut settling.jobs {
                    pending |= self.advance(job, &mut look, cx).is_pending();
                }
                if mem::take(&mut look.begun) {
                    jobs.go();
                }
                if !pending {
                    return Poll::Ready(());
                }
                if look.wants_place {
                    if let Poll::Ready(got) = place.get_or_insert_with(|| running.wait_for_place()).poll_unpin(cx) {
                        place = None;
                        running.go_on(got);
                        continue;
                    }
                } else if !look.is_resting && settling.jobs.iter().all(|job| job.rests(look.timer.now())) {
                    running.rest();
                }
                let cancelled_meanwhile = !look.cancelled && cancelled.as_mut().poll(cx).is_ready();
                if !cancelled_meanwhile && look.timer.poll_next(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
        jobs.settled = true;
        for (seat, job) in jobs.seats().iter().zip(mem::take(&mut settling.jobs)) {
            if let Phase::Settled(report) = job.phase {
                events[seat.event].jobs.push(report);
            }
        }
    }

    fn prepare(&self, place: usize, look: &Look<'_>) -> Settling<'r> {
        let state = self.journal.map_or(JobState::recorded(false), |journal| journal.state(place));
        let begun = self.journal.is_some_and(|journal| journal.has_begun(place));
        let attempts = state.attempts - u32::from(begun);
        let is_told = self.plugins.is_empty();
        let phase = if is_told { Phase::Ready } else { Phase::Beginning(self.tell_start(place, attempts + 1, look.jobs)) };
        Settling {
            place,
            start: look.timer.now(),
            attempts,
            attempting: false,
            begun,
            failures: state.failures,
            uncounted: attempts.saturating_sub(state.failures),
            retrying: None,
            phase,
        }
    }

    /// Lets `job` go as far as it can in this look; ready when it has settled.
    fn advance(&self, job: &mut Settling<'r>, look: &mut Look<'_>, cx: &mut Context<'_>) -> Poll<()> {
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
                Phase::Recording(noted) => match noted.poll_unpin(cx) {
                    Poll::Ready(Ok(())) => {
                        look.timer.look_again();
                        job.begun = true;
                        self.attempt(job, look)
                    }
                    Poll::Ready(Err(error)) => {
                        tracing::error!(%error, "a job is not begun, because its start cannot be recorded; the next run takes it up");
                        self.end(job, Last::Settled(Ended::NotRecorded(error)), look)
                    }
                    Poll::Pending if look.cancelled => self.end(job, Last::Settled(Ended::Cancelled), look),
                    Poll::Pending => return Poll::Pending,
                },
                Phase::Attempting { deadline } => match look.jobs.take(job.place) {
                    Some(result) => self.ended(job, Ended::from(result), look),
                    None if look.cancelled => self.cut(job, |_| Ended::Cancelled, look),
                    None if !look.timer.is_over(*deadline) => return Poll::Pending,
                    None if self.deadline.is_some_and(|end| end <= *deadline) => self.cut(job, |_| Ended::ChangeOver, look),
                    // Who is inside at this moment need not be stuck there.
                    None if look.jobs.make_last(job.place) => Phase::LastPoll { until: after(look.timer.now(), GRACE) },
                    None => self.time_out(job, look),
                },
                Phase::LastPoll { until } => match look.jobs.take(job.place) {
                    Some(result) => self.ended(job, Ended::from(result), look),
                    None if look.cancelled => self.cut(job, |_| Ended::Cancelled, look),
                    None if look.jobs.make_last(job.place) && !look.timer.is_over(*until) => return Poll::Pending,
                    None => self.time_out(job, look),
                },
                Phase::Pausing { until } => {
                    let until = self.deadline.map_or(*until, |end| end.min(*until));
                    if !look.cancelled && !look.timer.is_over(until) {
                        return Poll::Pending;
                    }
                    if look.is_resting && !look.cancelled {
                        look.wants_place = true;
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
    fn attempt(&self, job: &mut Settling<'r>, look: &mut Look<'_>) -> Phase<'r> {
        if look.cancelled {
            return self.end(job, Last::Settled(Ended::Cancelled), look);
        }
        let now = look.timer.now();
        if self.deadline.is_some_and(|end| end <= now) {
            return self.end(job, Last::Settled(Ended::ChangeOver), look);
        }
        if let Some(journal) = self.journal.filter(|_| !job.begun) {
            return Phase::Recording(journal.note(job.place, started()));
        }
        crash_point("after_attempt_started");
        job.begun = false;
        job.attempting = true;
        job.attempts += 1;
        self.metrics.attempt();
        let own = after(now, self.limit(look.job(job.place)));
        let deadline = self.deadline.map_or(own, |end| end.min(own));
        look.jobs.begin(job.place, job.attempts, deadline);
        look.begun = true;
        Phase::Attempting { deadline }
    }

    /// Cuts an attempt whose time is over.
    fn time_out(&self, job: &mut Settling<'r>, look: &Look<'_>) -> Phase<'r> {
        let limit = self.limit(look.job(job.place));
        self.cut(job, |blocked| Ended::TimedOut { limit, blocked }, look)
    }

    /// Cuts an attempt, unless it has ended by now; `why` is told whether a thread is stuck inside.
    fn cut(&self, job: &mut Settling<'r>, why: impl FnOnce(bool) -> Ended, look: &Look<'_>) -> Phase<'r> {
        let ended = match look.jobs.cut(job.place) {
            Cut::Ended(result) => Ended::from(result),
            Cut::Inside => why(true),
            Cut::Stopped => why(false),
        };
        self.ended(job, ended, look)
    }

    /// After an attempt: another one later, or the end.
    fn ended(&self, job: &mut Settling<'r>, ended: Ended, look: &Look<'_>) -> Phase<'r> {
        crash_point("after_effect_before_finish");
        let failed_before = job.failures;
        if ended.may_be_retried() {
            let retrying = job.retrying.get_or_insert_with(|| {
                let mut schedule = RetrySchedule::new(self.config, self.retries(look.job(job.place)));
                schedule.skip_past(failed_before);
                Box::new(Retrying { schedule, before: None })
            });
            if let Some(wait) = retrying.schedule.next() {
                retrying.before = ended.text();
                let seat = &look.jobs.seats()[job.place];
                tracing::debug!(parent: &seat.span, attempt = job.attempts, error = retrying.before, ?wait, "the attempt failed; the job is tried again");
                if self.journal.is_some() && Journal::parks(wait, seat.ordered) {
                    return self.end(job, Last::Parked { ended, due: SystemTime::now() + wait }, look);
                }
                if let Some(journal) = self.journal {
                    let outcome = ended.retry(SystemTime::now() + wait, true);
                    journal.note_on_the_way(job.place, finished(outcome));
                }
                job.attempting = false;
                return Phase::Pausing { until: after(look.timer.now(), wait) };
            }
        }
        self.end(job, Last::Settled(ended), look)
    }

    fn end(&self, settling: &mut Settling<'r>, last: Last, look: &Look<'_>) -> Phase<'r> {
        let noted = self.journal.and_then(|journal| {
            let entry = last.entry(settling.attempting)?;
            Some(journal.note_end(settling.place, entry))
        });
        let (ended, due) = match last {
            Last::Settled(ended) => (ended, None),
            Last::Parked { ended, due } => (ended, Some(due)),
        };
        let status = if due.is_some() { JobStatus::Retrying } else { ended.status() };
        let mut error = ended.text();
        let before = settling.retrying.as_ref().and_then(|retrying| retrying.before.as_ref());
        if let (JobStatus::Expired | JobStatus::Cancelled, Some(error), Some(before)) = (status, &mut error, before) {
            error.push_str("; the attempt before: ");
            error.push_str(before);
        }
        let seat = &look.jobs.seats()[settling.place];
        let report = JobReport {
            name: seat.job.shared_name(),
            options: seat.job.options().to_vec(),
            status,
            attempts: settling.attempts,
            attempts_allowed: self.retries(&seat.job).saturating_add(1).saturating_add(settling.uncounted),
            duration: look.timer.now().saturating_duration_since(settling.start),
            result: ended.result(),
            error,
            due,
        };
        if self.plugins.is_empty() && noted.is_none() {
            return Phase::Settled(report);
        }
        let told = (!self.plugins.is_empty() && due.is_none()).then(|| self.tell_end(seat.event_name, report.clone()));
        Phase::Ending(Box::pin(async move {
            if let Some(noted) = noted {
                noted.await;
            }
            if let Some(told) = told {
                told.await;
            }
            report
        }))
    }

    fn tell_start(&self, place: usize, attempt: u32, jobs: &Jobs) -> BoxFuture<'r, ()> {
        let (plugins, limit, cx) = (self.plugins, self.config.plugin_timeout, jobs.context(place, attempt, None));
        Box::pin(async move { plugins.tell(Hook::JobStarted(&cx), limit).await })
    }

    fn tell_end(&self, event: &'static str, report: JobReport) -> BoxFuture<'r, ()> {
        let (plugins, limit, change) = (self.plugins, self.config.plugin_timeout, self.change);
        Box::pin(async move {
            plugins.tell(Hook::JobEnded(change, event, &report), limit).await;
            if !report.completed() {
                let problem = Problem::Job { event, job: Box::new(report.clone()) };
                plugins.tell(Hook::Error(change, &problem), limit).await;
            }
        })
    }
}

impl Settling<'_> {
    /// Whether nothing is to be done for it for a while.
    fn rests(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Settled(_) => true,
            Phase::Pausing { until } => until.saturating_duration_since(now) >= REST,
            _ => false,
        }
    }
}

impl Look<'_> {
    fn job(&self, place: usize) -> &Job {
        &self.jobs.seats()[place].job
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

impl Last {
    /// What the ledger is told, of a job that is in the middle of an attempt or not.
    fn entry(&self, attempting: bool) -> Option<Entry> {
        let ended = match self {
            Self::Parked { ended, due } => return Some(finished(ended.retry(*due, false))),
            Self::Settled(ended) => ended,
        };
        Some(match ended {
            Ended::Cancelled if attempting => interrupted(),
            Ended::Cancelled => not_begun(),
            Ended::NotRecorded(_) => return None,
            Ended::Succeeded(result) => finished(Outcome::Succeeded { result: result.clone() }),
            failed if attempting => {
                let (status, error) = failed.failure();
                finished(Outcome::Dead { status, error })
            }
            failed => refused(failed.text().unwrap_or_default()),
        })
    }
}

impl Ended {
    /// Which failure it is, and why.
    fn failure(&self) -> (&'static str, String) {
        let status = match self.status() {
            JobStatus::Panicked => "panicked",
            JobStatus::TimedOut => "timed_out",
            JobStatus::Expired => "expired",
            _ => "failed",
        };
        (status, self.text().unwrap_or_default())
    }

    fn retry(&self, due: SystemTime, kept: bool) -> Outcome {
        let (status, error) = self.failure();
        Outcome::Retry { status, error, due: millis(due), kept }
    }

    fn may_be_retried(&self) -> bool {
        match self {
            Self::Succeeded(_) | Self::ChangeOver | Self::Cancelled | Self::NotRecorded(_) => false,
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
            Self::NotRecorded(error) => format!("not begun: {error}"),
        })
    }

    fn status(&self) -> JobStatus {
        match self {
            Self::Succeeded(_) => JobStatus::Succeeded,
            Self::Failed { .. } => JobStatus::Failed,
            Self::Panicked(_) => JobStatus::Panicked,
            Self::TimedOut { .. } => JobStatus::TimedOut,
            Self::ChangeOver => JobStatus::Expired,
            Self::Cancelled | Self::NotRecorded(_) => JobStatus::Cancelled,
        }
    }

    fn result(self) -> Option<serde_json::Value> {
        match self {
            Self::Succeeded(value) => Some(value),
            _ => None,
        }
    }
}
