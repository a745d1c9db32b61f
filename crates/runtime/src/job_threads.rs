//! Where do jobs run, so that one that blocks its thread harms nobody else?
//!
//! Jobs are polled on threads of their own, never on those of the caller's tokio runtime: timers, sources and reports go on
//! whatever a job does. The threads are as many as the cores; when all of them are stuck in one poll while work waits,
//! another is added. Each thread is inside the tokio runtime's context, so jobs use tokio's I/O and timers as usual.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::{self, Thread};
use std::time::Duration;

use async_task::{Runnable, Task};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use event_detector::{Panic, catch_panic};
use tokio::runtime::Handle;

/// How often the watcher looks for stuck threads while work waits.
const TICK: Duration = Duration::from_millis(5);
/// The watcher sleeps after this many looks without waiting work.
const CALM_TICKS: u32 = 200;
/// A thread beyond the first ones ends after it had nothing to do for this long.
const KEEP: Duration = Duration::from_secs(10);
/// The most threads there will be; the same as tokio's limit for blocking work.
const MAX_THREADS: usize = 512;

/// The threads that jobs run on. They end when this is dropped and their last job has returned.
#[derive(Debug)]
pub(crate) struct JobThreads {
    shared: Arc<Shared>,
    queue: Sender<Runnable>,
}

#[derive(Debug)]
struct Shared {
    waiting: Receiver<Runnable>,
    tokio: Handle,
    base: usize,
    workers: Mutex<Workers>,
    /// Whether the watcher is awake.
    watched: AtomicBool,
    watcher: Mutex<Option<Thread>>,
}

#[derive(Debug, Default)]
struct Workers {
    /// Per thread the number of polls begun and ended: odd while it polls.
    turns: BTreeMap<u64, Arc<AtomicU64>>,
    next: u64,
}

/// One started attempt. Dropping it cuts the attempt at its next await.
#[derive(Debug)]
pub(crate) struct Attempt<T> {
    pub(crate) task: Task<T>,
    polling: Arc<AtomicBool>,
}

impl<T> Attempt<T> {
    /// Whether the attempt is in the middle of a poll, and so cannot be cut now.
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.load(Ordering::Acquire)
    }
}

impl JobThreads {
    /// Threads inside the context of `tokio`, which must outlive the jobs.
    pub(crate) fn new(tokio: Handle) -> Self {
        let (queue, waiting) = crossbeam_channel::unbounded();
        let base = thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let shared = Arc::new(Shared {
            waiting,
            tokio,
            base,
            workers: Mutex::default(),
            watched: AtomicBool::new(false),
            watcher: Mutex::default(),
        });
        for _ in 0..base {
            add_worker(&shared);
        }
        Self { shared, queue }
    }

    /// Starts `work` on one of the threads; a panic in it is its result.
    pub(crate) fn start<M, F>(&self, make: M) -> Attempt<Result<F::Output, Panic>>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + Send + Unpin + 'static,
        F::Output: Send + 'static,
    {
        let polling = Arc::new(AtomicBool::new(false));
        let guarded = guard(make, Arc::clone(&polling));
        let queue = self.queue.clone();
        let shared = Arc::downgrade(&self.shared);
        let schedule = move |runnable| {
            // The receivers live as long as the shared part; a task woken after them is dropped, as after a shutdown.
            let _closed = queue.send(runnable);
            if let Some(shared) = shared.upgrade() {
                wake_watcher(&shared);
            }
        };
        let (runnable, task) = async_task::spawn(guarded, schedule);
        runnable.schedule();
        Attempt { task, polling }
    }
}

