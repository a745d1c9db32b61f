//! The sender that tests and examples use tries as Hasura does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, header};
use event_detector_server::testing::{Delivery, RetryConf, Sender, Try};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::payload;

/// A receiver that answers with these statuses in turn, some with `Retry-After: 0`, and the payloads it got.
async fn receiver(mut script: Vec<(u16, bool)>) -> (SocketAddr, Arc<Mutex<Vec<Value>>>) {
    script.reverse();
    let (script, seen) = (Arc::new(Mutex::new(script)), Arc::new(Mutex::new(Vec::new())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let got = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, got) = (Arc::clone(&script), Arc::clone(&got));
            let answer = service_fn(move |request: hyper::Request<Incoming>| {
                let (status, is_later) = script.lock().unwrap().pop().unwrap();
                let got = Arc::clone(&got);
                async move {
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    got.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                    let mut response = Response::builder().status(status);
                    if is_later {
                        response = response.header(header::RETRY_AFTER, "0");
                    }
                    Ok::<_, Infallible>(response.body(Body::from("{}")).unwrap())
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (address, seen)
}

async fn deliver(num_retries: u32, script: Vec<(u16, bool)>) -> (Delivery, Vec<Value>) {
    let (address, seen) = receiver(script).await;
    let retry = RetryConf { num_retries, interval: Duration::from_millis(1), ..RetryConf::default() };

    let delivery = Sender::new(address, "/hasura").retry(retry).deliver(payload()).await;

    let seen = seen.lock().unwrap().clone();
    (delivery, seen)
}

fn statuses(delivery: &Delivery) -> Vec<u16> {
    delivery.tries.iter().map(|one| if let Try::Answered { status, .. } = one { *status } else { 0 }).collect()
}

#[tokio::test]
async fn a_delivery_is_tried_until_it_is_taken_or_its_retries_are_used_up() {
    let (taken, seen) = deliver(3, vec![(500, false), (302, false), (204, false)]).await;
    let (given_up, _) = deliver(1, vec![(500, false), (500, false)]).await;

    assert_eq!((statuses(&taken), taken.answer().map(|(status, _)| status)), (vec![500, 302, 204], Some(204)));
    assert_eq!((statuses(&given_up), given_up.answer()), (vec![500, 500], None));
    let retries: Vec<_> = seen.iter().map(|payload| payload["delivery_info"]["current_retry"].clone()).collect();
    assert_eq!(retries, [json!(0), json!(1), json!(2)]);
    assert!(seen.iter().all(|seen| seen["id"] == payload()["id"]));
}

#[tokio::test]
async fn retry_after_grants_another_try_where_none_is_left_but_not_after_a_success() {
    let (granted, _) = deliver(0, vec![(429, true), (503, true), (200, true)]).await;

    assert_eq!(statuses(&granted), [429, 503, 200]);
}

#[tokio::test]
async fn a_sender_that_reaches_nobody_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);

    let delivery = Sender::new(nobody, "/hasura").deliver(payload()).await;

    assert!(matches!(&delivery.tries[..], [Try::Failed(_)]), "{delivery:?}");
}
