//! Detectors that fail, detectors that cannot know, and what a change brings along.

use event_detector::{Change, Detector, Job, JobContext, OnUndecided};
use event_detector_runtime::{Config, JobStatus};
use serde_json::json;

use crate::support::{builder, change, event, gives, jobs_of, runtime};

#[tokio::test]
async fn a_panicking_detector_is_an_error_on_its_event_and_the_others_go_on() {
    let breaks = Detector::new("b.breaks", |change| change.key().as_str().expect("a text").is_empty());
    let runtime =
        builder([event("a", |_| vec![gives("one", 1)]), breaks, event("c", |_| vec![gives("two", 2)])]).build().unwrap();

    let report = runtime.handle(change()).await;

    let events: Vec<_> =
        report.events.iter().map(|event| (event.name, event.detected, event.error.is_some(), event.jobs.len())).collect();
    assert_eq!(events, [("a", true, false, 1), ("b.breaks", false, true, 0), ("c", true, false, 1)]);
    let error = report.events[1].error.as_deref().unwrap();
    assert!(error.starts_with("`detect` panicked at ") && error.contains("detection.rs:") && error.contains("a text"), "{error}");
    assert!(report.jobs().all(|job| job.completed()) && !report.is_clean());
}

#[tokio::test]
async fn panicking_jobs_leave_the_event_detected_with_an_error_and_the_others_go_on() {
    let breaks = event("a.breaks", |change| vec![gives("never", change.key().as_str().expect("a text"))]);
    let runtime = builder([breaks, event("b", |_| vec![gives("one", 1)])]).build().unwrap();

    let report = runtime.handle(change()).await;

    assert!(report.events[0].detected && report.events[0].jobs.is_empty());
    assert!(report.events[0].error.as_deref().unwrap().starts_with("`jobs` panicked at "), "{:?}", report.events[0].error);
    assert!(report.events[1].error.is_none() && report.events[1].jobs[0].completed());
}

fn became_done(change: &Change) -> bool {
    change.became("status", "done")
}

fn update_without_before() -> Change {
    Change::update("moves").after(json!({ "id": 1, "status": "done" })).into()
}

#[tokio::test]
async fn an_undecided_event_is_reported_with_its_cure_and_fires_nothing() {
    let detector = Detector::new("move.done", became_done).with_jobs(|_| vec![gives("one", 1)]);
    let runtime = builder([detector]).build().unwrap();

    let report = runtime.handle(update_without_before()).await;

    let event = &report.events[0];
    assert!(!event.detected && event.jobs.is_empty() && event.error.is_none() && !report.is_clean());
    assert!(event.undecided[0].read.contains("status") && !event.undecided[0].cure.is_empty(), "{:?}", event.undecided);
}

#[tokio::test]
async fn an_undecided_event_that_says_so_fires() {
    let detector = Detector::new("move.done", became_done).with_jobs(|_| vec![gives("one", 1)]).on_undecided(OnUndecided::Fire);
    let runtime = builder([detector]).build().unwrap();

    let report = runtime.handle(update_without_before()).await;

    let event = &report.events[0];
    assert!(event.detected && !event.undecided.is_empty() && event.jobs[0].completed());
}

fn sees_context(_change: &Change) -> Vec<Job> {
    let sees = async |cx: JobContext| Ok::<_, anyhow::Error>((cx.context("region").to_string(), cx.context("flag").to_string()));
    vec![Job::new("sees", sees)]
}

#[tokio::test]
async fn the_programs_context_is_injected_and_the_changes_own_wins() {
    let runtime = builder([event("a", sees_context)]).context("region", "eu").context("flag", "off").build().unwrap();

    let jobs = jobs_of(runtime.handle(change().with_context("flag", "on")).await);

    assert_eq!(jobs[0].result, Some(json!(["eu", "on"])));
}

async fn correlation_ids(change: Change) -> (String, Vec<String>) {
    let says = |_: &Change| {
        let says = async |cx: JobContext| Ok::<_, anyhow::Error>(cx.correlation_id().to_owned());
        vec![Job::new("one", says), Job::new("two", says)]
    };
    let runtime = builder([event("a", says), event("b", says)]).build().unwrap();
    let report = runtime.handle(change).await;
    let seen = report.jobs().map(|job| job.result.as_ref().unwrap().as_str().unwrap().to_owned()).collect();
    (report.change.correlation_id().to_owned(), seen)
}

#[tokio::test]
async fn one_correlation_id_given_found_or_made_is_the_same_in_the_report_and_all_jobs() {
    let found: Change = Change::insert("moves").after(json!({ "id": 1 })).session("x-correlation-id", "found").into();
    let given: Change = Change::insert("moves").after(json!({ "id": 1 })).session("x-correlation-id", "found").into();

    let (of_found, in_found) = correlation_ids(found).await;
    let (of_given, in_given) = correlation_ids(given.with_correlation_id("given")).await;
    let (made, in_made) = correlation_ids(change()).await;

    assert_eq!((&*of_found, in_found), ("found", vec!["found".to_owned(); 4]));
    assert_eq!((&*of_given, in_given), ("given", vec!["given".to_owned(); 4]));
    assert_eq!((made.len(), in_made), (36, vec![made.clone(); 4]));
}

#[tokio::test]
async fn changes_that_share_a_correlation_id_do_not_share_anything_else() {
    let runtime = runtime(
        |_| {
            let says = async |cx: JobContext| Ok::<_, anyhow::Error>(cx.idempotency_key());
            vec![Job::new("says", says)]
        },
        Config::default(),
        (),
    );

    let one = runtime.handle(crate::support::numbered(1).with_correlation_id("same"));
    let two = runtime.handle(crate::support::numbered(2).with_correlation_id("same"));
    let (one, two) = tokio::join!(one, two);

    let (one, two) = (jobs_of(one).remove(0), jobs_of(two).remove(0));
    assert_eq!((one.status, two.status), (JobStatus::Succeeded, JobStatus::Succeeded));
    assert_ne!(one.result, two.result);
}
