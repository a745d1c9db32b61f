//! What is kept, and what goes on after an end?

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use event_detector::{Detector, Effect, Job, JobContext};
use event_detector_runtime::{
    Builder, Config, Intake, JobStatus, LedgerError, NotTaken, Runtime, SourceEnd, Sources, Stage, Summary, Taken,
};
use tokio::time::timeout;

use crate::memory::Memory;
use crate::sources::{Script, sources};
use crate::support::{Meeting, builder, change, error, event, gives, hangs, jobs_of, numbered, state_of};

/// Retries are due at once, or long after any test.
fn config(backoff: Duration) -> Config {
    Config { backoff_base: backoff, backoff_cap: backoff, ..Config::default() }
}

/// A job that notes that it ran, with the attempt.
fn notes(name: &'static str) -> Job {
    Job::new(name, async move |cx: JobContext| {
        cx.state::<Arc<Meeting>>()?.note(format!("{name} {} {}", cx.change().key(), cx.attempt()));
        Ok::<_, anyhow::Error>(())
    })
}

fn fails(name: &'static str) -> Job {
    Job::new(name, async |_cx: JobContext| Err::<(), _>(anyhow::anyhow!("out of paper")))
}

fn with(ledger: &Memory, detectors: impl IntoIterator<Item = Detector>) -> Builder {
    builder(detectors).ledger(ledger.clone())
}

fn created(jobs: fn(&event_detector::Change) -> Vec<Job>) -> [Detector; 1] {
    [event("move.created", jobs)]
}

/// What a process leaves that is killed while the jobs of these changes hang.
async fn killed(
    ledger: &Memory,
    changes: impl IntoIterator<Item = event_detector::Change>,
    jobs: fn(&event_detector::Change) -> Vec<Job>,
) {
    let runtime = with(ledger, created(jobs)).build().unwrap();
    let mut handled: Vec<_> = changes.into_iter().map(|change| Box::pin(runtime.handle(change))).collect();
    for handled in &mut handled {
        let _in_flight = timeout(Duration::from_millis(20), handled).await;
    }
    ledger.look(|kept| kept.is_gone = true);
    drop(handled);
    ledger.look(|kept| kept.is_gone = false);
}

async fn run(runtime: Runtime) -> Summary {
    runtime.run(Sources::default(), pending(), |_| ()).await
}

#[tokio::test]
async fn no_job_starts_before_its_change_is_on_disk() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let runtime = with(&ledger, created(|_| vec![notes("prints")])).state(state_of(Arc::clone(&meeting))).build().unwrap();
    ledger.hold();
    let mut handled = Box::pin(runtime.handle(change()));

    assert!(timeout(Duration::from_millis(40), &mut handled).await.is_err());
    assert_eq!(meeting.notes(), [""; 0]);
    ledger.release();
    let report = handled.await;

    assert_eq!(report.jobs().count(), 1);
    assert_eq!(meeting.notes(), ["prints 13107 1"]);
    assert_eq!(ledger.stages(), [("prints".to_owned(), Stage::Succeeded)]);
}

#[tokio::test]
async fn what_nobody_wants_costs_no_row() {
    let ledger = Memory::default();
    let runtime = with(&ledger, [Detector::new("move.gone", |change| change.is_delete())]).build().unwrap();
    ledger.refuse(LedgerError::Full);

    let report = runtime.handle(change()).await;

    assert!(report.events.is_empty() && report.duplicate.is_none());
}

#[tokio::test]
async fn a_change_that_is_recorded_already_runs_nothing_and_its_report_says_so() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let runtime = with(&ledger, created(|_| vec![notes("prints")])).state(state_of(Arc::clone(&meeting))).build().unwrap();

    runtime.handle(change()).await;
    let again = runtime.handle(change()).await;

    assert_eq!(meeting.notes().len(), 1);
    assert!(again.events.is_empty());
    assert_eq!(again.duplicate, Some(std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(7)));
}

