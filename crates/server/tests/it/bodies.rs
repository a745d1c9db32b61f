//! Bodies that are packed, too large, of another kind, late, or broken off.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, header};
use event_detector_server::hasura::{Hasura, Settings};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::{Answer, hasura, hasura_with, notes, payload, post, send};

fn gzip(bytes: &[u8]) -> Bytes {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap().into()
}

fn encoded(encoding: &str, body: Bytes) -> Request<Bytes> {
    let mut request = post("/hasura", body);
    request.headers_mut().insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
    request
}

/// A request whose body comes in parts.
async fn streamed(hasura: &Hasura, parts: Vec<Result<Bytes, std::io::Error>>, then_hangs: bool) -> Answer {
    let parts = stream::iter(parts);
    let body = if then_hangs {
        Body::from_stream(futures::StreamExt::chain(parts, stream::pending()))
    } else {
        Body::from_stream(parts)
    };
    let response = hasura.router().oneshot(post("/hasura", "").map(|_| body)).await.unwrap();
    let (head, body) = response.into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes()).into()
}

#[tokio::test]
async fn a_packed_body_is_unpacked() {
    let (hasura, meeting) = hasura(notes);
    let text = payload().to_string();

    let packed = send(&hasura, encoded("GZip", gzip(text.as_bytes()))).await;
    let plain = send(&hasura, encoded("identity", text.into())).await;

    assert_eq!((packed.status, plain.status, meeting.notes().len()), (200, 200, 2));
}

#[tokio::test]
async fn an_encoding_or_a_kind_that_is_not_known_is_refused() {
    let (hasura, _) = hasura(notes);
    let text = Bytes::from(payload().to_string());

    for encoding in ["br", "gzip, gzip", "", "deflate"] {
        let answer = send(&hasura, encoded(encoding, text.clone())).await;
        assert_eq!((answer.code(), answer.header("accept-encoding")), ((415, "unsupported_media_type"), "gzip, identity"));
    }
    let mut twice = encoded("gzip", gzip(&gzip(&text)));
    twice.headers_mut().append(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    assert_eq!(send(&hasura, twice).await.status, 415);
    for kind in ["text/plain", "application/json; charset=utf-16"] {
        let mut request = post("/hasura", text.clone());
        request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
        let answer = send(&hasura, request).await;
        assert_eq!(answer.code(), (415, "unsupported_media_type"));
        assert!(answer.text().contains("expected `application/json` in UTF-8"), "{answer:?}");
    }
    let mut request = post("/hasura", text);
    request.headers_mut().remove(header::CONTENT_TYPE);
    assert!(send(&hasura, request).await.text().contains("the content type is none"));
}

#[tokio::test]
async fn what_says_it_is_packed_and_is_not_is_refused() {
    let (hasura, meeting) = hasura(notes);
    let whole = gzip(payload().to_string().as_bytes());

    for broken in [Bytes::from_static(b"{}"), whole.slice(..whole.len() - 5), Bytes::new()] {
        let answer = send(&hasura, encoded("gzip", broken)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert_eq!(meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_however_it_comes() {
    let (hasura, meeting) = hasura_with(notes, Settings { body_limit: 1_000, ..Settings::default() });
    let whole = Bytes::from(vec![b' '; 1_001]);
    let mut announced = post("/hasura", "");
    announced.headers_mut().insert(header::CONTENT_LENGTH, "5000000000".parse().unwrap());

    for (answer, seen) in [
        (send(&hasura, post("/hasura", whole.clone())).await, "1001"),
        (send(&hasura, announced).await, "5000000000"),
        (streamed(&hasura, vec![Ok(whole.slice(..600)), Ok(whole.slice(..401))], true).await, "1001"),
        (send(&hasura, encoded("gzip", gzip(&vec![b' '; 50_000_000]).slice(..900))).await, "unpacked it has more"),
    ] {
        assert_eq!(answer.code(), (413, "too_large"));
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.contains("1000 bytes") && message.contains(seen), "{message}");
    }
    let fits = payload().to_string();
    let fits = format!("{fits}{}", " ".repeat(1_000 - fits.len()));
    assert_eq!((send(&hasura, post("/hasura", fits)).await.status, meeting.notes().len()), (200, 1));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let (hasura, meeting) = hasura(notes);
    let half = Bytes::from(payload().to_string()).slice(..100);

    let answer = streamed(&hasura, vec![Ok(half)], true).await;

    assert_eq!((answer.code(), answer.header("connection")), ((408, "body_timeout"), "close"));
    assert!(answer.text().contains("within 20s"), "{answer:?}");
    assert_eq!(meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn a_sender_that_leaves_inside_its_body_hands_over_nothing() {
    let (hasura, meeting) = hasura(notes);
    let whole = Bytes::from(payload().to_string());
    let reset = || Err(std::io::ErrorKind::ConnectionReset.into());

    let half = streamed(&hasura, vec![Ok(whole.slice(..100)), reset()], false).await;
    let all_but_the_end = streamed(&hasura, vec![Ok(whole), reset()], false).await;

    assert_eq!((half.code(), all_but_the_end.code()), ((400, "incomplete_body"), (400, "incomplete_body")));
    assert_eq!(meeting.notes(), [""; 0]);
}
