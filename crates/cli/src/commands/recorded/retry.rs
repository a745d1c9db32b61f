//! How are jobs that failed tried again?

use event_detector_ledger::{Decided, Filter, Order, Reader, RecordedChange, RecordedJob, Status};
use event_detector_runtime::{ChangeRow, JobRow, Stage};
use serde_json::json;

use crate::app::Program;
use crate::args::{Selected, Time};
use crate::console::Form;
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out, say, say_json};

use super::super::count;
use super::{desk, failure, objects, open, select, settle};

/// So many changes are read at a time.
const PAGE: usize = 500;

/// Puts jobs up for another attempt, and lets them end.
pub(super) async fn retry(program: Program, ids: &[String], selected: &Selected, dry_run: bool) -> Result<Exit, Failure> {
    if ids.is_empty() && selected.is_empty() {
        return Err(Failure::new(Exit::Usage, "nothing says which jobs are to be tried again")
            .with_hint("name a change, as `retry 42`, or say which changes: `retry --event parcel.delivered --since 1h`, `retry --status failed`"));
    }
    let reader = open(&program)?;
    let mut filter = select::filter(&program, &reader, selected)?;
    if !ids.is_empty() {
        filter.rows = Some(select::rows(&reader, ids)?);
    }
    let jobs = wanted(&reader, &filter)?;
    let form = Form::choose(&program.options);
    if jobs.is_empty() {
        none(&reader, &filter, form)?;
        return Ok(Exit::Success);
    }
    if dry_run {
        jobs.iter().for_each(|job| print(job, form));
        match form {
            Form::Json => say_json(&json!({ "dry_run": { "jobs": jobs.len() } })),
            Form::Quiet(_) | Form::Full(_) => {
                say(&format!("{} would be tried again. This was a dry run: no job ran.", count(jobs.len() as u64, "job")));
            }
        }
        return Ok(Exit::Success);
    }
    again(program, jobs.iter().map(|job| job.row).collect()).await
}

/// Puts these jobs up for another attempt, and lets them end.
pub(super) async fn again(program: Program, jobs: Vec<JobRow>) -> Result<Exit, Failure> {
    let decided = desk(&program)?.retry(&jobs, Time::now().0).map_err(failure)?;
    refused(&decided, program.options.json);
    let exit = settle::settle(program, decided.done).await?;
    Ok(if exit == Exit::Success && !decided.refused.is_empty() { Exit::Failed } else { exit })
}

/// Says on standard error for which jobs nothing could be decided.
pub(super) fn refused(decided: &Decided, json: bool) {
    for (job, reason) in &decided.refused {
        if json {
            say_json(&json!({ "refused": { "job": job, "reason": reason } }));
        } else {
            say(&format!("warning: job {job} is left as it is: {}", clean(reason)));
        }
    }
}

/// The jobs of the changes that can be tried again, in the order of recording.
fn wanted(reader: &Reader, filter: &Filter) -> Result<Vec<RecordedJob>, Failure> {
    let mut jobs = Vec::new();
    each(reader, filter, |change| {
        let wanted = change.jobs.iter().filter(|job| can_be_retried(job, filter) && !is_in_later_run(job, &change.jobs));
        jobs.extend(wanted.cloned());
    })?;
    Ok(jobs)
}

/// Whether one of the jobs is the same in a later run.
fn is_in_later_run(job: &RecordedJob, jobs: &[RecordedJob]) -> bool {
    jobs.iter().any(|other| other.run > job.run && other.event == job.event && other.name == job.name && other.nth == job.nth)
}

/// Whether the job waits or is dead, and is what was asked for.
fn can_be_retried(job: &RecordedJob, filter: &Filter) -> bool {
    let is_of_event = filter.events.as_ref().is_none_or(|events| events.contains(&job.event));
    is_of_event
        && match job.state.stage {
            Stage::Dead => filter.status != Some(Status::Waiting),
            // One that was interrupted waits without having failed.
            Stage::Waiting { .. } => match filter.status {
                Some(Status::Dead) => false,
                Some(Status::Failed) => job.state.failures > 0,
                _ => true,
            },
            _ => false,
        }
}

/// Says why there is nothing to try again.
fn none(reader: &Reader, filter: &Filter, form: Form) -> Result<(), Failure> {
    if form == Form::Json {
        say_json(&json!({ "ended": { "jobs": 0 } }));
        return Ok(());
    }
    let (mut changes, mut running) = (0, 0);
    each(reader, filter, |change| {
        changes += 1;
        running += change.jobs.iter().filter(|job| matches!(job.state.stage, Stage::Queued | Stage::Running)).count();
    })?;
    let running = if running > 0 { format!(" {} still on the way.", count(running as u64, "job")) } else { String::new() };
    say(&format!("No job of {} waits or is dead, so none is tried again.{running}", count(changes, "such change")));
    Ok(())
}

/// Gives each change that is asked for to `told`.
fn each(reader: &Reader, filter: &Filter, mut told: impl FnMut(RecordedChange)) -> Result<(), Failure> {
    let mut last: ChangeRow = 0;
    loop {
        let page = reader.changes(filter, Order::After(last), PAGE).map_err(failure)?;
        let is_last = page.len() < PAGE;
        for change in page {
            last = change.row;
            told(change);
        }
        if is_last {
            return Ok(());
        }
    }
}

fn print(job: &RecordedJob, form: Form) {
    out(&match form {
        Form::Json => {
            let mut object = objects::job(job);
            object["change"] = job.change.into();
            json_line(&object) + "\n"
        }
        Form::Quiet(look) | Form::Full(look) => settle::line(job, look),
    });
}
