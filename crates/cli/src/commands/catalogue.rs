//! Which events are there, put down for those who read no code, and for comparing with how it was?

mod diff;
mod markdown;

use std::path::Path;

use event_detector::{Condition, Detector, JobDeclaration, Plan, Registry};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::Program;
use crate::args::{Catalogue as Arguments, Compare, Format};
use crate::exit::{Exit, Failure};
use crate::files::Whole;
use crate::terminal::{clean, json as json_line, out, say};

use super::{list, rule};

/// The version of the form that is written and read.
const VERSION: u32 = 1;

/// All events of a program, sorted by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Catalogue {
    /// The version of the form.
    catalogue: u32,
    events: Vec<Event>,
}

/// An event as it is put down. Where its lines stand is left out, so that nothing differs when they move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Event {
    name: String,
    /// What happened.
    doc: String,
    module: String,
    file: String,
    /// The clauses that all have to hold, as they are written; none where the rule cannot be read.
    rule: Option<Vec<String>>,
    /// The same as a tree of conditions.
    plan: Option<Value>,
    /// The clauses that are not understood.
    opaque: Vec<Opaque>,
    /// What it looks at, as far as the rule tells.
    reads: Option<Value>,
    /// Whether later changes of the document wait for its jobs.
    ordered: bool,
    /// What an undecided verdict comes to: `report` or `fire`.
    on_undecided: String,
    jobs: Vec<Job>,
}

/// Code of a rule that is not understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Opaque {
    text: String,
    why: String,
}

/// A job that the source of the event names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Job {
    name: String,
    doc: String,
}

/// Writes the catalogue, or compares it with one that was kept.
pub(crate) fn catalogue(program: &Program, arguments: &Arguments) -> Result<Exit, Failure> {
    if let Some(Compare::Diff { old, fail_on }) = &arguments.what {
        return diff::diff(program, old, fail_on);
    }
    let text = match arguments.format {
        None if program.options.json => json_line(&Catalogue::of(&program.registry)) + "\n",
        Some(Format::Json) => pretty(&Catalogue::of(&program.registry))?,
        None | Some(Format::Markdown) => markdown::page(&program.registry),
    };
    match &arguments.out {
        None => out(&text),
        Some(path) => {
            Whole::begin(path)?.finish(|to| to.write_all(text.as_bytes()))?;
            let events = super::count(program.registry.detectors().len() as u64, "event");
            if !program.options.json {
                say(&format!("Wrote {events} into {}.", clean(&path.display().to_string())));
            }
        }
    }
    Ok(Exit::Success)
}

fn pretty(catalogue: &Catalogue) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(catalogue).map_err(|error| Failure::new(Exit::Internal, error))?;
    Ok(text + "\n")
}

impl Catalogue {
    fn of(registry: &Registry) -> Self {
        let event = |detector: &Detector| Event::of(detector, registry.plan(detector.name()));
        Self { catalogue: VERSION, events: registry.detectors().iter().map(event).collect() }
    }

    /// The catalogue that was kept in a file.
    fn read(path: &Path) -> Result<Self, Failure> {
        let name = path.display();
        let none = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::BadData, format!("`{name}` is no catalogue: {error}"))
                .with_hint("`catalogue --format json --out FILE` writes one")
        };
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => none(&"it is no text"),
            _ => Failure::input(format!("`{name}` cannot be read"), &error),
        })?;
        #[derive(Deserialize)]
        struct Version {
            catalogue: u32,
        }
        let Version { catalogue } = serde_json::from_str(&text).map_err(|error| none(&error))?;
        if catalogue != VERSION {
            let message = format!("`{name}` is of version {catalogue}, and this program reads {VERSION}");
            return Err(Failure::new(Exit::Config, message).with_hint("write it again with `catalogue --format json --out FILE`"));
        }
        serde_json::from_str(&text).map_err(|error| none(&error))
    }
}

impl Event {
    fn of(detector: &Detector, plan: Option<&Plan>) -> Self {
        let declared = detector.declared();
        Self {
            name: detector.name().to_owned(),
            doc: declared.doc.to_owned(),
            module: declared.module.to_owned(),
            file: declared.file.replace('\\', "/"),
            rule: plan.map(rule::texts),
            plan: plan.and_then(|plan| serde_json::to_value(plan).ok()),
            opaque: plan.map(opaque).unwrap_or_default(),
            reads: plan.and_then(|plan| serde_json::to_value(plan.reads()).ok()),
            ordered: detector.is_ordered(),
            on_undecided: if detector.fires_undecided() { "fire" } else { "report" }.to_owned(),
            jobs: jobs(detector),
        }
    }
}

/// The clauses of a rule that are not understood, and why.
fn opaque(plan: &Plan) -> Vec<Opaque> {
    let described = plan.root().opaque().filter_map(|clause| match clause.condition() {
        Condition::Opaque { why, .. } => Some(Opaque { text: clause.words().into_owned(), why: why.to_string() }),
        _ => None,
    });
    described.collect()
}

/// The declared jobs that the event's source names, each once.
fn jobs(detector: &Detector) -> Vec<Job> {
    let declared = JobDeclaration::linked();
    let mut names = list::jobs(detector);
    names.sort_unstable();
    names.dedup();
    let doc = |name: &str| declared.iter().find(|job| job.name == name).map_or("", |job| job.doc);
    names.into_iter().map(|name| Job { name: name.to_owned(), doc: doc(name).to_owned() }).collect()
}

#[cfg(test)]
mod tests;
