//! All jobs start together, all settle, and each keeps its own result.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Barrier, Mutex};

use event_detector::{Job, JobContext};
use event_detector_runtime::{Config, JobStatus};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::{builder, change, error, event, gives, jobs_of, runtime, settle, statuses};

#[tokio::test]
async fn all_jobs_of_a_change_start_together() {
    fn jobs(_change: &event_detector::Change) -> Vec<Job> {
        let meets = async |cx: JobContext| {
            cx.state::<tokio::sync::Barrier>()?.wait().await;
            Ok::<_, anyhow::Error>(())
        };
        (0..20).map(|_| Job::new("meets", meets)).collect()
    }
    let state = crate::support::state_of(tokio::sync::Barrier::new(40));
    let runtime = builder([event("a", jobs), event("b", jobs)]).state(state).build().unwrap();

    let report = runtime.handle(change()).await;

    assert_eq!(report.jobs().filter(|job| job.completed()).count(), 40);
}

#[tokio::test]
async fn jobs_that_meet_at_a_barrier_of_threads_start_together_too() {
    let runtime = runtime(
        |_| {
            let meets = async |cx: JobContext| {
                cx.state::<Barrier>()?.wait();
                Ok::<_, anyhow::Error>(())
            };
            (0..24).map(|_| Job::new("meets", meets)).collect()
        },
        Config::default(),
        Barrier::new(24),
    );

    let jobs = jobs_of(runtime.handle(change()).await);

    assert!(jobs.iter().all(|job| job.completed()), "{:?}", statuses(&jobs));
}

#[tokio::test]
async fn results_are_in_the_order_of_declaration_although_jobs_end_in_another() {
    let runtime = runtime(
        |_| {
            let job = |place: usize| {
                // Each waits until all that were declared after it have ended.
                Job::new(format!("job {place}"), async move |cx: JobContext| {
                    let turn = cx.state::<watch::Sender<usize>>()?;
                    turn.subscribe().wait_for(|turn| *turn == place).await?;
                    turn.send_modify(|turn| *turn = turn.wrapping_sub(1));
                    Ok::<_, anyhow::Error>(place)
                })
            };
            (0..8).map(job).collect()
        },
        Config::default(),
        watch::Sender::new(7_usize),
    );

    let jobs = jobs_of(runtime.handle(change()).await);

    let results: Vec<_> = jobs.iter().map(|job| job.result.clone()).collect();
    assert_eq!(results, (0..8).map(|place| Some(json!(place))).collect::<Vec<_>>(), "{jobs:?}");
    assert_eq!(jobs[3].name, "job 3");
}

#[tokio::test]
async fn two_jobs_of_one_name_stay_two_with_keys_of_their_own_that_every_attempt_repeats() {
    type Keys = Mutex<Vec<(u32, String)>>;
    let keys = Arc::new(Keys::default());
    let runtime = runtime(
        |_| {
            let job = |result: u8| {
                let work = async move |cx: JobContext| {
                    cx.state::<Arc<Keys>>()?.lock().unwrap().push((cx.attempt(), cx.idempotency_key()));
                    if cx.attempt() == 1 { Err(anyhow::anyhow!("not yet")) } else { Ok(result) }
                };
                Job::new("notify", work).retries(1)
            };
            vec![job(1), job(2)]
        },
        crate::retries::quickly(),
        Arc::clone(&keys),
    );

    let jobs = jobs_of(runtime.handle(change()).await);

    let results: Vec<_> = jobs.iter().map(|job| (&*job.name, job.attempts, job.result.clone().unwrap())).collect();
    assert_eq!(results, [("notify", 2, json!(1)), ("notify", 2, json!(2))]);
    let keys = keys.lock().unwrap();
    let of_attempt = |number| keys.iter().filter(|(attempt, _)| *attempt == number).map(|(_, key)| key).collect::<HashSet<_>>();
    assert_eq!(of_attempt(1).len(), 2);
    assert_eq!(of_attempt(1), of_attempt(2));
}

