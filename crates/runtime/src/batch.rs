//! How do the jobs of one change run on the job threads, and what has become of each?
//!
//! They are one piece of work: a thread that takes it polls every job that wants to be polled, one after another, and then wakes
//! the supervisor once. Each job has a seat with a lock of its own, so that where a poll takes long, other threads go on with the
//! other seats. That lock also decides what a cut finds: either no thread is inside the attempt and none will enter it again, or one
//! is inside and the attempt cannot be stopped.

#[cfg(test)]
mod tests;

use std::mem;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use event_detector::{Detector, Job, JobContext, JobRun, JobScope, Panic, catch_panic, is_fatal};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::task::AtomicWaker;
use tokio::time::Instant;
use tracing::Span;

use crate::guard::{Guarded, Kept};
use crate::job_threads::{Queue, Work, lock};

/// What a job returned, or its error and whether that is fatal.
pub(crate) type AttemptResult = Result<serde_json::Value, (String, bool)>;

/// The jobs of one change, as their supervisor holds them. Dropping it cuts their attempts, unless all have settled.
pub(crate) struct Jobs {
    batch: Arc<Batch>,
    pub(crate) settled: bool,
}

pub(crate) struct Batch {
    seats: Vec<Seat>,
    scope: Arc<JobScope>,
    /// The supervisor, woken when attempts have ended.
    pub(crate) supervisor: AtomicWaker,
    /// An attempt has ended, and nobody has woken the supervisor since.
    news: AtomicBool,
    /// In the queue, and not yet taken.
    waiting: AtomicBool,
    queue: Arc<Queue>,
}

/// The place of one job.
pub(crate) struct Seat {
    /// Which of the change's events the job belongs to.
    pub(crate) event: usize,
    pub(crate) job: Kept<Job>,
    /// That event's name.
    pub(crate) event_name: &'static str,
    /// How many jobs of the same name come before it in the event.
    pub(crate) nth: u32,
    /// Whether later changes of the document wait until it has succeeded or is a dead letter.
    pub(crate) ordered: bool,
    /// Entered whenever code of the job runs.
    pub(crate) span: Span,
    state: Mutex<State>,
    /// Whether the state is [`State::Ended`]: set under its lock, and asked without.
    ended: AtomicBool,
}

/// What a cut found.
pub(crate) enum Cut {
    Stopped,
    /// A thread is inside, and goes on until its poll ends.
    Inside,
    /// The attempt was over already.
    Ended(Result<AttemptResult, Panic>),
}

enum State {
    /// Nothing is to be done: before the first attempt, between two, and after the last.
    Empty,
    New {
        attempt: u32,
        deadline: Instant,
    },
    /// To be polled.
    Woken(Attempt),
    /// A thread is inside; `woken` when it is to be polled again at once, `last` when it is not to be polled again at all.
    Polling {
        woken: bool,
        last: bool,
    },
    Asleep(Attempt),
    Ended(Result<AttemptResult, Panic>),
}

/// An attempt that has been polled.
struct Attempt {
    work: Guarded<JobFuture>,
    /// Most attempts end in their first poll, so that one gets the waker that all seats share, and only a later poll one of its own.
    waker: Option<Waker>,
}

type JobFuture = BoxFuture<'static, Result<serde_json::Value, anyhow::Error>>;

impl Seat {
    pub(crate) fn new(event: usize, detector: &Detector, job: Job, nth: u32, span: Span) -> Self {
        Self {
            event,
            event_name: detector.name(),
            job: Kept::new(job),
            nth,
            ordered: detector.is_ordered(),
            span,
            state: Mutex::new(State::Empty),
            ended: AtomicBool::new(false),
        }
    }

    /// Empties the seat.
    fn leave(&self) -> State {
        let mut state = lock(&self.state);
        self.ended.store(false, Ordering::Relaxed);
        mem::replace(&mut *state, State::Empty)
    }
}

impl Jobs {
    pub(crate) fn new(seats: Vec<Seat>, scope: JobScope, queue: Arc<Queue>) -> Self {
        let batch = Arc::new(Batch {
            seats,
            scope: Arc::new(scope),
            supervisor: AtomicWaker::new(),
            news: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            queue,
        });
        Self { batch, settled: false }
    }

    /// Sends to the job threads what [`begin`](Batch::begin) began.
    pub(crate) fn go(&self) {
        self.batch.call();
    }
}

impl Deref for Jobs {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        if !self.settled {
            for place in 0..self.batch.seats.len() {
                self.batch.cut(place);
            }
        }
    }
}

impl Batch {
    pub(crate) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// The context of the job at `place` in the attempt `attempt`.
    pub(crate) fn context(&self, place: usize, attempt: u32, deadline: Option<Instant>) -> JobContext {
        let seat = &self.seats[place];
        let run = JobRun { event: seat.event_name, job: seat.job.shared_name(), nth: seat.nth };
        JobContext::new(Arc::clone(&self.scope), run, attempt, deadline.map(Instant::into_std))
    }

    /// Begins an attempt at `place`, where there is none; it runs after the next [`go`](Jobs::go).
    pub(crate) fn begin(&self, place: usize, attempt: u32, deadline: Instant) {
        *lock(&self.seats[place].state) = State::New { attempt, deadline };
    }

    /// What the attempt at `place` came to, once.
    pub(crate) fn take(&self, place: usize) -> Option<Result<AttemptResult, Panic>> {
        let seat = &self.seats[place];
        if !seat.ended.load(Ordering::Acquire) {
            return None;
        }
        match seat.leave() {
            State::Ended(output) => Some(output),
            _ => None,
        }
    }

