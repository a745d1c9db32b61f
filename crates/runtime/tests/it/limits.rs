//! Whatever a job does with its time, it is reported at its limit, and nobody else waits for it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use event_detector::{Change, Job, JobContext};
use event_detector_runtime::{Config, JobReport, JobStatus};
use tokio::sync::oneshot;

use crate::support::{
    Blocker, LATER, Meeting, SOON, blocks, change, error, gives, hangs, jobs_of, meets, numbered, runtime, settle, statuses,
};

#[tokio::test]
async fn a_job_that_never_returns_is_cut_at_its_limit_and_its_siblings_stand() {
    let jobs = settle(|_| vec![gives("one", 1), hangs("hangs").timeout(SOON), gives("three", 3)]).await;

    assert_eq!(statuses(&jobs), [("one", JobStatus::Succeeded), ("hangs", JobStatus::TimedOut), ("three", JobStatus::Succeeded)]);
    assert_eq!(error(&jobs[1]), "timed out after 40ms");
    assert!(jobs[1].duration >= SOON);
}

#[tokio::test]
async fn the_default_limit_is_the_configured_one() {
    let config = Config { job_timeout: SOON, ..Config::default() };

    let jobs = jobs_of(runtime(|_| vec![hangs("hangs")], config, ()).handle(change()).await);

    assert_eq!(jobs[0].status, JobStatus::TimedOut);
}

#[tokio::test]
async fn a_limit_beyond_any_clock_is_no_limit() {
    let config =
        Config { change_deadline: Some(Duration::MAX), plugin_timeout: Duration::MAX, drain: Duration::MAX, ..Config::default() };

    let jobs = jobs_of(runtime(|_| vec![gives("one", 1).timeout(Duration::MAX)], config, ()).handle(change()).await);

    assert!(jobs[0].completed());
}

fn assert_blocked(job: &JobReport) {
    assert_eq!((job.status, job.attempts), (JobStatus::TimedOut, 1), "it still runs, so it is not tried again");
    assert!(error(job).contains("blocks its thread") && error(job).contains("spawn_blocking"), "{}", error(job));
}