#[tokio::test]
async fn where_a_change_cannot_be_recorded_its_event_says_why_and_no_job_runs() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let runtime = with(&ledger, created(|_| vec![notes("prints")])).state(state_of(Arc::clone(&meeting))).build().unwrap();
    ledger.refuse(LedgerError::Full);

    let report = runtime.handle(change()).await;

    assert!(report.events[0].error.as_deref().unwrap().contains("the ledger's disk is full"));
    assert_eq!(meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn each_attempt_is_noted_before_it_starts_and_after_it_has_ended() {
    let ledger = Memory::default();
    let runtime = with(&ledger, created(|_| vec![fails("prints").retries(1)])).config(config(Duration::ZERO)).build().unwrap();

    let jobs = jobs_of(runtime.handle(change()).await);

    assert_eq!((jobs[0].status, jobs[0].attempts), (JobStatus::Failed, 2));
    // The first start is recorded with the change.
    assert_eq!(ledger.look(|kept| kept.entries.clone()), [(0, "finished"), (0, "started"), (0, "finished")]);
    assert_eq!(ledger.stages()[0].1, Stage::Dead);
}

#[tokio::test]
async fn a_retry_that_is_far_off_waits_in_the_ledger_and_holds_up_nobody() {
    let ledger = Memory::default();
    let hour = config(Duration::from_secs(3_600_000));
    let runtime = with(&ledger, created(|_| vec![fails("prints").retries(1), gives("counts", 1)])).config(hour).build().unwrap();

    let report = runtime.handle(change()).await;

    assert!(!report.is_settled());
    let jobs = jobs_of(report);
    assert_eq!((jobs[0].status, jobs[1].status), (JobStatus::Retrying, JobStatus::Succeeded));
    assert!(jobs[0].due.is_some() && error(&jobs[0]) == "out of paper");
    assert!(matches!(ledger.stages()[0].1, Stage::Waiting { .. }));
    assert_eq!(runtime.admitted(), 0);
}

#[tokio::test]
async fn a_retry_of_an_ordered_event_holds_up_its_document() {
    let ledger = Memory::default();
    let ordered = [event("move.created", |_| vec![fails("prints").retries(1)]).ordered()];
    let runtime = with(&ledger, ordered).config(config(Duration::from_secs(3_600_000))).build().unwrap();
    let first = runtime.admit(change()).await;
    let second = runtime.admit(change().with_id("second")).await;

    let mut both = Box::pin(futures::future::join(first.settle(), second.settle()));

    assert!(timeout(Duration::from_millis(40), &mut both).await.is_err());
    let states = ledger.look(|kept| kept.jobs.iter().map(|job| (job.state.stage, job.state.attempts)).collect::<Vec<_>>());
    assert_eq!(states, [(Stage::Queued, 1), (Stage::Queued, 0)]);
}

#[tokio::test]
async fn what_was_in_flight_at_a_death_goes_on_and_what_had_succeeded_does_not() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    killed(&ledger, [change()], |_| vec![gives("counts", 1), hangs("prints")]).await;
    assert_eq!(ledger.stages(), [("counts".to_owned(), Stage::Succeeded), ("prints".to_owned(), Stage::Running)]);

    let again = with(&ledger, created(|_| vec![notes("counts"), notes("prints")])).state(state_of(Arc::clone(&meeting)));
    let summary = run(again.build().unwrap()).await;

    assert_eq!(summary, Summary { resumed: 1, jobs_succeeded: 1, ..Summary::default() });
    assert_eq!(meeting.notes(), ["prints 13107 2"]);
    assert!(ledger.look(|kept| kept.closed));
}

#[tokio::test]
async fn what_must_not_happen_twice_is_not_run_again() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    killed(&ledger, [change()], |_| vec![hangs("charges").effect(Effect::Once)]).await;

    let again = with(&ledger, created(|_| vec![notes("charges").effect(Effect::Once)])).state(state_of(Arc::clone(&meeting)));
    run(again.build().unwrap()).await;

    assert_eq!(meeting.notes(), [""; 0]);
    assert_eq!(ledger.stages()[0].1, Stage::Dead);
}

