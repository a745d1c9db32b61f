//! With a ledger, success says that the change is on disk.

use std::sync::Arc;
use std::time::Duration;

use event_detector::{Change, Job, JobContext};
use event_detector_runtime::{Config, LedgerError, Sources};
use event_detector_server::hasura::{self, Hasura};
use event_detector_server::{Server, Settings};
use futures::poll;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::disk::{BEFORE, Disk, Says};
use crate::support::{Answer, ID, Meeting, builder, meets, notes, patient, payload, post, send, send_payload};

fn hasura_on(disk: &Disk, jobs: fn(&Change) -> Vec<Job>) -> (Hasura, Arc<Meeting>) {
    let meeting = Meeting::new();
    (Hasura::new(builder(jobs, &meeting).ledger(disk.clone()).build().unwrap()), meeting)
}

/// What a server answers whose ledger is `disk`.
async fn served(disk: &Disk, jobs: fn(&Change) -> Vec<Job>, config: Config) -> Answer {
    let runtime = builder(jobs, &Meeting::new()).config(config).ledger(disk.clone()).build().unwrap();
    let server = Server::bind("127.0.0.1:0", Settings::default(), runtime.registry()).await.unwrap();
    let mut client = None;
    let address = server.local_addr();
    let mut sources = Sources::default();
    sources.add(server);
    let stop = Notify::new();
    let asks = async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let text = crate::support::head_and_body(&payload().to_string());
        client = Some(crate::support::Client(stream).ask(&text).await);
        stop.notify_one();
    };
    let runs = runtime.run(sources, stop.notified(), |_| ());
    let (summary, ()) = tokio::join!(runs, asks);
    assert_eq!(summary.source_errors, []);
    client.unwrap()
}

