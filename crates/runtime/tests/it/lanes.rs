//! Changes of one document take turns, strangers run side by side, and only so many at a time.

use std::sync::Arc;

use event_detector::{Change, Job, JobContext};
use event_detector_runtime::Config;
use serde_json::json;
use tokio::sync::Barrier;

use crate::support::{Meeting, meets, numbered, runtime};

#[tokio::test]
async fn two_changes_of_one_document_are_handled_in_the_order_of_the_calls() {
    let meeting = Meeting::new();
    let runtime =
        runtime(|change| vec![meets("meets").named(change.after("status").to_string())], Config::default(), Arc::clone(&meeting));
    let change = |status: &str| Change::update("moves").before(json!({ "id": 1 })).after(json!({ "id": 1, "status": status }));
    meeting.release(10);

    let (first, second, third) =
        tokio::join!(runtime.handle(change("first")), runtime.handle(change("second")), runtime.handle(change("third")));

    assert!(first.is_clean() && second.is_clean() && third.is_clean());
    assert_eq!(meeting.notes(), ["1 begins", "1 ends", "1 begins", "1 ends", "1 begins", "1 ends"]);
}

#[tokio::test]
async fn changes_of_different_documents_are_handled_side_by_side() {
    let jobs = |_: &Change| {
        let meets = async |cx: JobContext| {
            cx.state::<Barrier>()?.wait().await;
            Ok::<_, anyhow::Error>(())
        };
        vec![Job::new("meets", meets)]
    };
    let runtime = runtime(jobs, Config::default(), Barrier::new(8));

    let reports = futures::future::join_all((0..8).map(|number| runtime.handle(numbered(number)))).await;

    assert!(reports.iter().all(|report| report.is_clean()));
}

#[tokio::test]
async fn no_more_changes_run_at_a_time_than_allowed() {
    let config = Config { in_flight: 2, ..Config::default() };
    let meeting = Meeting::new();
    let runtime = runtime(|_| vec![meets("meets")], config, Arc::clone(&meeting));

    let handling = tokio::spawn(futures::future::join_all((0..6).map(|number| {
        let runtime = runtime.clone();
        async move { runtime.handle(numbered(number)).await }
    })));

    for _ in 0..3 {
        meeting.until_arrived(2).await;
        let notes = meeting.notes();
        let running = notes.iter().filter(|note| note.ends_with("begins")).count()
            - notes.iter().filter(|note| note.ends_with("ends")).count();
        assert_eq!(running, 2);
        meeting.release(2);
    }
    assert_eq!(handling.await.unwrap().len(), 6);
    assert_eq!(runtime.admitted(), 0);
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_any_more_gives_up_its_turn() {
    let meeting = Meeting::new();
    let runtime = runtime(|_| vec![meets("meets")], Config::default(), Arc::clone(&meeting));
    let first = runtime.admit(numbered(1)).await;
    let second = runtime.admit(numbered(1)).await;
    let third = runtime.admit(numbered(1)).await;
    meeting.release(10);

    drop(first);
    drop(second);

    assert!(third.settle().await.is_clean());
    assert_eq!(runtime.admitted(), 0);
}
