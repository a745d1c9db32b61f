//! How does the catalogue read as a page, for those who decide what an event is and for those who write it?

use std::collections::HashMap;
use std::fmt::Write as _;

use event_detector::{Asked, Clause, Comparison, Condition, Detector, Plan, ReadSet, Registry, Side};

use crate::commands::{count, rule};

use super::{jobs, opaque};

/// Operations that stand for every one.
const MANY: usize = 6;

/// The page of all events.
pub(super) fn page(registry: &Registry) -> String {
    let detectors = registry.detectors();
    let mut page = format!(
        "# Events\n\n{}. This page is written by `catalogue`, from the source of the events: change that, and write it again.\n\n\
         | event | what happened | jobs |\n| --- | --- | --- |\n",
        count(detectors.len() as u64, "event")
    );
    let mut anchors = Anchors::default();
    for detector in detectors {
        let jobs: Vec<String> = jobs(detector).into_iter().map(|job| format!("`{}`", job.name)).collect();
        let jobs = if jobs.is_empty() { "none".to_owned() } else { jobs.join(", ") };
        let (name, doc) = (detector.name(), in_cell(detector.declared().doc));
        let _infallible = writeln!(page, "| [{name}](#{}) | {doc} | {jobs} |", anchors.next(name));
    }
    for detector in detectors {
        event(&mut page, detector, registry.plan(detector.name()));
    }
    page
}

/// The anchors that a page's headings get, as GitHub and most others make them.
#[derive(Default)]
struct Anchors(HashMap<String, u32>);

impl Anchors {
    fn next(&mut self, heading: &str) -> String {
        let anchor: String = heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, '-' | '_')).collect();
        let times = self.0.entry(anchor.clone()).or_default();
        *times += 1;
        if *times == 1 { anchor } else { format!("{anchor}-{}", *times - 1) }
    }
}

fn event(page: &mut String, detector: &Detector, plan: Option<&Plan>) {
    let declared = detector.declared();
    let _infallible = writeln!(page, "\n## {}\n", detector.name());
    if !declared.doc.is_empty() {
        let _infallible = writeln!(page, "{}\n", declared.doc);
    }
    match plan {
        None => page.push_str("**When**: its rule cannot be read; see the source.\n"),
        Some(plan) => {
            page.push_str("**When** all of this holds:\n\n");
            for clause in rule::conjuncts(plan) {
                bullet(page, clause, 0);
            }
        }
    }
    page.push_str(match detector.fires_undecided() {
        true => "\nWhere the change does not say, it counts as happened.\n",
        false => "\nWhere the change does not say, that is reported, and no job runs.\n",
    });
    jobs_of(page, detector);
    if let Some(plan) = plan {
        let _infallible = writeln!(page, "\n**Looks at** {}.", reads(&plan.reads()));
        let opaque = opaque(plan);
        if !opaque.is_empty() {
            page.push_str("\n**Not understood**, and so asked of every change that the rest holds of:\n\n");
            for part in opaque {
                let _infallible = writeln!(page, "- {}: {}", code(&part.text), part.why);
            }
        }
    }
    let place = match declared.file {
        "" => "by hand".to_owned(),
        file => format!("in `{}`, module `{}`", file.replace('\\', "/"), declared.module),
    };
    let _infallible = writeln!(page, "\n**Declared** {place}.");
}

fn jobs_of(page: &mut String, detector: &Detector) {
    let jobs = jobs(detector);
    if jobs.is_empty() {
        page.push_str(match detector.has_jobs() {
            true => "\n**Then** its jobs run, of which none is known by name.\n",
            false => "\n**Then** it is reported; it has no jobs.\n",
        });
        return;
    }
    page.push_str("\n**Then** these jobs may run:\n\n");
    for job in jobs {
        let doc = if job.doc.is_empty() { String::new() } else { format!(": {}", job.doc) };
        let _infallible = writeln!(page, "- `{}`{doc}", job.name);
    }
    if detector.is_ordered() {
        page.push_str("\nLater changes of the same document wait for them.\n");
    }
}