async fn guard<M, F>(make: M, polling: Arc<AtomicBool>) -> Result<F::Output, Panic>
where
    M: FnOnce() -> F,
    F: Future + Unpin,
{
    let _polling = Polling::enter(&polling);
    let mut work = catch_panic(make)?;
    drop(_polling);
    poll_fn(|cx| {
        let _polling = Polling::enter(&polling);
        match catch_panic(|| std::pin::Pin::new(&mut work).poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// Marks an attempt as being polled, for as long as this lives.
struct Polling<'f>(&'f AtomicBool);

impl<'f> Polling<'f> {
    fn enter(flag: &'f AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add_worker(shared: &Arc<Shared>) {
    let turn = Arc::new(AtomicU64::new(0));
    let mut workers = lock(&shared.workers);
    let id = workers.next;
    let waiting = shared.waiting.clone();
    let tokio = shared.tokio.clone();
    let weak = Arc::downgrade(shared);
    let own_turn = Arc::clone(&turn);
    let body = move || {
        let _context = tokio.enter();
        loop {
            match waiting.recv_timeout(KEEP) {
                Ok(runnable) => {
                    own_turn.fetch_add(1, Ordering::Relaxed);
                    // What may still panic here is the drop of a job that was cut.
                    let _panicked_on_drop = catch_panic(|| runnable.run());
                    own_turn.fetch_add(1, Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let Some(shared) = weak.upgrade() else { return };
                    let mut workers = lock(&shared.workers);
                    if workers.turns.len() > shared.base {
                        workers.turns.remove(&id);
                        return;
                    }
                }
            }
        }
    };
    // Without another thread the jobs wait for the ones there are; the next look of the watcher tries again.
    if let Err(error) = thread::Builder::new().name(format!("detector-job-{id}")).spawn(body) {
        tracing::error!(%error, "no thread for jobs could be started");
        return;
    }
    workers.next += 1;
    workers.turns.insert(id, turn);
}

fn wake_watcher(shared: &Arc<Shared>) {
    if shared.watched.load(Ordering::Relaxed) || shared.watched.swap(true, Ordering::AcqRel) {
        return;
    }
    let mut watcher = lock(&shared.watcher);
    match &*watcher {
        Some(watcher) => watcher.unpark(),
        None => {
            let weak = Arc::downgrade(shared);
            let started = thread::Builder::new().name("detector-job-watcher".to_owned()).spawn(move || {
                let mut seen = BTreeMap::new();
                let mut calm = 0;
                loop {
                    thread::sleep(TICK);
                    let Some(shared) = weak.upgrade() else { return };
                    calm = if shared.waiting.is_empty() { calm + 1 } else { 0 };
                    seen = look(&shared, &seen);
                    if calm > CALM_TICKS {
                        calm = 0;
                        shared.watched.store(false, Ordering::Release);
                        drop(shared);
                        thread::park();
                    }
                }
            });
            match started {
                Ok(handle) => *watcher = Some(handle.thread().clone()),
                Err(error) => tracing::error!(%error, "the watcher of the job threads could not be started"),
            }
        }
    }
}

/// Adds a thread when work waits and every thread has been in one poll since the last look; returns what it saw.
fn look(shared: &Arc<Shared>, before: &BTreeMap<u64, u64>) -> BTreeMap<u64, u64> {
    let now: BTreeMap<u64, u64> =
        lock(&shared.workers).turns.iter().map(|(id, turn)| (*id, turn.load(Ordering::Relaxed))).collect();
    let stuck = now.iter().all(|(id, turn)| turn % 2 == 1 && before.get(id) == Some(turn));
    if stuck && !shared.waiting.is_empty() && now.len() < MAX_THREADS {
        tracing::debug!(threads = now.len() + 1, "every job thread is blocked while jobs wait; adding one");
        add_worker(shared);
    }
    now
}

impl Drop for JobThreads {
    fn drop(&mut self) {
        if let Some(watcher) = lock(&self.shared.watcher).take() {
            watcher.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future;
    use std::time::Duration;

    use super::JobThreads;

    fn tokio() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn jobs_that_block_every_thread_do_not_hold_up_the_next() {
        let tokio = tokio();
        let threads = JobThreads::new(tokio.handle().clone());
        let (release, blocked) = crossbeam_channel::bounded::<()>(0);

        let blocking: Vec<_> = (0..threads.shared.base + 3)
            .map(|_| {
                let blocked = blocked.clone();
                threads.start(move || Box::pin(async move { blocked.recv().is_err() }))
            })
            .collect();
        let quick = threads.start(|| Box::pin(async { 5 }));

        assert_eq!(tokio.block_on(quick.task), Ok(5));
        assert!(blocking.iter().any(super::Attempt::is_polling));
        drop(release);
        for attempt in blocking {
            assert_eq!(tokio.block_on(attempt.task), Ok(true));
        }
    }

    #[test]
    fn a_panic_is_the_result_of_its_job_alone() {
        let tokio = tokio();
        let threads = JobThreads::new(tokio.handle().clone());

        let panicking = threads.start(|| Box::pin(async { panic!("out of luck") }));
        let making = threads.start(|| -> future::Ready<()> { panic!("at once") });

        assert_eq!(tokio.block_on::<_>(panicking.task).unwrap_err().message(), "out of luck");
        assert_eq!(tokio.block_on(making.task).unwrap_err().message(), "at once");
    }

    #[test]
    fn jobs_use_the_timers_of_the_callers_runtime() {
        let tokio = tokio();
        let threads = JobThreads::new(tokio.handle().clone());

        let waiting = threads.start(|| Box::pin(async { tokio::time::sleep(Duration::from_millis(1)).await }));

        assert_eq!(tokio.block_on(waiting.task), Ok(()));
    }
}
