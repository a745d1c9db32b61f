//! What did a process leave that is gone?

use std::collections::{BTreeMap, BTreeSet};

use event_detector_runtime::{ChangeRow, Entry, JobRow, LedgerError, MAX_DEATHS, Recovered, Stage, Unfinished, UnfinishedJob};
use rusqlite::params;

use super::Store;
use crate::fault::Fault;
use crate::rows::{self, Cell, ChangeRecord, Job, Record, Sql};

static CHANGE: Sql = Sql::new(|| ChangeRecord::TABLE.find("WHERE change = ?1"));
static OPEN_JOBS: Sql =
    Sql::new(|| Job::TABLE.find("WHERE change = ?1 AND stage IN ('queued', 'running', 'waiting') ORDER BY run, job"));

static QUEUED: Sql = Sql::new(|| {
    Job::TABLE.find("INDEXED BY jobs_open WHERE stage IN ('queued', 'running', 'waiting') AND stage = 'queued' ORDER BY job")
});

/// The changes with jobs in a stage; the index of the open jobs is small, however many rows there are. Of jobs that wait, those that nothing
/// comes behind are left to be taken up some at a time: they began once, or a person put them up.
const IN_STAGE: &str = "SELECT DISTINCT change FROM jobs INDEXED BY jobs_open \
    WHERE stage IN ('queued', 'running', 'waiting') AND stage = ?1 \
    AND (due_at IS NULL OR (due_at <= ?2 AND ((attempts = 0 AND run = 0) OR ordered = 1)))";

impl Store {
    /// Takes over what a process left, all of it in this transaction.
    pub(crate) fn recover(&mut self) -> Result<Recovered, Fault> {
        let running = self.changes_in("running")?;
        let mut changes = running.clone();
        changes.extend(self.changes_in("queued")?);
        let mut recovered = Recovered { interrupted: changes.len() as u64, ..Recovered::default() };
        changes.extend(self.changes_in("waiting")?);
        for change in changes {
            let is_set_aside = self.take_back(change, running.contains(&change), &mut recovered.unfinished)?;
            recovered.quarantined += u64::from(is_set_aside);
        }
        Ok(recovered)
    }

    /// Gives back what was taken up and did not begin, before the ledger is closed.
    pub(crate) fn give_back(&mut self) -> Result<(), Fault> {
        let at = self.at;
        for mut job in rows::all::<Job<'_>>(&self.connection, &QUEUED, [])? {
            self.note_one(&mut job, &Entry::Interrupted { at })?;
        }
        Ok(())
    }

    fn changes_in(&self, stage: &str) -> Result<BTreeSet<ChangeRow>, Fault> {
        let mut statement = self.connection.prepare_cached(IN_STAGE)?;
        let found = statement.query_map(params![stage, self.at], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Takes the jobs of a change up again, or sets it aside; says which.
    fn take_back(&mut self, row: ChangeRow, has_died: bool, unfinished: &mut Vec<Unfinished>) -> Result<bool, Fault> {
        let at = self.at;
        let jobs = rows::all::<Job<'_>>(&self.connection, &OPEN_JOBS, [row]);
        let Some(jobs) = self.readable((row, 0), jobs)? else { return Ok(false) };
        let (deaths, change) = self.change(row, has_died)?;
        if has_died && deaths >= MAX_DEATHS {
            let reason = format!("set aside: the program died {deaths} times in the middle of its jobs");
            for mut job in jobs {
                self.note_one(&mut job, &Entry::Refused { at, reason: reason.clone() })?;
            }
            return Ok(true);
        }
        let mut runs: BTreeMap<i64, Vec<UnfinishedJob>> = BTreeMap::new();
        for mut job in jobs {
            let (mut state, _) = job.state()?;
            if matches!(state.stage, Stage::Queued | Stage::Running) {
                state = self.note_one(&mut job, &Entry::Interrupted { at })?;
            }
            if matches!(state.stage, Stage::Waiting { due } if due <= at) {
                let taken = self.take_up(&mut job)?;
                runs.entry(job.run).or_default().push(taken);
            }
        }
        let mut change = Some(change);
        for jobs in runs.into_values() {
            let change = match change.take() {
                Some(change) => change,
                None => self.change(row, false)?.1,
            };
            unfinished.push(Unfinished { row, change, deaths, jobs });
        }
        Ok(false)
    }

    /// Takes up a job that waits.
    pub(crate) fn take_up(&mut self, job: &mut Job<'_>) -> Result<UnfinishedJob, Fault> {
        let state = self.note_one(job, &Entry::Queued)?;
        let (row, event, name) = (job.job as JobRow, job.event.to_string(), job.name.to_string());
        Ok(UnfinishedJob { row, event, name, nth: job.nth, state })
    }

    /// A change and how often the program died in the middle of its jobs, which is one time more where it just did.
    pub(crate) fn change(&self, row: ChangeRow, has_died: bool) -> Result<(u32, Result<event_detector::Change, String>), Fault> {
        let read = rows::one::<ChangeRecord<'_>>(&self.connection, &CHANGE, [row]);
        let mut record = match read {
            Ok(Some(record)) => record,
            Ok(None) => return Ok((0, Err(format!("there is no change {row}")))),
            // The jobs of a change that cannot be read are not run, so it kills nothing and its deaths need no count.
            Err(Fault::Damaged(what)) => return Ok((0, Err(LedgerError::Damaged(what).to_string()))),
            Err(fault) => return Err(fault),
        };
        if has_died {
            record.deaths += 1;
            let mut statement = self.connection.prepare_cached(ChangeRecord::UPDATE)?;
            statement.execute(params![record.deaths, Cell(rows::sum_of(&record)), row])?;
        }
        Ok((record.deaths, record.restore()))
    }
}
