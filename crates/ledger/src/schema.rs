//! How does a database come to have the tables of this version?

use std::io;
use std::path::Path;
use std::time::Duration;

use event_detector_runtime::{crash_point, spoiled};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::check::copy;
use crate::files::{Files, now};
use crate::open_error::OpenError;
use crate::rows::{Knowledge, insert};

/// So long a transaction waits for one of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// More statements than there are in the program.
const STATEMENTS: usize = 96;

/// KiB of pages that are kept in memory, so that the indexes' inner pages are there.
const CACHE: i64 = 32 * 1024;

/// Bytes that the log keeps when it begins anew, for what comes next.
const LOG_LIMIT: i64 = 64 * 1024 * 1024;

/// What leads from one version of the tables to the next: the first step makes version 1.
pub(crate) static STEPS: &[Step] = &[create];

/// One step of the way, inside a transaction.
pub(crate) type Step = fn(&Connection) -> Result<(), OpenError>;

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To write, and to make it where it is missing.
    Create,
    /// To write to one that is there.
    Write,
    /// To read one that is there.
    Read,
}

/// A connection with the settings that the ledger's promises need.
pub(crate) fn connect(path: &Path, access: Access) -> Result<Connection, OpenError> {
    let flags = match access {
        Access::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|error| {
        // SQLite does not say why; that it is there is known.
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                OpenError::file(path.to_owned())(io::ErrorKind::PermissionDenied.into())
            }
            _ => error.into(),
        }
    })?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if access != Access::Read {
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(OpenError::Failed(format!("the journal mode is `{mode}` and cannot be `wal` here; use a local disk")));
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        // The writer does it itself, after those who wait were answered.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // Where somebody read for long and the log grew meanwhile, it shrinks again.
        connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    }
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Damaged pages are noticed where they are read, before anything follows from them.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// A connection that only reads, to a ledger of this version that is there already, whoever owns it.
///
/// The database is looked for and not opened beside SQLite: to close it again would end the locks that SQLite has on it in this process.
pub(crate) fn read_only(files: &Files) -> Result<Connection, OpenError> {
    let connection = connect(&files.existing_database()?, Access::Read)?;
    require_current(&connection)?;
    Ok(connection)
}

/// The version of the tables; 0 where there are none.
pub(crate) fn version(connection: &Connection) -> Result<u32, OpenError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Whether there is nothing in the database.
pub(crate) fn is_empty(connection: &Connection) -> Result<bool, OpenError> {
    Ok(connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?)
}

/// Refuses tables that are not those of this version.
pub(crate) fn require_current(connection: &Connection) -> Result<(), OpenError> {
    let needed = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    match version(connection)? {
        found if found == needed => Ok(()),
        0 => Err(OpenError::Damaged("`ledger.db` holds no ledger".to_owned())),
        found if found > needed => Err(OpenError::Newer { found, supported: needed }),
        found => Err(OpenError::Older { found, needed }),
    }
}

/// Brings the tables to the last version, in one transaction, after a copy of those that were there.
pub(crate) fn migrate(connection: &mut Connection, files: &Files, steps: &[Step]) -> Result<(), OpenError> {
    let supported = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let found = version(connection)?;
    if found > supported {
        return Err(OpenError::Newer { found, supported });
    }
    let left = &steps[found as usize..];
    if left.is_empty() {
        return Ok(());
    }
    match (found, is_empty(connection)?) {
        (0, true) => {}
        (0, false) => return Err(OpenError::Damaged("`ledger.db` is the database of another program".to_owned())),
        _ => copy(connection, &files.backup(found))?,
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in left {
        step(&transaction)?;
        crash_point("mid_migration");
    }
    transaction.pragma_update(None, "user_version", supported)?;
    transaction.commit()?;
    if found > 0 {
        tracing::info!(from = found, to = supported, "the ledger's tables were brought to this version");
    }
    Ok(())
}

/// Makes the tables of version 1.
fn create(connection: &Connection) -> Result<(), OpenError> {
    connection.execute_batch(include_str!("schema.sql"))?;
    if spoiled("unique-key") {
        connection.execute_batch("DROP INDEX changes_by_id; CREATE INDEX changes_by_id ON changes (id, source)")?;
    }
    insert(connection, &Knowledge { generation: 0, commits: 0, created_at: now() })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_table(connection: &Connection) -> Result<(), OpenError> {
        Ok(connection.execute_batch("CREATE TABLE later (a); INSERT INTO later SELECT count(*) FROM ledger")?)
    }

    fn fail(connection: &Connection) -> Result<(), OpenError> {
        Ok(connection.execute_batch("INSERT INTO nowhere VALUES (1)")?)
    }

    fn version_of(path: &Path) -> u32 {
        version(&Connection::open(path).unwrap()).unwrap()
    }

    #[test]
    fn an_older_ledger_is_brought_to_the_last_version_and_a_copy_of_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path());
        let mut connection = connect(&files.database(), Access::Create).unwrap();
        migrate(&mut connection, &files, &[create]).unwrap();
        assert!(!files.backup(0).exists());

        migrate(&mut connection, &files, &[create, add_table, add_table_again]).unwrap();

        assert_eq!(version(&connection).unwrap(), 3);
        let rows: i64 = connection.query_row("SELECT sum(a) FROM later", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 2);
        assert_eq!(version_of(&files.backup(1)), 1);
        migrate(&mut connection, &files, &[create, add_table, add_table_again]).unwrap();
        assert!(!files.backup(3).exists());
    }

    fn add_table_again(connection: &Connection) -> Result<(), OpenError> {
        Ok(connection.execute_batch("INSERT INTO later SELECT a FROM later")?)
    }

    #[test]
    fn a_step_that_fails_leaves_the_ledger_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path());
        let mut connection = connect(&files.database(), Access::Create).unwrap();
        migrate(&mut connection, &files, &[create]).unwrap();

        assert!(migrate(&mut connection, &files, &[create, add_table, fail]).is_err());

        assert_eq!(version(&connection).unwrap(), 1);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'later'", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
        migrate(&mut connection, &files, &[create, add_table]).unwrap();
        assert_eq!(version(&connection).unwrap(), 2);
    }

    #[test]
    fn a_newer_ledger_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path());
        let mut connection = connect(&files.database(), Access::Create).unwrap();
        migrate(&mut connection, &files, &[create, add_table]).unwrap();

        let error = migrate(&mut connection, &files, &[create]).unwrap_err();

        assert!(matches!(error, OpenError::Newer { found: 2, supported: 1 }), "{error}");
    }
}
