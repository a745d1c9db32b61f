//! What is one attempt of a job while it is on the job threads?
//!
//! It is a future with a place in their queue, and a state under one lock. That lock decides what a cut finds: either no thread
//! is inside the attempt and none will enter it again, or one is inside and the attempt cannot be stopped.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use event_detector::Panic;
use futures::FutureExt;
use futures::task::AtomicWaker;
use tracing::Span;

use crate::guard::Guarded;
use crate::job_threads::{Queue, Work, lock};

/// An attempt with the output `T`. Dropping it cuts it.
///
/// As a future it wakes whoever is registered with its `settled`, not who polls it.
pub(crate) struct Attempt<T>(Arc<dyn AnySlot<T>>);

/// The place of an attempt of any type.
trait AnySlot<T>: Work {
    /// What the attempt came to, once.
    fn take(&self) -> Option<Result<T, Panic>>;
    fn cut(self: Arc<Self>) -> bool;
    #[cfg(test)]
    fn is_polling(&self) -> bool;
}

struct Slot<M, F: Future> {
    state: Mutex<State<M, F>>,
    /// Entered whenever code of the attempt runs.
    span: Span,
    /// Woken when the attempt has ended.
    settled: Arc<AtomicWaker>,
    queue: Arc<Queue>,
}

enum State<M, F: Future> {
    /// In the queue, and not yet begun.
    New(M),
    /// In the queue, to be polled.
    Queued(Guarded<F>),
    /// A thread is inside; `woken` when it is to be polled again at once.
    Polling {
        woken: bool,
    },
    /// Waits to be woken.
    Asleep(Guarded<F>),
    Ended(Result<F::Output, Panic>),
    /// Nobody waits for it any more. What is left of it is in the queue, to be dropped by a job thread: its drop is users' code too.
    Cut(Option<Guarded<F>>),
}

impl<T: Send + 'static> Attempt<T> {
    /// An attempt of the future that `make` makes; it begins when its [`work`](Self::work) is put into `queue`.
    pub(crate) fn new<M, F>(make: M, span: Span, settled: Arc<AtomicWaker>, queue: Arc<Queue>) -> Self
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = T> + Send + Unpin + 'static,
    {
        Self(Arc::new(Slot { state: Mutex::new(State::New(make)), span, settled, queue }))
    }

    /// What to put into the queue, once.
    pub(crate) fn work(&self) -> Arc<dyn Work> {
        Arc::clone(&self.0) as _
    }
}

impl<T> Attempt<T> {
    /// Sees to it that no thread enters the attempt any more; returns whether one is inside, which goes on until its poll ends.
    pub(crate) fn cut(&self) -> bool {
        Arc::clone(&self.0).cut()
    }

    #[cfg(test)]
    fn is_polling(&self) -> bool {
        self.0.is_polling()
    }
}

impl<T> Drop for Attempt<T> {
    fn drop(&mut self) {
        self.cut();
    }
}

impl<T> Future for Attempt<T> {
    type Output = Result<T, Panic>;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<M, F> AnySlot<F::Output> for Slot<M, F>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future + Send + Unpin + 'static,
    F::Output: Send,
{
    fn take(&self) -> Option<Result<F::Output, Panic>> {
        let mut state = lock(&self.state);
        if !matches!(*state, State::Ended(_)) {
            return None;
        }
        match mem::replace(&mut *state, State::Cut(None)) {
            State::Ended(output) => Some(output),
            _ => None,
        }
    }

    fn cut(self: Arc<Self>) -> bool {
        let mut state = lock(&self.state);
        match mem::replace(&mut *state, State::Cut(None)) {
            State::Polling { .. } => return true,
            State::Asleep(work) => {
                *state = State::Cut(Some(work));
                drop(state);
                let queue = Arc::clone(&self.queue);
                queue.push([self as _]);
            }
            // It is in the queue already.
            State::Queued(work) => *state = State::Cut(Some(work)),
            State::New(_) | State::Ended(_) | State::Cut(_) => {}
        }
        false
    }

    #[cfg(test)]
    fn is_polling(&self) -> bool {
        matches!(*lock(&self.state), State::Polling { .. })
    }
}

impl<M, F> Work for Slot<M, F>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future + Send + Unpin + 'static,
    F::Output: Send,
{
    fn run(self: Arc<Self>) {
        let _span = self.span.enter();
        let mut state = lock(&self.state);
        let entered = match *state {
            State::New(_) | State::Queued(_) => mem::replace(&mut *state, State::Polling { woken: false }),
            // Only what was cut meanwhile is in the queue besides.
            _ => mem::replace(&mut *state, State::Cut(None)),
        };
        drop(state);
        let mut work = match entered {
            State::New(make) => match Guarded::try_new(make) {
                Ok(work) => work,
                Err(panic) => return self.end(Err(panic)),
            },
            State::Queued(work) => work,
            _ => return,
        };
        let waker = Waker::from(Arc::clone(&self));
        match work.poll_unpin(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => self.end(output),
            Poll::Pending => self.sleep(work),
        }
    }
}

impl<M, F> Slot<M, F>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future + Send + Unpin + 'static,
    F::Output: Send,
{
    fn end(&self, output: Result<F::Output, Panic>) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Polling { .. }) {
            *state = State::Ended(output);
            drop(state);
            self.settled.wake();
        }
    }

    fn sleep(self: &Arc<Self>, work: Guarded<F>) {
        let mut state = lock(&self.state);
        match *state {
            State::Polling { woken: false } => *state = State::Asleep(work),
            State::Polling { woken: true } => {
                *state = State::Queued(work);
                drop(state);
                self.queue.push([Arc::clone(self) as _]);
            }
            // It was cut meanwhile; `work` is dropped after the lock.
            _ => drop(state),
        }
    }
}