    /// Where a thread is inside the attempt at `place` now, makes that poll the last one; returns whether one is.
    pub(crate) fn make_last(&self, place: usize) -> bool {
        match &mut *lock(&self.seats[place].state) {
            State::Polling { last, .. } => {
                *last = true;
                true
            }
            _ => false,
        }
    }

    /// Sees to it that no thread enters the attempt at `place` any more.
    pub(crate) fn cut(&self, place: usize) -> Cut {
        match self.seats[place].leave() {
            State::Polling { .. } => return Cut::Inside,
            State::Ended(output) => return Cut::Ended(output),
            // The drop of a job is users' code too.
            State::Woken(attempt) | State::Asleep(attempt) => {
                self.queue.push(Arc::new(Discarded { seat: self.seats[place].span.clone(), attempt: Mutex::new(Some(attempt)) }));
            }
            State::Empty | State::New { .. } => {}
        }
        Cut::Stopped
    }

    /// Puts this into the queue, unless it is there.
    fn call(self: &Arc<Self>) {
        if !self.waiting.swap(true, Ordering::AcqRel) {
            self.queue.push(Arc::clone(self) as _);
        }
    }

    /// Polls the attempt at `place`, if that is to be done.
    fn poll(self: &Arc<Self>, place: usize) {
        let seat = &self.seats[place];
        let mut state = lock(&seat.state);
        let entered = match *state {
            State::New { .. } | State::Woken(_) => mem::replace(&mut *state, State::Polling { woken: false, last: false }),
            _ => return,
        };
        drop(state);
        let _span = seat.span.enter();
        let mut attempt = match entered {
            State::New { attempt, deadline } => match self.start(place, attempt, deadline) {
                Ok(work) => Attempt { work, waker: None },
                Err(panic) => return self.end(seat, Err(panic)),
            },
            State::Woken(mut attempt) => {
                attempt.waker.get_or_insert_with(|| Waker::from(Arc::new(Wakes { batch: Arc::clone(self), place })));
                attempt
            }
            _ => return,
        };
        let output = match &attempt.waker {
            Some(waker) => attempt.work.poll_unpin(&mut Context::from_waker(waker)),
            None => attempt.work.poll_unpin(&mut Context::from_waker(&Waker::from(Arc::clone(self)))),
        };
        match output {
            Poll::Ready(output) => self.end(seat, output.and_then(told)),
            Poll::Pending => self.sleep(seat, attempt),
        }
    }

    fn start(&self, place: usize, attempt: u32, deadline: Instant) -> Result<Guarded<JobFuture>, Panic> {
        Guarded::try_new(|| self.seats[place].job.start(self.context(place, attempt, Some(deadline))))
    }

    fn end(&self, seat: &Seat, output: Result<AttemptResult, Panic>) {
        let mut state = lock(&seat.state);
        if matches!(*state, State::Polling { .. }) {
            *state = State::Ended(output);
            seat.ended.store(true, Ordering::Release);
            drop(state);
            // A swap, so that whoever takes the news sees the ends of all who brought some.
            self.news.swap(true, Ordering::AcqRel);
        }
    }

    fn sleep(self: &Arc<Self>, seat: &Seat, attempt: Attempt) {
        let mut state = lock(&seat.state);
        match *state {
            State::Polling { woken: false, last: false } => *state = State::Asleep(attempt),
            State::Polling { woken: true, last: false } => {
                *state = State::Woken(attempt);
                drop(state);
                self.call();
            }
            State::Polling { last: true, .. } => {
                *state = State::Empty;
                drop(state);
                self.news.swap(true, Ordering::AcqRel);
            }
            // It was cut meanwhile.
            _ => drop(state),
        }
        // What is left of an attempt here is dropped after the lock.
    }

    /// Marks the attempt in `seat` to be polled if it waits for that; returns whether somebody has to come for it.
    fn wake_up(seat: &Seat, wanted: impl FnOnce(&Attempt) -> bool) -> bool {
        let mut state = lock(&seat.state);
        match mem::replace(&mut *state, State::Polling { woken: true, last: false }) {
            State::Polling { last, .. } => {
                *state = State::Polling { woken: true, last };
                false
            }
            State::Asleep(attempt) if wanted(&attempt) => {
                *state = State::Woken(attempt);
                true
            }
            other => {
                *state = other;
                false
            }
        }
    }
}

/// The result with its error in words, which are users' code too.
fn told(result: Result<serde_json::Value, anyhow::Error>) -> Result<AttemptResult, Panic> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => catch_panic(move || Err((format!("{error:#}"), is_fatal(&error)))),
    }
}

impl Work for Batch {
    fn run(self: Arc<Self>) {
        self.waiting.swap(false, Ordering::AcqRel);
        for place in 0..self.seats.len() {
            self.poll(place);
        }
        if self.news.swap(false, Ordering::AcqRel) {
            self.supervisor.wake();
        }
    }
}

/// Wakes the attempts that have been polled once: one of them it is.
impl Wake for Batch {
    fn wake(self: Arc<Self>) {
        let woken = self.seats.iter().filter(|seat| Self::wake_up(seat, |attempt| attempt.waker.is_none())).count();
        if woken > 0 {
            self.call();
        }
    }
}

/// Wakes the attempt at one place.
struct Wakes {
    batch: Arc<Batch>,
    place: usize,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        if Batch::wake_up(&self.batch.seats[self.place], |_| true) {
            self.batch.call();
        }
    }
}

/// What is left of an attempt that was cut.
struct Discarded {
    seat: Span,
    attempt: Mutex<Option<Attempt>>,
}

impl Work for Discarded {
    fn run(self: Arc<Self>) {
        let _span = self.seat.enter();
        // The lock is not held while it is dropped, which may take long: who comes besides finds nothing and goes on.
        let attempt = lock(&self.attempt).take();
        drop(attempt);
    }
}
