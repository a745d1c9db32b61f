//! What is written when something happens to a job?

use std::borrow::Cow;
use std::collections::BTreeMap;

use event_detector::Effect;
use event_detector_runtime::{Entry, JobRow, JobState, LedgerError, Millis, Outcome, Stage};

use super::Store;
use crate::fault::Fault;
use crate::rows::{self, Attempt, Cell, Job, Letter, Record, Sql};

static JOB: Sql = Sql::new(|| Job::TABLE.find("WHERE job = ?1"));
static ATTEMPT: Sql = Sql::new(|| Attempt::TABLE.find("WHERE job = ?1 AND attempt = ?2"));
static OPEN_LETTERS: Sql = Sql::new(|| Letter::TABLE.find("WHERE job = ?1 AND resolved_at IS NULL"));

/// A job on its way through entries.
struct Moving {
    job: Job<'static>,
    /// Where the entries lead, which are not written yet.
    state: JobState,
    effect: Effect,
}

impl Store {
    /// Notes what happened to jobs: all of it, or nothing where one entry cannot follow.
    pub(crate) fn note(&mut self, entries: &[(JobRow, Entry)]) -> Result<(), Fault> {
        let mut moving: BTreeMap<JobRow, Moving> = BTreeMap::new();
        let mut states = Vec::with_capacity(entries.len());
        for (row, entry) in entries {
            if !moving.contains_key(row) {
                let job = self.job(*row)?.ok_or_else(|| refused(format!("there is no job {row}")))?;
                let (state, effect) = job.state()?;
                moving.insert(*row, Moving { job, state, effect });
            }
            let Some(Moving { state, effect, .. }) = moving.get_mut(row) else { continue };
            *state = state.after(*effect, entry).map_err(|wrong| refused(format!("job {row}: {wrong}")))?;
            states.push(*state);
        }
        for ((row, entry), after) in entries.iter().zip(states) {
            if let Some(Moving { job, .. }) = moving.get_mut(row) {
                self.apply(job, entry, after)?;
            }
        }
        moving.into_values().try_for_each(|Moving { job, .. }| self.write_job(&job))
    }

    /// Notes one entry of a job whose row is at hand, and says where it leads.
    pub(crate) fn note_one(&mut self, job: &mut Job<'_>, entry: &Entry) -> Result<JobState, Fault> {
        let (before, effect) = job.state()?;
        let after = before.after(effect, entry).map_err(|wrong| refused(format!("job {}: {wrong}", job.job)))?;
        self.apply(job, entry, after)?;
        self.write_job(job)?;
        Ok(after)
    }

