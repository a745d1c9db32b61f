//! A stop takes no more changes, lets what is in flight settle, and cuts it when that takes too long.

use std::future::{Future, pending, ready};
use std::sync::{Arc, Mutex, OnceLock};

use event_detector::Change;
use event_detector_runtime::{Config, Intake, NotTaken, Plugin, PluginResult, Report, Runtime, SourceEnd};
use futures::FutureExt;
use tokio::sync::Notify;

use crate::sources::{Script, sources};
use crate::support::{Blocker, LATER, Meeting, SOON, blocks, builder, event, gives, hangs, meets, numbered, runtime};

/// A stop that comes when told, and the way to tell it.
fn stop() -> (Arc<Notify>, impl Future<Output = ()>) {
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    (stop, async move { stopped.notified().await })
}

#[tokio::test]
async fn what_is_in_flight_settles_and_the_source_says_what_it_left() {
    let meeting = Meeting::new();
    let runtime = runtime(|_| vec![meets("meets")], Config::default(), Arc::clone(&meeting));
    let (tell, stopped) = stop();
    let script = Script::new("script", {
        let meeting = Arc::clone(&meeting);
        async move |intake: Intake| {
            intake.submit(numbered(1)).await?;
            meeting.until_arrived(1).await;
            assert!(!intake.is_stopping() && intake.drain_end().is_none());
            tell.notify_one();
            intake.stopping().await;
            assert!(intake.is_stopping() && intake.drain_end().is_some_and(|end| end > tokio::time::Instant::now()));
            assert_eq!(intake.submit(numbered(2)).await, Err(NotTaken::Stopping));
            meeting.release(1);
            Ok(SourceEnd::Stopped { left: "4 lines".to_owned() })
        }
    });

    let summary = runtime.run(sources([script]), stopped, |_| ()).await;

    assert_eq!((summary.changes, summary.jobs_succeeded, summary.jobs_cut, summary.in_flight_at_stop), (1, 1, 0, 1));
    assert_eq!(summary.left, [("script".to_owned(), "4 lines".to_owned())]);
    assert!(summary.source_errors.is_empty(), "{:?}", summary.source_errors);
}

/// Notes at each report how many changes have not settled.
#[derive(Clone, Default)]
struct Unsettled {
    runtime: Arc<OnceLock<Runtime>>,
    noted: Arc<Mutex<Vec<usize>>>,
}

impl Plugin for Unsettled {
    async fn report(&self, _: &Report) -> PluginResult {
        self.noted.lock().unwrap().push(self.runtime.get().unwrap().admitted());
        Ok(())
    }
}

#[tokio::test]
async fn who_is_told_of_a_report_finds_its_change_settled() {
    let unsettled = Unsettled::default();
    let runtime = builder([event("move.created", |_| vec![gives("one", 1)])]).plugin(unsettled.clone()).build().unwrap();
    assert!(unsettled.runtime.set(runtime.clone()).is_ok());

    runtime.handle(numbered(1)).await;
    let waiting = runtime.admit(numbered(2)).await;
    runtime.handle(numbered(3)).await;
    drop(waiting);

    assert_eq!(*unsettled.noted.lock().unwrap(), [0, 1]);
}

#[tokio::test]
async fn a_source_that_waits_for_room_is_told_to_stop() {
    let config = Config { admitted: 1, ..Config::default() };
    let meeting = Meeting::new();
    let runtime = runtime(|_| vec![meets("meets")], config, Arc::clone(&meeting));
    let (tell, stopped) = stop();
    let script = Script::new("script", {
        let meeting = Arc::clone(&meeting);
        async move |intake: Intake| {
            intake.submit(numbered(1)).await?;
            meeting.until_arrived(1).await;
            tell.notify_one();
            assert_eq!(intake.submit(numbered(2)).await, Err(NotTaken::Stopping));
            meeting.release(1);
            Ok(SourceEnd::Stopped { left: "1 change".to_owned() })
        }
    });

    let summary = runtime.run(sources([script]), stopped, |_| ()).await;

    assert_eq!((summary.changes, summary.jobs_succeeded, summary.left.len()), (1, 1, 1));
}