impl<M, F> Wake for Slot<M, F>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future + Send + Unpin + 'static,
    F::Output: Send,
{
    fn wake(self: Arc<Self>) {
        let mut state = lock(&self.state);
        match mem::replace(&mut *state, State::Polling { woken: true }) {
            State::Polling { .. } => {}
            State::Asleep(work) => {
                *state = State::Queued(work);
                drop(state);
                let queue = Arc::clone(&self.queue);
                queue.push([self as _]);
            }
            other => *state = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use futures::task::AtomicWaker;
    use tracing::Span;

    use super::Attempt;
    use crate::job_threads::JobThreads;

    struct Threads {
        threads: JobThreads,
        settled: Arc<AtomicWaker>,
        _tokio: tokio::runtime::Runtime,
    }

    impl Threads {
        fn new() -> Self {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            Self { threads: JobThreads::new(tokio.handle().clone()), settled: Arc::default(), _tokio: tokio }
        }

        fn start<T: Send + 'static>(&self, make: impl FnOnce() -> BoxFuture<'static, T> + Send + 'static) -> Attempt<T> {
            let attempt = Attempt::new(make, Span::none(), Arc::clone(&self.settled), Arc::clone(self.threads.queue()));
            self.threads.queue().push([attempt.work()]);
            attempt
        }
    }

    /// Says on which thread it was dropped.
    struct Held(Sender<Option<String>>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.send(thread::current().name().map(str::to_owned)).unwrap();
        }
    }

    #[test]
    fn a_cut_attempt_that_sleeps_is_stopped_and_dropped_by_a_job_thread() {
        let threads = Threads::new();
        let (asleep, is_asleep) = channel();
        let (held, dropped) = channel();
        let held = Held(held);
        let attempt = threads.start(move || {
            async move {
                let _held = held;
                asleep.send(()).unwrap();
                pending::<()>().await;
            }
            .boxed()
        });
        is_asleep.recv().unwrap();
        // The poll in which it said so may not have ended.
        while attempt.is_polling() {
            thread::yield_now();
        }

        assert!(!attempt.cut());

        assert!(dropped.recv().unwrap().unwrap().starts_with("detector-job-"));
    }

    #[test]
    fn a_cut_finds_that_a_thread_is_inside_and_what_it_brings_is_dropped() {
        let threads = Threads::new();
        let (inside, is_inside) = channel();
        let (release, released) = channel::<()>();
        let (held, dropped) = channel();
        let attempt = threads.start(move || {
            async move {
                inside.send(()).unwrap();
                let _released = released.recv();
                Held(held)
            }
            .boxed()
        });
        is_inside.recv().unwrap();

        assert!(attempt.cut());
        drop(release);

        assert!(dropped.recv().unwrap().unwrap().starts_with("detector-job-"));
        assert!(attempt.now_or_never().is_none());
    }

    #[test]
    fn an_attempt_that_is_woken_while_it_is_polled_is_polled_again() {
        let threads = Threads::new();
        let (done, is_done) = channel();

        let _attempt = threads.start(move || {
            async move {
                for _ in 0..1_000 {
                    tokio::task::yield_now().await;
                }
                done.send(()).unwrap();
            }
            .boxed()
        });

        is_done.recv().unwrap();
    }

    #[test]
    fn an_attempt_that_was_cut_before_its_turn_never_begins() {
        let threads = Threads::new();
        let (begun, is_begun) = channel::<()>();
        let attempt = Attempt::new(
            move || async move { begun.send(()).unwrap() }.boxed(),
            Span::none(),
            Arc::clone(&threads.settled),
            Arc::clone(threads.threads.queue()),
        );
        let work = attempt.work();

        assert!(!attempt.cut());
        work.run();

        is_begun.recv().unwrap_err();
    }
}
