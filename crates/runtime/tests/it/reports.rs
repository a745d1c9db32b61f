//! A report as JSON: the form that other programs read.

use event_detector::{Change, Clause, Condition, Detector, Fatal, Job, JobContext, Plan, Truth};
use serde_json::json;

use crate::retries::quickly;
use crate::support::{builder, event, gives};

/// The JSON of a report with every duration replaced by `…`, once it was seen to be a number.
fn masked(report: &event_detector_runtime::Report) -> String {
    let json = serde_json::to_string(report).unwrap();
    let mut parts = json.split("\"duration\":");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([',', '}']).expect("the object ends");
        assert!(part[..end].parse::<f64>().is_ok_and(|number| number >= 0.0), "{part}");
        masked += &format!("\"duration\":…{}", &part[end..]);
    }
    masked
}

#[tokio::test]
async fn a_report_has_the_documented_json() {
    let jobs = |_: &Change| {
        let second =
            async |cx: JobContext| if cx.attempt() == 1 { Err(anyhow::anyhow!("not yet")) } else { Ok(json!({ "rows": 3 })) };
        let refuses = async |_| Err::<(), _>(anyhow::anyhow!("connection refused (127.0.0.1:9)").fatal());
        vec![
            Job::new("rerun_ar", second).retries(3).option("delay", json!(20)).option("account", json!(null)),
            Job::new("publish_event_log", refuses).named("Publish"),
            gives("nothing", ()),
        ]
    };
    let breaks = Detector::new("b.breaks", |_| panic!("out of luck"));
    let never = Detector::new("c.never", |_| false);
    let unknown = Detector::new("d.unknown", |change| change.became("status", "done"));
    let runtime = builder([event("a.happens", jobs), breaks, never, unknown]).config(quickly()).build().unwrap();
    let change: Change =
        Change::update("moves").database("shop").id("change-1").after(json!({ "id": 13107, "status": "done" })).into();

    let report = runtime.handle(change.with_source("recorded").with_correlation_id("c-1")).await;

    let line = report.events[1].error.clone().unwrap();
    let unknown = serde_json::to_string(&report.events[2].undecided).unwrap();
    let expected = [
        r#"{"change":{"id":"change-1","source":"recorded","database":"shop","collection":"moves","operation":"update","key":13107,"correlation_id":"c-1"},"#,
        r#""events":[{"name":"a.happens","detected":true,"jobs":["#,
        r#"{"name":"rerun_ar","options":{"delay":20,"account":null},"completed":true,"status":"succeeded","attempts":2,"duration":…,"result":{"rows":3}},"#,
        r#"{"name":"Publish","options":{},"completed":false,"status":"failed","attempts":1,"duration":…,"result":null,"error":"connection refused (127.0.0.1:9)"},"#,
        r#"{"name":"nothing","options":{},"completed":true,"status":"succeeded","attempts":1,"duration":…,"result":null}]},"#,
        &format!(r#"{{"name":"b.breaks","detected":false,"error":{},"jobs":[]}},"#, serde_json::to_string(&line).unwrap()),
        &format!(r#"{{"name":"d.unknown","detected":false,"undecided":{unknown},"jobs":[]}}],"duration":…}}"#),
    ]
    .concat();
    assert_eq!(masked(&report), expected);
}

#[tokio::test]
async fn durations_are_milliseconds() {
    let sleeps = |_: &Change| {
        let sleeps = async |_| {
            tokio::time::timeout(crate::support::SOON, std::future::pending::<()>()).await.unwrap_err();
            Ok::<_, anyhow::Error>(())
        };
        vec![Job::new("sleeps", sleeps)]
    };
    let runtime = builder([event("a", sleeps)]).build().unwrap();

    let report = serde_json::to_value(runtime.handle(crate::support::change()).await).unwrap();

    let (job, whole) = (report["events"][0]["jobs"][0]["duration"].as_f64().unwrap(), report["duration"].as_f64().unwrap());
    assert!((40.0..30_000.0).contains(&job) && job <= whole, "{job} of {whole}");
}

#[tokio::test]
async fn a_report_explains_its_events_by_their_rules() {
    let rule = || Plan::new(Clause::new(Condition::Collection { name: "moves".into() }));
    let fires = Detector::new("a.fires", |change| change.collection() == "moves").with_plan(rule);
    let never = Detector::new("b.never", |_| false).with_plan(rule);
    let breaks = Detector::new("c.breaks", |_| panic!("out of luck"));
    let runtime = builder([fires, never, breaks]).build().unwrap();

    let report = runtime.handle(crate::support::change()).await;
    let explained = report.explain(runtime.registry());

    assert_eq!(explained.iter().map(|event| event.event).collect::<Vec<_>>(), ["a.fires", "c.breaks"]);
    let rule = explained[0].rule.as_ref().unwrap();
    assert_eq!((rule.root().truth, rule.root().actual.as_str()), (Truth::True, "\"moves\""));
    assert!(explained[1].rule.is_none() && !explained[1].fires);
}
