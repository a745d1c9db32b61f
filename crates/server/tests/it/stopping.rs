//! A server that stops answers what is in flight, refuses what is new, and closes.

use std::time::Duration;

use event_detector_runtime::Config;
use event_detector_server::Settings;
use serde_json::json;

use crate::connections::{LONG, long};
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
async fn a_change_that_its_own_deadline_cuts_during_a_stop_has_settled() {
    let config = Config { change_deadline: Some(Duration::from_millis(300)), ..patient() };
    let server = Running::start(meets, config, Settings::default()).await;
    let in_flight = tokio::spawn(server.post(&payload()));
    server.meeting.until_arrived(1).await;

    server.tell_to_stop();

    let answer = in_flight.await.unwrap();
    assert_eq!((answer.status, &answer.body["events"][0]["jobs"][0]["status"]), (200, &json!("expired")));
    assert_eq!(server.ended().await.jobs_cut, 1);
}

#[tokio::test]
async fn a_run_that_is_dropped_cuts_what_came_over_http() {
    let server = Running::start(meets, patient(), Settings::default()).await;
    let mut client = server.connect().await;
    client.write(&head_and_body(&payload().to_string())).await;
    server.meeting.until_arrived(1).await;

    server.abort();

    assert_eq!(client.until_closed().await, "");
    while server.runtime.admitted() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(server.meeting.notes(), ["13107 begins"]);
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_its_answer_while_the_drain_lasts() {
    let server = Running::start(long, patient(), Settings::default()).await;
    let mut slow = server.connect().await;
    slow.write(&head_and_body(&payload().to_string())).await;
    while server.runtime.admitted() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while server.runtime.admitted() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    server.tell_to_stop();
    tokio::time::sleep(Duration::from_millis(1_200)).await;

    assert!(slow.until_closed().await.len() > LONG, "the answer is whole");
    assert_eq!(server.ended().await.source_errors, []);
}

#[tokio::test]
async fn who_reads_no_answer_holds_up_a_stop_no_longer_than_the_drain() {
    let config = Config { drain: Duration::from_millis(300), ..patient() };
    let server = Running::start(long, config, Settings::default()).await;
    let mut deaf = server.connect().await;
    deaf.write(&head_and_body(&payload().to_string())).await;
    while server.runtime.admitted() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    server.tell_to_stop();

    assert_eq!(server.ended().await.source_errors, []);
    assert!(deaf.until_closed().await.len() < LONG);
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
