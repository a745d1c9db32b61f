//! How do recorded changes go through the events of this program as they are now?

mod planned;
mod selection;
mod walk;

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use event_detector::Registry;
use event_detector_ledger::{Reader, RecordedChange};
use event_detector_runtime::{ChangeRow, DeclaredJob, Said, Sources, Summary};
use serde_json::{Value, json};

use crate::app::Program;
use crate::args::Replay;
use crate::console::{Console, Form, Look, print_rejected};
use crate::exit::{Exit, Failure};
use crate::signals::{Stop, Unfinished};
use crate::terminal::{clean, json as json_line, out, say, say_json, start_bar, stop_spinner};

use super::super::{self as commands, count};
use super::settle::{self, Runner};
use super::words::describe;
use super::{confirm, desk, failure, objects, open, select};
use planned::Planned;
use selection::Selection;
use walk::{Came, Met, Running, Walk};

/// Lets recorded changes go through the events again, as a run of their own.
pub(super) async fn replay(program: Program, what: Replay) -> Result<Exit, Failure> {
    let reader = open(&program)?;
    let (selection, after) = match what.resume {
        Some(run) => cut_off(&reader, run)?,
        None => (asked_for(&program, &reader, &what)?, 0),
    };
    let number = reader.count(&selection.filter(), after, selection.up_to).map_err(failure)?;
    if what.dry_run {
        return dry_run(&program, Walk::new(reader, &selection, after, program.settings.context.clone()), &selection);
    }
    if number == 0 && what.resume.is_none() {
        return Ok(nothing(&program));
    }
    ask(&what, number)?;
    go(program, reader, selection, after, number, what).await
}

/// What a run that was cut off was asked for, and the last change it has come to.
fn cut_off(reader: &Reader, number: i64) -> Result<(Selection, ChangeRow), Failure> {
    let run = reader.run(number).map_err(failure)?;
    let run = run.ok_or_else(|| {
        let known = reader.runs().unwrap_or_default();
        let open: Vec<String> = known.iter().filter(|run| run.finished_at.is_none()).map(|run| run.run.to_string()).collect();
        let hint = match open.is_empty() {
            true => "no run was cut off".to_owned(),
            false => format!("these were cut off: {}", open.join(", ")),
        };
        Failure::new(Exit::NoInput, format!("the ledger has no run {number}")).with_hint(hint)
    })?;
    if run.finished_at.is_some() {
        return Err(Failure::new(Exit::Usage, format!("run {number} has come to all of its changes"))
            .with_hint("`retry` tries jobs of it again that failed"));
    }
    let selection = serde_json::from_str(&run.selection)
        .map_err(|error| Failure::new(Exit::BadData, format!("what run {number} was asked for cannot be read: {error}")))?;
    Ok((selection, run.reached))
}

/// What the command line asks for.
fn asked_for(program: &Program, reader: &Reader, what: &Replay) -> Result<Selection, Failure> {
    let mut filter = select::filter(program, reader, &what.selected)?;
    if !what.id.is_empty() {
        filter.rows = Some(select::rows(reader, &what.id)?);
    }
    if let Some(events) = &filter.events
        && !program.registry.detectors().iter().any(|detector| events.iter().any(|event| event == detector.name()))
    {
        return Err(Failure::new(Exit::Usage, format!("this program has no event `{}` any more", what.selected.event.join(",")))
            .with_hint("`list` shows every event that it has"));
    }
    let up_to = reader.last().map_err(failure)?;
    let mut selection = Selection::new(filter, up_to);
    (selection.include_once, selection.include_succeeded) = (what.include_once, what.include_succeeded);
    Ok(selection)
}

/// Asks before everything that was recorded goes through the events.
fn ask(what: &Replay, number: u64) -> Result<(), Failure> {
    let is_narrowed = what.resume.is_some() || !what.id.is_empty() || !what.selected.is_empty();
    if is_narrowed || what.all || what.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "nothing says which changes are to be replayed").with_hint(
            "say which, as `replay --event parcel.delivered --since 1h`, or that all are meant: `--all`; `--dry-run` shows what would be",
        ));
    }
    let changes = count(number, "recorded change");
    match confirm(&format!("Let {changes}, all that there are, go through the events again?"))? {
        true => Ok(()),
        false => Err(Failure::new(Exit::Usage, "nothing was replayed").with_hint("`--dry-run` shows what would be")),
    }
}

