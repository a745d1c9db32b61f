//! Which changes does a ledger hold, and what came of each?

use event_detector::Change;
use event_detector_runtime::{ChangeRow, JobRow, LedgerError};
use rusqlite::params_from_iter;

use super::Reader;
use super::filter::{Filter, Order, Query};
use super::rows::{Attempt, Content, Coverage, Letter, RecordedChange, RecordedJob, Run, StoredVerdict, WholeChange, WholeJob};
use crate::fault::Fault;
use crate::rows::{self as tables, ChangeRecord, Record};

impl Reader {
    /// At most `limit` of the changes that `filter` asks for, with their verdicts and jobs.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn changes(&self, filter: &Filter, order: Order, limit: usize) -> Result<Vec<RecordedChange>, LedgerError> {
        self.at_once(|| {
            let mut query = Query::new(filter, || self.collections())?;
            let key = query.row;
            let direction = match order {
                Order::Newest => "DESC",
                Order::After(row) => {
                    query.push(format!("{key} > ?"), [row]);
                    "ASC"
                }
            };
            // A change may come several times: once for each run in which the event was looked at.
            let sql = format!(
                "SELECT {key} FROM {} WHERE {} GROUP BY {key} ORDER BY {key} {direction} LIMIT {limit}",
                query.tables,
                query.conditions()
            );
            let rows: Vec<ChangeRow> = self.column(&sql, params_from_iter(query.values))?;
            let found = rows.into_iter().map(|row| Ok(self.record(row)?.map(|(recorded, _)| recorded)));
            found.filter_map(Result::transpose).collect()
        })
    }

    /// How many changes `filter` asks for, behind the row `after` and up to the row `up_to`.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn count(&self, filter: &Filter, after: ChangeRow, up_to: ChangeRow) -> Result<u64, LedgerError> {
        let mut query = Query::new(filter, || self.collections())?;
        let key = query.row;
        query.push(format!("{key} > ?"), [after]);
        query.push(format!("{key} <= ?"), [up_to]);
        let sql = format!("SELECT count(DISTINCT {key}) FROM {} WHERE {}", query.tables, query.conditions());
        Ok(self.one::<i64>(&sql, params_from_iter(query.values))?.unsigned_abs())
    }

    /// The change of a row, with its verdicts and jobs.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn change(&self, row: ChangeRow) -> Result<Option<RecordedChange>, LedgerError> {
        self.at_once(|| Ok(self.record(row)?.map(|(recorded, _)| recorded)))
    }

    /// The change itself of a row; the inner error where it cannot be read any more.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn content(&self, row: ChangeRow) -> Result<Option<Result<Change, String>>, LedgerError> {
        let found = self.records::<ChangeRecord<'_>>(&ChangeRecord::TABLE.find("WHERE change = ?1"), [row])?.pop();
        Ok(found.map(ChangeRecord::restore))
    }

    /// At most `limit` changes behind the row `after`, as they were recorded.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn contents(&self, after: ChangeRow, limit: u32) -> Result<Vec<Content>, LedgerError> {
        let sql = ChangeRecord::TABLE.find("WHERE change > ?1 ORDER BY change LIMIT ?2");
        let found = self.records::<ChangeRecord<'_>>(&sql, (after, limit))?;
        Ok(found.into_iter().map(|record| Content { row: record.change, change: record.restore() }).collect())
    }

    /// How many changes there are, and of which time.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn coverage(&self) -> Result<Coverage, LedgerError> {
        self.at_once(|| {
            Ok(Coverage {
                changes: self.one::<i64>("SELECT count(*) FROM changes", [])?.unsigned_abs(),
                first: self.one("SELECT min(recorded_at) FROM changes", [])?,
                last: self.one("SELECT max(recorded_at) FROM changes", [])?,
                deleted: self.one::<i64>("SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM tombstones", [])?.unsigned_abs(),
            })
        })
    }

    /// The rows of at most `limit` changes that somebody may mean by `id`: the one of this row; else those of this id or correlation
    /// id; else those whose id or correlation id begins with it.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn find(&self, id: &str, limit: usize) -> Result<Vec<ChangeRow>, LedgerError> {
        const EXACT: &str =
            "SELECT change FROM changes WHERE id = ?1 UNION SELECT change FROM changes WHERE correlation_id = ?1 LIMIT ?2";
        const BEGINS: &str = "SELECT change FROM changes WHERE id >= ?1 AND id < ?1 || char(0x10FFFF) \
             UNION SELECT change FROM changes WHERE correlation_id >= ?1 AND correlation_id < ?1 || char(0x10FFFF) LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if let Ok(row) = id.parse::<ChangeRow>() {
            let found = self.column("SELECT change FROM changes WHERE change = ?1", [row])?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let exact = self.column(EXACT, (id, limit))?;
        if exact.is_empty() && !id.is_empty() { self.column(BEGINS, (id, limit)) } else { Ok(exact) }
    }

    /// The change of a row with everything that is known of it.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn whole(&self, row: ChangeRow) -> Result<Option<WholeChange>, LedgerError> {
        const RUNS: &str = "WHERE run IN (SELECT run FROM verdicts WHERE change = ?1 AND run > 0) ORDER BY run";
        self.at_once(|| {
            let Some((recorded, record)) = self.record(row)? else { return Ok(None) };
            let jobs = recorded.jobs.iter().cloned().map(|job| self.whole_job(job)).collect::<Result<_, _>>()?;
            let runs = self.records::<tables::Run>(&tables::Run::TABLE.find(RUNS), [row])?;
            Ok(Some(WholeChange { recorded, change: record.restore(), jobs, runs: runs.into_iter().map(Run::from).collect() }))
        })
    }

    /// The jobs of these rows, each with everything that happened to it; those that are not there are left out.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the ledger cannot be read.
    pub fn jobs(&self, jobs: &[JobRow]) -> Result<Vec<WholeJob>, LedgerError> {
        self.at_once(|| {
            let found = jobs.iter().map(|job| self.job(*job)?.map(|job| self.whole_job(job)).transpose());
            found.filter_map(Result::transpose).collect()
        })
    }

    pub(super) fn job(&self, job: JobRow) -> Result<Option<RecordedJob>, LedgerError> {
        Ok(self.recorded_jobs(&tables::Job::TABLE.find("WHERE job = ?1"), job)?.pop())
    }

    fn recorded_jobs(&self, sql: &str, of: i64) -> Result<Vec<RecordedJob>, LedgerError> {
        let jobs = self.records::<tables::Job<'_>>(sql, [of])?;
        jobs.into_iter().map(RecordedJob::try_from).collect::<Result<_, _>>().map_err(Fault::into_error)
    }

    fn whole_job(&self, job: RecordedJob) -> Result<WholeJob, LedgerError> {
        let attempts =
            self.records::<tables::Attempt<'_>>(&tables::Attempt::TABLE.find("WHERE job = ?1 ORDER BY attempt"), [job.row])?;
        let letters =
            self.records::<tables::Letter<'_>>(&tables::Letter::TABLE.find("WHERE job = ?1 ORDER BY letter"), [job.row])?;
        Ok(WholeJob {
            job,
            attempts: attempts.into_iter().map(Attempt::from).collect(),
            letters: letters.into_iter().map(Letter::from).collect(),
        })
    }

    /// A change with its verdicts and jobs, and what it is restored from.
    fn record(&self, row: ChangeRow) -> Result<Option<(RecordedChange, ChangeRecord<'static>)>, LedgerError> {
        let found = self.records::<ChangeRecord<'_>>(&ChangeRecord::TABLE.find("WHERE change = ?1"), [row])?.pop();
        let Some(record) = found else { return Ok(None) };
        let verdicts =
            self.records::<tables::Verdict<'_>>(&tables::Verdict::TABLE.find("WHERE change = ?1 ORDER BY run, event"), [row])?;
        let jobs = self.recorded_jobs(&tables::Job::TABLE.find("WHERE change = ?1 ORDER BY job"), row)?;
        let recorded = RecordedChange {
            verdicts: verdicts.into_iter().map(StoredVerdict::from).collect(),
            jobs,
            ..RecordedChange::from(&record)
        };
        Ok(Some((recorded, record)))
    }
}
