//! What is known of one change?

use std::fmt::Write as _;

use event_detector::{Change, EventExplanation};
use event_detector_ledger::{StoredVerdict, WholeChange, WholeJob};
use serde_json::{Map, Value, json};

use crate::app::Program;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{self, clean, json as json_line, out};

use super::super::why::explain;
use super::diff::{Difference, differences};
use super::words::{describe, job_name, job_sign, moment, shortened, stage, took};
use super::{failure, objects, open, select};

/// The longest value of a document or a job that is shown whole, in characters.
const MAX_VALUE: usize = 200;
/// The longest reason of a failure that is shown whole, in characters.
const MAX_ERROR: usize = 2_000;

/// Shows a change with all that is known of it.
pub(super) fn show(program: &Program, id: &str, explain: bool) -> Result<Exit, Failure> {
    let whole = whole(program, id)?;
    out(&match Form::choose(&program.options) {
        Form::Json => {
            let mut object = object(&whole);
            if explain {
                object["explained"] = explained(program, whole).iter().map(|(_, event)| json!(event)).collect();
            }
            json_line(&object) + "\n"
        }
        Form::Quiet(look) | Form::Full(look) => {
            let text = text(&whole, look);
            if explain { text + &explanations(&explained(program, whole), look) } else { text }
        }
    });
    Ok(Exit::Success)
}

/// The one change that is named by a row, an id, or what it begins with.
pub(in crate::commands) fn whole(program: &Program, id: &str) -> Result<WholeChange, Failure> {
    let reader = open(program)?;
    let row = select::row(&reader, id)?;
    let whole = reader.whole(row).map_err(failure)?;
    // Retention may delete it between the two.
    whole.ok_or_else(|| Failure::new(Exit::NoInput, format!("the ledger has no change `{id}` any more")))
}

/// The events that were recorded of the change, each with what its rule says now, as far as this program has it.
fn explained(program: &Program, whole: WholeChange) -> Vec<(String, Option<EventExplanation>)> {
    let Ok(mut change) = whole.change else { return Vec::new() };
    // What the program adds to a change is not kept with it.
    change.add_default_context(&program.settings.context);
    let mut names: Vec<&str> = whole.recorded.verdicts.iter().map(|verdict| verdict.event.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (name.to_owned(), program.registry.explain(name, &change))).collect()
}

fn explanations(explained: &[(String, Option<EventExplanation>)], look: Look) -> String {
    let mut text = String::new();
    if !explained.is_empty() {
        let _infallible = writeln!(text, "\nWhat the events of this program say of it now:");
    }
    for (name, event) in explained {
        let _infallible = writeln!(text);
        match event {
            Some(event) => explain::event(&mut text, event, look, terminal::width()),
            None => {
                let _infallible = writeln!(text, "This program has no event `{}`, so there is no rule to explain.", clean(name));
            }
        }
    }
    text
}

fn object(whole: &WholeChange) -> Value {
    let mut object = objects::change(&whole.recorded);
    match &whole.change {
        Ok(change) => object["change"] = change.to_json().cloned().unwrap_or_default(),
        Err(error) => object["unreadable"] = error.as_str().into(),
    }
    object["jobs"] = whole.jobs.iter().map(objects::whole_job).collect();
    object["runs"] = whole.runs.iter().map(objects::run).collect();
    object
}

/// All of it over many lines.
pub(super) fn text(whole: &WholeChange, look: Look) -> String {
    let mut text = String::new();
    facts(&mut text, whole, look);
    match &whole.change {
        Ok(change) => content(&mut text, change, look),
        Err(error) => {
            let _infallible = writeln!(text, "\n{}", look.bad(&format!("The change cannot be read any more: {}", clean(error))));
        }
    }
    for verdict in &whole.recorded.verdicts {
        verdict_lines(&mut text, verdict, look);
        let jobs = whole.jobs.iter().filter(|whole| whole.job.event == verdict.event && whole.job.run == verdict.run);
        jobs.for_each(|job| job_lines(&mut text, job, look));
    }
    for run in &whole.runs {
        let ended = run.finished_at.map_or_else(|| "not finished".to_owned(), |at| format!("finished {}", moment(at)));
        let _infallible = writeln!(
            text,
            "\nRun {}: started {}, {ended}; it was asked for {}",
            run.run,
            moment(run.started_at),
            clean(&run.selection)
        );
    }
    text
}

fn facts(text: &mut String, whole: &WholeChange, look: Look) {
    let recorded = &whole.recorded;
    let _infallible = writeln!(text, "{}", look.strong(&format!("Change {}: {}", recorded.row, describe(recorded))));
    let committed = recorded
        .committed_at
        .map(|at| format!("{}, recorded {} later", moment(at), took(at, recorded.recorded_at)))
        .unwrap_or_default();
    let change = whole.change.as_ref().ok();
    let of_change = |wanted: fn(&Change) -> Option<String>| change.and_then(wanted).unwrap_or_default();
    let deaths =
        if recorded.deaths == 0 { String::new() } else { format!("the program died in its jobs, so often: {}", recorded.deaths) };
    let lines = [
        ("id", recorded.id.clone()),
        ("source", format!("{}, number {}", recorded.source, recorded.seq)),
        ("database", recorded.database.clone()),
        ("key", recorded.key.clone()),
        ("committed", committed),
        ("recorded", moment(recorded.recorded_at)),
        ("user", of_change(Change::user)),
        ("transaction", of_change(Change::transaction)),
        ("correlation id", recorded.correlation_id.clone()),
        ("deaths", deaths),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let _infallible = writeln!(text, "   {} {}", look.dim(&format!("{name:<15}")), clean(value));
    }
}