fn nothing(program: &Program) -> Exit {
    match Form::choose(&program.options) {
        Form::Json => say_json(&json!({ "ended": { "changes": 0 } })),
        Form::Quiet(_) | Form::Full(_) => say("No recorded change matches, so none is replayed."),
    }
    Exit::Success
}

/// Shows what would fire and run.
fn dry_run(program: &Program, mut walk: Walk, selection: &Selection) -> Result<Exit, Failure> {
    let form = Form::choose(&program.options);
    let (mut changes, mut events, mut jobs, mut left_out, mut failed) = (0, 0, 0, 0, 0);
    while let Some(Met { recorded, content }) = walk.next()? {
        changes += 1;
        let planned = match &content {
            Ok(change) => Planned::of(&program.registry, change, &recorded, selection),
            Err(_) => Planned::default(),
        };
        events += planned.verdicts.iter().filter(|verdict| verdict.fires).count() as u64;
        jobs += planned.jobs.len() as u64;
        left_out += planned.left_out.len() as u64;
        failed += u64::from(planned.failed() || content.is_err());
        let error = content.err();
        match form {
            Form::Json => out(&(json_line(&object(&recorded, &planned, error.as_deref())) + "\n")),
            _ if planned.verdicts.is_empty() && error.is_none() => {}
            Form::Quiet(look) | Form::Full(look) => out(&lines(&recorded, &planned, error.as_deref(), look)),
        }
    }
    if form == Form::Json {
        say_json(
            &json!({ "dry_run": { "changes": changes, "events": events, "jobs": jobs, "left_out": left_out, "failed": failed } }),
        );
    } else {
        let mut words =
            format!("{}: {} would fire, {} would run", count(changes, "change"), count(events, "event"), count(jobs, "job"));
        for (number, what) in [(left_out, "left out"), (failed, "failed")] {
            if number > 0 {
                let _infallible = write!(words, ", {number} {what}");
            }
        }
        say(&(words + ". This was a dry run: no job ran."));
    }
    Ok(if failed > 0 { Exit::Failed } else { Exit::Success })
}

fn object(recorded: &RecordedChange, planned: &Planned, error: Option<&str>) -> Value {
    let job = |job: &DeclaredJob, left_out: Option<&str>| {
        json!({
            "name": job.name, "nth": job.nth, "options": serde_json::from_str::<Value>(&job.options).unwrap_or_default(),
            "effect": job.effect.as_str(), "runs": left_out.is_none(), "left_out": left_out,
        })
    };
    let event = |verdict: &event_detector_runtime::RecordedVerdict| {
        let run = planned.jobs.iter().map(|run| (run, None));
        let left_out = planned.left_out.iter().map(|(left, why)| (left, Some(why.as_str())));
        let jobs = run.chain(left_out).filter(|(job, _)| job.event == verdict.event);
        json!({
            "name": verdict.event, "verdict": verdict.said.as_str(), "detected": verdict.fires, "detail": verdict.detail,
            "jobs": jobs.map(|(declared, why)| job(declared, why)).collect::<Vec<_>>(),
        })
    };
    json!({ "change": objects::facts(recorded), "events": planned.verdicts.iter().map(event).collect::<Vec<_>>(), "unreadable": error })
}

fn lines(recorded: &RecordedChange, planned: &Planned, error: Option<&str>, look: Look) -> String {
    let mut text = format!("{:>6}  {}\n", recorded.row, look.strong(&describe(recorded)));
    if let Some(error) = error {
        let _infallible = writeln!(text, "        {}", look.bad(&format!("it cannot be read any more: {}", clean(error))));
    }
    for verdict in &planned.verdicts {
        let sign = match (verdict.said, verdict.fires) {
            (Said::Failed, _) => look.sign("💥 ", "! "),
            (_, true) => look.sign("⭐️ ", "* "),
            (_, false) => look.sign("❔ ", "? "),
        };
        let _infallible = writeln!(text, "        {sign}{}  {}", look.strong(verdict.event), verdict.said.as_str());
        if let Some(detail) = verdict.detail.as_deref().filter(|_| verdict.said == Said::Failed) {
            let _infallible = writeln!(text, "           {}", look.bad(&clean(detail)));
        }
        for job in planned.jobs.iter().filter(|job| job.event == verdict.event) {
            let _infallible = writeln!(text, "           would run  {} {}", clean(&job.name), look.dim(&clean(&job.options)));
        }
        for (job, why) in planned.left_out.iter().filter(|(job, _)| job.event == verdict.event) {
            let _infallible = writeln!(text, "           left out   {}: {}", clean(&job.name), look.dim(why.as_str()));
        }
    }
    text
}

