//! What is done to the tables in one transaction?
//!
//! Whoever writes to a ledger does it through a [`Store`]: it begins and ends transactions, counts them, and hands out the numbers
//! of rows. What it remembers of the tables is forgotten when a transaction fails or another process wrote.

mod due;
mod note;
mod record;
mod recover;
mod retain;

use std::collections::{BTreeSet, HashMap};

use event_detector_runtime::{Gap, Millis, crash_point};
use rusqlite::Connection;

use crate::fault::Fault;
use crate::files::now;
use crate::mark::Promised;
use crate::rows::{self, GapRecord, Knowledge, Position, Record, Sql};

pub(crate) use record::Prepared;
pub(crate) use retain::{Kept, Reached};

static SOURCE: Sql = Sql::new(|| Position::TABLE.find("WHERE source = ?1"));

/// A connection, and what is known of the tables.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    knowledge: Knowledge,
    sources: HashMap<String, Source>,
    /// The rows that come next.
    next_change: i64,
    next_job: i64,
    counts: Counts,
    /// The rows that were written before the transaction.
    rows_before: u64,
    /// The generation that this process owns the ledger in, if it does.
    owned: Option<i64>,
    /// What SQLite says that changes when another process writes; `None` while nothing is known of the tables.
    seen: Option<i64>,
    /// The time of the transaction.
    at: Millis,
    /// Whether a job waits since the last time that somebody asked.
    due_moved: bool,
    /// The changes and runs with a job that waits and cannot be read.
    unreadable: BTreeSet<(i64, i64)>,
}

/// Where a source has got to, and whether that is to be written.
#[derive(Debug)]
struct Source {
    row: Position,
    is_moved: bool,
}

/// What is counted, since to count it anew each time would take long.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Jobs that wait.
    pub(crate) waiting: i64,
    /// Dead letters that nobody has decided on.
    pub(crate) open_letters: i64,
    /// Rows that were written since the store was opened.
    pub(crate) rows: u64,
}

impl Store {
    /// A store over tables of this version.
    pub(crate) fn new(connection: Connection) -> Result<Self, Fault> {
        let mut store = Self {
            knowledge: Knowledge { generation: 0, commits: 0, created_at: 0 },
            connection,
            sources: HashMap::new(),
            next_change: 1,
            next_job: 1,
            counts: Counts::default(),
            rows_before: 0,
            owned: None,
            seen: None,
            at: now(),
            due_moved: false,
            unreadable: BTreeSet::new(),
        };
        store.learn()?;
        Ok(store)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The time of the transaction.
    pub(crate) fn time(&self) -> Millis {
        self.at
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// What is on disk once the last commit is.
    pub(crate) fn promised(&self) -> Promised {
        Promised { commits: self.knowledge.commits.cast_unsigned(), generation: self.knowledge.generation.cast_unsigned() }
    }

    /// What SQLite says that changes when another process writes.
    pub(crate) fn data_version(&self) -> Result<i64, Fault> {
        Ok(self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }

    /// Begins a transaction; says whether another process wrote since the last one.
    pub(crate) fn begin(&mut self) -> Result<bool, Fault> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.at = now();
        self.rows_before = self.counts.rows;
        let seen = self.data_version()?;
        if self.seen == Some(seen) {
            return Ok(false);
        }
        let is_others = self.seen.is_some();
        self.learn()?;
        self.seen = Some(seen);
        Ok(is_others)
    }

    /// Ends the transaction: it is on disk when this returns.
    pub(crate) fn commit(&mut self) -> Result<(), Fault> {
        for source in self.sources.values_mut().filter(|source| source.is_moved) {
            source.row.updated_at = self.at;
            rows::replace(&self.connection, &source.row)?;
        }
        self.knowledge.commits += 1;
        self.write_knowledge()?;
        crash_point("before_ledger_commit");
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        for source in self.sources.values_mut() {
            source.is_moved = false;
        }
        Ok(())
    }

    /// Takes back what the transaction did. What is left of it cannot be written any more.
    pub(crate) fn roll_back(&mut self) {
        self.seen = None;
        self.sources.clear();
        self.counts.rows = self.rows_before;
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction of the ledger could not be taken back");
        }
    }

    /// Does this in one transaction.
    pub(crate) fn transact<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let done = self.begin().and_then(|_| {
            let done = work(self)?;
            self.commit()?;
            Ok(done)
        });
        if done.is_err() {
            self.roll_back();
        }
        done
    }

