//! Sources hand over changes, as many as there is room for, until they end.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use event_detector::{Change, Job};
use event_detector_runtime::{Config, Intake, NotTaken, Runtime, Source, SourceEnd, SourceError, Sources, Summary};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use crate::support::{Meeting, builder, event, gives, hangs, meets, numbered, runtime};

type Run = Box<dyn FnOnce(Intake) -> BoxFuture<'static, Result<SourceEnd, SourceError>> + Send>;

/// A source that does what a test says.
pub(crate) struct Script {
    name: &'static str,
    run: Run,
}

impl Script {
    pub(crate) fn new<F>(name: &'static str, run: impl FnOnce(Intake) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<SourceEnd, SourceError>> + Send + 'static,
    {
        Self { name, run: Box::new(move |intake| run(intake).boxed()) }
    }

    pub(crate) fn of_changes(name: &'static str, changes: impl FnOnce() -> Vec<Change> + Send + 'static) -> Self {
        Self::new(name, async move |intake: Intake| {
            for change in changes() {
                intake.submit(change).await?;
            }
            Ok(SourceEnd::Exhausted)
        })
    }
}

impl Source for Script {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn run(self, intake: Intake) -> impl Future<Output = Result<SourceEnd, SourceError>> + Send {
        (self.run)(intake)
    }
}

pub(crate) fn sources(scripts: impl IntoIterator<Item = Script>) -> Sources {
    let mut sources = Sources::default();
    for script in scripts {
        sources.add(script);
    }
    sources
}

fn quiet() -> Runtime {
    runtime(|_| vec![gives("one", 1)], Config::default(), ())
}

#[tokio::test]
async fn a_run_ends_when_its_sources_are_exhausted_and_every_change_is_handled() {
    let two = [
        Script::of_changes("first", || (0..30).map(numbered).collect()),
        Script::of_changes("second", || (0..20).map(numbered).collect()),
    ];
    let sources = sources(two);
    assert_eq!((sources.names().collect::<Vec<_>>(), sources.is_empty()), (vec!["first", "second"], false));

    let summary = quiet().run(sources, pending(), |_| ()).await;

    assert_eq!(summary, Summary { changes: 50, events: 50, jobs_succeeded: 50, ..Summary::default() });
}

#[tokio::test]
async fn changes_carry_the_name_of_their_source_unless_they_have_one() {
    let says = |change: &Change| vec![gives("says", change.source())];
    let runtime = builder([event("a", says)]).build().unwrap();
    let (seen, mut reports) = mpsc::unbounded_channel();
    struct Tells(mpsc::UnboundedSender<String>);
    impl event_detector_runtime::Plugin for Tells {
        async fn report(&self, report: &event_detector_runtime::Report) -> event_detector_runtime::PluginResult {
            Ok(self.0.send(report.change.source().to_owned())?)
        }
    }
    let runtime = Runtime::builder(runtime.registry().clone()).plugin(Tells(seen)).build().unwrap();

    let script = Script::of_changes("script", || vec![numbered(1), numbered(1).with_source("replayed")]);
    runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!((reports.recv().await, reports.recv().await), (Some("script".to_owned()), Some("replayed".to_owned())));
}

#[tokio::test]
async fn a_source_that_fails_or_panics_is_named_with_its_reason_and_the_others_go_on() {
    let summary = quiet()
        .run(
            sources([
                Script::new("fails", async |_| Err("connection refused".into())),
                Script::new("panics", async |_| panic!("lost the thread")),
                Script::new("panics at once", |_| -> BoxFuture<'static, _> { panic!("no future") }),
                Script::of_changes("works", || (0..10).map(numbered).collect()),
            ]),
            pending(),
            |_| (),
        )
        .await;

    assert_eq!(summary.changes, 10);
    let mut errors = summary.source_errors;
    errors.sort();
    assert_eq!(errors[0], ("fails".to_owned(), "connection refused".to_owned()));
    assert!(
        errors[1].0 == "panics" && errors[1].1.contains("sources.rs:") && errors[1].1.ends_with("lost the thread"),
        "{errors:?}"
    );
    assert!(errors[2].0 == "panics at once" && errors[2].1.ends_with("no future"), "{errors:?}");
    assert_eq!(errors.len(), 3);
}

#[tokio::test]
async fn what_is_not_a_change_is_counted_and_shown_and_the_source_goes_on() {
    let script = Script::new("script", async |intake: Intake| {
        for line in 1..=3 {
            intake.reject(format!("line {line}"), "not JSON");
        }
        intake.submit(numbered(1)).await?;
        Ok(SourceEnd::Exhausted)
    });
    let (shown, mut seen) = mpsc::unbounded_channel();
    let on_reject = move |rejected: &event_detector_runtime::Rejected| {
        shown.send(format!("{} {}: {}", rejected.source, rejected.place, rejected.error)).unwrap();
        assert!(rejected.place != "line 2", "the console is gone");
    };

    let summary = quiet().run(sources([script]), pending(), on_reject).await;

    assert_eq!((summary.rejected, summary.changes, summary.source_errors.len()), (3, 1, 0));
    assert_eq!(seen.recv().await.unwrap(), "script line 1: not JSON");
}

#[tokio::test]
async fn a_source_waits_while_there_is_no_room() {
    const ROOM: usize = 3;
    static SUBMITTED: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    let config = Config { admitted: ROOM, in_flight: 2, ..Config::default() };
    let meeting = Meeting::new();
    let jobs = |_: &Change| {
        vec![Job::new("meets", async |cx: event_detector::JobContext| {
            cx.state::<Arc<Meeting>>()?.wait().await;
            ENDED.fetch_add(1, Ordering::SeqCst);
            Ok::<_, anyhow::Error>(())
        })]
    };
    let runtime = runtime(jobs, config, Arc::clone(&meeting));
    let seen = runtime.clone();
    let script = Script::new("script", async move |intake: Intake| {
        for number in 0..12 {
            intake.submit(numbered(number)).await?;
            let submitted = SUBMITTED.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(submitted <= ROOM + ENDED.load(Ordering::SeqCst), "one more than there is room for was taken");
            assert!(seen.admitted() <= ROOM);
        }
        Ok(SourceEnd::Exhausted)
    });

    let runs = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.run(sources([script]), pending(), |_| ()).await }
    });
    for _ in 0..12 {
        meeting.until_arrived(1).await;
        meeting.release(1);
    }

    let summary = runs.await.unwrap();
    assert_eq!((summary.changes, summary.source_errors), (12, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_changes_never_pile_up() {
    let config = Config { admitted: 64, in_flight: 16, ..Config::default() };
    let runtime = runtime(|_| vec![gives("one", 1), gives("two", 2)], config, ());
    let seen = runtime.clone();
    let script = Script::new("script", async move |intake: Intake| {
        for number in 0..20_000 {
            intake.submit(numbered(number % 500)).await?;
            assert!(seen.admitted() <= 64);
        }
        Ok(SourceEnd::Exhausted)
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!(summary, Summary { changes: 20_000, events: 20_000, jobs_succeeded: 40_000, ..Summary::default() });
    assert_eq!(runtime.admitted(), 0);
}

#[tokio::test]
async fn an_intake_that_outlives_the_run_takes_nothing() {
    let (keep, mut kept) = mpsc::unbounded_channel();
    let script = Script::new("script", async move |intake: Intake| {
        keep.send(intake).unwrap();
        Ok(SourceEnd::Exhausted)
    });
    let runtime = quiet();

    runtime.run(sources([script]), pending(), |_| ()).await;

    let intake = kept.recv().await.unwrap();
    assert_eq!(intake.submit(numbered(1)).await, Err(NotTaken::Stopping));
    assert_eq!(runtime.admitted(), 0);
}

#[tokio::test]
async fn a_submission_that_is_given_up_has_not_taken_its_change() {
    let config = Config { admitted: 1, ..Config::default() };
    let meeting = Meeting::new();
    let runtime = runtime(|_| vec![meets("meets")], config, Arc::clone(&meeting));
    let script = Script::new("script", {
        let meeting = Arc::clone(&meeting);
        async move |intake: Intake| {
            intake.submit(numbered(1)).await?;
            meeting.until_arrived(1).await;
            assert!(intake.submit(numbered(2)).now_or_never().is_none());
            meeting.release(2);
            intake.submit(numbered(3)).await?;
            Ok(SourceEnd::Exhausted)
        }
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!((summary.changes, summary.source_errors), (2, Vec::new()));
    assert_eq!(meeting.notes(), ["1 begins", "1 ends", "3 begins", "3 ends"]);
}

#[tokio::test]
async fn a_source_that_must_answer_is_given_the_report_of_each_change() {
    let (answer, mut answers) = mpsc::unbounded_channel();
    let script = Script::new("script", async move |intake: Intake| {
        for number in 1..=3 {
            let answer = answer.clone();
            intake.submit_then(numbered(number), move |report| answer.send((number, report)).unwrap()).await?;
        }
        Ok(SourceEnd::Exhausted)
    });

    let summary = quiet().run(sources([script]), pending(), |_| ()).await;

    let mut answered = Vec::new();
    while let Some((number, report)) = answers.recv().await {
        assert_eq!((report.change.source(), report.jobs().count()), ("script", 1));
        answered.push((number, report.change.key().as_i64()));
    }
    answered.sort_unstable();
    assert_eq!(answered, [(1, Some(1)), (2, Some(2)), (3, Some(3))]);
    assert_eq!((summary.changes, summary.jobs_succeeded), (3, 3));
}

#[tokio::test]
async fn a_source_that_panics_over_a_report_harms_no_change() {
    let script = Script::new("script", async |intake: Intake| {
        for number in 1..=3 {
            intake.submit_then(numbered(number), |_| panic!("no more paper")).await?;
        }
        Ok(SourceEnd::Exhausted)
    });

    let summary = quiet().run(sources([script]), pending(), |_| ()).await;

    assert_eq!(summary, Summary { changes: 3, events: 3, jobs_succeeded: 3, ..Summary::default() });
}

#[tokio::test]
async fn whoever_waits_for_a_report_learns_that_there_will_be_none() {
    let runtime = runtime(|_| vec![hangs("hangs")], Config::default(), ());
    let (taken, is_taken) = tokio::sync::oneshot::channel();
    let (answer, answered) = tokio::sync::oneshot::channel::<()>();
    let script = Script::new("script", async move |intake: Intake| {
        intake.submit_then(numbered(1), move |_| answer.send(()).unwrap()).await?;
        taken.send(()).unwrap();
        pending().await
    });

    let run = tokio::spawn(async move { runtime.run(sources([script]), pending(), |_| ()).await });
    is_taken.await.unwrap();
    run.abort();

    assert!(answered.await.is_err(), "the run was dropped, and its changes with it");
}

#[tokio::test]
async fn a_narrowed_intake_watches_some_of_the_events_in_the_same_places() {
    let meeting = Meeting::new();
    let detectors = ["move.gone", "move.created", "order.placed"].map(|name| event(name, |_| vec![meets("meets")]));
    let mut state = event_detector::State::default();
    state.insert(Arc::clone(&meeting));
    let runtime = builder(detectors).state(state).config(Config { admitted: 2, ..Config::default() }).build().unwrap();
    let (answer, mut answers) = mpsc::unbounded_channel();
    let script = Script::new("script", {
        let meeting = Arc::clone(&meeting);
        async move |intake: Intake| {
            let moves = intake.narrowed(|name| name.starts_with("move."));
            let gone = moves.narrowed(|name| name.ends_with(".gone") || name.starts_with("order."));
            assert_eq!((intake.registry().detectors().len(), gone.registry().detectors().len()), (3, 1));
            assert!(!intake.is_full());
            for (number, intake) in [(1, &moves), (2, &gone)] {
                let answer = answer.clone();
                let names =
                    |report: event_detector_runtime::Report| report.events.iter().map(|event| event.name).collect::<Vec<_>>();
                intake.submit_then(numbered(number), move |report| answer.send(names(report)).unwrap()).await?;
            }
            assert!(intake.is_full() && gone.is_full(), "they share their places");
            assert_eq!((intake.admitted(), gone.admitted()), (2, 2));
            meeting.until_arrived(3).await;
            meeting.release(3);
            Ok(SourceEnd::Exhausted)
        }
    });

    let summary = runtime.run(sources([script]), pending(), |_| ()).await;

    assert_eq!((summary.changes, summary.events, summary.source_errors), (2, 3, Vec::new()));
    let mut seen = [answers.recv().await.unwrap(), answers.recv().await.unwrap()];
    seen.sort_by_key(Vec::len);
    assert_eq!(seen, [vec!["move.gone"], vec!["move.created", "move.gone"]]);
}
