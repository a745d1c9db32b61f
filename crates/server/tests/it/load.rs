//! A thousand events by fifty senders, some of them twice and some of them late.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use event_detector::{Change, Job, JobContext};
use event_detector_runtime::Config;
use event_detector_server::testing::{RetryConf, Sender, Try};
use event_detector_server::{Settings, hasura};
use serde_json::{Value, json};

use crate::support::{Running, numbered};

/// Per id, how many jobs run now, and how many have run.
static RUNS: Mutex<Option<HashMap<String, (u32, u32)>>> = Mutex::new(None);
/// How often an id was being worked on twice at a time.
static CLASHES: AtomicU32 = AtomicU32::new(0);

fn begin(id: &str) {
    let mut runs = RUNS.lock().unwrap();
    let (now, ever) = runs.get_or_insert_default().entry(id.to_owned()).or_default();
    *now += 1;
    *ever += 1;
    if *now > 1 {
        CLASHES.fetch_add(1, Ordering::Relaxed);
    }
}

fn end(id: &str) {
    RUNS.lock().unwrap().as_mut().unwrap().get_mut(id).unwrap().0 -= 1;
}

/// A payload whose rows have no key, so that no order keeps one of its changes from running beside another.
fn without_key(number: u64) -> Value {
    let mut payload = numbered(number);
    for image in ["old", "new"] {
        payload["event"]["data"][image] = json!({ "number": number, "is": image });
    }
    payload
}

fn counts(_change: &Change) -> Vec<Job> {
    vec![Job::new("counts", async |cx: JobContext| {
        let (id, number) = (cx.change().id(), cx.change().after("number").as_i64().unwrap());
        assert!(cx.change().lane().is_none());
        begin(id);
        // Every tenth takes longer than the sender waits, so that retries meet the first try.
        let wait = if number % 10 == 0 { 150 } else { 5 };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        end(id);
        Ok::<_, anyhow::Error>(number)
    })]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_answered_with_its_own_report_and_none_is_handled_twice_at_a_time() {
    // Few places, so that some are told to come again.
    let config = Config { admitted: 40, in_flight: 40, ..Config::default() };
    let passphrases = vec!["CANARY".into()];
    let settings = Settings { hasura: hasura::Settings { passphrases, ..Default::default() }, ..Settings::default() };
    let server = Running::start(counts, config, settings).await;
    let retry = RetryConf { num_retries: 100, interval: Duration::from_millis(5), timeout: Duration::from_millis(100) };
    let sender = Sender::new(server.address, "/hasura/moves").header("x-passphrase", "CANARY").retry(retry);

    let deliveries = sender.deliver_all((0..1_000).map(without_key).collect(), 50, 4).await;

    assert_eq!(deliveries.len(), 1_250);
    for delivery in &deliveries {
        let (status, report) = delivery.answer().unwrap_or_else(|| panic!("not delivered: {delivery:?}"));
        let job = &report["events"][0]["jobs"][0];
        let number: u64 = delivery.id.as_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        assert_eq!((status, &report["change"]["id"]), (200, &delivery.id));
        assert_eq!((&job["status"], &job["result"]), (&json!("succeeded"), &json!(number)));
        let is_expected = |one: &Try| match one {
            Try::Answered { status, .. } => matches!(status, 200 | 429),
            Try::Failed(problem) => problem == "no answer came in time",
        };
        assert!(delivery.tries.iter().all(is_expected), "{delivery:?}");
    }
    let runs = RUNS.lock().unwrap().take().unwrap();
    assert_eq!((runs.len(), CLASHES.load(Ordering::Relaxed)), (1_000, 0));
    server.tell_to_stop();
    let summary = server.ended().await;
    let handled: u64 = runs.values().map(|(_, ever)| u64::from(*ever)).sum();
    assert_eq!((summary.changes, summary.jobs_succeeded), (handled, handled));
}