    /// Reads what is to be known of the tables.
    fn learn(&mut self) -> Result<(), Fault> {
        self.sources.clear();
        let one = rows::one(&self.connection, Knowledge::TABLE.select, [])?;
        self.knowledge = one.ok_or_else(|| Fault::Damaged("table `ledger` is empty".to_owned()))?;
        if self.owned.is_some_and(|owned| owned != self.knowledge.generation) {
            return Err(Fault::Failed("another process has taken it over".to_owned()));
        }
        let number =
            |sql: &str| -> Result<i64, Fault> { Ok(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?) };
        self.next_change = number("SELECT ifnull(max(change), 0) + 1 FROM changes")?;
        self.next_job = number("SELECT ifnull(max(job), 0) + 1 FROM jobs")?;
        self.counts.open_letters =
            number("SELECT count(*) FROM dead_letters INDEXED BY dead_letters_open WHERE resolved_at IS NULL")?;
        self.counts.waiting = number(
            "SELECT count(*) FROM jobs INDEXED BY jobs_open WHERE stage IN ('queued', 'running', 'waiting') AND stage = 'waiting'",
        )?;
        self.due_moved = true;
        Ok(())
    }

    fn write_knowledge(&self) -> Result<(), Fault> {
        Ok(rows::replace(&self.connection, &self.knowledge)?)
    }

    /// Takes the next generation, and starts counting behind what was promised; inside a transaction.
    pub(crate) fn take_over(&mut self, promised: u64) -> Result<(), Fault> {
        self.knowledge.generation += 1;
        self.owned = Some(self.knowledge.generation);
        self.knowledge.commits = self.knowledge.commits.max(promised.cast_signed());
        Ok(())
    }

    /// Where the source has got to.
    fn source(&mut self, name: &str) -> Result<&mut Source, Fault> {
        if !self.sources.contains_key(name) {
            let row = rows::one(&self.connection, &SOURCE, [name])?;
            let row = row.unwrap_or_else(|| Position { source: name.to_owned(), position: None, seq: 0, updated_at: self.at });
            self.sources.insert(name.to_owned(), Source { row, is_moved: false });
        }
        self.sources.get_mut(name).ok_or_else(|| Fault::Failed(format!("the source `{name}` is not known")))
    }

    /// The position that the source had last.
    pub(crate) fn position(&mut self, source: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.source(source)?.row.position.clone())
    }

    /// Keeps the position of a source.
    pub(crate) fn keep(&mut self, source: &str, position: &[u8]) -> Result<(), Fault> {
        let source = self.source(source)?;
        let kept = source.row.position.get_or_insert_default();
        kept.clear();
        kept.extend_from_slice(position);
        source.is_moved = true;
        Ok(())
    }

    /// Records that a part of a source's history was lost.
    pub(crate) fn gap(&mut self, gap: &Gap) -> Result<(), Fault> {
        let number: i64 = self.connection.query_row("SELECT ifnull(max(gap), 0) + 1 FROM gaps", [], |row| row.get(0))?;
        let Gap { source, from, to, reason } = gap;
        let (source, from, to, reason) = (source.into(), from.into(), to.into(), reason.into());
        rows::insert(&self.connection, &GapRecord { gap: number, source, from, to, reason, noticed_at: self.at })?;
        self.counts.rows += 1;
        Ok(())
    }

    /// Where every source has got to.
    pub(crate) fn positions(&self) -> Result<Vec<Position>, Fault> {
        rows::all(&self.connection, Position::TABLE.select, [])
    }

    /// Records a gap for every source, each of which went on behind what is left.
    pub(crate) fn gap_for_each(&mut self, reason: &str) -> Result<(), Fault> {
        for Position { source, seq, .. } in self.positions()? {
            self.gap(&Gap { source, from: format!("change {seq} of the source"), to: String::new(), reason: reason.to_owned() })?;
        }
        Ok(())
    }
}