/// A clause in words, and behind them as it is written; those that it is made of below it.
fn bullet(page: &mut String, clause: &Clause, depth: usize) {
    let indent = "  ".repeat(depth);
    let lead = match clause.condition() {
        Condition::All { clauses } if !clauses.is_empty() => "all of:",
        Condition::Any { clauses } if !clauses.is_empty() => "one of:",
        Condition::Not { clause: inner } if inner.parts().is_empty() => {
            let words = sentence(inner.condition()).map(|words| format!("not so that {words}: ")).unwrap_or_default();
            let _infallible = writeln!(page, "{indent}- {words}{}", code(&clause.words()));
            return;
        }
        Condition::Not { .. } => "none of this:",
        _ => {
            let written = code(&clause.words());
            let _infallible = match sentence(clause.condition()) {
                Some(words) => writeln!(page, "{indent}- {words}: {written}"),
                None => writeln!(page, "{indent}- {written}"),
            };
            return;
        }
    };
    let _infallible = writeln!(page, "{indent}- {lead}");
    clause.parts().iter().for_each(|part| bullet(page, part, depth + 1));
}

/// A condition as a person would say it.
fn sentence(condition: &Condition) -> Option<String> {
    let field = |side: &Side, path: &str| match side {
        Side::Before => format!("{} was", code(path)),
        Side::After => format!("{} is", code(path)),
    };
    Some(match condition {
        Condition::All { .. } => "always".to_owned(),
        Condition::Any { .. } => "never".to_owned(),
        Condition::Operation { operations } => {
            let names: Vec<&str> = operations.iter().map(|operation| operation.as_str()).collect();
            format!(
                "the change is {} {}",
                if names.join("").starts_with(['a', 'i', 'o', 'u']) { "an" } else { "a" },
                names.join(" or ")
            )
        }
        Condition::Collection { name } => format!("it is about {}", code(name)),
        Condition::Database { name } => format!("the database is {}", code(name)),
        Condition::Changed { path } => format!("{} changed", code(path)),
        Condition::Compare { side, path, comparison, literal } => {
            let how = match comparison {
                Comparison::Equal => "",
                Comparison::NotEqual => "not ",
                Comparison::Less => "less than ",
                Comparison::LessOrEqual => "at most ",
                Comparison::Greater => "more than ",
                Comparison::GreaterOrEqual => "at least ",
            };
            format!("{} {how}{}", field(side, path), code(&literal.to_string()))
        }
        Condition::Exists { side, path } => format!("{} there", field(side, path)),
        Condition::Null { side, path } => format!("{} null", field(side, path)),
        Condition::In { side, path, literals } => {
            let literals: Vec<String> = literals.iter().map(|literal| code(&literal.to_string())).collect();
            format!("{} one of {}", field(side, path), literals.join(", "))
        }
        Condition::Became { path, literal } => format!("{} became {}", code(path), code(&literal.to_string())),
        Condition::FromTo { path, from, to } => {
            format!("{} went from {} to {}", code(path), code(&from.to_string()), code(&to.to_string()))
        }
        Condition::Opaque { .. } => "code of its own says so".to_owned(),
        _ => return None,
    })
}

/// What an event looks at.
fn reads(reads: &ReadSet) -> String {
    let list = |names: &[String]| names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !reads.collections.is_empty() {
        parts.push(format!("changes of {}", list(&reads.collections)));
    }
    if !reads.databases.is_empty() {
        parts.push(format!("in the database {}", list(&reads.databases)));
    }
    let operations: Vec<&str> = reads.operations.iter().map(|operation| operation.as_str()).collect();
    if operations.len() < MANY {
        parts.push(format!("of the kind {}", operations.join(" or ")));
    }
    let mut paths: Vec<(&str, Vec<&str>)> = Vec::new();
    for (path, asked) in &reads.paths {
        let asked = match asked {
            Asked::Before => "before",
            Asked::After => "after",
            Asked::Changed => "whether it changed",
        };
        match paths.last_mut().filter(|(last, _)| last == path) {
            Some((_, all)) => all.push(asked),
            None => paths.push((path, vec![asked])),
        }
    }
    parts.extend(paths.into_iter().map(|(path, asked)| format!("{} ({})", code(path), asked.join(", "))));
    if reads.has_opaque {
        parts.push("and whatever the code does that is not understood".to_owned());
    }
    if parts.is_empty() { "every change".to_owned() } else { parts.join("; ") }
}

/// Text as code, whatever it has in it.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Text in a cell of a table.
fn in_cell(text: &str) -> String {
    text.replace('|', "\\|")
}
