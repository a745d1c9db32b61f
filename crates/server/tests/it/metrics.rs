//! What Prometheus reads, and who may.

use std::sync::Arc;

use event_detector_runtime::{Figure, Sources};
use event_detector_server::{Server, Settings, hasura};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{Client, Meeting, builder, head_and_body, notes, payload};

const PASSPHRASE: &str = "CANARY";

fn secret() -> Settings {
    let hasura = hasura::Settings { passphrases: vec![PASSPHRASE.into()], ..Default::default() };
    Settings { hasura, ..Settings::default() }
}

/// What a server at `address` answers to each of the requests, one after another.
async fn answers(
    address: &str,
    settings: Settings,
    figures: impl Fn() -> Vec<Figure> + Send + Sync + 'static,
    requests: &[&str],
) -> Vec<String> {
    let runtime = builder(notes, &Meeting::new()).build().unwrap();
    let server = Server::bind(address, settings, runtime.registry()).await.unwrap().figures(figures);
    let port = server.local_addr().port();
    let mut sources = Sources::default();
    sources.add(server);
    let stop = Arc::new(Notify::new());
    let asks = async {
        let mut answers = Vec::new();
        for request in requests {
            let mut client = Client(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
            client.write(&request.replacen("\r\n", "\r\nconnection: close\r\n", 1)).await;
            answers.push(client.until_closed().await);
        }
        stop.notify_one();
        answers
    };
    let (_, answers) = tokio::join!(runtime.run(sources, stop.notified(), |_| ()), asks);
    answers
}

const GET: &str = "GET /metrics HTTP/1.1\r\nhost: test\r\n\r\n";

#[tokio::test]
async fn what_happens_is_counted_and_others_add_their_figures() {
    let posted = head_and_body(&payload().to_string());
    let ledger = || vec![Figure::gauge("detector_dead_letters", "Jobs that a person has to decide on.", 7.0)];

    let answers = answers("127.0.0.1:0", Settings::default(), ledger, &[&posted, GET]).await;

    let text = &answers[1];
    assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
    for line in [
        "# HELP detector_changes_total Changes that were handed over.",
        "# TYPE detector_changes_total counter",
        "detector_changes_total 1",
        "detector_detections_total 2",
        "detector_attempts_total 1",
        "detector_jobs_total{outcome=\"succeeded\"} 1",
        "detector_jobs_total{outcome=\"failed\"} 0",
        "# TYPE detector_changes_in_flight gauge",
        "detector_changes_in_flight 0",
        "detector_dead_letters 7",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn the_loopback_needs_no_passphrase_and_any_other_address_does() {
    let shown = GET.replacen("\r\n", &format!("\r\nx-passphrase: {PASSPHRASE}\r\n"), 1);

    let here = answers("127.0.0.1:0", secret(), Vec::new, &[GET]).await;
    let exposed = answers("0.0.0.0:0", secret(), Vec::new, &[GET, &shown]).await;

    assert!(here[0].starts_with("HTTP/1.1 200 "), "{here:?}");
    assert!(exposed[0].starts_with("HTTP/1.1 401 ") && !exposed[0].contains("detector_"), "{exposed:?}");
    assert!(exposed[1].starts_with("HTTP/1.1 200 ") && exposed[1].contains("detector_changes_total 0"), "{exposed:?}");
}

#[tokio::test]
async fn a_figure_that_panics_spoils_no_other() {
    let answers = answers("127.0.0.1:0", Settings::default(), || panic!("no figures"), &[GET]).await;

    assert!(answers[0].starts_with("HTTP/1.1 200 ") && answers[0].contains("detector_changes_total 0"), "{answers:?}");
}

#[tokio::test]
async fn other_methods_are_refused() {
    let head = GET.replacen("GET", "HEAD", 1);
    let delete = GET.replacen("GET", "DELETE", 1);

    let answers = answers("127.0.0.1:0", Settings::default(), Vec::new, &[&head, &delete]).await;

    assert!(answers[0].starts_with("HTTP/1.1 200 ") && answers[0].ends_with("\r\n\r\n"), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 405 ") && answers[1].contains("allow: GET, HEAD"), "{answers:?}");
}
