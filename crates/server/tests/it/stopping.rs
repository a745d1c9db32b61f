//! A server that stops answers what is in flight, refuses what is new, and closes.

use std::time::Duration;

use event_detector_runtime::Config;
use event_detector_server::Settings;
use serde_json::json;

use crate::support::{Running, head_and_body, meets, notes, numbered, patient, payload};

#[tokio::test]
async fn what_is_in_flight_is_answered_and_what_is_new_is_sent_away() {
    let server = Running::start(meets, patient(), Settings::default()).await;
    let in_flight = tokio::spawn(server.post(&payload()));
    server.meeting.until_arrived(1).await;
    let mut half_sent = server.connect().await;
    let text = head_and_body(&numbered(3).to_string());
    half_sent.write(&text[..text.len() - 5]).await;
    server.tell_to_stop();
    while server.get("/readyz").await.status == 200 {}

    let ready = server.get("/readyz").await;
    let health = server.get("/healthz").await;
    let new = server.post(&numbered(2)).await;
    let half_sent = half_sent.answer().await;
    server.meeting.release(1);

    assert_eq!((ready.status, ready.body, health.status), (503, json!({ "status": "draining" }), 200));
    for refused in [new, half_sent] {
        assert_eq!((refused.code(), refused.header("retry-after")), ((503, "draining"), "10"));
    }
    let answer = in_flight.await.unwrap();
    assert_eq!((answer.status, &answer.body["events"][0]["jobs"][0]["status"]), (200, &json!("succeeded")));
    let name = format!("http://{}", server.address);
    let summary = server.ended().await;
    assert_eq!((summary.changes, summary.in_flight_at_stop, summary.source_errors), (1, 1, Vec::new()));
    assert_eq!(summary.left, [(name, "what came after the stop (2 requests answered 503)".to_owned())]);
}

#[tokio::test]
async fn a_change_whose_jobs_the_stop_cuts_is_for_the_sender_to_send_again() {
    let server = Running::start(meets, Config { drain: Duration::from_millis(200), ..patient() }, Settings::default()).await;
    let in_flight = tokio::spawn(server.post(&payload()));
    server.meeting.until_arrived(1).await;

    server.tell_to_stop();

    let answer = in_flight.await.unwrap();
    assert_eq!((answer.code(), answer.header("retry-after")), ((503, "interrupted"), "10"));
    let summary = server.ended().await;
    assert_eq!((summary.jobs_cut, summary.source_errors), (1, Vec::new()));
}

#[tokio::test]
async fn quiet_connections_do_not_hold_up_a_stop() {
    let server = Running::start(notes, Config::default(), Settings::default()).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask("GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").await.status, 200);

    server.tell_to_stop();

    assert_eq!(client.until_closed().await, "");
    let summary = server.ended().await;
    assert_eq!(summary.left[0].1, "what came after the stop (0 requests answered 503)");
}
