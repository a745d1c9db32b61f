//! What does it cost to settle five jobs of one change?
//!
//! One change, one detected event, five jobs that return a small value. Pipelined means 64 changes in flight on a
//! runtime with two workers, each change timed by its share; sequential means one change after the other, so each pays the
//! whole way to a job thread and back. The floors are the same futures without deadlines, retries, reports or threads of their own.

use std::future::poll_fn;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use event_detector::{Change, Detector, Job, JobContext, Registry, catch_panic};
use event_detector_runtime::Runtime;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use serde_json::json;
use tokio::sync::oneshot;

const JOBS: [&str; 5] = ["rerun_ar", "post_webhook", "publish_event_log", "notify_driver", "update_index"];
const IN_FLIGHT: usize = 64;
/// Changes are made before the clock runs; so many at a time bounds the memory.
const CHUNK: usize = 1_024;

/// Pending once, and woken at once.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn ready(_cx: JobContext) -> anyhow::Result<u32> {
    Ok(black_box(7))
}

async fn yielding(_cx: JobContext) -> anyhow::Result<u32> {
    yield_once().await;
    Ok(black_box(7))
}

fn ready_jobs(_change: &Change) -> Vec<Job> {
    JOBS.map(|name| Job::new(name, ready)).into()
}

fn no_jobs(_change: &Change) -> Vec<Job> {
    Vec::new()
}

fn yielding_jobs(_change: &Change) -> Vec<Job> {
    JOBS.map(|name| Job::new(name, yielding)).into()
}

fn change(number: usize) -> Change {
    Change::insert("moves").after(json!({ "id": number })).into()
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started")
}

fn runtime(tokio: &tokio::runtime::Runtime, jobs: fn(&Change) -> Vec<Job>) -> Runtime {
    let _context = tokio.enter();
    let registry = Registry::try_new([Detector::new("move.created", Change::is_insert).with_jobs(jobs)]).expect("one detector");
    Runtime::builder(registry).build().expect("inside tokio")
}

/// The time `count` changes take with 64 of them in flight.
async fn pipelined(runtime: &Runtime, count: usize) -> Duration {
    let mut total = Duration::ZERO;
    for chunk in (0..count).step_by(CHUNK).map(|from| from..count.min(from + CHUNK)) {
        let changes: Arc<Vec<_>> = Arc::new(chunk.map(|number| Mutex::new(Some(change(number)))).collect());
        let next = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let takers = (0..IN_FLIGHT).map(|_| {
            let (runtime, changes, next) = (runtime.clone(), Arc::clone(&changes), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(change) = changes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let change = change.lock().expect("nobody panics").take().expect("each is taken once");
                    black_box(runtime.handle(change).await);
                }
            })
        });
        for taker in takers.collect::<Vec<_>>() {
            taker.await.expect("nobody panics");
        }
        total += start.elapsed();
    }
    total
}

async fn sequential(runtime: &Runtime, count: usize) -> Duration {
    let mut total = Duration::ZERO;
    for chunk in (0..count).step_by(CHUNK).map(|from| from..count.min(from + CHUNK)) {
        let changes: Vec<_> = chunk.map(change).collect();
        let start = Instant::now();
        for change in changes {
            black_box(runtime.handle(change).await);
        }
        total += start.elapsed();
    }
    total
}

/// What a job comes down to without a runtime: a boxed future that gives JSON.
fn boxed(yields: bool) -> BoxFuture<'static, serde_json::Value> {
    Box::pin(async move {
        if yields {
            yield_once().await;
        }
        serde_json::Value::from(black_box(7))
    })
}

async fn join_all_guarded(yields: bool) {
    let guarded = JOBS.map(|_| {
        let mut work = boxed(yields);
        poll_fn(move |cx| match catch_panic(|| work.poll_unpin(cx)) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        })
    });
    black_box(join_all(guarded).await);
}

/// The least that any way to threads of their own costs: five boxed futures go there together, and one answer comes back.
async fn one_hop(threads: &mpsc::Sender<Hop>, count: usize) -> Duration {
    let start = Instant::now();
    let takers = (0..IN_FLIGHT).map(|_| {
        let threads = threads.clone();
        tokio::spawn(async move {
            for _ in 0..count.div_ceil(IN_FLIGHT) {
                let (done, answer) = oneshot::channel();
                threads.send((JOBS.map(|_| boxed(false)), done)).expect("the threads are there");
                black_box(answer.await.expect("an answer comes"));
            }
        })
    });
    for taker in takers.collect::<Vec<_>>() {
        taker.await.expect("nobody panics");
    }
    start.elapsed()
}

type Hop = ([BoxFuture<'static, serde_json::Value>; 5], oneshot::Sender<[Option<serde_json::Value>; 5]>);

fn hop_threads() -> mpsc::Sender<Hop> {
    let (threads, waiting) = mpsc::channel::<Hop>();
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..2 {
        let waiting = Arc::clone(&waiting);
        std::thread::spawn(move || {
            loop {
                let next = waiting.lock().expect("nobody panics").recv();
                let Ok((work, done)) = next else { return };
                let _given_up = done.send(work.map(|work| catch_panic(|| work.now_or_never()).ok().flatten()));
            }
        });
    }
    threads
}

async fn spawned(yields: bool) {
    for task in JOBS.map(|_| tokio::spawn(boxed(yields))) {
        black_box(task.await.expect("nobody panics"));
    }
}

fn settle(criterion: &mut Criterion) {
    let tokio = tokio_runtime();
    let bare = runtime(&tokio, no_jobs);
    criterion.bench_function("settle/without jobs/pipelined", |bench| {
        bench.iter_custom(|times| tokio.block_on(pipelined(&bare, usize::try_from(times).expect("a count of iterations"))));
    });
    let threads = hop_threads();
    criterion.bench_function("settle/floor: one hop/pipelined", |bench| {
        bench.iter_custom(|times| tokio.block_on(one_hop(&threads, usize::try_from(times).expect("a count of iterations"))));
    });
    for (kind, jobs, yields) in [("ready", ready_jobs as fn(&Change) -> Vec<Job>, false), ("yielding", yielding_jobs, true)] {
        let runtime = runtime(&tokio, jobs);
        let mut group = criterion.benchmark_group(format!("settle/{kind}"));
        let count = |times: u64| usize::try_from(times).expect("a count of iterations");
        group.bench_function("pipelined", |bench| {
            bench.iter_custom(|times| tokio.block_on(pipelined(&runtime, count(times))));
        });
        // What the jobs cost on top of a change that has none, each measured in turn.
        group.bench_function("pipelined, added by the jobs", |bench| {
            bench.iter_custom(|times| {
                let with = tokio.block_on(pipelined(&runtime, count(times)));
                with.saturating_sub(tokio.block_on(pipelined(&bare, count(times))))
            });
        });
        group.bench_function("sequential", |bench| {
            bench.iter_custom(|times| tokio.block_on(sequential(&runtime, count(times))));
        });
        group.bench_function("floor: join_all", |bench| bench.iter(|| tokio.block_on(join_all_guarded(yields))));
        group.bench_function("floor: tokio::spawn", |bench| bench.iter(|| tokio.block_on(spawned(yields))));
        group.finish();
    }
}

criterion_group!(benches, settle);
criterion_main!(benches);
