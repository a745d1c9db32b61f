//! A failed attempt is repeated as often as the job allows, and only where that can help.

use std::time::Duration;

use event_detector::{Change, Fatal, Job, JobContext};
use event_detector_runtime::{Config, JobReport, JobStatus};
use serde_json::json;

use crate::support::{LATER, change, error, jobs_of, runtime};

/// Limits under which retries follow at once.
pub(crate) fn quickly() -> Config {
    Config { backoff_base: Duration::from_millis(1), backoff_cap: Duration::from_millis(2), ..Config::default() }
}

async fn settle(jobs: fn(&Change) -> Vec<Job>) -> JobReport {
    jobs_of(runtime(jobs, quickly(), ()).handle(change()).await).remove(0)
}

#[tokio::test]
async fn attempts_are_counted_and_the_last_ones_error_is_reported() {
    let job = settle(|_| {
        let fails = async |cx: JobContext| Err::<(), _>(anyhow::anyhow!("refused {} times", cx.attempt()));
        vec![Job::new("fails", fails).retries(3)]
    })
    .await;

    assert_eq!((job.status, job.attempts, job.attempts_allowed), (JobStatus::Failed, 4, 4));
    assert_eq!(error(&job), "refused 4 times");
}

#[tokio::test]
async fn without_retries_there_is_one_attempt() {
    let job = settle(|_| vec![Job::new("fails", async |_| Err::<(), _>(anyhow::anyhow!("refused")))]).await;

    assert_eq!((job.attempts, job.attempts_allowed), (1, 1));
}

#[tokio::test]
async fn the_configured_retries_are_for_jobs_that_say_nothing() {
    let config = Config { job_retries: 2, ..quickly() };
    let jobs = |_: &Change| {
        let fails = async |_| Err::<(), _>(anyhow::anyhow!("refused"));
        vec![Job::new("says nothing", fails), Job::new("says none", fails).retries(0)]
    };

    let jobs = jobs_of(runtime(jobs, config, ()).handle(change()).await);

    assert_eq!(jobs.iter().map(|job| job.attempts).collect::<Vec<_>>(), [3, 1]);
}

#[tokio::test]
async fn an_attempt_that_succeeds_ends_the_retries_and_leaves_no_error() {
    let job = settle(|_| {
        let third = async |cx: JobContext| if cx.attempt() < 3 { Err(anyhow::anyhow!("not yet")) } else { Ok(cx.attempt()) };
        vec![Job::new("third", third).retries(5)]
    })
    .await;

    assert_eq!((job.status, job.attempts, job.result, job.error), (JobStatus::Succeeded, 3, Some(json!(3)), None));
}

#[tokio::test]
async fn a_fatal_error_is_not_retried() {
    let job = settle(|_| {
        let fatal = async |_| Err::<(), _>(anyhow::anyhow!("no such account").fatal().context("charging"));
        vec![Job::new("fatal", fatal).retries(3)]
    })
    .await;

    assert_eq!((job.status, job.attempts, error(&job)), (JobStatus::Failed, 1, "charging: no such account"));
}

#[tokio::test]
async fn missing_state_is_not_retried_and_says_what_is_there() {
    let job = settle(|_| {
        let asks = async |cx: JobContext| Ok::<_, anyhow::Error>(*cx.state::<u64>()?);
        vec![Job::new("asks", asks).retries(3)]
    })
    .await;

    assert_eq!((job.status, job.attempts), (JobStatus::Failed, 1));
    assert!(error(&job).contains("no state of type `u64`") && error(&job).contains("registered: ()"), "{}", error(&job));
}

#[tokio::test]
async fn a_timeout_that_cut_the_attempt_is_retried() {
    let job = settle(|_| {
        let second = async |cx: JobContext| {
            if cx.attempt() == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, anyhow::Error>(())
        };
        vec![Job::new("second", second).timeout(LATER).retries(1)]
    })
    .await;

    assert_eq!((job.status, job.attempts), (JobStatus::Succeeded, 2), "{job:?}");
}

#[tokio::test]
async fn a_panic_is_retried() {
    let job = settle(|_| {
        let second = async |cx: JobContext| {
            assert!(cx.attempt() > 1, "not yet");
            Ok::<_, anyhow::Error>(())
        };
        vec![Job::new("second", second).retries(1)]
    })
    .await;

    assert_eq!((job.status, job.attempts, job.error), (JobStatus::Succeeded, 2, None));
}
