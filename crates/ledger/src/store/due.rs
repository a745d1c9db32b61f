//! Which jobs wait, and until when?

use std::collections::BTreeSet;

use event_detector_runtime::{ChangeRow, Millis, Unfinished, UnfinishedJob};
use rusqlite::params;

use super::Store;
use crate::fault::Fault;
use crate::rows::{self, Job, Record, Sql};

/// The changes and runs of jobs whose time has come, oldest first.
const DUE: &str = "SELECT change, run FROM jobs INDEXED BY jobs_open \
    WHERE stage IN ('queued', 'running', 'waiting') AND stage = 'waiting' AND due_at <= ?1 ORDER BY due_at, job";

/// When jobs are due, the next one first.
const NEXT: &str = "SELECT due_at, change, run FROM jobs INDEXED BY jobs_open \
    WHERE stage IN ('queued', 'running', 'waiting') AND stage = 'waiting' ORDER BY due_at";

static DUE_OF_CHANGE: Sql =
    Sql::new(|| Job::TABLE.find("WHERE change = ?1 AND run = ?2 AND stage = 'waiting' AND due_at <= ?3 ORDER BY job"));

impl Store {
    /// Takes up to `limit` changes with jobs whose time has come.
    pub(crate) fn take_due(&mut self, limit: usize) -> Result<Vec<Unfinished>, Fault> {
        let at = self.at;
        let mut taken = Vec::new();
        for (change, run) in self.due(at, limit)? {
            let jobs = rows::all::<Job<'_>>(&self.connection, &DUE_OF_CHANGE, params![change, run, at]);
            let Some(jobs) = self.readable((change, run), jobs)? else { continue };
            let jobs = jobs.into_iter().map(|mut job| self.take_up(&mut job)).collect::<Result<Vec<UnfinishedJob>, _>>()?;
            let (deaths, read) = self.change(change, false)?;
            taken.push(Unfinished { row: change, change: read, deaths, jobs });
        }
        Ok(taken)
    }

    /// The jobs of a change, unless one is damaged: then they are left as they are, and the others go on.
    pub(super) fn readable<'j>(
        &mut self,
        key: (ChangeRow, i64),
        jobs: Result<Vec<Job<'j>>, Fault>,
    ) -> Result<Option<Vec<Job<'j>>>, Fault> {
        match jobs {
            Err(Fault::Damaged(what)) => {
                if self.unreadable.insert(key) {
                    tracing::error!(
                        what,
                        change = key.0,
                        "jobs of a change are not taken up, because a row is damaged; see `ledger check`"
                    );
                }
                Ok(None)
            }
            jobs => jobs.map(Some),
        }
    }

    /// The changes and runs with jobs that are due, oldest due first.
    fn due(&self, at: Millis, limit: usize) -> Result<Vec<(ChangeRow, i64)>, Fault> {
        let mut statement = self.connection.prepare_cached(DUE)?;
        let mut rows = statement.query([at])?;
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let key = (row.get(0)?, row.get(1)?);
            if !self.unreadable.contains(&key) && seen.insert(key) {
                found.push(key);
            }
        }
        Ok(found)
    }

    /// When the next job that waits is due.
    pub(crate) fn next_due(&self) -> Result<Option<Millis>, Fault> {
        let mut statement = self.connection.prepare_cached(NEXT)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !self.unreadable.contains(&(row.get(1)?, row.get(2)?)) {
                return Ok(Some(row.get(0)?));
            }
        }
        Ok(None)
    }

    /// Whether some job began or ended to wait since this was asked last.
    pub(crate) fn has_due_moved(&mut self) -> bool {
        std::mem::take(&mut self.due_moved)
    }
}