#[tokio::test]
async fn success_waits_for_the_disk_and_so_do_jobs() {
    let disk = Disk::default();
    disk.hold();
    let (hasura, meeting) = hasura_on(&disk, notes);
    let payload = payload();
    let mut whole = Box::pin(send_payload(&hasura, &payload));
    let mut unawaited = Box::pin(send(&hasura, post("/hasura?wait=false", crate::support::numbered(2).to_string())));
    for _ in 0..10 {
        assert!(poll!(&mut whole).is_pending() && poll!(&mut unawaited).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(meeting.notes(), [""; 0]);

    disk.release();

    assert_eq!((whole.await.status, unawaited.await.status), (200, 202));
}

#[tokio::test]
async fn what_was_recorded_before_starts_nothing_and_says_since_when_it_is_there() {
    let disk = Disk::saying(Says::Duplicate);
    let (hasura, meeting) = hasura_on(&disk, notes);
    let expected = json!({ "id": ID, "status": "recorded", "recorded_at": "2026-05-04T08:15:30.125Z", "duplicate": true });

    let waiting = send_payload(&hasura, &payload()).await;
    let unawaited = send(&hasura, post("/hasura?wait=false", payload().to_string())).await;
    let served = served(&disk, notes, patient()).await;

    for answer in [waiting, unawaited, served] {
        assert_eq!((answer.status, answer.body), (200, expected.clone()));
    }
    assert_eq!(meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_refused_with_what_to_do_and_no_word_of_the_store() {
    let reused = LedgerError::IdReused { id: ID.to_owned(), recorded_at: BEFORE };
    for (error, status, code, retry_after) in [
        (LedgerError::Full, 507, "ledger_full", "30"),
        (reused, 409, "id_reused", ""),
        (LedgerError::Closed, 503, "ledger_unavailable", "10"),
        (LedgerError::Damaged("CANARY".to_owned()), 503, "ledger_unavailable", "10"),
        (LedgerError::Failed("CANARY".to_owned()), 503, "ledger_unavailable", "10"),
    ] {
        let disk = Disk::saying(Says::Error(error));
        let (hasura, meeting) = hasura_on(&disk, notes);

        for answer in [send_payload(&hasura, &payload()).await, served(&disk, notes, patient()).await] {
            assert_eq!((answer.code(), answer.header("retry-after")), ((status, code), retry_after));
            assert!(!answer.text().contains("CANARY") && answer.body["hint"].is_string(), "{answer:?}");
            if status == 409 {
                assert!(answer.text().contains("is recorded, first seen 2026-05-04T08:15:30.125Z"), "{answer:?}");
            }
        }
        assert_eq!(meeting.notes(), [""; 0]);
    }
}

#[tokio::test]
async fn repeats_wait_for_the_disk_with_the_first_and_are_told_what_it_is_told() {
    for (says, status, field, value) in [
        (Says::New, 200, "duplicate", json!(true)),
        (Says::Duplicate, 200, "status", json!("recorded")),
        (Says::Error(LedgerError::Full), 507, "code", json!("ledger_full")),
    ] {
        let disk = Disk::saying(says);
        disk.hold();
        let (hasura, _) = hasura_on(&disk, notes);
        let payload = payload();
        let mut first = Box::pin(send_payload(&hasura, &payload));
        assert!(poll!(&mut first).is_pending());
        let mut repeated = Box::pin(send_payload(&hasura, &payload));
        assert!(poll!(&mut repeated).is_pending());

        disk.release();
        let (first, repeated) = tokio::join!(first, repeated);

        assert_eq!((first.status, repeated.status, &repeated.body[field]), (status, status, &value), "{repeated:?}");
    }
}

#[tokio::test]
async fn a_sender_that_leaves_while_the_disk_is_written_cuts_nothing() {
    let disk = Disk::default();
    disk.hold();
    let (hasura, meeting) = hasura_on(&disk, meets);
    let payload = payload();
    let mut gone = Box::pin(send_payload(&hasura, &payload));
    assert!(poll!(&mut gone).is_pending());
    tokio::task::yield_now().await;

    drop(gone);
    let mut repeated = Box::pin(send_payload(&hasura, &payload));
    assert!(poll!(&mut repeated).is_pending());
    disk.release();
    meeting.release(1);

    let repeated = repeated.await;
    assert_eq!((repeated.status, &repeated.body["duplicate"]), (200, &json!(true)));
    assert_eq!(meeting.notes(), ["13107 begins", "13107 ends"]);
}

#[tokio::test]
async fn repeats_of_what_a_sender_left_behind_are_answered_before_its_jobs_have_ended() {
    let disk = Disk::default();
    disk.hold();
    let (hasura, meeting) = hasura_on(&disk, meets);
    let payload = payload();
    let mut gone = Box::pin(send_payload(&hasura, &payload));
    assert!(poll!(&mut gone).is_pending());
    drop(gone);
    disk.release();
    meeting.until_arrived(1).await;

    let repeated = send(&hasura, post("/hasura?wait=false", payload.to_string())).await;

    assert_eq!((repeated.status, &repeated.body["status"]), (202, &json!("running")), "{repeated:?}");
    meeting.release(1);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_waits_for_the_disk_is_not_told_that_there_is_no_place_although_all_are_taken() {
    let disk = Disk::default();
    disk.hold();
    let config = Config { admitted: 1, ..patient() };
    let runtime = builder(notes, &Meeting::new()).config(config).ledger(disk.clone()).build().unwrap();
    let settings = hasura::Settings { answer_within: Duration::from_secs(3), ..hasura::Settings::default() };
    let hasura = Hasura::try_new(runtime, settings).unwrap();
    let (payload, another) = (payload(), crate::support::numbered(2));

    let (first, repeated, none) =
        tokio::join!(send_payload(&hasura, &payload), send_payload(&hasura, &payload), send_payload(&hasura, &another));

    assert_eq!((first.code(), repeated.code()), ((503, "ledger_slow"), (503, "ledger_slow")));
    assert_eq!(none.code(), (429, "full"));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_longer_than_the_sender_waits_is_told_as_unknown() {
    let disk = Disk::default();
    disk.hold();
    let meeting = Meeting::new();
    let runtime = builder(notes, &meeting).ledger(disk.clone()).build().unwrap();
    let settings = hasura::Settings { answer_within: Duration::from_secs(3), ..hasura::Settings::default() };
    let hasura = Hasura::try_new(runtime, settings).unwrap();
    let start = tokio::time::Instant::now();
    let payload = payload();

    let (first, repeated) = tokio::join!(send_payload(&hasura, &payload), send_payload(&hasura, &payload));

    assert_eq!(start.elapsed().as_secs(), 3);
    for answer in [first, repeated] {
        assert_eq!((answer.code(), answer.header("retry-after")), ((503, "ledger_slow"), "10"));
    }
    tokio::time::resume();
    disk.release();
    let later = send_payload(&hasura, &payload).await;
    assert_eq!((later.status, meeting.notes().len()), (200, 1), "the work went on: {later:?}");
}

#[tokio::test]
async fn a_job_that_waits_in_the_ledger_for_its_next_attempt_makes_it_no_last_word() {
    let fails =
        |_: &Change| vec![Job::new("fails", async |_: JobContext| anyhow::bail!("no luck") as anyhow::Result<()>).retries(9)];
    let config = Config { backoff_base: Duration::from_secs(3_600), backoff_cap: Duration::from_secs(3_600), ..patient() };

    // The wait is between nothing and an hour; one of more than a second is the ledger's.
    let mut answer = served(&Disk::default(), fails, config.clone()).await;
    for _ in 0..10 {
        if answer.status == 202 {
            break;
        }
        answer = served(&Disk::default(), fails, config.clone()).await;
    }

    let job = &answer.body["events"][0]["jobs"][0];
    assert_eq!((answer.status, &job["status"], &job["completed"]), (202, &json!("retrying"), &Value::Bool(false)), "{answer:?}");
    assert_eq!(&answer.body["change"]["id"], &json!(ID));
}

#[tokio::test]
async fn what_the_end_of_the_runtime_cuts_is_left_to_the_ledger_and_not_to_the_sender() {
    let disk = Disk::default();
    let meeting = Meeting::new();
    let runtime = builder(meets, &meeting).ledger(disk.clone()).build().unwrap();
    let hasura = Hasura::new(runtime.clone());
    let payload = payload();
    let mut cut = Box::pin(send_payload(&hasura, &payload));
    assert!(poll!(&mut cut).is_pending());
    while meeting.notes().is_empty() {
        tokio::task::yield_now().await;
        assert!(poll!(&mut cut).is_pending());
    }

    runtime.cancel();

    let cut = cut.await;
    assert_eq!((cut.status, &cut.body["events"][0]["jobs"][0]["status"]), (202, &json!("cancelled")), "{cut:?}");
    let entries = disk.entries();
    assert!(entries.iter().any(|entry| matches!(entry, event_detector_runtime::Entry::Interrupted { .. })), "{entries:?}");
}
