//! Why did an event happen, or not?

mod changes;
pub(super) mod explain;
mod overview;

use event_detector::{Change, Clause, EventExplanation, Registry, Verdict};
use event_detector_runtime::Rejected;
use serde_json::{Value, json};

use crate::app::Program;
use crate::args::Why;
use crate::console::{Form, describe, print_rejected};
use crate::exit::{Exit, Failure};
use crate::globs;
use crate::terminal::{self, clean, json as json_line, out, say};

use changes::{Changes, Met};

/// Explains the events of one change after another: each clause of those that are asked for by name, else a line for each event.
pub(crate) async fn why(program: &Program, what: &Why) -> Result<Exit, Failure> {
    let registry = globs::select(program.registry.clone(), &what.event, &[])?;
    let mut changes = Changes::find(program, &what.change).await?;
    let form = Form::choose(&program.options);
    let mut exit = Exit::Success;
    let mut seen: u64 = 0;
    while let Some(met) = changes.next().await? {
        match met {
            Ok(Met { place, mut change }) => {
                change.add_default_context(&program.settings.context);
                let explained: Vec<_> =
                    registry.detectors().iter().filter_map(|one| registry.explain(one.name(), &change)).collect();
                if exit == Exit::Success && explained.iter().any(|event| matches!(event.verdict, Verdict::Failed(_))) {
                    exit = Exit::Failed;
                }
                let before = if seen == 0 { "" } else { "\n" };
                out(&match form {
                    Form::Json => object(&registry, &change, &place, &explained),
                    Form::Quiet(_) => {
                        let is_asked_for = |event: &&EventExplanation| !what.event.is_empty() || event.verdict != Verdict::No;
                        explained.iter().filter(is_asked_for).map(|event| line(&change, event)).collect()
                    }
                    Form::Full(look) => {
                        let title = format!("{before}{}  {}\n", look.strong(&describe(&change)), look.dim(&clean(&place)));
                        if what.event.is_empty() {
                            title + &overview::overview(&registry, &change, &explained, look)
                        } else {
                            explained.iter().fold(title, |mut text, event| {
                                text.push('\n');
                                explain::event(&mut text, event, look, terminal::width());
                                text
                            })
                        }
                    }
                });
                seen += 1;
            }
            Err((place, error)) => {
                exit = Exit::BadData;
                print_rejected(&Rejected { source: changes.name().to_owned(), place, error }, program.options.json);
            }
        }
    }
    if seen == 0 && exit == Exit::Success {
        return Err(Failure::new(Exit::NoInput, format!("there is no change in `{}`", what.change)));
    }
    if seen > 0 && what.event.is_empty() && matches!(form, Form::Full(_)) {
        say(&format!("\n`{}why {} --event NAME` shows each clause of an event.", super::program(), again(what)));
    }
    Ok(exit)
}

/// What names the change on the command line, once more.
fn again(what: &Why) -> String {
    let data = what.kept.data.as_ref().map(|dir| format!("--data {} ", clean(&dir.display().to_string())));
    format!("{}--change {}", data.unwrap_or_default(), clean(&what.change))
}

/// A change with its events as JSON.
fn object(registry: &Registry, change: &Change, place: &str, explained: &[EventExplanation]) -> String {
    let event = |event: &EventExplanation| {
        let mut object = json!(event);
        let near = near(registry, change, event);
        object["near"] = near.into_iter().map(|clause| json!({ "text": clause.words(), "line": clause.line() })).collect();
        object
    };
    let change = json!({
        "id": change.id(), "place": place, "collection": change.collection(), "operation": change.operation(),
        "key": change.key().to_json(),
    });
    json_line(&json!({ "change": change, "events": explained.iter().map(event).collect::<Value>() })) + "\n"
}

/// One event of a change in a line.
fn line(change: &Change, event: &EventExplanation) -> String {
    format!("{}: {}: {}\n", describe(change), clean(event.event), explain::sentence(event))
}

/// The clauses each of which alone keeps the event from happening.
fn near<'r>(registry: &'r Registry, change: &Change, event: &EventExplanation) -> Vec<&'r Clause> {
    match (&event.verdict, registry.plan(event.event)) {
        (Verdict::No, Some(plan)) => plan.near_misses(change),
        _ => Vec::new(),
    }
}
