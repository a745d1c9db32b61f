//! A change in flight is joined by its repeats and never started twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use event_detector::Change;
use event_detector_runtime::{Config, Runtime};
use event_detector_server::hasura::{Hasura, Settings};
use futures::poll;
use serde_json::{Value, json};

use crate::support::{Answer, ID, Meeting, builder, events, hasura, meets, patient, payload, post, send, send_payload};

/// The payload as Hasura sends it again.
fn repeat() -> Value {
    let mut payload = payload();
    payload["delivery_info"]["current_retry"] = json!(1);
    payload
}

#[tokio::test]
async fn a_repeat_joins_the_work_and_gets_the_same_report() {
    let (hasura, meeting) = hasura(meets);
    let mut first = Box::pin(send_payload(&hasura, &payload()));
    assert!(poll!(&mut first).is_pending());
    meeting.until_arrived(1).await;
    let repeated = repeat();
    let mut second = Box::pin(send_payload(&hasura, &repeated));
    assert!(poll!(&mut second).is_pending());

    meeting.release(2);
    let (first, mut second) = (first.await, second.await);

    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(second.body.as_object_mut().unwrap().remove("duplicate"), Some(json!(true)));
    assert_eq!(first.body, second.body);
    assert_eq!(meeting.notes(), ["13107 begins", "13107 ends"]);
}

#[tokio::test]
async fn another_change_under_the_same_id_is_refused() {
    let (hasura, meeting) = hasura(meets);
    send(&hasura, post("/hasura?wait=false", payload().to_string())).await;
    meeting.until_arrived(1).await;
    let changed: [(&str, Value); 9] = [
        ("/created_at", json!("2026-05-04T08:15:31Z")),
        ("/trigger/name", json!("others")),
        ("/event/session_variables", json!({ "x-hasura-role": "driver" })),
        ("/event/trace_context/span_id", json!("0000000000000003")),
        ("/event/data/new/status", json!("lost")),
        ("/event/data/old/status", json!("lost")),
        ("/event/op", json!("MANUAL")),
        ("/table/name", json!("orders")),
        ("/table/schema", json!("archive")),
    ];

    for (pointer, value) in changed {
        let mut payload = payload();
        *payload.pointer_mut(pointer).unwrap() = value;
        let answer = send_payload(&hasura, &payload).await;

        assert_eq!(answer.code(), (409, "id_reused"), "{pointer}");
        let message = answer.body["message"].as_str().unwrap();
        let since = message.split("first seen ").nth(1).unwrap();
        assert!(since.starts_with("20") && since.ends_with('Z'), "{message}");
    }
    meeting.release(1);
}

#[tokio::test]
async fn once_the_work_has_ended_the_id_is_free() {
    let (hasura, meeting) = hasura(meets);
    meeting.release(2);

    let answers = [send_payload(&hasura, &payload()).await, send_payload(&hasura, &repeat()).await];

    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body.get("duplicate").is_none()));
    assert_eq!(meeting.notes().len(), 4);
}

#[tokio::test]
async fn a_sender_that_leaves_does_not_cut_its_change() {
    let (hasura, meeting) = hasura(meets);
    let mut gone = Box::pin(send_payload(&hasura, &payload()));
    assert!(poll!(&mut gone).is_pending());
    meeting.until_arrived(1).await;

    drop(gone);
    let mut repeated = Box::pin(send_payload(&hasura, &payload()));
    assert!(poll!(&mut repeated).is_pending());
    meeting.release(1);

    assert_eq!(repeated.await.body["duplicate"], json!(true));
    assert_eq!(meeting.notes(), ["13107 begins", "13107 ends"]);
}

#[tokio::test]
async fn one_id_on_two_routes_is_two_changes_because_their_events_differ() {
    let meeting = Meeting::new();
    let triggers = [("moves", "*.changed"), ("pickups", "*.done")];
    let triggers = triggers.map(|(name, glob)| (name.to_owned(), vec![glob.to_owned()])).into();
    let settings = Settings { triggers, ..Settings::default() };
    let hasura = Hasura::try_new(builder(meets, &meeting).build().unwrap(), settings).unwrap();
    let text = payload().to_string();
    let mut moves = Box::pin(send(&hasura, post("/hasura/moves", text.clone())));
    assert!(poll!(&mut moves).is_pending());
    meeting.until_arrived(1).await;

    let mut pickups = Box::pin(send(&hasura, post("/hasura/pickups", text)));
    assert!(poll!(&mut pickups).is_pending());
    meeting.release(1);
    let (moves, pickups) = (moves.await, pickups.await);

    assert_eq!((events(&moves.body), events(&pickups.body)), (vec!["move.changed"], vec!["move.pickup.done"]));
    assert_eq!((&moves.body["change"]["id"], &moves.body["change"]["source"]), (&json!(ID), &json!("hasura/moves")));
    assert_eq!(pickups.body.get("duplicate"), None);
}

