//! Is a ledger whole, and how is it copied?

use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::fault::Fault;
use crate::files::{Files, open_private, sync_dir};
use crate::mark::{self, Found};
use crate::open_error::OpenError;
use crate::rows::{self, TABLES};
use crate::schema;

/// One way to look at a ledger.
type Look<'l> = &'l dyn Fn(&Transaction<'_>, &mut CheckReport) -> Result<(), Fault>;

/// So many problems of one kind are listed; the rest is counted.
const LISTED: usize = 20;

/// What was found in a ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// How many rows each table has.
    pub rows: Vec<(&'static str, u64)>,
    /// What is wrong, in words; empty for a ledger that is whole.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What does not fit together: a question that finds rows, and what each means.
const MISFITS: [(&str, &str); 7] = [
    (
        "SELECT 'job ' || job FROM jobs WHERE NOT EXISTS (SELECT 1 FROM changes WHERE changes.change = jobs.change)",
        "is of a change that is not there",
    ),
    (
        "SELECT 'the verdict on ' || event || ' of change ' || change FROM verdicts \
            WHERE NOT EXISTS (SELECT 1 FROM changes WHERE changes.change = verdicts.change)",
        "is of a change that is not there",
    ),
    (
        "SELECT 'attempt ' || attempt || ' of job ' || job FROM attempts WHERE NOT EXISTS \
            (SELECT 1 FROM jobs WHERE jobs.job = attempts.job AND attempts.attempt BETWEEN 1 AND jobs.attempts)",
        "is of a job that is not there or has fewer attempts",
    ),
    (
        "SELECT 'job ' || job FROM jobs WHERE attempts <> (SELECT count(*) FROM attempts WHERE attempts.job = jobs.job)",
        "has another number of attempts than it says",
    ),
    (
        "SELECT 'job ' || job FROM jobs WHERE (stage = 'dead') <> \
            (SELECT count(*) FROM dead_letters WHERE dead_letters.job = jobs.job AND resolved_at IS NULL)",
        "is a dead letter in one table and not in the other",
    ),
    (
        "SELECT 'dead letter ' || letter FROM dead_letters WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.job = dead_letters.job)",
        "is of a job that is not there",
    ),
    (
        "SELECT 'job ' || job FROM jobs WHERE (stage = 'running') <> \
            (SELECT count(*) FROM attempts WHERE attempts.job = jobs.job AND finished_at IS NULL)",
        "runs in one table and not in the other",
    ),
];

/// The parts of a source's sequence, in order: its changes and the ranges of those that are gone.
const SEQUENCE: &str = "\
    SELECT source, seq AS first, seq AS last FROM changes INDEXED BY changes_by_seq \
    UNION ALL SELECT source, first_seq, last_seq FROM tombstones \
    ORDER BY source, first";

/// Looks at the whole ledger in `dir`, which may be in use: at every page, every row's checksum, and whether the rows fit together.
///
/// # Errors
///
/// [`OpenError`] for what cannot be looked at at all. What can be looked at and is wrong is in the report.
pub fn check(dir: &Path) -> Result<CheckReport, OpenError> {
    let files = Files::new(dir);
    let mut connection = schema::read_only(&files)?;
    let mut report = CheckReport::default();
    // Before the ledger is: its owner writes the mark behind each transaction.
    let found = mark::read(&files.mark()).map_err(OpenError::file(files.mark()))?;
    let snapshot = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let looks: [Look<'_>; 5] =
        [&pages, &sums, &|connection, report| compare_mark(connection, report, found), &sequences, &misfits];
    for look in looks {
        // A page that cannot be read ends one look and not the others.
        if let Err(fault) = look(&snapshot, &mut report) {
            report.problems.push(fault.into_error().to_string());
        }
    }
    Ok(report)
}

/// Copies the ledger in `dir`, which may be in use, to the file `to`, as it is at one moment. To restore it: stop the program, put the
/// copy in the place of `ledger.db`, and remove `ledger.db-wal` and `ledger.db-shm`.
///
/// # Errors
///
/// [`OpenError`] when the ledger cannot be read, or `to` exists or cannot be written.
pub fn backup(dir: &Path, to: &Path) -> Result<(), OpenError> {
    let files = Files::new(dir);
    let connection = schema::read_only(&files)?;
    if to.exists() {
        let exists = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "there is a file of this name already");
        return Err(OpenError::file(to.to_owned())(exists));
    }
    copy(&connection, to)
}

/// Copies the database of a connection.
pub(crate) fn copy(connection: &Connection, to: &Path) -> Result<(), OpenError> {
    // Made first, so that it is its owner's alone from the first byte on.
    let file = open_private(to).map_err(OpenError::file(to.to_owned()))?;
    file.set_len(0).map_err(OpenError::file(to.to_owned()))?;
    let mut target = Connection::open(to)?;
    // All pages in one step, so that it is one moment, whatever its owner writes meanwhile.
    match Backup::new(connection, &mut target)?.step(-1)? {
        StepResult::Done => {}
        step => return Err(OpenError::Failed(format!("it could not be copied: {step:?}"))),
    }
    drop(target);
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    file.sync_all().and_then(|()| sync_dir(&dir)).map_err(OpenError::file(to.to_owned()))
}

/// What SQLite says of its pages and indexes.
fn pages(connection: &Transaction<'_>, report: &mut CheckReport) -> Result<(), Fault> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let said = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    list(report, said.into_iter().filter(|line| line != "ok").map(|line| format!("the database: {line}")));
    Ok(())
}

/// Whether every row is what was written.
fn sums(connection: &Transaction<'_>, report: &mut CheckReport) -> Result<(), Fault> {
    for table in &TABLES {
        let mut wrong = Vec::new();
        let mut count = 0;
        // In the order of the row numbers, so that a damaged index hides nothing.
        let mut statement = connection.prepare(table.select)?;
        let mut found = statement.query([])?;
        let read = loop {
            match found.next() {
                Ok(Some(row)) => {
                    count += 1;
                    if let Err(fault) = rows::verify(table, row) {
                        wrong.push(fault.into_error().to_string());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(Fault::from(error)),
            }
        };
        if let Err(fault) = read {
            wrong.push(format!("table `{}` cannot be read to its end: {}", table.name, fault.into_error()));
        }
        report.rows.push((table.name, count));
        list(report, wrong.into_iter());
    }
    Ok(())
}

/// Whether the ledger knows of every transaction that was promised.
fn compare_mark(connection: &Transaction<'_>, report: &mut CheckReport, found: Found) -> Result<(), Fault> {
    let commits: i64 = connection.query_row("SELECT commits FROM ledger", [], |row| row.get(0))?;
    match found {
        Found::Promised(promised) if promised.commits > commits.unsigned_abs() => {
            let lost = promised.commits - commits.unsigned_abs();
            report.problems.push(format!("the last {lost} transactions were lost: {commits} of {} are left", promised.commits));
        }
        Found::Promised(_) => {}
        Found::Missing => report.problems.push("the file `mark` is missing; the program makes it again".to_owned()),
        Found::Damaged => report.problems.push("the file `mark` is damaged; the program makes it again".to_owned()),
    }
    Ok(())
}

/// Whether each source's changes, with those that are gone, count from 1 to its last without gaps.
fn sequences(connection: &Transaction<'_>, report: &mut CheckReport) -> Result<(), Fault> {
    let mut problems = Vec::new();
    let mut statement = connection.prepare("SELECT source, seq FROM positions")?;
    let mut last_seqs =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<(String, i64)>, _>>()?;
    let mut statement = connection.prepare(SEQUENCE)?;
    let mut parts = statement.query([])?;
    let mut reached: Vec<(String, i64)> = Vec::new();
    while let Some(part) = parts.next()? {
        let (source, first, last): (String, i64, i64) = (part.get(0)?, part.get(1)?, part.get(2)?);
        if reached.last().is_none_or(|(name, _)| *name != source) {
            reached.push((source.clone(), 0));
        }
        let Some((_, at)) = reached.last_mut() else { continue };
        match first - *at {
            1 => {}
            ..1 => problems.push(format!("source `{source}`: change {first} is there more than once")),
            _ => problems.push(format!("source `{source}`: the changes {} to {} are missing", *at + 1, first - 1)),
        }
        *at = last.max(*at);
    }
    for (source, last) in reached {
        let known = last_seqs.iter().position(|(name, _)| *name == source).map(|at| last_seqs.swap_remove(at).1);
        if known != Some(last) {
            let known = known.unwrap_or_default();
            problems.push(format!("source `{source}`: its last change is {last}, and its position says {known}"));
        }
    }
    for (source, seq) in last_seqs.into_iter().filter(|(_, seq)| *seq > 0) {
        problems.push(format!("source `{source}`: its position says that there are {seq} changes, and none is there"));
    }
    list(report, problems.into_iter());
    Ok(())
}

/// Whether the rows of different tables fit together.
fn misfits(connection: &Transaction<'_>, report: &mut CheckReport) -> Result<(), Fault> {
    for (sql, meaning) in MISFITS {
        let mut statement = connection.prepare(sql)?;
        let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        list(report, found.into_iter().map(|name| format!("{name} {meaning}")));
    }
    Ok(())
}

fn list(report: &mut CheckReport, mut problems: impl Iterator<Item = String>) {
    report.problems.extend(problems.by_ref().take(LISTED));
    let more = problems.count();
    if more > 0 {
        report.problems.push(format!("and {more} more of this kind"));
    }
}
