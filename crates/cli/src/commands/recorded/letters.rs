//! Which jobs cannot go on by themselves, and what does somebody decide on them?

use std::fmt::Write as _;

use event_detector_ledger::{Letter, Open, Reader, RecordedJob};
use event_detector_runtime::Stage;
use serde_json::{Value, json};

use crate::app::Program;
use crate::args::{Letters, Time, Which};
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out, say, say_json};

use super::super::count;
use super::words::{job_name, moment, second};
use super::{confirm, desk, failure, objects, open, retry, select, show};

/// Does what was asked for with dead letters.
pub(super) async fn letters(program: Program, what: Letters) -> Result<Exit, Failure> {
    match what {
        Letters::List { all, event, .. } => list(&program, if all { Open::AndClosed } else { Open::Only }, &event),
        Letters::Show { letter, .. } => show(&program, letter),
        Letters::Retry { which, .. } => {
            let reader = open(&program)?;
            let letters = chosen(&program, &reader, &which)?;
            if letters.is_empty() {
                return none(&program);
            }
            retry::again(program, letters.iter().map(|(_, job)| job.row).collect()).await
        }
        Letters::Drop { which, yes, .. } => drop_them(&program, &which, yes),
    }
}

fn list(program: &Program, which: Open, globs: &[String]) -> Result<Exit, Failure> {
    let reader = open(program)?;
    let mut letters = reader.letters(which).map_err(failure)?;
    if !globs.is_empty() {
        let events = select::events(program, &reader, globs)?;
        letters.retain(|(_, job)| events.contains(&job.event));
    }
    match Form::choose(&program.options) {
        Form::Json => letters.iter().for_each(|(letter, job)| out(&(json_line(&object(letter, job)) + "\n"))),
        _ if letters.is_empty() => return none(program),
        Form::Quiet(look) | Form::Full(look) => letters.iter().for_each(|(letter, job)| out(&line(letter, job, look))),
    }
    Ok(Exit::Success)
}

fn none(program: &Program) -> Result<Exit, Failure> {
    match Form::choose(&program.options) {
        Form::Json => say_json(&json!({ "ended": { "jobs": 0 } })),
        _ => say("There are no such dead letters."),
    }
    Ok(Exit::Success)
}

fn object(letter: &Letter, job: &RecordedJob) -> Value {
    let mut object = objects::letter(letter);
    object["change"] = job.change.into();
    object["job"] = objects::job(job);
    object
}

fn line(letter: &Letter, job: &RecordedJob, look: Look) -> String {
    let decided = letter.resolution.as_deref().map(|resolution| format!(" ({})", clean(resolution))).unwrap_or_default();
    format!(
        "{:>5}  {}  {}  {} of change {}{decided}: {}\n",
        letter.letter,
        look.dim(&second(letter.died_at)),
        look.strong(&clean(&job.event)),
        job_name(job),
        job.change,
        look.bad(&clean(&letter.reason)),
    )
}

fn show(program: &Program, number: i64) -> Result<Exit, Failure> {
    let reader = open(program)?;
    let (letter, job) = reader.letter(number).map_err(failure)?.ok_or_else(|| unknown(number))?;
    let whole = reader.jobs(&[job.row]).map_err(failure)?.pop();
    let whole = whole.ok_or_else(|| unknown(number))?;
    out(&match Form::choose(&program.options) {
        Form::Json => {
            let mut object = object(&letter, &job);
            object["job"] = objects::whole_job(&whole);
            json_line(&object) + "\n"
        }
        Form::Quiet(look) | Form::Full(look) => {
            let title = format!("Dead letter {number}: {} of change {}", clean(&job.event), job.change);
            let mut text = format!("{}\n", look.strong(&title));
            show::job_lines(&mut text, &whole, look);
            let next = match letter.resolved_at {
                None => format!(
                    "`dead-letters retry {number}` tries it again, `dead-letters drop {number}` gives it up, `show {}` shows its change",
                    job.change
                ),
                Some(at) => format!("it was decided on at {}; `show {}` shows its change", moment(at), job.change),
            };
            let _infallible = writeln!(text, "\n{}", look.dim(&next));
            text
        }
    });
    Ok(Exit::Success)
}

fn unknown(number: i64) -> Failure {
    Failure::new(Exit::NoInput, format!("the ledger has no dead letter {number}"))
        .with_hint("`dead-letters list --all` shows all that it has")
}

/// The letters that are meant, of those that can be decided on.
fn chosen(program: &Program, reader: &Reader, which: &Which) -> Result<Vec<(Letter, RecordedJob)>, Failure> {
    if which.letter.is_empty() {
        let mut letters = reader.letters(Open::Only).map_err(failure)?;
        if !which.event.is_empty() {
            let events = select::events(program, reader, &which.event)?;
            letters.retain(|(_, job)| events.contains(&job.event));
        }
        return Ok(letters);
    }
    let mut letters: Vec<(Letter, RecordedJob)> = Vec::new();
    for number in &which.letter {
        let (letter, job) = reader.letter(*number).map_err(failure)?.ok_or_else(|| unknown(*number))?;
        if let (Some(at), Some(resolution)) = (letter.resolved_at, &letter.resolution)
            && !(job.state.stage == Stage::Dropped && resolution == "dropped")
        {
            return Err(Failure::new(Exit::Usage, format!("dead letter {number} was {resolution} already, at {}", moment(at)))
                .with_hint(format!("`show {}` shows what became of it", job.change)));
        }
        if !letters.iter().any(|(_, chosen)| chosen.row == job.row) {
            letters.push((letter, job));
        }
    }
    Ok(letters)
}

fn drop_them(program: &Program, which: &Which, yes: bool) -> Result<Exit, Failure> {
    let reader = open(program)?;
    let mut letters = chosen(program, &reader, which)?;
    letters.retain(|(letter, _)| letter.resolved_at.is_none());
    if letters.is_empty() {
        return none(program);
    }
    let form = Form::choose(&program.options);
    let jobs = count(letters.len() as u64, "job");
    if !yes {
        if let Form::Quiet(_) | Form::Full(_) = form {
            letters.iter().for_each(|(letter, job)| say(line(letter, job, Look::Plain).trim_end()));
        }
        if !confirm(&format!("Drop {jobs}, so that nothing runs them any more?"))? {
            return Ok(Exit::Failed);
        }
    }
    let rows: Vec<_> = letters.iter().map(|(_, job)| job.row).collect();
    let decided = desk(program)?.drop_jobs(&rows, Time::now().0).map_err(failure)?;
    retry::refused(&decided, program.options.json);
    let dropped = decided.done.len();
    match form {
        Form::Json => say_json(&json!({ "dropped": { "jobs": dropped } })),
        Form::Quiet(_) | Form::Full(_) => say(&format!("Dropped {}; what is known of them stays.", count(dropped as u64, "job"))),
    }
    Ok(if decided.refused.is_empty() { Exit::Success } else { Exit::Failed })
}
