//! What does a ledger hold, for those who only read it?
//!
//! A reader works beside the process that owns the ledger, and on what a dead one left.

mod changes;
mod filter;
mod rows;

use std::path::Path;

use event_detector_runtime::{ChangeRow, LedgerError};
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params};

use crate::fault::Fault;
use crate::files::Files;
use crate::open_error::OpenError;
use crate::rows::{self as tables, GapRecord, Position, Record};
use crate::schema;

pub use filter::{Filter, Order, Status};
pub use rows::{
    Attempt, Content, Counts, Coverage, Letter, LostPart, RecordedChange, RecordedJob, Run, SourcePosition, StoredVerdict,
    WholeChange, WholeJob,
};

/// Reads a ledger, whoever owns it, and changes nothing. Each row that is read is checked against its checksum.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the ledger in a folder, whether or not a process owns it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when there is none, or it cannot be read by this user or this version.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self { connection: schema::read_only(&Files::new(dir))? })
    }

    /// A number that is another one when something was written since.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn version(&self) -> Result<i64, LedgerError> {
        self.one("PRAGMA data_version", [])
    }

    /// The row of the change that was recorded last; 0 where none was.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn last(&self) -> Result<ChangeRow, LedgerError> {
        self.one("SELECT coalesce(max(change), 0) FROM changes", [])
    }

    /// The events of which the ledger has a verdict, sorted.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn events(&self) -> Result<Vec<String>, LedgerError> {
        self.distinct("event", "verdicts")
    }

    /// The collections of which the ledger has a change, sorted.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn collections(&self) -> Result<Vec<String>, LedgerError> {
        self.distinct("collection", "changes")
    }

    /// The values of a column that begins an index: one step in the index for each, however many rows there are.
    fn distinct(&self, column: &str, table: &str) -> Result<Vec<String>, LedgerError> {
        let sql = format!(
            "WITH RECURSIVE step(value) AS (SELECT min({column}) FROM {table} \
             UNION ALL SELECT (SELECT min({column}) FROM {table} WHERE {column} > value) FROM step WHERE value IS NOT NULL) \
             SELECT value FROM step WHERE value IS NOT NULL"
        );
        self.column(&sql, [])
    }

    /// Dead letters in the order of their deaths, each with its job: those that nobody has decided on, or all.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn letters(&self, are_open: Open) -> Result<Vec<(Letter, RecordedJob)>, LedgerError> {
        let condition = match are_open {
            Open::Only => "WHERE resolved_at IS NULL",
            Open::AndClosed => "",
        };
        self.with_jobs(&tables::Letter::TABLE.find(&format!("{condition} ORDER BY died_at, letter")), [])
    }

    /// A dead letter with its job.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn letter(&self, letter: i64) -> Result<Option<(Letter, RecordedJob)>, LedgerError> {
        Ok(self.with_jobs(&tables::Letter::TABLE.find("WHERE letter = ?1"), [letter])?.pop())
    }

    /// Letters with their jobs. Retention deletes a job before its letter is read: such a letter is left out.
    fn with_jobs(&self, sql: &str, parameters: impl Params) -> Result<Vec<(Letter, RecordedJob)>, LedgerError> {
        let mut found = Vec::new();
        for letter in self.records::<tables::Letter<'_>>(sql, parameters)? {
            if let Some(job) = self.job(letter.job)? {
                found.push((Letter::from(letter), job));
            }
        }
        Ok(found)
    }

    /// Parts of sources' histories that were lost, in the order in which that was noticed.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn gaps(&self) -> Result<Vec<LostPart>, LedgerError> {
        Ok(self.records::<GapRecord<'_>>(&GapRecord::TABLE.find("ORDER BY gap"), [])?.into_iter().map(LostPart::from).collect())
    }

    /// Where each source has got to, by its name.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn positions(&self) -> Result<Vec<SourcePosition>, LedgerError> {
        let found = self.records::<Position>(&Position::TABLE.find("ORDER BY source"), [])?;
        Ok(found.into_iter().map(SourcePosition::from).collect())
    }

    /// The runs of recorded changes through later code, in their order.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, LedgerError> {
        let found = self.records::<tables::Run>(&tables::Run::TABLE.find("ORDER BY run"), [])?;
        Ok(found.into_iter().map(Run::from).collect())
    }

    /// A run of recorded changes through later code.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn run(&self, run: i64) -> Result<Option<Run>, LedgerError> {
        Ok(self.records::<tables::Run>(&tables::Run::TABLE.find("WHERE run = ?1"), [run])?.pop().map(Run::from))
    }

    /// How much of what there is.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn counts(&self) -> Result<Counts, LedgerError> {
        let number = |sql: &str| self.one::<i64>(sql, []).map(i64::unsigned_abs);
        // The index of open jobs is taken only where its own condition is said.
        const OPEN: &str = "SELECT count(*) FROM jobs WHERE stage IN ('queued', 'running', 'waiting') AND stage = ?1";
        let jobs = |stage: &str| self.one::<i64>(OPEN, [stage]).map(i64::unsigned_abs);
        Ok(Counts {
            changes: number("SELECT count(*) FROM changes")?,
            queued: jobs("queued")?,
            running: jobs("running")?,
            waiting: jobs("waiting")?,
            open_letters: number("SELECT count(*) FROM dead_letters WHERE resolved_at IS NULL")?,
            gaps: number("SELECT count(*) FROM gaps")?,
        })
    }

    /// The rows of a table, each checked.
    fn records<R: Record>(&self, sql: &str, parameters: impl Params) -> Result<Vec<R>, LedgerError> {
        tables::all(&self.connection, sql, parameters).map_err(Fault::into_error)
    }

    /// The only column of all rows.
    fn column<T: FromSql>(&self, sql: &str, parameters: impl Params) -> Result<Vec<T>, LedgerError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let found = statement.query_map(parameters, |row| row.get(0)).map_err(failed)?;
        found.collect::<Result<_, _>>().map_err(failed)
    }

    /// The only column of the only row.
    fn one<T: FromSql>(&self, sql: &str, parameters: impl Params) -> Result<T, LedgerError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(parameters, |row| row.get(0)))
            .map_err(failed)
    }

    /// Lets all that `read` reads be of one moment.
    fn at_once<T>(&self, read: impl FnOnce() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let snapshot = self.connection.unchecked_transaction().map_err(failed)?;
        let found = read()?;
        snapshot.finish().map_err(failed)?;
        Ok(found)
    }
}

fn failed(error: rusqlite::Error) -> LedgerError {
    Fault::from(error).into_error()
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Those that nobody has decided on.
    Only,
    /// Those that somebody has decided on, too.
    AndClosed,
}

#[cfg(test)]
mod tests;
