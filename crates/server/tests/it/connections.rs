//! Clients that are slow, many, or gone.

use std::time::Duration;

use event_detector_runtime::Config;
use event_detector_server::Settings;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{Client, Running, SOON, head_and_body, meets, notes, numbered, patient, payload};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_drips_is_cut_and_others_are_served_meanwhile() {
    let settings = Settings { header_timeout: Duration::from_millis(300), ..Settings::default() };
    let server = Running::start(notes, Config::default(), settings).await;
    let mut drips = Vec::new();
    for at in 0..100 {
        let mut client = server.connect().await;
        // Some say nothing at all, some begin, some begin a second request on a good connection.
        match at % 3 {
            0 => {}
            1 => client.write("POST /hasura HTTP/1.1\r\nhost: te").await,
            _ => {
                assert_eq!(client.ask(HEALTH).await.status, 200);
                client.write("POST /hasura HT").await;
            }
        }
        drips.push(client);
    }

    assert_eq!(server.post(&payload()).await.status, 200);

    for mut drip in drips {
        assert_eq!(drip.until_closed().await, "");
    }
    assert_eq!(server.meeting.notes(), ["13107"]);
}

#[tokio::test]
async fn between_requests_a_connection_may_be_quiet_for_longer_than_a_head_may_take() {
    let settings = Settings { header_timeout: SOON, ..Settings::default() };
    let server = Running::start(notes, Config::default(), settings).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(HEALTH).await.status, 200);

    tokio::time::sleep(SOON * 3).await;

    assert_eq!(client.ask(HEALTH).await.status, 200);
}

#[tokio::test]
async fn times_may_be_without_limit() {
    let hasura = event_detector_server::hasura::Settings {
        answer_within: Duration::MAX,
        body_timeout: Duration::MAX,
        ..Default::default()
    };
    let settings = Settings { header_timeout: Duration::MAX, idle_timeout: Duration::MAX, hasura, ..Settings::default() };
    let server = Running::start(notes, Config::default(), settings).await;

    assert_eq!(server.post(&payload()).await.status, 200);
}

#[tokio::test]
async fn a_connection_that_is_quiet_for_too_long_is_closed() {
    let settings = Settings { idle_timeout: SOON, ..Settings::default() };
    let server = Running::start(notes, Config::default(), settings).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(HEALTH).await.status, 200);

    assert_eq!(client.until_closed().await, "");
}

#[tokio::test]
async fn a_body_that_drips_is_answered_and_hands_over_nothing() {
    let hasura = event_detector_server::hasura::Settings { body_timeout: SOON, ..Default::default() };
    let server = Running::start(notes, Config::default(), Settings { hasura, ..Settings::default() }).await;
    let mut client = server.connect().await;

    let text = head_and_body(&payload().to_string());
    let answer = client.ask(&text[..text.len() - 10]).await;

    assert_eq!(answer.code(), (408, "body_timeout"));
    client.until_closed().await;
    assert_eq!(server.meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let settings = Settings { header_limit: 1_024, ..Settings::default() };
    let server = Running::start(notes, Config::default(), settings).await;
    let mut client = server.connect().await;

    client.write(&format!("GET /healthz HTTP/1.1\r\nhost: test\r\nx-long: {}\r\n\r\n", "a".repeat(2_000))).await;

    let text = client.until_closed().await;
    assert!(text.starts_with("HTTP/1.1 431"), "{text}");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_while_all_the_others_are_being_answered() {
    let server = Running::start(meets, patient(), Settings { connections: 2, ..Settings::default() }).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.write(&head_and_body(&payload().to_string())).await;
    second.write(&head_and_body(&numbered(2).to_string())).await;
    server.meeting.until_arrived(2).await;
    let mut third = server.connect().await;
    third.write(HEALTH).await;

    assert!(timeout(SOON * 4, third.answer()).await.is_err(), "there are two places");
    server.meeting.release(2);

    assert_eq!((first.answer().await.status, second.answer().await.status, third.answer().await.status), (200, 200, 200));
}

#[tokio::test]
async fn who_only_holds_a_place_makes_room_for_others_the_longest_quiet_first() {
    let server = Running::start(meets, patient(), Settings { connections: 4, ..Settings::default() }).await;
    let mut busy = server.connect().await;
    busy.write(&head_and_body(&payload().to_string())).await;
    server.meeting.until_arrived(1).await;
    let (silent, mut strange, mut half) = (server.connect().await, server.connect().await, server.connect().await);
    assert_eq!(strange.ask("GET /secrets HTTP/1.1\r\nhost: test\r\n\r\n").await.code(), (404, "unknown_source"));
    half.write("GET /healthz HTTP/1.1\r\nho").await;

    for _ in 0..3 {
        // It is quiet, and so the next to go.
        let mut other = server.connect().await;
        assert_eq!(other.ask(HEALTH).await.status, 200);
        std::mem::forget(other);
    }

    for mut closed in [silent, strange, half] {
        assert_eq!(closed.until_closed().await, "");
    }
    server.meeting.release(1);
    assert_eq!(busy.answer().await.status, 200);
}

/// A server with one place, so that whoever is served next knows that the connection before is gone.
async fn one_at_a_time(jobs: fn(&event_detector::Change) -> Vec<event_detector::Job>) -> (Running, Client) {
    let server = Running::start(jobs, patient(), Settings { connections: 1, ..Settings::default() }).await;
    let client = server.connect().await;
    (server, client)
}

#[tokio::test]
async fn a_client_that_is_gone_inside_its_body_hands_over_nothing() {
    let (server, mut client) = one_at_a_time(notes).await;
    let text = head_and_body(&payload().to_string());
    client.write(&text[..text.len() - 1]).await;

    drop(client);
    let answer = server.post(&numbered(2)).await;

    assert_eq!((answer.status, server.meeting.notes()), (200, vec!["2".to_owned()]));
}

#[tokio::test]
async fn a_client_that_is_gone_before_its_answer_has_handed_over_its_change() {
    let (server, mut client) = one_at_a_time(meets).await;
    client.write(&head_and_body(&payload().to_string())).await;
    server.meeting.until_arrived(1).await;

    drop(client);
    let mut other = server.connect().await;
    let repeat = head_and_body(&payload().to_string()).replacen("/hasura", "/hasura?wait=false", 1);
    let joined = other.ask(&repeat).await;
    server.meeting.release(1);

    assert_eq!((joined.status, &joined.body["duplicate"]), (202, &json!(true)));
    server.tell_to_stop();
    let summary = server.ended().await;
    assert_eq!((summary.changes, summary.jobs_succeeded, summary.jobs_cut), (1, 1, 0));
}

/// More than the buffers of any socket hold.
pub(crate) const LONG: usize = 32 * 1024 * 1024;

/// A job that answers at length.
pub(crate) fn long(_: &event_detector::Change) -> Vec<event_detector::Job> {
    let answers = async |_: event_detector::JobContext| Ok::<_, anyhow::Error>("x".repeat(LONG));
    vec![event_detector::Job::new("long", answers)]
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let settings = Settings { connections: 1, idle_timeout: Duration::from_millis(200), ..Settings::default() };
    let server = Running::start(long, patient(), settings).await;
    let mut deaf = server.connect().await;
    deaf.write(&head_and_body(&payload().to_string())).await;

    // There is one place, so it is free again.
    assert_eq!(server.get("/healthz").await.status, 200);

    assert!(deaf.until_closed().await.len() < LONG, "the answer was cut");
}
