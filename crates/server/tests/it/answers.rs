//! A change that is taken is answered with its report, in time.

use std::time::Duration;

use event_detector::{Change, Job, JobContext};
use event_detector_runtime::Config;
use event_detector_server::hasura::{self, Hasura, Settings};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{
    Answer, ID, Meeting, builder, events, hasura, hasura_with, meets, notes, patient, payload, post, send, send_payload,
};

#[tokio::test]
async fn the_answer_is_the_report_when_all_jobs_have_settled() {
    let (hasura, _) = hasura(notes);

    let answer = send_payload(&hasura, &payload()).await;

    assert_eq!((answer.status, events(&answer.body)), (200, vec!["move.changed", "move.pickup.done"]));
    let change = &answer.body["change"];
    assert_eq!((&change["id"], &change["source"], &change["operation"]), (&json!(ID), &json!("hasura"), &json!("update")));
    let job = &answer.body["events"][0]["jobs"][0];
    assert_eq!((&job["name"], &job["status"], &job["result"]), (&json!("notes"), &json!("succeeded"), &json!("13107")));
    assert_eq!(answer.body.get("duplicate").or(answer.body.get("warnings")), None);
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_failed_job_is_part_of_an_answer_of_success() {
    let fails = |_: &Change| vec![Job::new("fails", async |_: JobContext| anyhow::bail!("no luck") as anyhow::Result<()>)];
    let (hasura, _) = hasura(fails);

    let answer = send_payload(&hasura, &payload()).await;

    let job = &answer.body["events"][0]["jobs"][0];
    assert_eq!((answer.status, &job["status"], &job["error"]), (200, &json!("failed"), &json!("no luck")));
}

#[tokio::test(start_paused = true)]
async fn after_fifty_seconds_the_sender_is_let_go_and_the_work_goes_on() {
    let (hasura, meeting) = hasura(meets);
    let start = tokio::time::Instant::now();

    let answer = send_payload(&hasura, &payload()).await;

    assert_eq!(answer.status, 202);
    assert_eq!(answer.body, json!({ "id": ID, "status": "running" }));
    assert_eq!(start.elapsed().as_secs(), 50);
    tokio::time::resume();
    meeting.release(1);
    let repeated = send_payload(&hasura, &payload()).await;
    assert_eq!((repeated.status, &repeated.body["duplicate"]), (200, &json!(true)));
    assert_eq!(meeting.notes(), ["13107 begins", "13107 ends"]);
}

#[tokio::test]
async fn who_does_not_wait_is_answered_at_once() {
    let (hasura, meeting) = hasura(meets);

    let answer = send(&hasura, post("/hasura?x=1&wait=false", payload().to_string())).await;

    assert_eq!((answer.status, answer.body), (202, json!({ "id": ID, "status": "running" })));
    meeting.until_arrived(1).await;
    meeting.release(1);
}

#[tokio::test]
async fn more_changes_than_are_admitted_are_told_to_come_again() {
    let meeting = Meeting::new();
    let runtime = builder(meets, &meeting).config(Config { admitted: 1, ..patient() }).build().unwrap();
    let hasura = Hasura::new(runtime);
    let first = tokio::spawn({
        let hasura = hasura.clone();
        async move { send_payload(&hasura, &payload()).await }
    });
    meeting.until_arrived(1).await;

    let full = send_payload(&hasura, &crate::support::numbered(2)).await;
    let repeated = send(&hasura, post("/hasura?wait=false", payload().to_string())).await;

    assert_eq!((full.code(), full.header("retry-after")), ((429, "full"), "1"));
    assert!(full.text().contains("admitted at a time: 1"), "{full:?}");
    assert_eq!((repeated.status, &repeated.body["duplicate"]), (202, &json!(true)), "a repeat needs no place");
    meeting.release(1);
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(meeting.notes().len(), 2);
}

#[tokio::test]
async fn a_request_is_known_by_its_id() {
    let (hasura, _) = hasura(notes);
    let with_id = |id: &str| {
        let mut request = post("/hasura", payload().to_string());
        request.headers_mut().insert("x-request-id", id.parse().unwrap());
        request
    };

    let own = send(&hasura, with_id("move/7-a")).await;
    let odd = send(&hasura, with_id("<script>")).await;
    let none = send_payload(&hasura, &payload()).await;

    assert_eq!(own.header("x-request-id"), "move/7-a");
    assert_eq!((odd.header("x-request-id").len(), none.header("x-request-id").len()), (36, 36));
}

#[tokio::test]
async fn the_routes_are_merged_into_any_application() {
    let meeting = Meeting::new();
    let app = axum::Router::new()
        .route("/", axum::routing::any(async || "mine"))
        .merge(hasura::router(builder(notes, &meeting).build().unwrap()))
        .fallback(async || "nothing of mine");

    let answer = app.clone().oneshot(post("/hasura/moves", payload().to_string()).map(axum::body::Body::from)).await.unwrap();
    let other = app.oneshot(post("/else", "").map(axum::body::Body::from)).await.unwrap();

    assert_eq!((answer.status().as_u16(), meeting.notes()), (200, vec!["13107".to_owned()]));
    assert_eq!(axum::body::to_bytes(other.into_body(), 100).await.unwrap(), "nothing of mine");
}

#[tokio::test]
async fn when_all_of_a_receiver_is_dropped_its_work_is_cut() {
    let meeting = Meeting::new();
    let runtime = builder(meets, &meeting).build().unwrap();
    let hasura = Hasura::try_new(runtime.clone(), Settings::default()).unwrap();
    send(&hasura, post("/hasura?wait=false", payload().to_string())).await;
    meeting.until_arrived(1).await;

    drop(hasura);

    while runtime.admitted() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(meeting.notes(), ["13107 begins"]);
}

#[tokio::test]
async fn a_wrapped_body_is_taken_with_a_warning() {
    let (hasura, meeting) = hasura(notes);

    let answer = send_payload(&hasura, &json!({ "payload": payload(), "version": "2" })).await;

    assert_eq!((answer.status, meeting.notes()), (200, vec!["13107".to_owned()]), "{answer:?}");
    assert!(answer.body["warnings"][0].as_str().unwrap().contains("send what stands in there"), "{answer:?}");
}

/// A cron trigger's body.
fn scheduled() -> Value {
    json!({ "scheduled_time": "2026-05-04T08:00:00Z", "payload": { "id": 7 }, "created_at": "2026-05-04T08:00:01Z", "id": ID })
}

#[tokio::test]
async fn a_scheduled_payload_is_a_manual_change_of_the_triggers_name() {
    let (hasura, meeting) = hasura(notes);

    let answer: Answer = send(&hasura, post("/hasura/moves", scheduled().to_string())).await;
    let nameless = send(&hasura, post("/hasura", scheduled().to_string())).await;

    let change = &answer.body["change"];
    assert_eq!((&change["collection"], &change["operation"]), (&json!("moves"), &json!("manual")), "{answer:?}");
    assert_eq!(meeting.notes(), ["7"]);
    assert_eq!(nameless.code(), (422, "missing_field"));
}

#[tokio::test]
async fn jobs_know_how_often_the_event_was_sent_before() {
    let says = |change: &Change| {
        let retry = change.context("current_retry").as_i64();
        vec![Job::new("says", async move |_: JobContext| Ok::<_, anyhow::Error>(retry))]
    };
    let (hasura, _) = hasura_with(says, Settings::default());
    let mut payload = payload();
    payload["delivery_info"]["current_retry"] = json!(3);

    let answer = send_payload(&hasura, &payload).await;

    assert_eq!(answer.body["events"][0]["jobs"][0]["result"], json!(3));
}
