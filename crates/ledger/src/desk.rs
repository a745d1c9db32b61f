//! How does a person decide on jobs, while a program may be running?

use std::path::Path;

use event_detector_runtime::{ChangeRow, DeclaredJob, Entry, JobRow, JobState, LedgerError, Millis, RecordedVerdict, Stage};

use crate::fault::Fault;
use crate::files::Files;
use crate::mark::{self, Found};
use crate::open_error::OpenError;
use crate::rows::{self, Letter, Record, Run, Sql};
use crate::schema::{self, Access};
use crate::store::Store;

static RUN: Sql = Sql::new(|| Run::TABLE.find("WHERE run = ?1"));
static OPEN_LETTERS: Sql = Sql::new(|| Letter::TABLE.find("WHERE job = ?1 AND resolved_at IS NULL"));

/// What is decided on a dead letter whose job a later run has.
const REPLAYED: &str = "replayed";

/// A ledger that somebody writes to who does not own it, in short transactions between those of its owner, who notices them.
#[derive(Debug)]
pub struct Desk {
    store: Store,
}

/// What became of jobs that somebody decided on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Decided {
    /// For these it is done.
    pub done: Vec<JobRow>,
    /// For these it could not be done, and why.
    pub refused: Vec<(JobRow, String)>,
}

impl Desk {
    /// Opens the ledger in `dir`, whether or not a process owns it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Missing`] where there is none; [`OpenError::Newer`], [`OpenError::Older`] and [`OpenError::Damaged`] for one that
    /// may not be written to.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let files = Files::new(dir);
        let path = files.existing_database()?;
        // Before the ledger is: its owner writes the mark behind each transaction.
        let found = mark::read(&files.mark()).map_err(OpenError::file(files.mark()))?;
        let connection = schema::connect(&path, Access::Write)?;
        schema::require_current(&connection)?;
        let store = Store::new(connection)?;
        let surviving = store.promised().commits;
        match found {
            // To write now would hide the loss from the program, which tells its sources of it.
            Found::Promised(promised) if promised.commits > surviving => Err(OpenError::Damaged(format!(
                "its last {} transactions were lost; start the program, which records that and goes on",
                promised.commits - surviving
            ))),
            _ => Ok(Self { store }),
        }
    }

    /// Lets jobs be run again, with their retries before them: dead letters, dropped ones, and those that wait, at once. A job that
    /// a later run has is refused: it would run twice.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when nothing could be written.
    pub fn retry(&mut self, jobs: &[JobRow], at: Millis) -> Result<Decided, LedgerError> {
        self.decide(jobs, &Entry::Retried { at }, |store, job| match later_run(store, job)? {
            Some(run) => Err(refused(format!("job {job}: run {run} has it anew"))),
            None => Ok(()),
        })
    }

    /// Decides that jobs are not to be run: dead letters, and those that wait.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when nothing could be written.
    pub fn drop_jobs(&mut self, jobs: &[JobRow], at: Millis) -> Result<Decided, LedgerError> {
        self.decide(jobs, &Entry::Dropped { at }, |_, _| Ok(()))
    }

    /// Notes an entry of each job that `may` have it.
    fn decide(
        &mut self,
        jobs: &[JobRow],
        entry: &Entry,
        may: impl Fn(&Store, JobRow) -> Result<(), Fault>,
    ) -> Result<Decided, LedgerError> {
        let decided = self.store.transact(|store| {
            let mut decided = Decided::default();
            for job in jobs {
                match may(store, *job).and_then(|()| store.note(&[(*job, entry.clone())])) {
                    Ok(()) => decided.done.push(*job),
                    Err(Fault::Refused(error)) => decided.refused.push((*job, reason(error))),
                    Err(fault) => return Err(fault),
                }
            }
            Ok(decided)
        });
        decided.map_err(Fault::into_error)
    }

    /// Begins a run of recorded changes through later code; `selection` is a JSON object that says which. Returns its number.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when nothing could be written.
    pub fn begin_run(&mut self, selection: &str) -> Result<i64, LedgerError> {
        let begun = self.store.transact(|store| {
            let sql = "SELECT ifnull(max(run), 0) + 1 FROM runs";
            let run = store.connection().query_row(sql, [], |row| row.get(0))?;
            let (started_at, selection) = (store.time(), selection.to_owned());
            rows::insert(store.connection(), &Run { run, started_at, finished_at: None, selection, reached: 0 })?;
            Ok(run)
        });
        begun.map_err(Fault::into_error)
    }

    /// Adds to a run what the later code says of a change, with jobs that wait until `due`; a change that the run has reached already
    /// is left as it is. Returns the rows of the jobs. Where one of them is a dead letter of a former run, that is decided with it:
    /// the job is replayed, and the former one dropped.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when nothing could be written.
    pub fn add_to_run(
        &mut self,
        run: i64,
        change: ChangeRow,
        verdicts: &[RecordedVerdict],
        jobs: &[DeclaredJob],
        due: Millis,
    ) -> Result<Vec<JobRow>, LedgerError> {
        let added = self.store.transact(|store| {
            let mut known = find_run(store, run)?;
            if known.finished_at.is_some() {
                return Err(refused(format!("run {run} is finished")));
            }
            if known.reached >= change {
                return Ok(Vec::new());
            }
            let sql = "SELECT count(*) FROM changes WHERE change = ?1";
            let count: i64 = store.connection().query_row(sql, [change], |row| row.get(0))?;
            if count == 0 {
                return Err(refused(format!("there is no change {change}")));
            }
            for job in jobs {
                replace_former(store, change, run, job)?;
            }
            let state = JobState { stage: Stage::Waiting { due }, attempts: 0, failures: 0 };
            let rows = store.put_verdicts(change, run, verdicts, jobs, state)?;
            known.reached = change;
            rows::replace(store.connection(), &known)?;
            Ok(rows)
        });
        added.map_err(Fault::into_error)
    }

    /// Ends a run: nothing more is added to it.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when nothing could be written.
    pub fn finish_run(&mut self, run: i64) -> Result<(), LedgerError> {
        let finished = self.store.transact(|store| {
            let mut known = find_run(store, run)?;
            known.finished_at.get_or_insert(store.time());
            Ok(rows::replace(store.connection(), &known)?)
        });
        finished.map_err(Fault::into_error)
    }
}

