//! Who runs jobs that were put up for another attempt, and how do they end?

use std::fmt::Write as _;
use std::time::Duration;

use event_detector::Registry;
use event_detector_ledger::{OpenError, Reader, RecordedJob, Sqlite, WholeJob};
use event_detector_runtime::{JobRow, Millis, Sources, Stage};
use serde_json::json;
use tokio::time::sleep;

use crate::app::Program;
use crate::args::Time;
use crate::console::{Console, Form, Look};
use crate::exit::{Exit, Failure};
use crate::signals::Stop;
use crate::terminal::{clean, json as json_line, out, say, say_json};

use super::super::{count, run};
use super::words::{job_name, job_sign, moment, stage};
use super::{failure, objects, open, open_failure};

/// How often it is looked how far the jobs are that another program runs.
const LOOK: Duration = Duration::from_millis(250);

/// So many jobs are looked at in one go.
const PAGE: usize = 500;

/// Who runs the jobs.
pub(super) enum Runner {
    /// This program: nobody else owns the ledger.
    Here(Sqlite),
    /// The program that owns it.
    There {
        /// Its process number.
        pid: u32,
    },
}

impl Runner {
    /// Takes the ledger, unless another program has it.
    pub(super) fn find(program: &Program) -> Result<Self, Failure> {
        match Sqlite::open(&program.ledger.dir, program.ledger.options()) {
            Ok(ledger) => Ok(Self::Here(ledger)),
            Err(OpenError::Locked { pid, .. }) => Ok(Self::There { pid }),
            Err(error) => Err(open_failure(&error)),
        }
    }
}

/// Lets jobs that are up for an attempt end, here or in the program that owns the ledger, and says how they did.
pub(super) async fn settle(mut program: Program, jobs: Vec<JobRow>) -> Result<Exit, Failure> {
    let form = Form::choose(&program.options);
    let json = program.options.json;
    let reader = open(&program)?;
    match Runner::find(&program)? {
        Runner::Here(ledger) => {
            // Whoever recorded these jobs may have watched for other events.
            program.registry = Registry::from_linked().map_err(|error| Failure::new(Exit::Config, error))?;
            let stop = Stop::listen(program.settings.config.drain, json);
            let runtime = program.runtime(Console::new(form), Some(ledger))?;
            // Without a source it handles what is due, and ends.
            let summary = runtime.run(Sources::default(), stop.requested(), |_nothing_is_read| {}).await;
            if run::has_source_errors(&summary, json) {
                ended(&reader, &jobs, json)?;
                return Ok(Exit::Unavailable);
            }
        }
        Runner::There { pid } => follow(&reader, &jobs, pid, form).await?,
    }
    ended(&reader, &jobs, json)
}

/// Tells how jobs end that the process `pid` runs, until none of them is to run now.
pub(super) async fn follow(reader: &Reader, jobs: &[JobRow], pid: u32, form: Form) -> Result<(), Failure> {
    let words = format!("The program that owns the ledger (process {pid}) takes them up; Ctrl-C stops watching, not them.");
    match form {
        Form::Json => say_json(&json!({ "taken_by": { "pid": pid, "jobs": jobs.len() } })),
        Form::Quiet(_) | Form::Full(_) => say(&words),
    }
    let mut left = jobs.to_vec();
    while !left.is_empty() {
        let mut open = Vec::new();
        for page in left.chunks(PAGE) {
            for whole in reader.jobs(page).map_err(failure)? {
                if is_to_run(&whole.job, Time::now().0) {
                    open.push(whole.job.row);
                } else {
                    tell(&whole, form);
                }
            }
        }
        left = open;
        if !left.is_empty() {
            sleep(LOOK).await;
        }
    }
    Ok(())
}

/// Whether a process has the job, or its time has come.
pub(super) fn is_to_run(job: &RecordedJob, now: Millis) -> bool {
    match job.state.stage {
        Stage::Queued | Stage::Running => true,
        Stage::Waiting { due } => due <= now,
        Stage::Succeeded | Stage::Dead | Stage::Dropped => false,
    }
}

fn tell(whole: &WholeJob, form: Form) {
    out(&match form {
        Form::Json => {
            let mut object = objects::whole_job(whole);
            object["change"] = whole.job.change.into();
            json_line(&object) + "\n"
        }
        Form::Quiet(look) | Form::Full(look) => line(&whole.job, look),
    });
}

/// A job of a change in one line.
pub(super) fn line(job: &RecordedJob, look: Look) -> String {
    let mut line = format!(
        "{}{}  {} of change {}: {}",
        job_sign(job, look),
        look.strong(&clean(&job.event)),
        job_name(job),
        job.change,
        stage(job)
    );
    if let Some(error) = job.error.as_deref().filter(|_| job.state.stage != Stage::Succeeded) {
        let _infallible = write!(line, "; {}", look.bad(&clean(error)));
    }
    line + "\n"
}

/// Says what became of the jobs.
pub(super) fn ended(reader: &Reader, jobs: &[JobRow], json: bool) -> Result<Exit, Failure> {
    let (mut succeeded, mut dead, mut waiting, mut others) = (0, 0, 0, 0);
    let mut next: Option<Millis> = None;
    for page in jobs.chunks(PAGE) {
        for whole in reader.jobs(page).map_err(failure)? {
            match whole.job.state.stage {
                Stage::Succeeded => succeeded += 1,
                Stage::Dead => dead += 1,
                Stage::Waiting { due } => {
                    waiting += 1;
                    next = Some(next.map_or(due, |next| next.min(due)));
                }
                Stage::Queued | Stage::Running | Stage::Dropped => others += 1,
            }
        }
    }
    let next = next.map(moment);
    if json {
        say_json(&json!({ "ended": {
            "jobs": jobs.len(), "succeeded": succeeded, "dead": dead, "waiting": waiting, "others": others, "next_due": next,
        } }));
    } else {
        let mut words = format!("{}: {succeeded} succeeded", count(jobs.len() as u64, "job"));
        for (number, what) in [(dead, "dead"), (others, "not ended")] {
            if number > 0 {
                let _infallible = write!(words, ", {number} {what}");
            }
        }
        if let Some(next) = &next {
            let _infallible =
                write!(words, ", {waiting} waiting for another attempt, the next one at {next}; `run` makes it then");
        }
        say(&(words + "."));
    }
    Ok(if succeeded == jobs.len() { Exit::Success } else { Exit::Failed })
}