/// The id in capitals, as another sender may write it.
fn in_capitals() -> Value {
    let mut payload = payload();
    payload["id"] = json!(ID.to_ascii_uppercase());
    payload
}

#[tokio::test]
async fn an_id_is_the_same_in_capitals_and_is_told_as_it_came() {
    let (hasura, meeting) = hasura(meets);
    let mut first = Box::pin(send_payload(&hasura, &in_capitals()));
    assert!(poll!(&mut first).is_pending());
    meeting.until_arrived(1).await;

    let repeated = send(&hasura, post("/hasura?wait=false", payload().to_string())).await;
    meeting.release(1);

    assert_eq!((repeated.status, repeated.body), (202, json!({ "id": ID, "status": "running", "duplicate": true })));
    assert_eq!(first.await.body["change"]["id"], in_capitals()["id"]);
}

/// A receiver whose next change has to wait for a place although one is free, behind somebody who was called and does not come.
struct Crowd {
    runtime: Runtime,
    hasura: Hasura,
    meeting: Arc<Meeting>,
    /// Holds the place until it is replaced.
    called: Pin<Box<dyn Future<Output = ()>>>,
}

impl Crowd {
    async fn new() -> Self {
        let meeting = Meeting::new();
        let runtime = builder(meets, &meeting).config(Config { admitted: 2, ..patient() }).build().unwrap();
        let other = || Change::insert("others").after(json!({ "id": 1 })).into();
        let both = (runtime.admit(other()).await, runtime.admit(other()).await);
        let mut called = Box::pin({
            let runtime = runtime.clone();
            async move { drop(runtime.admit(other()).await) }
        });
        assert!(poll!(&mut called).is_pending());
        drop(both);
        let hasura = Hasura::new(runtime.clone());
        Self { runtime, hasura, meeting, called }
    }

    /// The first of two requests, and a repeat that wants no report; both wait.
    async fn first_and_repeat(&self) -> [Pin<Box<dyn Future<Output = Answer>>>; 2] {
        let ask = |path: &str, payload: &Value| -> Pin<Box<dyn Future<Output = Answer>>> {
            let (hasura, request) = (self.hasura.clone(), post(path, payload.to_string()));
            Box::pin(async move { send(&hasura, request).await })
        };
        let (mut first, mut repeated) = (ask("/hasura", &payload()), ask("/hasura?wait=false", &repeat()));
        assert!(poll!(&mut first).is_pending() && poll!(&mut repeated).is_pending(), "nothing was taken");
        [first, repeated]
    }
}

#[tokio::test]
async fn a_repeat_is_answered_with_202_once_the_first_was_taken() {
    let mut crowd = Crowd::new().await;
    let [mut first, repeated] = crowd.first_and_repeat().await;

    crowd.called = Box::pin(async {});
    assert!(poll!(&mut first).is_pending());
    let repeated = repeated.await;
    crowd.meeting.release(1);

    assert_eq!((repeated.status, &repeated.body["duplicate"]), (202, &json!(true)));
    assert_eq!(first.await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_of_what_gets_no_place_is_told_to_come_again_as_the_first_is() {
    let crowd = Crowd::new().await;
    let [first, repeated] = crowd.first_and_repeat().await;

    let (first, repeated) = (first.await, repeated.await);

    for refused in [first, repeated] {
        assert_eq!((refused.code(), refused.header("retry-after")), ((429, "full"), "1"));
    }
}

#[tokio::test]
async fn a_repeat_of_what_was_not_taken_when_its_sender_left_is_told_to_come_again() {
    let crowd = Crowd::new().await;
    let [first, repeated] = crowd.first_and_repeat().await;

    drop(first);

    assert_eq!(repeated.await.code(), (429, "full"));
}

#[tokio::test]
async fn a_repeat_of_what_the_end_of_the_runtime_refuses_is_refused_as_it_is() {
    let mut crowd = Crowd::new().await;
    let [first, repeated] = crowd.first_and_repeat().await;

    crowd.runtime.cancel();
    crowd.called = Box::pin(async {});

    for refused in [first.await, repeated.await] {
        assert_eq!((refused.code(), refused.header("retry-after")), ((503, "draining"), "10"));
    }
    assert_eq!(crowd.meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn a_runtime_that_was_cancelled_has_not_settled_what_it_cut_and_takes_no_more() {
    let meeting = Meeting::new();
    let runtime = builder(meets, &meeting).build().unwrap();
    let hasura = Hasura::new(runtime.clone());
    let mut cut = Box::pin(send_payload(&hasura, &payload()));
    assert!(poll!(&mut cut).is_pending());
    meeting.until_arrived(1).await;

    runtime.cancel();
    let (cut, new) = (cut.await, send_payload(&hasura, &payload()).await);

    assert_eq!((cut.code(), cut.header("retry-after")), ((503, "interrupted"), "10"));
    assert_eq!(new.code(), (503, "draining"));
    assert_eq!(meeting.notes(), ["13107 begins"]);
}
