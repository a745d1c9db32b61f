//! What became of the events since a catalogue was kept?

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::app::Program;
use crate::args::Became;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out};

use super::{Catalogue, Event};

/// What differs between two catalogues.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Differences {
    /// Names with what happened.
    pub(super) added: Vec<(String, String)>,
    pub(super) removed: Vec<(String, String)>,
    pub(super) changed: Vec<Changed>,
    pub(super) unchanged: usize,
    /// Events whose rule cannot be read in both, so that nobody can tell whether it changed.
    pub(super) unreadable: usize,
}

/// An event that is not what it was.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changed {
    pub(super) name: String,
    pub(super) clauses_removed: Vec<String>,
    pub(super) clauses_added: Vec<String>,
    /// What else, each with how it was and how it is.
    pub(super) others: Vec<(&'static str, String, String)>,
}

/// Shows what differs from the catalogue in the file `old`.
pub(super) fn diff(program: &Program, old: &Path, fail_on: &[Became]) -> Result<Exit, Failure> {
    let old = Catalogue::read(old)?;
    let differences = compare(&old, &Catalogue::of(&program.registry), |name| program.registry.knows(name));
    match Form::choose(&program.options) {
        Form::Json => out(&(json_line(&object(&differences)) + "\n")),
        Form::Quiet(look) | Form::Full(look) => out(&lines(&differences, look)),
    }
    let fails = fail_on.iter().any(|what| match what {
        Became::Added => !differences.added.is_empty(),
        Became::Removed => !differences.removed.is_empty(),
        Became::Changed => !differences.changed.is_empty(),
    });
    Ok(if fails { Exit::Failed } else { Exit::Success })
}

/// Compares by name; an event that the program knows, and that is only left out of this run, is not removed.
pub(super) fn compare(old: &Catalogue, new: &Catalogue, is_known: impl Fn(&str) -> bool) -> Differences {
    let mut differences = Differences::default();
    let about = |event: &Event| (event.name.clone(), event.doc.clone());
    for now in &new.events {
        let Some(then) = old.events.iter().find(|then| then.name == now.name) else {
            differences.added.push(about(now));
            continue;
        };
        differences.unreadable += usize::from(then.plan.is_none() && now.plan.is_none());
        let changed = changed(then, now);
        let is_same = changed.clauses_added.is_empty() && changed.clauses_removed.is_empty() && changed.others.is_empty();
        if is_same {
            differences.unchanged += 1;
        } else {
            differences.changed.push(changed);
        }
    }
    let is_gone = |event: &&Event| !is_known(&event.name) && !new.events.iter().any(|now| now.name == event.name);
    differences.removed.extend(old.events.iter().filter(is_gone).map(about));
    differences
}

fn changed(then: &Event, now: &Event) -> Changed {
    let (before, after) = (clauses(then), clauses(now));
    let readable = |event: &Event| if event.plan.is_some() { "can be read" } else { "cannot be read" }.to_owned();
    let jobs = |event: &Event| event.jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>().join(", ");
    let others = [
        ("rule", readable(then), readable(now)),
        ("ordered", then.ordered.to_string(), now.ordered.to_string()),
        ("on_undecided", then.on_undecided.clone(), now.on_undecided.clone()),
        ("jobs", jobs(then), jobs(now)),
    ];
    Changed {
        name: now.name.clone(),
        clauses_removed: without(&before, &after),
        clauses_added: without(&after, &before),
        others: others.into_iter().filter(|(_, then, now)| then != now).collect(),
    }
}

/// The clauses that all have to hold: what each demands, and its text.
fn clauses(event: &Event) -> Vec<(Value, String)> {
    let mut found = Vec::new();
    if let Some(plan) = &event.plan {
        collect(plan, &mut found);
    }
    let texts = event.rule.as_deref().unwrap_or_default();
    let text = |at: usize, clause: &Value| match texts.get(at).filter(|_| texts.len() == found.len()) {
        Some(text) => text.clone(),
        None => clause.to_string(),
    };
    found.iter().enumerate().map(|(at, clause)| (demand((*clause).clone()), text(at, clause))).collect()
}

fn collect<'v>(clause: &'v Value, found: &mut Vec<&'v Value>) {
    match (clause["kind"].as_str(), clause["clauses"].as_array()) {
        (Some("all"), Some(clauses)) => clauses.iter().for_each(|clause| collect(clause, found)),
        _ => found.push(clause),
    }
}

/// A clause without the way in which it is written; of code that is not understood, that is all there is.
fn demand(mut clause: Value) -> Value {
    if let Value::Object(members) = &mut clause {
        if members.get("kind").is_some_and(|kind| kind == "opaque") {
            members.remove("why");
        } else {
            members.remove("text");
        }
        for part in members.values_mut() {
            match part {
                Value::Array(parts) => parts.iter_mut().for_each(|part| *part = demand(part.take())),
                Value::Object(_) => *part = demand(part.take()),
                _ => {}
            }
        }
    }
    clause
}

/// The texts of the clauses of `left` that `right` does not have, each as often as it has it more.
fn without(left: &[(Value, String)], right: &[(Value, String)]) -> Vec<String> {
    let mut others: Vec<&Value> = right.iter().map(|(demand, _)| demand).collect();
    let mut only = Vec::new();
    for (demand, text) in left {
        match others.iter().position(|other| *other == demand) {
            Some(at) => drop(others.swap_remove(at)),
            None => only.push(text.clone()),
        }
    }
    only
}

fn object(differences: &Differences) -> Value {
    let names = |events: &[(String, String)]| events.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let changed = |changed: &Changed| {
        let others = changed.others.iter().map(|(what, then, now)| json!({ "what": what, "then": then, "now": now }));
        json!({
            "name": changed.name, "clauses_added": changed.clauses_added, "clauses_removed": changed.clauses_removed,
            "others": others.collect::<Vec<_>>(),
        })
    };
    json!({
        "added": names(&differences.added), "removed": names(&differences.removed),
        "changed": differences.changed.iter().map(changed).collect::<Vec<_>>(), "unchanged": differences.unchanged,
        "unreadable": differences.unreadable,
    })
}

fn lines(differences: &Differences, look: Look) -> String {
    let mut text = String::new();
    for (sign, events) in [("+", &differences.added), ("-", &differences.removed)] {
        for (name, doc) in events {
            let _infallible = writeln!(text, "{sign} {}  {}", look.strong(&clean(name)), look.dim(&clean(doc)));
        }
    }
    for changed in &differences.changed {
        let _infallible = writeln!(text, "~ {}", look.strong(&clean(&changed.name)));
        for (sign, clauses) in [("-", &changed.clauses_removed), ("+", &changed.clauses_added)] {
            for clause in clauses {
                let _infallible = writeln!(text, "   {sign} {}", clean(clause));
            }
        }
        for (what, then, now) in &changed.others {
            let shown = |text: &str| if text.is_empty() { "none".to_owned() } else { clean(text).into_owned() };
            let _infallible = writeln!(text, "   {what}: {}, now {}", shown(then), shown(now));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let Differences { added, removed, changed, unchanged, unreadable } = differences;
    let _infallible =
        writeln!(text, "{} added, {} removed, {} changed, {unchanged} as they were.", added.len(), removed.len(), changed.len());
    if *unreadable > 0 {
        let _infallible = writeln!(text, "{unreadable} of them with a rule that cannot be read, so it was not compared.");
    }
    text
}