/// What the change did to the document.
fn content(text: &mut String, change: &Change, look: Look) {
    let Some(json) = change.to_json() else { return };
    let nothing = Value::Object(Map::new());
    // One that is null is absent: there is no document before an insert. One that is missing is not known.
    let side = |name: &str| json.get(name).map(|document| if document.is_null() { &nothing } else { document });
    let _infallible = writeln!(text);
    match (side("before"), side("after")) {
        (Some(before), Some(after)) => {
            let found = differences(before, after);
            let width = found.fields.iter().map(|(path, _)| path.chars().count()).max().unwrap_or_default().min(40);
            for (path, difference) in &found.fields {
                let path = clean(path);
                let _infallible = match difference {
                    Difference::Changed(before, after) => {
                        writeln!(text, "   ~ {path:<width$}  {} → {}", value(before), look.strong(&value(after)))
                    }
                    Difference::Added(after) => writeln!(text, "   + {path:<width$}  {}", look.strong(&value(after))),
                    Difference::Removed(before) => writeln!(text, "   - {path:<width$}  {}", look.dim(&value(before))),
                };
            }
            if found.same > 0 {
                let fields = if found.same == 1 { "field is" } else { "fields are" };
                let _infallible = writeln!(text, "   {}", look.dim(&format!("{} {fields} the same", found.same)));
            }
        }
        (before, after) => {
            let missing = match (before, after) {
                (None, None) => "neither the document before the change nor the one after it",
                (None, _) => "not the document before the change",
                _ => "not the document after the change",
            };
            let _infallible = writeln!(text, "   {}", look.dim(&format!("the change carries {missing}")));
            let shown = [("updateDescription", "written"), ("before", "before"), ("after", "after")];
            for (name, word) in shown {
                if let Some(document) = json.get(name) {
                    let _infallible = writeln!(text, "   {word}: {}", value(document));
                }
            }
        }
    }
    if json["after_image"] == "lookup" {
        let _infallible = writeln!(
            text,
            "   {}",
            look.dim("the document after the change was looked up later, and may be newer than the change")
        );
    }
}

fn value(value: &Value) -> String {
    shortened(&value.to_string(), MAX_VALUE).into_owned()
}

fn verdict_lines(text: &mut String, verdict: &StoredVerdict, look: Look) {
    let sign = match (verdict.said.as_str(), verdict.fires) {
        ("failed", _) => look.sign("💥 ", "! "),
        (_, true) => look.sign("⭐️ ", "* "),
        (_, false) => look.sign("❔ ", "? "),
    };
    let run = if verdict.run == 0 { String::new() } else { format!(" in run {}", verdict.run) };
    let fires = if verdict.fires { "" } else { ": no job runs" };
    let name = look.strong(&clean(&verdict.event));
    let _infallible = writeln!(text, "\n{sign}{name}  {}{run}{fires}", clean(&verdict.said));
    let Some(detail) = &verdict.detail else { return };
    match serde_json::from_str::<Value>(detail) {
        Ok(Value::Array(unknowns)) => {
            for unknown in &unknowns {
                let said = |name: &str| clean(unknown[name].as_str().unwrap_or_default()).into_owned();
                let _infallible = writeln!(text, "      the change does not say `{}`", said("read"));
                let _infallible = writeln!(text, "         {}", look.dim(&said("cure")));
            }
        }
        _ => {
            let _infallible = writeln!(text, "      {}", look.bad(&shortened(detail, MAX_ERROR)));
        }
    }
}

/// A job with everything that happened to it.
pub(super) fn job_lines(text: &mut String, whole: &WholeJob, look: Look) {
    let WholeJob { job, attempts, letters } = whole;
    let _infallible = writeln!(text, "   {}{}  {}", job_sign(job, look), look.strong(&job_name(job)), stage(job));
    if job.options != "{}" {
        let _infallible = writeln!(text, "      options   {}", shortened(&job.options, MAX_VALUE));
    }
    let effect = job.effect.as_str();
    let ordered = if job.ordered { ", later changes of the document wait for it" } else { "" };
    let _infallible = writeln!(text, "      {}", look.dim(&format!("job {}, {effect}{ordered}", job.row)));
    for attempt in attempts {
        let ended = match (&attempt.outcome, attempt.finished_at) {
            (Some(outcome), Some(at)) => format!("{} after {}", clean(&outcome.replace('_', " ")), took(attempt.started_at, at)),
            _ => "on its way".to_owned(),
        };
        let error =
            attempt.error.as_deref().map(|error| format!(": {}", look.bad(&shortened(error, MAX_ERROR)))).unwrap_or_default();
        let _infallible = writeln!(text, "      attempt {}  {}  {ended}{error}", attempt.attempt, moment(attempt.started_at));
    }
    if let Some(result) = &job.result {
        let _infallible = writeln!(text, "      result    {}", shortened(result, MAX_VALUE));
    }
    for letter in letters {
        let decided = match (&letter.resolution, letter.resolved_at) {
            (Some(resolution), Some(at)) => format!("{} {}", clean(resolution), moment(at)),
            _ => "nobody has decided on it".to_owned(),
        };
        let reason = look.bad(&shortened(&letter.reason, MAX_ERROR));
        let _infallible =
            writeln!(text, "      dead letter {} since {}, {decided}: {reason}", letter.letter, moment(letter.died_at));
    }
}
