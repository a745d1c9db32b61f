//! What does a ledger hold, for those who only read it?
//!
//! A reader works beside the process that owns the ledger, and on what a dead one left.

mod changes;
mod filter;
mod rows;

use std::path::{Path, PathBuf};
use std::time::Duration;

use event_detector_runtime::ChangeRow;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

pub use filter::{Filter, Order, Status};
pub use rows::{
    Attempt, Counts, Letter, LostPart, RecordedChange, RecordedJob, Run, SourcePosition, StoredVerdict, WholeChange, WholeJob,
};

/// The file of the ledger in its directory.
const FILE: &str = "ledger.db";

/// The version of the tables that is read.
const VERSION: i64 = 1;

/// How long a read waits for a lock; only recovering what a dead process left holds one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a ledger, whoever owns it, and changes nothing.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

/// Why a ledger cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no ledger.
    #[error("there is no ledger in `{}`", .0.display())]
    Missing(PathBuf),
    /// This user may not read it.
    #[error("the ledger in `{}` may not be read by this user", .0.display())]
    Denied(PathBuf),
    /// A later version of the program wrote it.
    #[error("the ledger has tables of version {found}, and this program knows them up to version {supported}")]
    Newer {
        /// The version of its tables.
        found: i64,
        /// The latest version that is known here.
        supported: i64,
    },
    /// An earlier version of the program wrote it.
    #[error("the ledger has tables of version {found}, and this program reads those of version {needed}")]
    Older {
        /// The version of its tables.
        found: i64,
        /// The version that is read here.
        needed: i64,
    },
    /// What was read is not what was written.
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    /// Anything else that the store says.
    #[error("the ledger cannot be read: {0}")]
    Failed(String),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, _)
                if matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
            {
                Self::Damaged(error.to_string())
            }
            rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl Reader {
    /// Opens the ledger in a directory.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when there is none, or it cannot be read by this user or this version.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let file = dir.join(FILE);
        match std::fs::File::open(&file) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ReadError::Missing(dir.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Err(ReadError::Denied(dir.to_owned())),
            Err(error) => return Err(ReadError::Failed(error.to_string())),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&file, flags)?;
        connection.busy_timeout(PATIENCE)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            VERSION => Ok(Self { connection }),
            // The program that made it has not come to its tables.
            0 => Err(ReadError::Missing(dir.to_owned())),
            found if found > VERSION => Err(ReadError::Newer { found, supported: VERSION }),
            found => Err(ReadError::Older { found, needed: VERSION }),
        }
    }

    /// A number that is another one when something was written since.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn version(&self) -> Result<i64, ReadError> {
        Ok(self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }

    /// The row of the change that was recorded last; 0 where none was.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn last(&self) -> Result<ChangeRow, ReadError> {
        Ok(self.connection.query_row("SELECT coalesce(max(change), 0) FROM changes", [], |row| row.get(0))?)
    }

    /// The events of which the ledger has a verdict, sorted.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn events(&self) -> Result<Vec<String>, ReadError> {
        self.distinct("event", "verdicts")
    }

    /// The collections of which the ledger has a change, sorted.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn collections(&self) -> Result<Vec<String>, ReadError> {
        self.distinct("collection", "changes")
    }

    /// The values of a column that begins an index: one step in the index for each, however many rows there are.
    fn distinct(&self, column: &str, table: &str) -> Result<Vec<String>, ReadError> {
        let sql = format!(
            "WITH RECURSIVE step(value) AS (SELECT min({column}) FROM {table} \
             UNION ALL SELECT (SELECT min({column}) FROM {table} WHERE {column} > value) FROM step WHERE value IS NOT NULL) \
             SELECT value FROM step WHERE value IS NOT NULL"
        );
        self.all(&sql, [], |row| Ok(row.get(0)?))
    }

    /// Dead letters in the order of their deaths: those that nobody has decided on, or all.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn letters(&self, are_open: Open) -> Result<Vec<(Letter, RecordedJob)>, ReadError> {
        let condition = match are_open {
            Open::Only => "WHERE d.resolved_at IS NULL",
            Open::AndClosed => "",
        };
        let sql = format!(
            "SELECT {}, {} FROM dead_letters d JOIN jobs j ON j.job = d.job {condition} ORDER BY d.died_at, d.letter",
            rows::JOB_COLUMNS,
            rows::LETTER_COLUMNS,
        );
        self.all(&sql, [], |row| Ok((rows::letter(row, rows::JOB_WIDTH)?, rows::job(row)?)))
    }

    /// A dead letter with its job.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn letter(&self, letter: i64) -> Result<Option<(Letter, RecordedJob)>, ReadError> {
        let sql = format!(
            "SELECT {}, {} FROM dead_letters d JOIN jobs j ON j.job = d.job WHERE d.letter = ?",
            rows::JOB_COLUMNS,
            rows::LETTER_COLUMNS,
        );
        Ok(self.all(&sql, [letter], |row| Ok((rows::letter(row, rows::JOB_WIDTH)?, rows::job(row)?)))?.pop())
    }

    /// Parts of sources' histories that were lost, in the order in which that was noticed.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn gaps(&self) -> Result<Vec<LostPart>, ReadError> {
        self.all(r#"SELECT gap, source, "from", "to", reason, noticed_at FROM gaps ORDER BY gap"#, [], |row| {
            Ok(LostPart {
                gap: row.get(0)?,
                source: row.get(1)?,
                from: row.get(2)?,
                to: row.get(3)?,
                reason: row.get(4)?,
                noticed_at: row.get(5)?,
            })
        })
    }

    /// Where each source has got to, by its name.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn positions(&self) -> Result<Vec<SourcePosition>, ReadError> {
        self.all("SELECT source, position, seq, updated_at FROM positions ORDER BY source", [], |row| {
            Ok(SourcePosition { source: row.get(0)?, position: row.get(1)?, seq: row.get(2)?, updated_at: row.get(3)? })
        })
    }

    /// The runs of recorded changes through later code, in their order.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, ReadError> {
        self.all(&format!("SELECT {} FROM runs ORDER BY run", rows::RUN_COLUMNS), [], rows::run)
    }

    /// A run of recorded changes through later code.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn run(&self, run: i64) -> Result<Option<Run>, ReadError> {
        Ok(self.all(&format!("SELECT {} FROM runs WHERE run = ?", rows::RUN_COLUMNS), [run], rows::run)?.pop())
    }

    /// How much of what there is.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn counts(&self) -> Result<Counts, ReadError> {
        let number = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        Ok(Counts {
            changes: number("SELECT count(*) FROM changes")?,
            queued: number("SELECT count(*) FROM jobs WHERE stage = 'queued'")?,
            running: number("SELECT count(*) FROM jobs WHERE stage = 'running'")?,
            waiting: number("SELECT count(*) FROM jobs WHERE stage = 'waiting'")?,
            open_letters: number("SELECT count(*) FROM dead_letters WHERE resolved_at IS NULL")?,
            gaps: number("SELECT count(*) FROM gaps")?,
        })
    }

    fn all<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> Result<T, ReadError>,
    ) -> Result<Vec<T>, ReadError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }
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
