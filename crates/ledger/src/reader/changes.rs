//! Which changes does a ledger hold, and what came of each?

use std::borrow::Cow;

use event_detector::{Change, StoredChange, StoredForm};
use event_detector_runtime::ChangeRow;
use rusqlite::params_from_iter;

use super::filter::{Filter, Order, Query};
use super::rows::{self, RecordedChange, Run, WholeChange, WholeJob};
use super::{ReadError, Reader};

impl Reader {
    /// At most `limit` of the changes that `filter` asks for, with their verdicts and jobs.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn changes(&self, filter: &Filter, order: Order, limit: usize) -> Result<Vec<RecordedChange>, ReadError> {
        let mut query = Query::new(filter, || self.collections())?;
        let key = if query.repeats() { "v.change" } else { "c.change" };
        let direction = match order {
            Order::Newest => "DESC",
            Order::After(row) => {
                query.push(format!("{key} > ?"), [row]);
                "ASC"
            }
        };
        let group = if query.repeats() { "GROUP BY v.change" } else { "" };
        let sql = format!(
            "SELECT {} FROM {} WHERE {} {group} ORDER BY {key} {direction} LIMIT {limit}",
            rows::CHANGE_COLUMNS,
            query.tables,
            query.conditions(),
        );
        let snapshot = self.connection.unchecked_transaction()?;
        let mut changes = self.all(&sql, params_from_iter(query.values), rows::change)?;
        for change in &mut changes {
            self.fill(change)?;
        }
        snapshot.finish()?;
        Ok(changes)
    }

    /// How many changes `filter` asks for, behind a row.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn count(&self, filter: &Filter, after: ChangeRow) -> Result<u64, ReadError> {
        let mut query = Query::new(filter, || self.collections())?;
        query.push("c.change > ?", [after]);
        let what = if query.repeats() { "count(DISTINCT c.change)" } else { "count(*)" };
        let sql = format!("SELECT {what} FROM {} WHERE {}", query.tables, query.conditions());
        let number: i64 = self.connection.query_row(&sql, params_from_iter(query.values), |row| row.get(0))?;
        Ok(number.unsigned_abs())
    }

    /// The change of a row, with its verdicts and jobs.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn change(&self, row: ChangeRow) -> Result<Option<RecordedChange>, ReadError> {
        Ok(self.changes(&Filter { rows: Some(vec![row]), ..Filter::default() }, Order::Newest, 1)?.pop())
    }

    /// The rows of at most `limit` changes that somebody may mean by `id`: the one of this row; else those of this id or correlation
    /// id; else those whose ids begin with it.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn find(&self, id: &str, limit: usize) -> Result<Vec<ChangeRow>, ReadError> {
        const EXACT: &str =
            "SELECT change FROM changes WHERE id = ?1 UNION SELECT change FROM changes WHERE correlation_id = ?1 LIMIT ?2";
        const BEGINS: &str = "SELECT change FROM changes WHERE id >= ?1 AND id < ?1 || char(0x10FFFF) \
             UNION SELECT change FROM changes WHERE correlation_id >= ?1 AND correlation_id < ?1 || char(0x10FFFF) LIMIT ?2";
        let rows = |sql: &str| self.all(sql, (id, i64::try_from(limit).unwrap_or(i64::MAX)), |row| Ok(row.get(0)?));
        if let Ok(row) = id.parse::<ChangeRow>() {
            let found: Vec<ChangeRow> = self.all("SELECT change FROM changes WHERE change = ?", [row], |row| Ok(row.get(0)?))?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let exact = rows(EXACT)?;
        if exact.is_empty() && !id.is_empty() { rows(BEGINS) } else { Ok(exact) }
    }

    /// The change of a row with everything that is known of it.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn whole(&self, row: ChangeRow) -> Result<Option<WholeChange>, ReadError> {
        let snapshot = self.connection.unchecked_transaction()?;
        let sql = format!("SELECT {} FROM changes c WHERE c.change = ?", rows::CHANGE_COLUMNS);
        let Some(mut recorded) = self.all(&sql, [row], rows::change)?.pop() else { return Ok(None) };
        self.fill(&mut recorded)?;
        let change = self.content(row)?;
        let jobs = recorded.jobs.iter().map(|job| self.whole_job(job)).collect::<Result<_, _>>()?;
        let sql = format!(
            "SELECT {} FROM runs WHERE run IN (SELECT run FROM verdicts WHERE change = ?1 AND run > 0) ORDER BY run",
            rows::RUN_COLUMNS
        );
        let runs: Vec<Run> = self.all(&sql, [row], rows::run)?;
        snapshot.finish()?;
        Ok(Some(WholeChange { recorded, change, jobs, runs }))
    }

    /// The change itself of a row that is there; the inner error where it cannot be read any more.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn content(&self, row: ChangeRow) -> Result<Result<Change, String>, ReadError> {
        let stored = self.connection.query_row("SELECT form, body, beside FROM changes WHERE change = ?", [row], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, String>(2)?))
        });
        let (form, bytes, beside) = match stored {
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(Err("it is not in the ledger any more".to_owned())),
            stored => stored?,
        };
        let Some(form) = StoredForm::from_name(&form) else { return Ok(Err(format!("its form is `{form}`"))) };
        let stored = StoredChange { form, bytes: Cow::Owned(bytes), beside: Cow::Owned(beside) };
        Ok(Change::from_stored(stored).map_err(|error| error.to_string()))
    }

    /// The jobs of these rows, each with everything that happened to it; those that are not there are left out.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the ledger cannot be read.
    pub fn jobs(&self, jobs: &[event_detector_runtime::JobRow]) -> Result<Vec<WholeJob>, ReadError> {
        let snapshot = self.connection.unchecked_transaction()?;
        let sql = format!("SELECT {} FROM jobs j WHERE j.job = ?", rows::JOB_COLUMNS);
        let mut found = Vec::with_capacity(jobs.len());
        for job in jobs {
            for job in self.all(&sql, [job], rows::job)? {
                found.push(self.whole_job(&job)?);
            }
        }
        snapshot.finish()?;
        Ok(found)
    }

    fn whole_job(&self, job: &rows::RecordedJob) -> Result<WholeJob, ReadError> {
        let attempts = "SELECT attempt, started_at, finished_at, outcome, error FROM attempts WHERE job = ? ORDER BY attempt";
        let letters = format!("SELECT {} FROM dead_letters d WHERE d.job = ? ORDER BY d.letter", rows::LETTER_COLUMNS);
        Ok(WholeJob {
            job: job.clone(),
            attempts: self.all(attempts, [job.row], rows::attempt)?,
            letters: self.all(&letters, [job.row], |row| rows::letter(row, 0))?,
        })
    }

    /// Adds the verdicts and jobs.
    fn fill(&self, change: &mut RecordedChange) -> Result<(), ReadError> {
        let verdicts = "SELECT run, event, said, fires, detail FROM verdicts WHERE change = ? ORDER BY run, event";
        change.verdicts = self.all(verdicts, [change.row], rows::verdict)?;
        let jobs = format!("SELECT {} FROM jobs j WHERE j.change = ? ORDER BY j.job", rows::JOB_COLUMNS);
        change.jobs = self.all(&jobs, [change.row], rows::job)?;
        Ok(())
    }
}
