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

/// When the next job is due.
const NEXT: &str = "SELECT min(due_at) FROM jobs INDEXED BY jobs_open \
    WHERE stage IN ('queued', 'running', 'waiting') AND stage = 'waiting'";

static DUE_OF_CHANGE: Sql =
    Sql::new(|| Job::TABLE.find("WHERE change = ?1 AND run = ?2 AND stage = 'waiting' AND due_at <= ?3 ORDER BY job"));

impl Store {
    /// Takes up to `limit` changes with jobs whose time has come.
    pub(crate) fn take_due(&mut self, limit: usize) -> Result<Vec<Unfinished>, Fault> {
        let at = self.at;
        let mut taken = Vec::new();
        for (change, run) in self.due(at, limit)? {
            let jobs: Vec<Job<'_>> = rows::all(&self.connection, &DUE_OF_CHANGE, params![change, run, at])?;
            let jobs = jobs.into_iter().map(|mut job| self.take_up(&mut job)).collect::<Result<Vec<UnfinishedJob>, _>>()?;
            let (deaths, read) = self.change(change, false)?;
            taken.push(Unfinished { row: change, change: read, deaths, jobs });
        }
        Ok(taken)
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
            if seen.insert(key) {
                found.push(key);
            }
        }
        Ok(found)
    }

    /// When the next job that waits is due.
    pub(crate) fn next_due(&self) -> Result<Option<Millis>, Fault> {
        Ok(self.connection.prepare_cached(NEXT)?.query_row([], |row| row.get(0))?)
    }

    /// Whether some job began or ended to wait since this was asked last.
    pub(crate) fn has_due_moved(&mut self) -> bool {
        std::mem::take(&mut self.due_moved)
    }
}