#[tokio::test]
async fn a_recorded_job_that_is_not_declared_any_more_is_a_dead_letter() {
    let ledger = Memory::default();
    killed(&ledger, [change()], |_| vec![hangs("prints"), hangs("prints")]).await;

    let summary = run(with(&ledger, created(|_| vec![gives("prints", 1)])).build().unwrap()).await;

    assert_eq!(summary.jobs_succeeded, 1);
    assert_eq!(ledger.stages().iter().map(|(_, stage)| *stage).collect::<Vec<_>>(), [Stage::Succeeded, Stage::Dead]);
    let error = ledger.look(|kept| kept.jobs[1].error.clone());
    assert_eq!(error.as_deref(), Some("the event's `jobs` does not return it any more"));

    killed(&ledger, [change().with_id("another")], |_| vec![hangs("prints")]).await;
    run(with(&ledger, [event("move.gone", |_| Vec::new())]).build().unwrap()).await;
    let error = ledger.look(|kept| kept.jobs[2].error.clone());
    assert_eq!(error.as_deref(), Some("the event is not declared any more"));
}

#[tokio::test]
async fn changes_that_were_in_flight_at_several_deaths_go_on_one_after_another() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    killed(&ledger, (1..=3).map(numbered), |_| vec![hangs("prints")]).await;
    ledger.look(|kept| kept.deaths = 2);

    let jobs = |_: &event_detector::Change| {
        vec![Job::new("prints", async |cx: JobContext| {
            let meeting = cx.state::<Arc<Meeting>>()?;
            meeting.note("begins");
            tokio::time::sleep(Duration::from_millis(10)).await;
            meeting.note("ends");
            Ok::<_, anyhow::Error>(())
        })]
    };
    run(with(&ledger, created(jobs)).state(state_of(Arc::clone(&meeting))).build().unwrap()).await;

    assert_eq!(meeting.notes(), ["begins", "ends", "begins", "ends", "begins", "ends"]);
}

#[tokio::test]
async fn jobs_that_wait_are_taken_up_when_their_time_has_come() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let hour = config(Duration::from_secs(3_600_000));
    let first = with(&ledger, created(|_| vec![fails("prints").retries(1)])).config(hour.clone()).build().unwrap();
    assert!(!first.handle(change()).await.is_settled());

    let jobs = |_: &event_detector::Change| vec![notes("prints").retries(1)];
    let runtime = with(&ledger, created(jobs)).config(hour).state(state_of(Arc::clone(&meeting))).build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let script = Script::new("script", async |intake: Intake| {
        intake.stopping().await;
        Ok(SourceEnd::Exhausted)
    });
    let running = tokio::spawn(async move { runtime.run(sources([script]), async { drop(stopped.await) }, |_| ()).await });
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(meeting.notes(), [""; 0]);
    ledger.make_due();
    while meeting.notes().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(stop);

    let summary = running.await.unwrap();
    assert_eq!((summary.resumed, summary.jobs_succeeded), (1, 1));
    assert_eq!(meeting.notes(), ["prints 13107 2"]);
}

#[tokio::test]
async fn what_a_stop_cuts_is_given_back_without_a_burnt_retry() {
    let ledger = Memory::default();
    let brief = Config { drain: Duration::from_millis(20), ..Config::default() };
    let runtime = with(&ledger, created(|_| vec![hangs("prints")])).config(brief).build().unwrap();
    let script = Script::new("script", async |intake: Intake| {
        intake.submit(numbered(1)).await?;
        intake.submit(numbered(1).with_id("behind it")).await?;
        intake.stopping().await;
        Ok(SourceEnd::Exhausted)
    });

    runtime.run(sources([script]), tokio::time::sleep(Duration::from_millis(40)), |_| ()).await;

    let states = ledger.look(|kept| kept.jobs.iter().map(|job| job.state).collect::<Vec<_>>());
    assert!(matches!(states[0].stage, Stage::Waiting { .. }) && states[0].failures == 0, "{states:?}");
    assert_eq!(states[1].failures, 0);
    assert!(!states[1].stage.is_final(), "{states:?}");
}