#[tokio::test]
async fn a_failed_job_keeps_its_name_options_and_reason_and_its_siblings_their_results() {
    let jobs = settle(|_| {
        vec![
            gives("one", 1),
            Job::new("publish", async |_| Err::<(), _>(anyhow::anyhow!("connection refused").context("no broker")))
                .named("Publish the move")
                .option("topic", json!("moves")),
            gives("three", 3),
        ]
    })
    .await;

    assert_eq!(
        statuses(&jobs),
        [("one", JobStatus::Succeeded), ("Publish the move", JobStatus::Failed), ("three", JobStatus::Succeeded)]
    );
    assert_eq!(error(&jobs[1]), "no broker: connection refused");
    assert_eq!((jobs[1].options[0].name, &jobs[1].options[0].value), ("topic", &json!("moves")));
    assert_eq!(jobs[2].result, Some(json!(3)));
}

#[tokio::test]
async fn a_panicking_job_is_reported_with_its_message_and_place() {
    let jobs = settle(|_| vec![gives("one", 1), Job::new("panics", async |_| panics()), gives("three", 3)]).await;

    assert_eq!(jobs[1].status, JobStatus::Panicked);
    assert!(error(&jobs[1]).contains("out of luck"), "{}", error(&jobs[1]));
    assert!(error(&jobs[1]).contains("settle.rs:"), "{}", error(&jobs[1]));
    assert!(jobs[0].completed() && jobs[2].completed());
}

#[expect(clippy::unnecessary_wraps, reason = "jobs return results")]
fn panics() -> anyhow::Result<()> {
    assert!(std::hint::black_box(false), "out of luck");
    Ok(())
}

#[tokio::test]
async fn a_result_that_json_cannot_hold_is_a_failure_that_no_retry_repeats() {
    let jobs = settle(|_| {
        let keyed_by_pairs = async |_| Ok::<_, anyhow::Error>(BTreeMap::from([((1_u8, 2_u8), "pair")]));
        vec![Job::new("keyed", keyed_by_pairs).retries(3)]
    })
    .await;

    assert_eq!((jobs[0].status, jobs[0].attempts), (JobStatus::Failed, 1));
    assert!(error(&jobs[0]).contains("cannot be written as JSON"), "{}", error(&jobs[0]));
}

#[tokio::test]
async fn jobs_spawn_tasks_and_use_timers_and_sockets_of_the_callers_runtime() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4];
        socket.read_exact(&mut asked).await.unwrap();
        socket.write_all(&asked).await.unwrap();
    });
    let runtime = runtime(
        |_| {
            let spawns = async |_| Ok::<_, anyhow::Error>(tokio::spawn(async { 5 }).await?);
            let blocks_aside = async |_| Ok::<_, anyhow::Error>(tokio::task::spawn_blocking(|| 6).await?);
            let sleeps = async |_| {
                tokio::time::timeout(std::time::Duration::from_millis(1), std::future::pending::<()>()).await.unwrap_err();
                Ok::<_, anyhow::Error>(())
            };
            let talks = async |cx: JobContext| {
                let mut socket = TcpStream::connect(cx.state::<std::net::SocketAddr>()?).await?;
                socket.write_all(b"ping").await?;
                let mut answer = String::new();
                socket.read_to_string(&mut answer).await?;
                Ok::<_, anyhow::Error>(answer)
            };
            vec![
                Job::new("spawns", spawns),
                Job::new("blocks aside", blocks_aside),
                Job::new("sleeps", sleeps),
                Job::new("talks", talks),
            ]
        },
        Config::default(),
        address,
    );

    let jobs = jobs_of(runtime.handle(change()).await);

    let results: Vec<_> = jobs.iter().map(|job| job.result.clone()).collect();
    assert_eq!(results, [Some(json!(5)), Some(json!(6)), Some(json!(null)), Some(json!("ping"))], "{jobs:?}");
    answer.await.unwrap();
}

#[tokio::test]
async fn a_change_without_jobs_or_events_settles_at_once() {
    let quiet = event_detector::Detector::new("never", |_| false);
    let runtime = builder([quiet, event_detector::Detector::new("no.jobs", |_| true)]).build().unwrap();

    let report = runtime.handle(change()).await;

    assert_eq!(report.events.iter().map(|event| event.name).collect::<Vec<_>>(), ["no.jobs"]);
    assert!(report.is_clean() && report.events[0].detected);
}
