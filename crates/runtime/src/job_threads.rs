//! Where do jobs run, so that one that blocks its thread harms nobody else?
//!
//! Jobs are polled on threads of their own, never on those of the caller's tokio runtime: timers, sources and reports go on
//! whatever a job does. The threads are as many as the cores. A watcher sees which are stuck in one poll: it gives what they have
//! not begun to others, and adds threads when all are stuck while work waits. Each thread is inside the tokio runtime's context, so
//! jobs use tokio's I/O and timers as usual.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use event_detector::catch_panic;
use tokio::runtime::Handle;

/// How often the watcher looks for stuck threads while work waits.
const TICK: Duration = Duration::from_millis(5);
/// Threads are added after this many looks at which all of them were where they had been: a busy machine too may keep one off its
/// cores for a while.
const STUCK_TICKS: u32 = 3;
/// The watcher sleeps after this many looks without waiting work.
const CALM_TICKS: u32 = 200;
/// A thread beyond the first ones ends after it had nothing to do for this long.
const KEEP: Duration = Duration::from_secs(10);
/// How often a thread without work lets others run and looks again, before it goes to sleep; to be called costs the caller much more.
const SEARCHES: u32 = 24;
/// The most threads there will be; the same as tokio's limit for blocking work.
const MAX_THREADS: usize = 512;

/// Something for a job thread to do. While one thread is in it, others may enter it too, and do what that one has not begun.
pub(crate) trait Work: Send + Sync {
    fn run(self: Arc<Self>);
}

/// The threads that jobs run on. They end when this is dropped and the work they are in has returned.
pub(crate) struct JobThreads {
    queue: Arc<Queue>,
}

/// What waits for a thread, first come, first served.
pub(crate) struct Queue {
    line: Mutex<Line>,
    /// For the watcher: there is something to watch, or the end has come.
    watch: Condvar,
    tokio: Handle,
    base: usize,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Arc<dyn Work>>,
    threads: BTreeMap<u64, Turn>,
    next_thread: u64,
    /// The threads that sleep. The last to have gone to sleep is called first: it is the warmest.
    idle: Vec<Thread>,
    /// An idle thread was called and has not come yet; when it comes, it calls the next one if need be.
    called: bool,
    /// A thread without work looks for some, before it goes to sleep.
    searching: bool,
    watched: bool,
    closed: bool,
}

/// What one thread does.
#[derive(Default)]
struct Turn {
    /// How often it came here for work.
    number: u64,
    /// What it has been in since; `None` when that has returned, or the watcher gave it to others too.
    work: Option<Weak<dyn Work>>,
}

