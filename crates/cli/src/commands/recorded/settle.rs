//! Who runs jobs that were put up for another attempt, and how do they end?

use std::fmt::Write as _;
use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use event_detector::Registry;
use event_detector_ledger::{OpenError, Reader, RecordedJob, Sqlite, WholeJob};
use event_detector_runtime::{JobRow, Millis, Sources, Stage};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::app::Program;
use crate::args::Time;
use crate::console::{Console, Form, Look};
use crate::exit::{Exit, Failure};
use crate::signals::{Stop, Unfinished};
use crate::terminal::{clean, json as json_line, out, say, say_json};

use super::super::{count, run};
use super::words::{job_name, job_sign, moment, stage};
use super::{failure, objects, open, open_failure};

/// How often it is looked how far the jobs are that another program runs.
const LOOK: Duration = Duration::from_millis(250);

/// How often it is looked whether the other program is still there.
const ASK: Duration = Duration::from_secs(3);

/// After so long in which nothing happened to the jobs, that is said.
const HINT: Duration = Duration::from_secs(5);

/// After so long in which nothing happened to the jobs, nobody waits for them any more.
const PATIENCE: Duration = Duration::from_secs(30);

/// What else happens where jobs run in this program.
pub(super) const ALSO: &str = "This also goes on with what else is due.";

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

/// How it ended to watch jobs that another program runs.
enum Watched {
    /// None of them is to run now.
    Ended,
    /// Somebody asked for a stop.
    Stopped,
    /// Nothing happened to them for long.
    Still,
    /// The other program is gone, and this one owns the ledger.
    Alone(Sqlite),
}

/// Lets jobs that are up for an attempt end, here or in the program that owns the ledger, and says how they did.
pub(super) async fn settle(program: Program, jobs: Vec<JobRow>) -> Result<Exit, Failure> {
    let reader = open(&program)?;
    match Runner::find(&program)? {
        Runner::Here(ledger) => {
            if !program.options.json && !jobs.is_empty() {
                say(&format!("No program owns the ledger, so the jobs run here. {ALSO}"));
            }
            here(program, ledger, &reader, &jobs, None).await
        }
        Runner::There { pid } => there(program, &reader, &jobs, pid, None).await,
    }
}

/// Runs what is due in this program.
async fn here(
    mut program: Program,
    ledger: Sqlite,
    reader: &Reader,
    jobs: &[JobRow],
    stop: Option<Stop>,
) -> Result<Exit, Failure> {
    let (form, json) = (Form::choose(&program.options), program.options.json);
    // Whoever recorded these jobs may have watched for other events.
    program.registry = Registry::from_linked().map_err(|error| Failure::new(Exit::Config, error))?;
    let stop = stop.unwrap_or_else(|| Stop::listen(program.settings.config.drain, Unfinished::Kept, json));
    let runtime = program.runtime(Console::new(form), Some(ledger))?;
    // Without a source it handles what is due, and ends.
    let summary = runtime.run(Sources::default(), stop.requested(), |_nothing_is_read| {}).await;
    let is_broken = run::has_source_errors(&summary, json);
    let exit = ended(reader, jobs, json)?;
    Ok(if is_broken { Exit::Unavailable } else { exit })
}

/// Waits for the jobs that the process `pid` runs, until a stop is asked for where somebody listens for one; where that process is
/// gone, they run here.
pub(super) async fn there(
    program: Program,
    reader: &Reader,
    jobs: &[JobRow],
    pid: u32,
    stop: Option<Stop>,
) -> Result<Exit, Failure> {
    let (form, json) = (Form::choose(&program.options), program.options.json);
    if !jobs.is_empty() {
        match form {
            Form::Json => say_json(&json!({ "taken_by": { "pid": pid, "jobs": jobs.len() } })),
            Form::Quiet(_) | Form::Full(_) => {
                say(&format!("The program that owns the ledger (process {pid}) takes them up; Ctrl-C stops watching, not them."))
            }
        }
    }
    let stopped = async {
        match &stop {
            Some(stop) => stop.requested().await,
            None => pending().await,
        }
    };
    match follow(reader, jobs, form, stopped, || Runner::find(&program)).await? {
        Watched::Ended => ended(reader, jobs, json),
        Watched::Stopped => ended(reader, jobs, json).map(|_| Exit::Success),
        Watched::Still => ended(reader, jobs, json).map(|_| Exit::Failed),
        Watched::Alone(ledger) => {
            if !json {
                say(&format!("That program is gone, so the jobs run here. {ALSO}"));
            }
            here(program, ledger, reader, jobs, stop).await
        }
    }
}

