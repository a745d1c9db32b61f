use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use event_detector::{Cancellation, Change, Detector, Job, JobEnvironment, JobScope};
use serde_json::json;
use tokio::time::Instant;
use tracing::Span;

use super::{Cut, Jobs, Seat, State};
use crate::job_threads::{JobThreads, lock};
use crate::timer::after;

struct Threads {
    threads: JobThreads,
    tokio: tokio::runtime::Runtime,
}

impl Threads {
    fn new() -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { threads: JobThreads::new(tokio.handle().clone()), tokio }
    }

    /// The jobs, each about to begin its first attempt.
    fn seat(&self, jobs: impl IntoIterator<Item = Job>) -> Jobs {
        let (_canceller, cancellation) = Cancellation::new();
        let change = Arc::new(Change::insert("moves").after(json!({ "id": 1 })).into());
        let detector = Detector::new("move.created", |_| true);
        let seats = jobs.into_iter().map(|job| Seat::new(0, &detector, job, 0, Span::none()));
        let scope = JobScope { change, environment: Arc::new(JobEnvironment { state: Default::default(), cancellation }) };
        let jobs = Jobs::new(seats.collect(), scope, Arc::clone(self.threads.queue()));
        for place in 0..jobs.seats().len() {
            jobs.begin(place, 1, after(Instant::now(), Duration::MAX));
        }
        jobs
    }

    fn start(&self, jobs: impl IntoIterator<Item = Job>) -> Jobs {
        let jobs = self.seat(jobs);
        jobs.go();
        jobs
    }

    /// Waits as a supervisor does until exactly the attempts at `places` have ended.
    fn wait_for<const N: usize>(&self, jobs: &Jobs, places: [usize; N]) {
        let mut ended = BTreeSet::new();
        self.tokio.block_on(poll_fn(|cx| {
            jobs.supervisor.register(cx.waker());
            ended.extend((0..jobs.seats().len()).filter(|place| jobs.take(*place).is_some()));
            if ended.len() < N { Poll::Pending } else { Poll::Ready(()) }
        }));
        assert!(ended.into_iter().eq(places));
    }
}

fn job<F: Future<Output = ()> + Send + 'static>(work: impl FnOnce() -> F + Clone + Send + Sync + 'static) -> Job {
    Job::new("job", move |_cx| {
        let work = work();
        async move {
            work.await;
            anyhow::Ok(())
        }
    })
}

/// Says on which thread it was dropped.
#[derive(Clone)]
struct Held(Arc<Mutex<Option<Sender<Option<String>>>>>);

impl Held {
    fn new() -> (Self, Receiver<Option<String>>) {
        let (held, dropped) = channel();
        (Self(Arc::new(Mutex::new(Some(held)))), dropped)
    }

    /// From now on the drop of this one tells.
    fn hold(&self) -> impl Drop + use<> {
        struct Tells(Sender<Option<String>>);
        impl Drop for Tells {
            fn drop(&mut self) {
                self.0.send(thread::current().name().map(str::to_owned)).unwrap();
            }
        }
        Tells(lock(&self.0).take().unwrap())
    }
}

/// Waits until the poll has ended in which the first job said that it is about to sleep.
fn until_asleep(jobs: &Jobs) {
    while !matches!(*lock(&jobs.seats()[0].state), State::Asleep(_)) {
        thread::yield_now();
    }
}

#[test]
fn a_cut_attempt_that_sleeps_is_stopped_and_dropped_by_a_job_thread() {
    let threads = Threads::new();
    let (asleep, is_asleep) = channel();
    let (held, dropped) = Held::new();
    let jobs = threads.start([job(move || async move {
        let _held = held.hold();
        asleep.send(()).unwrap();
        pending::<()>().await;
    })]);
    is_asleep.recv().unwrap();
    until_asleep(&jobs);

    assert!(matches!(jobs.cut(0), Cut::Stopped));

    assert!(dropped.recv().unwrap().unwrap().starts_with("detector-job-"));
}

