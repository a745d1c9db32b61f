//! Which events does this program know?

mod plans;

use std::fmt::Write as _;

use event_detector::{Detector, JobDeclaration, Plan, Registry};
use serde_json::json;

use crate::app::Program;
use crate::args::Listed;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{json as json_line, out};

use super::count;

/// Shows the events with their places, first lines of documentation, the jobs that the source of `jobs` names, and their rules
/// where these are asked for.
pub(crate) fn list(program: &Program, what: Listed) -> Result<Exit, Failure> {
    let registry = &program.registry;
    let detectors = registry.detectors();
    match Form::choose(&program.options) {
        Form::Json => {
            for detector in detectors {
                let declared = detector.declared();
                let plan = registry.plan(detector.name());
                let mut event = json!({
                    "name": detector.name(), "file": declared.file, "line": declared.line, "module": declared.module,
                    "doc": declared.doc, "jobs": jobs(detector), "fires_undecided": detector.fires_undecided(),
                    "plan": plans::understood(plan),
                });
                if what.plans {
                    event["rule"] = json!(plan);
                    event["asked_about"] = json!(plan.map(Plan::scope));
                }
                out(&(json_line(&event) + "\n"));
            }
        }
        Form::Quiet(_) => out(&detectors.iter().map(|detector| format!("{}\n", detector.name())).collect::<String>()),
        Form::Full(look) => out(&table(registry, what, look)),
    }
    Ok(Exit::Success)
}

fn table(registry: &Registry, what: Listed, look: Look) -> String {
    let mut text = String::new();
    let detectors = registry.detectors();
    for detector in detectors {
        let declared = detector.declared();
        let _infallible =
            writeln!(text, "{}  {}", look.strong(detector.name()), look.dim(&format!("{}:{}", declared.file, declared.line)));
        if !declared.doc.is_empty() {
            let _infallible = writeln!(text, "   {}", declared.doc);
        }
        let jobs = jobs(detector);
        let jobs = if jobs.is_empty() { "none".to_owned() } else { jobs.join(", ") };
        let _infallible = writeln!(text, "   jobs: {jobs}");
        if detector.fires_undecided() {
            let _infallible = writeln!(text, "   fires when it is undecided, too");
        }
        let plan = registry.plan(detector.name());
        if what.plans {
            plans::rule(&mut text, plan, look);
        } else if let Some(words) = plans::opaque(plan) {
            let _infallible = writeln!(text, "   {words}");
        }
    }
    let _infallible = writeln!(text, "\n{}", count(detectors.len() as u64, "event"));
    text
}

/// The declared jobs that the event's source names; a function it calls that is no declared job is left out.
pub(super) fn jobs(detector: &Detector) -> Vec<&'static str> {
    let declared = JobDeclaration::linked();
    detector.declared().calls.iter().copied().filter(|call| declared.iter().any(|job| job.name == *call)).collect()
}