fn find_run(store: &Store, run: i64) -> Result<Run, Fault> {
    rows::one(store.connection(), &RUN, [run])?.ok_or_else(|| refused(format!("there is no run {run}")))
}

/// Drops the dead letters of former runs whose job `declared` is.
fn replace_former(store: &mut Store, change: ChangeRow, run: i64, declared: &DeclaredJob) -> Result<(), Fault> {
    const DEAD: &str =
        "SELECT job FROM jobs WHERE change = ?1 AND run < ?2 AND event = ?3 AND name = ?4 AND nth = ?5 AND stage = 'dead'";
    let of = (change, run, declared.event, &*declared.name, declared.nth);
    let dead = {
        let mut statement = store.connection().prepare_cached(DEAD)?;
        statement.query_map(of, |row| row.get(0))?.collect::<Result<Vec<JobRow>, _>>()?
    };
    let at = store.time();
    for job in dead {
        let letters: Vec<Letter<'_>> = rows::all(store.connection(), &OPEN_LETTERS, [job])?;
        store.note(&[(job, Entry::Dropped { at })])?;
        for letter in letters {
            let replayed = Letter { resolved_at: Some(at), resolution: Some(REPLAYED.into()), ..letter };
            rows::replace(store.connection(), &replayed)?;
        }
    }
    Ok(())
}

/// The last run behind that of a job which has the same job of the change.
fn later_run(store: &Store, job: JobRow) -> Result<Option<i64>, Fault> {
    const LATER: &str = "SELECT max(later.run) FROM jobs JOIN jobs AS later USING (change, event, name, nth) \
                         WHERE jobs.job = ?1 AND later.run > jobs.run";
    Ok(store.connection().prepare_cached(LATER)?.query_row([job], |row| row.get(0))?)
}

fn refused(why: String) -> Fault {
    Fault::Refused(LedgerError::Failed(why))
}

/// Why a job was refused, without what every refusal says.
fn reason(error: LedgerError) -> String {
    match error {
        LedgerError::Failed(why) => why,
        other => other.to_string(),
    }
}