#[test]
fn a_cut_finds_that_a_thread_is_inside_and_what_it_brings_is_dropped() {
    let threads = Threads::new();
    let (inside, is_inside) = channel();
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (held, dropped) = Held::new();
    let jobs = threads.start([job(move || async move {
        let _held = held.hold();
        inside.send(()).unwrap();
        let _released = lock(&released).recv();
    })]);
    is_inside.recv().unwrap();

    assert!(matches!(jobs.cut(0), Cut::Inside));
    drop(release);

    assert!(dropped.recv().unwrap().unwrap().starts_with("detector-job-"));
    assert!(jobs.take(0).is_none());
}

#[test]
fn a_poll_that_was_made_the_last_one_is_followed_by_no_other() {
    let threads = Threads::new();
    let (inside, is_inside) = channel();
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (held, dropped) = Held::new();
    let jobs = threads.start([job(move || async move {
        let _held = held.hold();
        loop {
            inside.send(()).unwrap();
            let _released = lock(&released).recv();
            tokio::task::yield_now().await;
        }
    })]);
    is_inside.recv().unwrap();

    assert!(jobs.make_last(0));
    release.send(()).unwrap();

    assert!(dropped.recv().unwrap().unwrap().starts_with("detector-job-"));
    assert!(!jobs.make_last(0) && jobs.take(0).is_none() && is_inside.try_recv().is_err());
    assert!(matches!(jobs.cut(0), Cut::Stopped));
}

#[test]
fn an_attempt_that_is_woken_while_it_is_polled_is_polled_again() {
    let threads = Threads::new();
    let (done, is_done) = channel();

    let _jobs = threads.start([job(move || async move {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        done.send(()).unwrap();
    })]);

    is_done.recv().unwrap();
}

#[test]
fn an_attempt_that_was_cut_before_its_turn_never_begins() {
    let threads = Threads::new();
    let (begun, is_begun) = channel::<()>();
    let jobs = threads.seat([job(move || async move { begun.send(()).unwrap() })]);

    assert!(matches!(jobs.cut(0), Cut::Stopped));
    jobs.go();
    drop(jobs);

    is_begun.recv().unwrap_err();
}

#[test]
fn a_job_that_blocks_its_thread_holds_up_neither_its_siblings_nor_the_news_of_those_before_it() {
    let threads = Threads::new();
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let blocks = || {
        let released = Arc::clone(&released);
        job(move || async move {
            let _released = lock(&released).recv();
        })
    };
    let jobs = threads.start([job(|| async {}), blocks(), blocks(), blocks(), job(|| async {})]);

    threads.wait_for(&jobs, [0, 4]);

    drop(release);
    threads.wait_for(&jobs, [1, 2, 3]);
}

#[test]
fn jobs_that_wait_are_each_woken_by_what_they_wait_for() {
    let threads = Threads::new();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| tokio::sync::watch::channel(0)).unzip();
    let jobs = threads.start(receivers.into_iter().map(|mut receiver| {
        job(move || async move {
            for round in 1..=3 {
                receiver.wait_for(|seen| *seen >= round).await.unwrap();
            }
        })
    }));

    for (place, sender) in senders.iter().enumerate().rev() {
        for round in 1..=3 {
            sender.send_replace(round);
            thread::yield_now();
        }
        threads.wait_for(&jobs, [place]);
    }
}

#[test]
fn what_blocks_its_thread_when_it_is_dropped_holds_up_nobody_else() {
    struct Blocks(Arc<Mutex<Receiver<()>>>);
    impl Drop for Blocks {
        fn drop(&mut self) {
            let _released = lock(&self.0).recv();
        }
    }
    let threads = Threads::new();
    let (asleep, is_asleep) = channel();
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let jobs = threads.start([job(move || async move {
        let _blocks = Blocks(released);
        asleep.send(()).unwrap();
        pending::<()>().await;
    })]);
    is_asleep.recv().unwrap();
    until_asleep(&jobs);

    assert!(matches!(jobs.cut(0), Cut::Stopped));
    // Long enough for the watcher to give the blocked work to others, who must not be held up by it.
    thread::sleep(Duration::from_millis(50));
    let others = threads.start([job(|| async {})]);

    threads.wait_for(&others, [0]);
    drop(release);
}