#[tokio::test]
async fn a_sender_that_leaves_does_not_keep_its_change_from_being_handled() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let runtime = with(&ledger, created(|_| vec![notes("prints")])).state(state_of(Arc::clone(&meeting))).build().unwrap();
    let held = ledger.clone();
    let script = Script::new("script", async move |intake: Intake| {
        held.hold();
        assert!(timeout(Duration::from_millis(20), intake.submit(numbered(1))).await.is_err());
        held.release();
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!(summary.changes, 1);
    assert_eq!(meeting.notes(), ["prints 1 1"]);
}

#[tokio::test]
async fn what_comes_of_a_change_with_a_place_is_told_whether_or_not_its_sender_is_there() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let runtime = with(&ledger, created(|_| vec![notes("prints")])).state(state_of(Arc::clone(&meeting))).build().unwrap();
    let (held, noted) = (ledger.clone(), Arc::clone(&meeting));
    let script = Script::new("script", async move |intake: Intake| {
        held.hold();
        for number in [1, 1] {
            let noted = Arc::clone(&noted);
            let tell = move |taken: Result<Taken, NotTaken>| noted.note(format!("{:?}", taken.map(|taken| taken == Taken::New)));
            intake.submit_telling(numbered(number), tell, drop).await?;
        }
        held.release();
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!((summary.changes, summary.duplicates), (1, 1));
    let mut noted = meeting.notes();
    assert_eq!(noted[0], "Ok(true)", "before its job starts");
    noted.sort();
    assert_eq!(noted, ["Ok(false)", "Ok(true)", "prints 1 1"]);
}

#[tokio::test]
async fn a_position_that_must_be_on_disk_is_waited_for() {
    let ledger = Memory::default();
    let runtime = with(&ledger, created(|_| Vec::new())).build().unwrap();
    let held = ledger.clone();
    let script = Script::new("script", async move |intake: Intake| {
        held.hold();
        assert!(timeout(Duration::from_millis(20), intake.keep_now(vec![1])).await.is_err());
        held.release();
        intake.keep_now(vec![2]).await?;
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!(summary.source_errors, []);
    let positions = ledger.look(|kept| kept.positions.clone());
    assert_eq!(positions, [("script".to_owned(), vec![1]), ("script".to_owned(), vec![2])]);
}

#[tokio::test]
async fn a_source_with_positions_waits_for_no_disk_and_its_duplicates_are_counted() {
    let ledger = Memory::default();
    let runtime = with(&ledger, created(|_| vec![gives("prints", 1)])).build().unwrap();
    let held = ledger.clone();
    let script = Script::new("script", async move |intake: Intake| {
        held.hold();
        intake.submit_at(numbered(1), || vec![1]).await?;
        intake.submit_at(numbered(2), || vec![2]).await?;
        intake.submit_at(numbered(2), || vec![3]).await?;
        held.release();
        assert_eq!(
            intake.submit(numbered(2)).await,
            Ok(Taken::Duplicate { recorded_at: std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(7) })
        );
        assert_eq!(intake.position().await, Ok(Some(vec![2])));
        intake.keep(vec![4]);
        assert_eq!(intake.position().await, Ok(Some(vec![4])));
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!(summary, Summary { changes: 2, events: 2, jobs_succeeded: 2, duplicates: 2, ..Summary::default() });
}

#[tokio::test]
async fn a_source_does_not_go_on_behind_a_change_that_was_not_recorded() {
    let ledger = Memory::default();
    let runtime = with(&ledger, created(|_| vec![gives("prints", 1)])).build().unwrap();
    ledger.refuse(LedgerError::Failed("no".to_owned()));
    let script = Script::new("script", async |intake: Intake| {
        for number in 1.. {
            intake.submit_at(numbered(number), || vec![1]).await?;
            tokio::task::yield_now().await;
        }
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!(summary.source_errors.len(), 1);
    assert!(summary.source_errors[0].1.contains("the ledger cannot be used: no"), "{summary:?}");
}

#[tokio::test]
async fn all_that_is_due_is_taken_up_though_the_sources_end_meanwhile() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let hour = Config { admitted: 2, in_flight: 2, ..config(Duration::from_secs(3_600_000)) };
    let first = with(&ledger, created(|_| vec![fails("prints").retries(1)])).config(hour.clone()).build().unwrap();
    for number in 0..200 {
        first.handle(numbered(number)).await;
    }
    ledger.make_due();

    let runtime = with(&ledger, created(|_| vec![notes("prints").retries(1)])).config(hour);
    let runtime = runtime.state(state_of(Arc::clone(&meeting))).build().unwrap();
    let script = Script::new("script", async |_| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(SourceEnd::Exhausted)
    });
    let summary = timeout(Duration::from_secs(20), runtime.run(sources([script]), pending(), |_| ())).await.unwrap();

    assert_eq!((summary.resumed, meeting.notes().len()), (200, 200));
}

#[tokio::test]
async fn two_sources_of_one_name_would_share_a_position_and_are_refused() {
    let ledger = Memory::default();
    let runtime = with(&ledger, created(|_| vec![gives("prints", 1)])).build().unwrap();
    let script = || Script::of_changes("script", || vec![numbered(1)]);

    let summary = runtime.run(sources([script(), script()]), pending(), |_| ()).await;

    assert!(summary.source_errors[0].1.contains("another source has this name"), "{summary:?}");
    assert_eq!(summary.changes, 0);
}

#[tokio::test]
async fn while_jobs_of_an_ordered_event_wait_other_documents_have_their_places() {
    let (ledger, meeting) = (Memory::default(), Meeting::new());
    let ordered = event("move.created", |change| match change.key() == 1 {
        true => vec![fails("prints").retries(1)],
        false => vec![notes("prints")],
    });
    let one = Config { in_flight: 1, ..config(Duration::from_secs(3_600_000)) };
    let runtime = with(&ledger, [ordered.ordered()]).config(one).state(state_of(Arc::clone(&meeting))).build().unwrap();

    let first = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.handle(numbered(1)).await }
    });
    while !matches!(ledger.stages().first(), Some((_, Stage::Queued))) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    timeout(Duration::from_secs(20), runtime.handle(numbered(2))).await.unwrap();

    assert_eq!(meeting.notes(), ["prints 2 1"]);
    first.abort();
}

#[tokio::test]
async fn what_is_dropped_is_given_back() {
    let ledger = Memory::default();
    killed(&ledger, [change()], |_| vec![hangs("prints"), hangs("counts")]).await;
    let runtime = with(&ledger, created(|_| vec![hangs("prints")])).build().unwrap();

    assert!(timeout(Duration::from_millis(40), runtime.handle(change().with_id("second"))).await.is_err());

    let stage = ledger.stages()[2].1;
    assert!(matches!(stage, Stage::Waiting { .. }), "{stage:?}");
}

#[tokio::test]
async fn a_sender_is_told_why_its_change_is_not_taken() {
    let ledger = Memory::default();
    let runtime = with(&ledger, created(|_| vec![gives("prints", 1)])).build().unwrap();
    ledger.refuse(LedgerError::Full);
    let script = Script::new("script", async |intake: Intake| {
        assert_eq!(intake.submit(numbered(1)).await, Err(NotTaken::Ledger(LedgerError::Full)));
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!(summary, Summary::default());
}