async fn stopped_with(job: fn(&Change) -> Vec<event_detector::Job>) -> event_detector_runtime::Summary {
    let config = Config { drain: LATER, ..Config::default() };
    let (_release, blocker) = Blocker::new();
    let runtime = runtime(job, config, blocker);
    let script = Script::new("script", async |intake: Intake| {
        intake.submit(numbered(1)).await?;
        intake.submit(numbered(1)).await?;
        intake.stopping().await;
        Ok(SourceEnd::Stopped { left: String::new() })
    });
    let both_taken = {
        let runtime = runtime.clone();
        async move {
            while runtime.admitted() < 2 {
                tokio::task::yield_now().await;
            }
        }
    };
    runtime.run(sources([script]), both_taken, |_| ()).await
}

#[tokio::test]
async fn what_does_not_settle_in_the_drain_is_cut_and_counted() {
    let summary = stopped_with(|_| vec![hangs("hangs"), gives("one", 1)]).await;

    // The second change of the document had not begun; its jobs are not begun either.
    assert_eq!((summary.in_flight_at_stop, summary.changes, summary.jobs_cut, summary.jobs_succeeded), (2, 2, 3, 1));
    assert!(summary.source_errors.is_empty());
}

#[tokio::test]
async fn a_job_that_blocks_its_thread_does_not_hold_up_the_stop() {
    let summary = stopped_with(|_| vec![blocks("blocks")]).await;

    assert_eq!((summary.changes, summary.jobs_cut), (2, 2));
}

#[tokio::test]
async fn a_source_that_does_not_stop_is_named_and_left() {
    let config = Config { drain: SOON, ..Config::default() };
    let runtime = runtime(|_| vec![gives("one", 1)], config, ());
    let (tell, stopped) = stop();
    let script = Script::new("deaf", async move |intake: Intake| {
        intake.submit(numbered(1)).await?;
        tell.notify_one();
        pending().await
    });

    let summary = runtime.run(sources([script]), stopped, |_| ()).await;

    assert_eq!(summary.source_errors, [("deaf".to_owned(), "it did not stop in time".to_owned())]);
}

#[tokio::test]
async fn a_source_that_passes_the_stop_on_as_an_error_has_stopped_and_not_failed() {
    let runtime = runtime(|_| vec![gives("one", 1)], Config::default(), ());

    let summary = runtime.run(sources([Script::of_changes("script", || vec![numbered(1)])]), ready(()), |_| ()).await;

    assert_eq!((summary.changes, summary.left.len(), summary.source_errors.len()), (0, 1, 0));
}

#[tokio::test]
async fn a_stop_together_with_the_end_of_the_sources_loses_nothing() {
    let runtime = runtime(|_| vec![gives("one", 1)], Config::default(), ());
    let (tell, stopped) = stop();
    let script = Script::new("script", async move |intake: Intake| {
        intake.submit(numbered(1)).await?;
        tell.notify_one();
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), stopped, |_| ()).await;

    assert_eq!((summary.changes, summary.jobs_succeeded, summary.left.len(), summary.source_errors.len()), (1, 1, 0, 0));
}

#[tokio::test]
async fn dropping_a_run_cuts_its_sources_and_changes() {
    let meeting = Meeting::new();
    let runtime = runtime(|_| vec![meets("meets")], Config::default(), Arc::clone(&meeting));
    let script = Script::new("script", async |intake: Intake| {
        intake.submit(numbered(1)).await?;
        pending().await
    });

    tokio::select! {
        _ = runtime.run(sources([script]), pending(), |_| ()) => panic!("nothing ends it"),
        () = meeting.until_arrived(1) => {}
    }

    while runtime.admitted() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(meeting.until_arrived(1).now_or_never().is_none());
}