/// Tells how jobs end that another program runs, until none of them is to run now; `runner` says who would run them.
async fn follow(
    reader: &Reader,
    jobs: &[JobRow],
    form: Form,
    stop: impl Future<Output = ()>,
    runner: impl Fn() -> Result<Runner, Failure>,
) -> Result<Watched, Failure> {
    let mut stop = pin!(stop);
    let (mut left, mut seen) = (jobs.to_vec(), Vec::new());
    let (mut moved, mut asked) = (Instant::now(), Instant::now());
    let mut is_told = false;
    loop {
        let mut open = Vec::new();
        for page in left.chunks(PAGE) {
            for whole in reader.jobs(page).map_err(failure)? {
                if is_to_run(&whole.job, Time::now().0) {
                    open.push((whole.job.row, whole.job.state));
                } else {
                    tell(&whole, form);
                }
            }
        }
        if open.is_empty() {
            return Ok(Watched::Ended);
        }
        // An attempt takes as long as it takes; its deadline is the other program's.
        if open != seen || open.iter().any(|(_, state)| state.stage == Stage::Running) {
            moved = Instant::now();
        }
        left = open.iter().map(|(row, _)| *row).collect();
        seen = open;
        if moved.elapsed() >= PATIENCE {
            still(left.len(), PATIENCE, form);
            return Ok(Watched::Still);
        }
        if moved.elapsed() >= HINT && !is_told {
            is_told = true;
            still(left.len(), HINT, form);
        }
        if asked.elapsed() >= ASK {
            if let Runner::Here(ledger) = runner()? {
                return Ok(Watched::Alone(ledger));
            }
            asked = Instant::now();
        }
        tokio::select! {
            () = &mut stop => return Ok(Watched::Stopped),
            () = sleep(LOOK) => {}
        }
    }
}

/// Says that nothing happens to the jobs that are left, and what comes of it.
fn still(jobs: usize, since: Duration, form: Form) {
    let seconds = since.as_secs();
    if form == Form::Json {
        return say_json(&json!({ "still": { "jobs": jobs, "seconds": seconds } }));
    }
    let jobs = count(jobs as u64, "job");
    let words = if since < PATIENCE {
        "the program that runs may be busy, or may not watch for the event (`--only`, `--except`)"
    } else {
        "this one waits no longer, and they stay in the ledger"
    };
    say(&format!("warning: nothing has happened to {jobs} for {seconds} s; {words}"));
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;
    use std::sync::Arc;

    use event_detector::{Change, Effect};
    use event_detector_ledger::{Options, Reader, Sqlite};
    use event_detector_runtime::{DeclaredJob, Entry, JobRow, Ledger, Recorded, RecordedVerdict, Recording, Said};
    use tempfile::TempDir;
    use tokio::time::Instant;

    use super::{Runner, Watched, follow};
    use crate::console::{Form, Look};

    /// A ledger with a job that its owner has and does not begin.
    async fn queued() -> (TempDir, Sqlite, JobRow) {
        let folder = tempfile::tempdir().unwrap();
        let owner = Sqlite::open(folder.path(), Options::default()).unwrap();
        let change: Change = Change::insert("moves").key(7).after(serde_json::json!({ "a": 1 })).into();
        let job = DeclaredJob {
            event: "move.made",
            name: "send".into(),
            nth: 0,
            options: "{}".into(),
            effect: Effect::Idempotent,
            ordered: false,
        };
        let recording = Recording {
            change: Arc::new(change.with_source("file").with_id("one")),
            position: None,
            verdicts: vec![RecordedVerdict { event: "move.made", fires: true, said: Said::Detected, detail: None }],
            jobs: vec![job],
            begins: false,
        };
        let Recorded::New { jobs, .. } = owner.record(recording).await.unwrap() else { panic!("it is new") };
        (folder, owner, jobs[0])
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_that_nobody_begins_are_not_waited_for_without_end() {
        let (folder, owner, job) = queued().await;
        let reader = Reader::open(folder.path()).unwrap();
        let there = || Ok(Runner::There { pid: 1 });

        let watched = follow(&reader, &[job], Form::Quiet(Look::Plain), pending(), there).await.unwrap();

        assert!(matches!(watched, Watched::Still));
        owner.close().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_waited_for_until_its_program_is_gone() {
        let (folder, owner, job) = queued().await;
        owner.note(vec![(job, Entry::Started { at: 1 })]).await.unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        let begun = Instant::now();
        let owner = RefCell::new(Some(owner));
        // It goes after an hour.
        let runner = || match begun.elapsed().as_secs() {
            ..3600 => Ok(Runner::There { pid: 1 }),
            _ => Ok(Runner::Here(owner.borrow_mut().take().unwrap())),
        };

        let watched = follow(&reader, &[job], Form::Quiet(Look::Plain), pending(), runner).await.unwrap();

        assert!(matches!(watched, Watched::Alone(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_watches_may_stop_watching() {
        let (folder, _owner, job) = queued().await;
        let reader = Reader::open(folder.path()).unwrap();
        let there = || Ok(Runner::There { pid: 1 });

        let watched = follow(&reader, &[job], Form::Quiet(Look::Plain), async {}, there).await.unwrap();

        assert!(matches!(watched, Watched::Stopped));
    }
}
