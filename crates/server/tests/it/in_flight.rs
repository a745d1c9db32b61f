//! A change in flight is joined by its repeats and never started twice.

use event_detector_server::hasura::{Hasura, Settings};
use futures::poll;
use serde_json::{Value, json};

use crate::support::{ID, Meeting, builder, events, hasura, meets, payload, post, send, send_payload};

/// The payload as Hasura sends it again.
fn repeat() -> Value {
    let mut payload = payload();
    payload["delivery_info"]["current_retry"] = json!(1);
    payload["created_at"] = json!("2026-05-04T08:15:31Z");
    payload["event"]["trace_context"] = json!({ "trace_id": "00000000000000010000000000000002", "span_id": "0000000000000003" });
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
    let changed: [(&str, Value); 5] = [
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