async fn jobs_around_a_blocking_one() -> Vec<JobReport> {
    let (_release, blocker) = Blocker::new();
    let jobs = |_: &Change| vec![gives("one", 1), blocks("blocks").timeout(LATER).retries(3), gives("three", 3)];

    jobs_of(runtime(jobs, Config::default(), blocker).handle(change()).await)
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_that_blocks_its_thread_is_reported_at_its_limit_on_a_runtime_of_one_thread() {
    let jobs = jobs_around_a_blocking_one().await;

    assert_blocked(&jobs[1]);
    assert!(jobs[0].completed() && jobs[2].completed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_blocks_its_thread_is_reported_at_its_limit_on_a_runtime_of_many_threads() {
    let jobs = jobs_around_a_blocking_one().await;

    assert_blocked(&jobs[1]);
    assert!(jobs[0].completed() && jobs[2].completed());
}

#[tokio::test]
async fn a_job_that_blocks_its_thread_after_an_await_is_reported_too() {
    let (_release, blocker) = Blocker::new();
    let jobs = |_: &Change| {
        let blocks = async |cx: JobContext| {
            tokio::task::yield_now().await;
            cx.state::<Blocker>()?.block();
            Ok::<_, anyhow::Error>(())
        };
        vec![Job::new("blocks", blocks).timeout(LATER), gives("two", 2)]
    };

    let jobs = jobs_of(runtime(jobs, Config::default(), blocker).handle(change()).await);

    assert_blocked(&jobs[0]);
    assert!(jobs[1].completed());
}

#[tokio::test]
async fn a_busy_job_that_lets_go_of_its_thread_is_cut_at_its_limit_and_tried_again() {
    let busy = |_: &Change| {
        let busy = async |_: JobContext| -> anyhow::Result<()> {
            loop {
                thread::sleep(Duration::from_millis(1));
                tokio::task::yield_now().await;
            }
        };
        vec![Job::new("busy", busy).timeout(SOON).retries(2)]
    };
    let config = Config { backoff_base: Duration::ZERO, ..Config::default() };

    let jobs = jobs_of(runtime(busy, config, ()).handle(change()).await);

    assert_eq!((jobs[0].status, jobs[0].attempts, error(&jobs[0])), (JobStatus::TimedOut, 3, "timed out after 40ms"));
}

#[tokio::test(flavor = "current_thread")]
async fn more_blocking_jobs_than_cores_starve_neither_their_siblings_nor_other_changes() {
    let (_release, blocker) = Blocker::new();
    let runtime = runtime(
        |change| match change.after("id").as_i64() {
            Some(1) => {
                let blocking = (0..40).map(|_| blocks("blocks").timeout(LATER * 3));
                blocking.chain((0..5).map(|_| gives("quick", 1))).collect()
            }
            _ => vec![gives("other", 1)],
        },
        Config::default(),
        blocker,
    );

    let (blocked, other) = tokio::join!(runtime.handle(numbered(1)), runtime.handle(numbered(2)));

    assert!(other.is_clean());
    let jobs = jobs_of(blocked);
    for job in &jobs[..40] {
        assert_blocked(job);
    }
    assert!(jobs[40..].iter().all(JobReport::completed));
}

#[tokio::test]
async fn a_cut_attempt_is_dropped_and_a_panic_in_its_drop_harms_nobody() {
    struct Loud(Option<oneshot::Sender<()>>);
    impl Drop for Loud {
        fn drop(&mut self) {
            let _told = self.0.take().unwrap().send(());
            panic!("dropped");
        }
    }
    type Teller = std::sync::Mutex<Option<oneshot::Sender<()>>>;
    let (teller, dropped) = oneshot::channel();
    let runtime = runtime(
        |change| {
            let loud = async |cx: JobContext| {
                let _loud = Loud(cx.state::<Teller>()?.lock().unwrap().take());
                std::future::pending::<()>().await;
                Ok::<_, anyhow::Error>(())
            };
            if change.after("id") == 1 {
                vec![Job::new("loud", loud).timeout(LATER), gives("two", 2)]
            } else {
                vec![gives("later", 3)]
            }
        },
        Config::default(),
        Teller::new(Some(teller)),
    );

    let jobs = jobs_of(runtime.handle(numbered(1)).await);

    assert_eq!(statuses(&jobs), [("loud", JobStatus::TimedOut), ("two", JobStatus::Succeeded)]);
    dropped.await.expect("the attempt was dropped");
    assert!(runtime.handle(numbered(2)).await.is_clean());
}

#[tokio::test]
async fn the_end_of_a_change_keeps_what_finished_and_cuts_the_rest_also_between_attempts() {
    let config =
        Config { change_deadline: Some(LATER), backoff_base: Duration::MAX, backoff_cap: Duration::MAX, ..Config::default() };
    let jobs = |_: &Change| {
        let fails = async |_| Err::<(), _>(anyhow::anyhow!("connection refused"));
        vec![gives("one", 1), hangs("hangs").retries(2), Job::new("fails", fails).retries(2)]
    };

    let report = runtime(jobs, config, ()).handle(change()).await;

    assert!(!report.was_interrupted(), "it has settled");
    let jobs = jobs_of(report);
    assert_eq!(statuses(&jobs), [("one", JobStatus::Succeeded), ("hangs", JobStatus::Expired), ("fails", JobStatus::Expired)]);
    assert_eq!(error(&jobs[1]), "cut: the deadline of the whole change was over");
    assert_eq!(jobs[2].attempts, 1);
    assert!(error(&jobs[2]).contains("deadline") && error(&jobs[2]).contains("connection refused"), "{}", error(&jobs[2]));
}

#[tokio::test]
async fn a_job_sees_the_earlier_of_its_own_limit_and_the_changes_end() {
    let config = Config { change_deadline: Some(Duration::from_secs(100)), ..Config::default() };
    let jobs = |_: &Change| {
        let remaining = async |cx: JobContext| Ok::<_, anyhow::Error>(cx.remaining().map(|left| left.as_secs()));
        vec![Job::new("own", remaining).timeout(Duration::from_secs(50)), Job::new("whole", remaining).timeout(Duration::MAX)]
    };

    let jobs = jobs_of(runtime(jobs, config, ()).handle(change()).await);

    let seconds: Vec<_> = jobs.iter().map(|job| job.result.as_ref().unwrap().as_u64().unwrap()).collect();
    assert!((1..50).contains(&seconds[0]) && (50..100).contains(&seconds[1]), "{seconds:?}");
}

#[tokio::test]
async fn dropping_the_future_of_a_change_cuts_its_jobs() {
    struct Held(#[expect(dead_code, reason = "its drop is what is waited for")] oneshot::Sender<()>);
    type Sender = std::sync::Mutex<Option<oneshot::Sender<()>>>;
    let (held, dropped) = oneshot::channel();
    let meeting = Meeting::new();
    let mut state = crate::support::state_of(Arc::clone(&meeting));
    state.insert(Sender::new(Some(held)));
    let job = |_: &Change| {
        let waits = async |cx: JobContext| {
            let _held = Held(cx.state::<Sender>()?.lock().unwrap().take().unwrap());
            cx.state::<Arc<Meeting>>()?.wait().await;
            Ok::<_, anyhow::Error>(())
        };
        vec![Job::new("waits", waits)]
    };
    let runtime = crate::support::builder([crate::support::event("a", job)]).state(state).build().unwrap();

    tokio::select! {
        _ = runtime.handle(change()) => panic!("nobody released the job"),
        () = meeting.until_arrived(1) => {}
    }

    dropped.await.expect_err("the sender went with the job");
    assert_eq!(runtime.admitted(), 0);
}

#[tokio::test]
async fn cancelling_the_runtime_cuts_what_runs_and_starts_nothing_more() {
    let meeting = Meeting::new();
    let runtime = runtime(|_| vec![meets("meets"), gives("two", 2)], Config::default(), Arc::clone(&meeting));
    let handling = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.handle(numbered(1)).await }
    });
    meeting.until_arrived(1).await;

    assert!(!runtime.is_cancelled());
    runtime.cancel();

    let report = handling.await.unwrap();
    assert!(runtime.is_cancelled() && report.was_interrupted());
    let jobs = jobs_of(report);
    assert_eq!((jobs[0].status, error(&jobs[0])), (JobStatus::Cancelled, "cut: the program stopped"));
    let later = jobs_of(runtime.handle(numbered(2)).await);
    assert_eq!(statuses(&later), [("meets", JobStatus::Cancelled), ("two", JobStatus::Cancelled)]);
    assert_eq!(later.iter().map(|job| job.attempts).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(meeting.notes(), ["1 begins"]);
}

#[tokio::test]
async fn a_blocking_job_learns_of_the_cancellation() {
    let meeting = Meeting::new();
    let runtime = runtime(
        |_| {
            let asks = async |cx: JobContext| {
                cx.state::<Arc<Meeting>>()?.arrived.add_permits(1);
                while !cx.is_cancelled() {
                    thread::yield_now();
                }
                cx.state::<Arc<Meeting>>()?.arrived.add_permits(1);
                Ok::<_, anyhow::Error>(())
            };
            vec![Job::new("asks", asks)]
        },
        Config::default(),
        Arc::clone(&meeting),
    );
    let handling = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.handle(change()).await }
    });
    meeting.until_arrived(1).await;

    runtime.cancel();

    meeting.until_arrived(1).await;
    let jobs = jobs_of(handling.await.unwrap());
    assert!(matches!(jobs[0].status, JobStatus::Cancelled | JobStatus::Succeeded), "{jobs:?}");
}
