//! Which events does this program know?

use std::fmt::Write as _;

use event_detector::{Detector, JobDeclaration};
use serde_json::json;

use crate::app::Program;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{json as json_line, out};

use super::count;

/// Shows the events with their places, first lines of documentation, and the jobs that the source of `jobs` names.
pub(crate) fn list(program: &Program) -> Result<Exit, Failure> {
    let detectors = program.registry.detectors();
    match Form::choose(&program.options) {
        Form::Json => {
            for detector in detectors {
                let declared = detector.declared();
                let event = json!({
                    "name": detector.name(), "file": declared.file, "line": declared.line, "module": declared.module,
                    "doc": declared.doc, "jobs": jobs(detector), "fires_undecided": detector.fires_undecided(),
                });
                out(&(json_line(&event) + "\n"));
            }
        }
        Form::Quiet(_) => out(&detectors.iter().map(|detector| format!("{}\n", detector.name())).collect::<String>()),
        Form::Full(look) => out(&table(detectors, look)),
    }
    Ok(Exit::Success)
}

fn table(detectors: &[Detector], look: Look) -> String {
    let mut text = String::new();
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
    }
    let _infallible = writeln!(text, "\n{}", count(detectors.len() as u64, "event"));
    text
}

/// The declared jobs that the event's source names; a function it calls that is no declared job is left out.
pub(super) fn jobs(detector: &Detector) -> Vec<&'static str> {
    let declared = JobDeclaration::linked();
    detector.declared().calls.iter().copied().filter(|call| declared.iter().any(|job| job.name == *call)).collect()
}