    /// The job of this row.
    pub(crate) fn job(&self, row: JobRow) -> Result<Option<Job<'static>>, Fault> {
        rows::one(&self.connection, &JOB, [row])
    }

    /// Puts the job into the state that `entry` led to, and writes what that comes to but for the job's own row.
    fn apply(&mut self, job: &mut Job<'_>, entry: &Entry, after: JobState) -> Result<(), Fault> {
        let (before, _) = job.state()?;
        self.count(before.stage, after.stage);
        job.set(after);
        job.updated_at = self.at;
        let was_running = before.stage == Stage::Running;
        match entry {
            Entry::Queued => {}
            Entry::Started { at } => {
                let (job, attempt) = (job.job, after.attempts);
                let attempt = Attempt { job, attempt, started_at: *at, finished_at: None, outcome: None, error: None };
                rows::insert(&self.connection, &attempt)?;
                self.counts.rows += 1;
            }
            Entry::Finished { at, outcome } => self.finish(job, *at, outcome)?,
            Entry::Interrupted { at } => {
                if was_running {
                    self.end_attempt(job, *at, "interrupted", None)?;
                }
                if after.stage == Stage::Dead {
                    let reason = format!(
                        "the program ended in the middle of attempt {}, and what the job does must not be done twice",
                        job.attempts
                    );
                    self.bury(job, *at, reason)?;
                }
            }
            Entry::NotBegun { .. } => {
                if was_running {
                    let sql = "DELETE FROM attempts WHERE job = ?1 AND attempt = ?2";
                    self.connection.prepare_cached(sql)?.execute((job.job, before.attempts))?;
                }
            }
            Entry::Refused { at, reason } => {
                if was_running {
                    self.end_attempt(job, *at, "interrupted", None)?;
                }
                self.bury(job, *at, reason.clone())?;
            }
            Entry::Retried { at } => self.resolve(job.job, *at, "retried")?,
            Entry::Dropped { at } => self.resolve(job.job, *at, "dropped")?,
        }
        Ok(())
    }

    /// Writes how the job's attempt ended.
    fn finish(&mut self, job: &mut Job<'_>, at: Millis, outcome: &Outcome) -> Result<(), Fault> {
        match outcome {
            Outcome::Succeeded { result } => {
                job.result = Some(Cow::Owned(result.to_string()));
                job.error = None;
                self.end_attempt(job, at, "succeeded", None)
            }
            Outcome::Retry { status, error, .. } => {
                job.error = Some(Cow::Owned(error.clone()));
                self.end_attempt(job, at, status, Some(error))
            }
            Outcome::Dead { status, error } => {
                self.end_attempt(job, at, status, Some(error))?;
                self.bury(job, at, error.clone())
            }
        }
    }

    /// Writes the end of the job's last attempt.
    fn end_attempt(&self, job: &Job<'_>, at: Millis, outcome: &str, error: Option<&str>) -> Result<(), Fault> {
        let (job, number) = (job.job, job.attempts);
        let found: Option<Attempt<'_>> = rows::one(&self.connection, &ATTEMPT, (job, number))?;
        let found = found.ok_or_else(|| Fault::Damaged(format!("table `attempts` has no attempt {number} of job {job}")))?;
        let (outcome, error) = (Some(Cow::Borrowed(outcome)), error.map(Cow::Borrowed));
        let ended = Attempt { finished_at: Some(at), outcome, error, ..found };
        Ok(rows::replace(&self.connection, &ended)?)
    }

    /// Makes the job a dead letter.
    fn bury(&mut self, job: &mut Job<'_>, at: Millis, reason: String) -> Result<(), Fault> {
        let sql = "SELECT ifnull(max(letter), 0) + 1 FROM dead_letters";
        let letter = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        let (job_row, died_at) = (job.job, at);
        let record =
            Letter { letter, job: job_row, reason: reason.as_str().into(), died_at, resolved_at: None, resolution: None };
        rows::insert(&self.connection, &record)?;
        self.counts.rows += 1;
        self.counts.open_letters += 1;
        job.error = Some(Cow::Owned(reason));
        Ok(())
    }

    /// Writes what a person decided on the job's dead letter, if it is one.
    fn resolve(&mut self, job: JobRow, at: Millis, resolution: &str) -> Result<(), Fault> {
        for letter in rows::all::<Letter<'_>>(&self.connection, &OPEN_LETTERS, [job])? {
            let resolved = Letter { resolved_at: Some(at), resolution: Some(resolution.into()), ..letter };
            rows::replace(&self.connection, &resolved)?;
            self.counts.open_letters -= 1;
        }
        Ok(())
    }

    /// Keeps the count of jobs that wait.
    fn count(&mut self, before: Stage, after: Stage) {
        let waits = |stage| matches!(stage, Stage::Waiting { .. });
        self.counts.waiting += i64::from(waits(after)) - i64::from(waits(before));
        self.due_moved |= waits(after) || waits(before);
    }

    /// Writes the row of a job that moved.
    fn write_job(&self, job: &Job<'_>) -> Result<(), Fault> {
        let changing = job.changing();
        let mut statement = self.connection.prepare_cached(Job::UPDATE)?;
        rows::bind(&mut statement, &changing)?;
        statement.raw_bind_parameter(changing.len() + 1, Cell(rows::sum_of(job)))?;
        statement.raw_bind_parameter(changing.len() + 2, job.job)?;
        statement.raw_execute()?;
        Ok(())
    }
}

fn refused(why: String) -> Fault {
    Fault::Refused(LedgerError::Failed(why))
}
