//! Plugins see everything in order, add to changes, and break nothing.

use std::future::pending;
use std::sync::{Arc, Mutex};

use event_detector::{Change, Detector, Job, JobContext, Verdict};
use event_detector_runtime::{Builder, Config, JobReport, Plugin, PluginResult, Problem, Report, Sources};
use serde_json::json;

use crate::sources::Script;
use crate::support::{SOON, builder, change, event, gives};

/// Writes down every call.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn note(&self, text: impl Into<String>) -> PluginResult {
        self.0.lock().unwrap().push(text.into());
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Plugin for Recorder {
    async fn change(&self, change: &mut Change) -> PluginResult {
        self.note(format!("change {}", change.key()))
    }

    async fn detection(&self, change: &Change, event: &str, verdict: &Verdict) -> PluginResult {
        let verdict = format!("{verdict:?}");
        let verdict = verdict.split('(').next().unwrap();
        self.note(format!("detection {} {event} {verdict}", change.key()))
    }

    async fn job_started(&self, cx: &JobContext) -> PluginResult {
        self.note(format!("job_started {} {} attempt {}", cx.event(), cx.job(), cx.attempt()))
    }

    async fn job_ended(&self, change: &Change, event: &str, job: &JobReport) -> PluginResult {
        self.note(format!("job_ended {} {event} {} {:?}", change.key(), job.name, job.status))
    }

    async fn report(&self, report: &Report) -> PluginResult {
        self.note(format!("report of {} events", report.events.len()))
    }

    async fn error(&self, change: &Change, problem: &Problem) -> PluginResult {
        self.note(match problem {
            Problem::Detection { event, error } => {
                format!("error {} detection {event} {}", change.key(), error.ends_with("no luck"))
            }
            Problem::Jobs { event, error } => format!("error {} jobs {event} {}", change.key(), error.ends_with("no jobs")),
            Problem::Job { event, job } => {
                format!("error {} job {event} {} {}", change.key(), job.name, job.error.as_deref().unwrap())
            }
            _ => "another problem".to_owned(),
        })
    }

    async fn flush(&self) -> PluginResult {
        self.note("flush")
    }

    async fn shutdown(&self) -> PluginResult {
        self.note("shutdown")
    }
}

fn eventful() -> Builder {
    builder([
        event("a", |_| vec![Job::new("fails", async |_| Err::<(), _>(anyhow::anyhow!("refused")))]),
        Detector::new("b", |_| panic!("no luck")),
        event("c", |_| panic!("no jobs")),
        Detector::new("d", |change| change.became("status", "done")).with_jobs(|_| vec![gives("never", 1)]),
        Detector::new("e", |_| false),
    ])
}

fn update() -> Change {
    Change::update("moves").after(json!({ "id": 13107, "status": "done" })).into()
}

#[tokio::test]
async fn every_hook_is_called_in_order_with_what_happened() {
    let recorder = Recorder::default();
    let runtime = eventful().plugin(recorder.clone()).build().unwrap();
    let mut sources = Sources::default();
    sources.add(Script::of_changes("script", || vec![update()]));

    runtime.run(sources, pending(), |_| ()).await;

    assert_eq!(
        recorder.notes(),
        [
            "change 13107",
            "detection 13107 a Detected",
            "detection 13107 b Failed",
            "detection 13107 c Detected",
            "detection 13107 d Undecided",
            "error 13107 detection b true",
            "error 13107 jobs c true",
            "job_started a fails attempt 1",
            "job_ended 13107 a fails Failed",
            "error 13107 job a fails refused",
            "report of 4 events",
            "flush",
            "shutdown",
        ]
    );
}

#[tokio::test]
async fn a_plugin_adds_context_and_correlation_and_later_ones_see_it() {
    struct Adds;
    impl Plugin for Adds {
        async fn change(&self, change: &mut Change) -> PluginResult {
            assert_eq!(change.context("region"), "eu");
            change.add_context("flag", "on");
            Ok(())
        }
    }
    struct Adds2;
    impl Plugin for Adds2 {
        async fn change(&self, change: &mut Change) -> PluginResult {
            let flag = change.context("flag").to_string();
            change.add_context("seen", flag);
            Ok(())
        }
    }
    let jobs = |_: &Change| {
        let sees =
            async |cx: JobContext| Ok::<_, anyhow::Error>((cx.context("flag").to_string(), cx.context("seen").to_string()));
        vec![Job::new("sees", sees)]
    };
    let runtime = builder([event("a", jobs)]).context("region", "eu").plugin(Adds).plugin(Adds2).build().unwrap();

    let report = runtime.handle(change()).await;

    assert_eq!(report.jobs().next().unwrap().result, Some(json!(["on", "on"])));
}

/// Does the same bad thing in every hook.
macro_rules! spoiler {
    ($name:ident, $body:expr) => {
        struct $name;
        impl Plugin for $name {
            async fn change(&self, _: &mut Change) -> PluginResult {
                $body
            }
            async fn detection(&self, _: &Change, _: &str, _: &Verdict) -> PluginResult {
                $body
            }
            async fn job_started(&self, _: &JobContext) -> PluginResult {
                $body
            }
            async fn job_ended(&self, _: &Change, _: &str, _: &JobReport) -> PluginResult {
                $body
            }
            async fn report(&self, _: &Report) -> PluginResult {
                $body
            }
            async fn error(&self, _: &Change, _: &Problem) -> PluginResult {
                $body
            }
            async fn flush(&self) -> PluginResult {
                $body
            }
            async fn shutdown(&self) -> PluginResult {
                $body
            }
        }
    };
}

spoiler!(Fails, Err("disk full".into()));
spoiler!(Panics, panic!("a plugin's own panic"));
spoiler!(Hangs, {
    pending::<()>().await;
    Ok(())
});

#[tokio::test]
async fn plugins_that_fail_panic_or_hang_break_neither_the_run_nor_each_other() {
    let recorder = Recorder::default();
    let config = Config { plugin_timeout: SOON / 4, ..Config::default() };
    let runtime = eventful().config(config).plugin(Fails).plugin(Panics).plugin(Hangs).plugin(recorder.clone()).build().unwrap();
    let mut sources = Sources::default();
    sources.add(Script::of_changes("script", || vec![update()]));

    let summary = runtime.run(sources, pending(), |_| ()).await;

    assert_eq!((summary.changes, summary.events, summary.undecided, summary.event_errors, summary.jobs_failed), (1, 2, 1, 2, 1));
    assert_eq!(recorder.notes().len(), 13, "{:?}", recorder.notes());
}

#[tokio::test]
async fn a_hook_that_hangs_takes_nothing_from_the_jobs_own_time() {
    let config = Config { plugin_timeout: SOON * 2, ..Config::default() };
    let runtime = builder([event("a", |_| vec![gives("one", 1)])]).config(config).plugin(Hangs).build().unwrap();

    let report = runtime.handle(change()).await;

    let job = report.jobs().next().unwrap();
    assert!(job.completed() && job.duration < report.duration / 2, "{:?} of {:?}", job.duration, report.duration);
}
