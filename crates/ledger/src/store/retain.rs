//! Which changes are no longer kept, and what stays of them?

use event_detector_runtime::{ChangeRow, Millis};
use rusqlite::params;

use super::Store;
use crate::fault::Fault;
use crate::rows::{self, Record, Sql, Tombstone};

/// What a change is kept for in any case: a job that has not ended, a dead letter that nobody has decided on, and that the numbers of
/// the newest rows are not given out again.
const MAY_GO: &str = "\
    NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.change = changes.change AND stage IN ('queued', 'running', 'waiting')) \
    AND NOT EXISTS (SELECT 1 FROM jobs CROSS JOIN dead_letters ON dead_letters.job = jobs.job \
        WHERE jobs.change = changes.change AND resolved_at IS NULL) \
    AND change < ifnull((SELECT max(change) FROM changes), 0) \
    AND change <> ifnull((SELECT change FROM jobs ORDER BY job DESC LIMIT 1), 0)";

static OLD: Sql = Sql::new(|| {
    format!(
        "SELECT change, source, seq, recorded_at, {MAY_GO} FROM changes INDEXED BY changes_by_time \
         WHERE recorded_at >= ?2 AND recorded_at < ?1 AND (recorded_at, change) > (?2, ?3) ORDER BY recorded_at, change LIMIT ?4"
    )
});
static OLDEST: Sql = Sql::new(|| {
    format!("SELECT change, source, seq, recorded_at, {MAY_GO} FROM changes WHERE change > ?1 ORDER BY change LIMIT ?2")
});
static BEFORE: Sql = Sql::new(|| Tombstone::TABLE.find("WHERE source = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1"));
static BEHIND: Sql = Sql::new(|| Tombstone::TABLE.find("WHERE source = ?1 AND first_seq = ?2"));

/// What goes with a change.
const WITH_IT: [&str; 5] = [
    "DELETE FROM attempts WHERE job IN (SELECT job FROM jobs WHERE change = ?1)",
    "DELETE FROM dead_letters WHERE job IN (SELECT job FROM jobs WHERE change = ?1)",
    "DELETE FROM jobs WHERE change = ?1",
    "DELETE FROM verdicts WHERE change = ?1",
    "DELETE FROM changes WHERE change = ?1",
];

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// What was recorded at this time or later.
    Since(Millis),
    /// What fits into so many bytes.
    Within(u64),
}

/// How far the search for changes that may go has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    recorded_at: Millis,
    change: ChangeRow,
}

struct Candidate {
    change: ChangeRow,
    source: String,
    seq: i64,
    recorded_at: Millis,
    may_go: bool,
}

impl Store {
    /// Whether there are changes that are not to be kept.
    pub(crate) fn has_candidates(&self, kept: Kept, reached: Reached) -> Result<bool, Fault> {
        Ok(!self.candidates(kept, reached, 1)?.is_empty())
    }

    /// Looks at the next `count` changes that are not to be kept, and deletes those that may go; says how far that is, or `None` when
    /// there are no more.
    pub(crate) fn retain(&mut self, kept: Kept, reached: Reached, count: u32) -> Result<Option<Reached>, Fault> {
        let candidates = self.candidates(kept, reached, count)?;
        let mut gone = Vec::with_capacity(candidates.len());
        for candidate in candidates.iter().filter(|candidate| candidate.may_go) {
            for sql in WITH_IT {
                self.connection.prepare_cached(sql)?.execute([candidate.change])?;
            }
            gone.push((candidate.source.as_str(), candidate.seq));
        }
        self.leave_tombstones(gone)?;
        Ok(candidates.last().map(|last| Reached { recorded_at: last.recorded_at, change: last.change }))
    }

    fn candidates(&self, kept: Kept, reached: Reached, count: u32) -> Result<Vec<Candidate>, Fault> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Candidate {
                change: row.get(0)?,
                source: row.get(1)?,
                seq: row.get(2)?,
                recorded_at: row.get(3)?,
                may_go: row.get(4)?,
            })
        };
        match kept {
            Kept::Since(since) => {
                let mut statement = self.connection.prepare_cached(&OLD)?;
                let found = statement.query_map(params![since, reached.recorded_at, reached.change, count], read)?;
                Ok(found.collect::<Result<_, _>>()?)
            }
            Kept::Within(bytes) if self.used()? > bytes => {
                let mut statement = self.connection.prepare_cached(&OLDEST)?;
                let found = statement.query_map(params![reached.change, count], read)?;
                Ok(found.collect::<Result<_, _>>()?)
            }
            Kept::Within(_) => Ok(Vec::new()),
        }
    }

    /// The bytes of the pages that hold something.
    pub(crate) fn used(&self) -> Result<u64, Fault> {
        let number =
            |sql: &str| -> Result<i64, Fault> { Ok(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?) };
        let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
        Ok((pages * number("PRAGMA page_size")?).unsigned_abs())
    }

    /// Writes down which changes are gone, as ranges.
    fn leave_tombstones(&mut self, mut gone: Vec<(&str, i64)>) -> Result<(), Fault> {
        gone.sort_unstable();
        let mut ranges: Vec<Tombstone> = Vec::new();
        for (source, seq) in gone {
            match ranges.last_mut() {
                Some(range) if range.source == source && range.last_seq + 1 == seq => range.last_seq = seq,
                _ => ranges.push(Tombstone { source: source.to_owned(), first_seq: seq, last_seq: seq, deleted_at: self.at }),
            }
        }
        ranges.into_iter().try_for_each(|range| self.leave_tombstone(range))
    }

    fn leave_tombstone(&mut self, mut range: Tombstone) -> Result<(), Fault> {
        const DELETE: &str = "DELETE FROM tombstones WHERE source = ?1 AND first_seq = ?2";
        let before: Option<Tombstone> = rows::one(&self.connection, &BEFORE, params![range.source, range.first_seq])?;
        if let Some(before) = before.filter(|before| before.last_seq + 1 >= range.first_seq) {
            range.first_seq = before.first_seq;
            range.last_seq = range.last_seq.max(before.last_seq);
        }
        let behind: Option<Tombstone> = rows::one(&self.connection, &BEHIND, params![range.source, range.last_seq + 1])?;
        if let Some(behind) = behind {
            self.connection.prepare_cached(DELETE)?.execute(params![behind.source, behind.first_seq])?;
            range.last_seq = behind.last_seq;
        }
        Ok(rows::replace(&self.connection, &range)?)
    }
}