impl JobThreads {
    /// Threads inside the context of `tokio`, which must outlive the jobs.
    pub(crate) fn new(tokio: Handle) -> Self {
        let base = thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let queue = Arc::new(Queue { line: Mutex::default(), watch: Condvar::new(), tokio, base });
        for _ in 0..base {
            add_thread(&queue);
        }
        let watched = Arc::clone(&queue);
        // Without the watcher, jobs that block every thread hold up the others until they return.
        if let Err(error) = thread::Builder::new().name("detector-job-watcher".to_owned()).spawn(move || watched.keep_watch()) {
            tracing::error!(%error, "the watcher of the job threads could not be started");
        }
        Self { queue }
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Drop for JobThreads {
    fn drop(&mut self) {
        let mut line = lock(&self.queue.line);
        line.closed = true;
        line.idle.drain(..).for_each(|thread| thread.unpark());
        drop(line);
        self.queue.watch.notify_all();
    }
}

impl Queue {
    /// Puts `work` at the end.
    pub(crate) fn push(&self, work: Arc<dyn Work>) {
        let mut line = lock(&self.line);
        line.waiting.push_back(work);
        let wake_watcher = !std::mem::replace(&mut line.watched, true);
        let called = line.call();
        drop(line);
        called.inspect(Thread::unpark);
        if wake_watcher {
            self.watch.notify_one();
        }
    }

    /// Waits for work for the thread `id`; `None` when the thread is to end.
    fn take(&self, id: u64) -> Option<Arc<dyn Work>> {
        let mut line = lock(&self.line);
        line.turn(id, None);
        let mut patient = true;
        loop {
            if let Some(work) = line.waiting.pop_front() {
                line.turn(id, Some(&work));
                let called = line.call();
                drop(line);
                called.inspect(Thread::unpark);
                return Some(work);
            }
            if line.closed || (!patient && line.threads.len() > self.base) {
                line.threads.remove(&id);
                return None;
            }
            if !line.searching {
                line = self.search(line);
                if !line.waiting.is_empty() || line.closed {
                    continue;
                }
            }
            (line, patient) = self.sleep(line);
        }
    }

    /// Looks for work for a moment: who comes soon finds a thread awake, and need not call one.
    fn search<'l>(&'l self, mut line: MutexGuard<'l, Line>) -> MutexGuard<'l, Line> {
        line.searching = true;
        for _ in 0..SEARCHES {
            if !line.waiting.is_empty() || line.closed {
                break;
            }
            drop(line);
            thread::yield_now();
            line = lock(&self.line);
        }
        line.searching = false;
        line
    }

    /// Sleeps until somebody calls this thread; returns whether somebody did.
    fn sleep<'l>(&'l self, mut line: MutexGuard<'l, Line>) -> (MutexGuard<'l, Line>, bool) {
        let (this, since) = (thread::current(), Instant::now());
        line.idle.push(this.clone());
        loop {
            drop(line);
            thread::park_timeout(KEEP.saturating_sub(since.elapsed()));
            line = lock(&self.line);
            let Some(place) = line.idle.iter().position(|thread| thread.id() == this.id()) else {
                line.called = false;
                return (line, true);
            };
            if since.elapsed() >= KEEP {
                line.idle.remove(place);
                return (line, false);
            }
        }
    }

    fn keep_watch(self: &Arc<Self>) {
        let mut before = BTreeMap::new();
        let (mut calm, mut stuck) = (0, 0);
        loop {
            thread::sleep(TICK);
            let mut line = lock(&self.line);
            calm = if line.is_calm() { calm + 1 } else { 0 };
            while calm > CALM_TICKS && !line.closed {
                line.watched = false;
                line = self.watch.wait(line).unwrap_or_else(PoisonError::into_inner);
                calm = if line.watched { 0 } else { calm };
            }
            if line.closed {
                return;
            }
            line.hand_over(&before);
            stuck = if line.is_stuck(&before) { stuck + 1 } else { 0 };
            let missing = if stuck < STUCK_TICKS { 0 } else { line.missing_threads() };
            before = line.turns();
            let called = line.call();
            drop(line);
            called.inspect(Thread::unpark);
            if missing > 0 {
                tracing::debug!(missing, "every job thread is blocked while jobs wait; adding some");
            }
            for _ in 0..missing {
                add_thread(self);
            }
        }
    }
}

impl Line {
    /// Notes that the thread `id` begins `work`, or has come back from it.
    fn turn(&mut self, id: u64, work: Option<&Arc<dyn Work>>) {
        if let Some(turn) = self.threads.get_mut(&id) {
            turn.number += 1;
            turn.work = work.map(Arc::downgrade);
        }
    }

    /// Per thread, how often it came and went.
    fn turns(&self) -> BTreeMap<u64, u64> {
        self.threads.iter().map(|(id, turn)| (*id, turn.number)).collect()
    }

    /// Whether there is nothing to watch.
    fn is_calm(&self) -> bool {
        self.waiting.is_empty() && self.threads.values().all(|turn| turn.work.is_none())
    }

    /// An idle thread to be woken now.
    fn call(&mut self) -> Option<Thread> {
        if self.waiting.is_empty() || self.called || self.searching {
            return None;
        }
        let thread = self.idle.pop();
        self.called = thread.is_some();
        thread
    }

    /// Gives the work of threads that are where they were `before` to others too: what they have not begun must not wait for them.
    fn hand_over(&mut self, before: &BTreeMap<u64, u64>) {
        for (id, turn) in &mut self.threads {
            if before.get(id) == Some(&turn.number)
                && let Some(work) = turn.work.take().and_then(|work| work.upgrade())
            {
                // To two, so that many that block their threads, one behind the other, soon have all begun.
                self.waiting.extend([Arc::clone(&work), work]);
            }
        }
    }

    /// Whether work waits while every thread is where it was `before`.
    fn is_stuck(&self, before: &BTreeMap<u64, u64>) -> bool {
        self.idle.is_empty()
            && !self.waiting.is_empty()
            && self.threads.iter().all(|(id, turn)| before.get(id) == Some(&turn.number))
    }

    /// How many threads to add where all are stuck: up to twice as many.
    fn missing_threads(&self) -> usize {
        let threads = self.threads.len();
        self.waiting.len().min(threads.max(1)).min(MAX_THREADS.saturating_sub(threads))
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add_thread(queue: &Arc<Queue>) {
    let mut line = lock(&queue.line);
    let id = line.next_thread;
    let own = Arc::clone(queue);
    let body = move || {
        let _context = own.tokio.enter();
        while let Some(work) = own.take(id) {
            // Work guards the users' code in it; this keeps the thread whatever else there may be.
            let _panic = catch_panic(|| work.run());
        }
    };
    // Without another thread the jobs wait for the ones there are; the next look of the watcher tries again.
    if let Err(error) = thread::Builder::new().name(format!("detector-job-{id}")).spawn(body) {
        drop(line);
        tracing::error!(%error, "no thread for jobs could be started");
        return;
    }
    line.next_thread += 1;
    line.threads.insert(id, Turn::default());
}