/// Begins or resumes the run, and lets its jobs end, here or in the program that owns the ledger.
async fn go(
    mut program: Program,
    reader: Reader,
    selection: Selection,
    after: ChangeRow,
    number: u64,
    what: Replay,
) -> Result<Exit, Failure> {
    let (form, json) = (Form::choose(&program.options), program.options.json);
    let runner = Runner::find(&program)?;
    let mut desk = desk(&program)?;
    let run = match what.resume {
        Some(run) => run,
        None => {
            let text = serde_json::to_string(&selection).map_err(|error| Failure::new(Exit::Config, error))?;
            desk.begin_run(&text).map_err(failure)?
        }
    };
    match form {
        Form::Json => say_json(&json!({ "run": { "run": run, "changes": number } })),
        Form::Quiet(_) | Form::Full(_) => {
            let changes = count(number, "recorded change");
            match &runner {
                Runner::Here(_) => say(&format!("Run {run}: {changes}. {}", settle::ALSO)),
                Runner::There { pid } => {
                    say(&format!("Run {run}: {changes}."));
                    say(&format!(
                        "warning: what the events say is this program's word; their jobs are those of the program that owns the ledger (process {pid})"
                    ));
                }
            }
        }
    }
    let came = Arc::new(Mutex::new(Came::default()));
    let registry = program.registry.clone();
    let walk = Walk::new(reader, &selection, after, program.settings.context.clone());
    let mut running = Running { walk, desk, registry, selection, run, rate: what.rate, came: Arc::clone(&came) };
    let stop = Stop::listen(program.settings.config.drain, Unfinished::Kept, json);
    if !json {
        start_bar(number);
    }
    let reader = open(&program)?;
    let (summary, there) = match runner {
        Runner::Here(ledger) => {
            // Other jobs may be due whose events are not selected.
            program.registry = Registry::from_linked().map_err(|error| Failure::new(Exit::Config, error))?;
            let runtime = program.runtime(Console::new(form), Some(ledger))?;
            let mut sources = Sources::default();
            sources.add(running);
            (runtime.run(sources, stop.requested(), move |rejected| print_rejected(rejected, json)).await, None)
        }
        Runner::There { pid } => {
            running.all(stop.requested()).await?;
            (Summary::default(), Some((program, pid)))
        }
    };
    stop_spinner();
    let came = std::mem::take(&mut *came.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(failure) = came.failure {
        return Err(failure.with_hint(format!("`replay --resume {run}` goes on from there")));
    }
    sum_up(&came, run, json);
    if commands::run::has_source_errors(&summary, json) {
        return Ok(Exit::Unavailable);
    }
    if !came.is_whole {
        return Ok(Exit::Success);
    }
    let jobs = match there {
        Some((program, pid)) => settle::there(program, &reader, &came.jobs, pid, Some(stop)).await?,
        None => settle::ended(&reader, &came.jobs, json)?,
    };
    Ok(if came.failed > 0 { Exit::Failed } else { jobs })
}

/// Says what the run came to, before its jobs.
fn sum_up(came: &Came, run: i64, json: bool) {
    let Came { changes, events, failed, left_out, jobs, is_whole, .. } = came;
    if json {
        say_json(&json!({ "replayed": {
            "run": run, "changes": changes, "events": events, "failed": failed, "jobs": jobs.len(), "left_out": left_out,
            "is_whole": is_whole,
        } }));
        return;
    }
    let mut words =
        format!("{}: {} fired with {}", count(*changes, "change"), count(*events, "event"), count(jobs.len() as u64, "job"));
    for (number, what) in [(*left_out, "left out"), (*failed, "failed")] {
        if number > 0 {
            let _infallible = write!(words, ", {number} {what}");
        }
    }
    say(&(words + "."));
    if !is_whole {
        say(&format!("It was cut off; `replay --resume {run}` goes on from there."));
    }
}
