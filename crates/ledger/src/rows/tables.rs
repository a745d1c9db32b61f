//! Which columns has each table, and how do they look in the program?

use std::borrow::Cow;

use event_detector::{Effect, StoredChange, StoredForm};
use event_detector_runtime::{JobState, Millis, Stage};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{Record, Table};
use crate::fault::Fault;

/// A table by its name, the number of its key's columns, and its columns; those of `schema.sql`, in an order of its own.
macro_rules! table {
    ($name:literal, $key:literal, $first:literal $(, $column:literal)*) => {
        Table {
            name: $name,
            key: $key,
            columns: &[$first $(, $column)*],
            insert: concat!("INSERT INTO ", $name, " (", table!(@list $first $(, $column)*), ", sum) VALUES (?",
                $(table!(@parameter $column),)* ", ?)"),
            replace: concat!("REPLACE INTO ", $name, " (", table!(@list $first $(, $column)*), ", sum) VALUES (?",
                $(table!(@parameter $column),)* ", ?)"),
            select: concat!("SELECT ", table!(@list $first $(, $column)*), ", sum FROM ", $name),
        }
    };
    (@list $first:literal $(, $column:literal)*) => { concat!("\"", $first, "\"" $(, ", \"", $column, "\"")*) };
    (@parameter $column:literal) => { ", ?" };
}

/// Every table.
pub(crate) static TABLES: [Table; 10] = [
    Position::TABLE,
    ChangeRecord::TABLE,
    Run::TABLE,
    Verdict::TABLE,
    Job::TABLE,
    Attempt::TABLE,
    Letter::TABLE,
    GapRecord::TABLE,
    Tombstone::TABLE,
    Knowledge::TABLE,
];

fn int(value: impl Into<i64>) -> ValueRef<'static> {
    ValueRef::Integer(value.into())
}

fn text(value: &str) -> ValueRef<'_> {
    ValueRef::Text(value.as_bytes())
}

fn maybe_int(value: Option<i64>) -> ValueRef<'static> {
    value.map_or(ValueRef::Null, int)
}

fn maybe_text(value: Option<&str>) -> ValueRef<'_> {
    value.map_or(ValueRef::Null, text)
}

fn cow<'r>(row: &Row<'_>, at: usize) -> rusqlite::Result<Cow<'r, str>> {
    row.get(at).map(Cow::Owned)
}

fn maybe_cow<'r>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Cow<'r, str>>> {
    row.get::<_, Option<String>>(at).map(|text| text.map(Cow::Owned))
}

/// Where a source has got to.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) source: String,
    pub(crate) position: Option<Vec<u8>>,
    pub(crate) seq: i64,
    pub(crate) updated_at: Millis,
}

impl Record for Position {
    const TABLE: Table = table!("positions", 1, "source", "position", "seq", "updated_at");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        let position = self.position.as_deref().map_or(ValueRef::Null, ValueRef::Blob);
        [text(&self.source), position, int(self.seq), int(self.updated_at)]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { source: row.get(0)?, position: row.get(1)?, seq: row.get(2)?, updated_at: row.get(3)? })
    }
}

/// A recorded change.
#[derive(Debug)]
pub(crate) struct ChangeRecord<'r> {
    pub(crate) change: i64,
    pub(crate) source: Cow<'r, str>,
    pub(crate) seq: i64,
    pub(crate) id: Cow<'r, str>,
    pub(crate) database: Cow<'r, str>,
    pub(crate) collection: Cow<'r, str>,
    pub(crate) operation: Cow<'r, str>,
    pub(crate) key: Cow<'r, str>,
    pub(crate) correlation_id: Cow<'r, str>,
    pub(crate) committed_at: Option<Millis>,
    pub(crate) recorded_at: Millis,
    pub(crate) form: Cow<'r, str>,
    pub(crate) body: Cow<'r, [u8]>,
    pub(crate) beside: Cow<'r, str>,
    pub(crate) deaths: u32,
}

impl ChangeRecord<'_> {
    /// Raises `deaths`.
    pub(crate) const UPDATE: &'static str = "UPDATE changes SET deaths = ?1, sum = ?2 WHERE change = ?3";

    /// The change as it came.
    pub(crate) fn restore(self) -> Result<event_detector::Change, String> {
        let form = StoredForm::from_name(&self.form).ok_or_else(|| format!("`{}` is no form of a change", self.form))?;
        let stored = StoredChange { form, bytes: self.body, beside: self.beside };
        event_detector::Change::from_stored(stored).map_err(|error| error.to_string())
    }
}

impl Record for ChangeRecord<'_> {
    const TABLE: Table = table!(
        "changes",
        1,
        "change",
        "source",
        "seq",
        "id",
        "database",
        "collection",
        "operation",
        "key",
        "correlation_id",
        "committed_at",
        "recorded_at",
        "form",
        "body",
        "beside",
        "deaths"
    );

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        [
            int(self.change),
            text(&self.source),
            int(self.seq),
            text(&self.id),
            text(&self.database),
            text(&self.collection),
            text(&self.operation),
            text(&self.key),
            text(&self.correlation_id),
            maybe_int(self.committed_at),
            int(self.recorded_at),
            text(&self.form),
            ValueRef::Blob(&self.body),
            text(&self.beside),
            int(self.deaths),
        ]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            change: row.get(0)?,
            source: cow(row, 1)?,
            seq: row.get(2)?,
            id: cow(row, 3)?,
            database: cow(row, 4)?,
            collection: cow(row, 5)?,
            operation: cow(row, 6)?,
            key: cow(row, 7)?,
            correlation_id: cow(row, 8)?,
            committed_at: row.get(9)?,
            recorded_at: row.get(10)?,
            form: cow(row, 11)?,
            body: row.get(12).map(Cow::Owned)?,
            beside: cow(row, 13)?,
            deaths: row.get(14)?,
        })
    }
}

/// A run of recorded changes through later code.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) run: i64,
    pub(crate) started_at: Millis,
    pub(crate) finished_at: Option<Millis>,
    pub(crate) selection: String,
    pub(crate) reached: i64,
}

impl Record for Run {
    const TABLE: Table = table!("runs", 1, "run", "started_at", "finished_at", "selection", "reached");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        [int(self.run), int(self.started_at), maybe_int(self.finished_at), text(&self.selection), int(self.reached)]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            run: row.get(0)?,
            started_at: row.get(1)?,
            finished_at: row.get(2)?,
            selection: row.get(3)?,
            reached: row.get(4)?,
        })
    }
}

/// What a detector said.
#[derive(Debug)]
pub(crate) struct Verdict<'r> {
    pub(crate) change: i64,
    pub(crate) run: i64,
    pub(crate) event: Cow<'r, str>,
    pub(crate) said: Cow<'r, str>,
    pub(crate) fires: bool,
    pub(crate) detail: Option<Cow<'r, str>>,
}

impl Record for Verdict<'_> {
    const TABLE: Table = table!("verdicts", 3, "change", "run", "event", "said", "fires", "detail");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        let detail = maybe_text(self.detail.as_deref());
        [int(self.change), int(self.run), text(&self.event), text(&self.said), int(self.fires), detail]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            change: row.get(0)?,
            run: row.get(1)?,
            event: cow(row, 2)?,
            said: cow(row, 3)?,
            fires: row.get(4)?,
            detail: maybe_cow(row, 5)?,
        })
    }
}

/// A job.
#[derive(Debug)]
pub(crate) struct Job<'r> {
    pub(crate) job: i64,
    pub(crate) change: i64,
    pub(crate) run: i64,
    pub(crate) event: Cow<'r, str>,
    pub(crate) name: Cow<'r, str>,
    pub(crate) nth: u32,
    pub(crate) options: Cow<'r, str>,
    pub(crate) effect: Cow<'r, str>,
    pub(crate) ordered: bool,
    pub(crate) stage: Cow<'r, str>,
    pub(crate) attempts: u32,
    pub(crate) failures: u32,
    pub(crate) due_at: Option<Millis>,
    pub(crate) updated_at: Millis,
    pub(crate) result: Option<Cow<'r, str>>,
    pub(crate) error: Option<Cow<'r, str>>,
}

impl Job<'_> {
    /// Writes what changes in the life of a job.
    pub(crate) const UPDATE: &'static str = "UPDATE jobs SET stage = ?1, attempts = ?2, failures = ?3, due_at = ?4, \
        updated_at = ?5, result = ?6, error = ?7, sum = ?8 WHERE job = ?9";

    /// The values of [`UPDATE`](Self::UPDATE), but for the checksum.
    pub(crate) fn changing(&self) -> [ValueRef<'_>; 7] {
        [
            text(&self.stage),
            int(self.attempts),
            int(self.failures),
            maybe_int(self.due_at),
            int(self.updated_at),
            maybe_text(self.result.as_deref()),
            maybe_text(self.error.as_deref()),
        ]
    }

    /// Where it has got to, and what it comes to when it is run again.
    pub(crate) fn state(&self) -> Result<(JobState, Effect), Fault> {
        let strange = |what: &str| Fault::Damaged(format!("table `jobs`, job {}: {what}", self.job));
        let stage = Stage::from_name(&self.stage, self.due_at)
            .ok_or_else(|| strange(&format!("a job is not `{}` with the due time {:?}", self.stage, self.due_at)))?;
        let effect = self.effect.parse().map_err(|_| strange(&format!("`{}` is no effect", self.effect)))?;
        Ok((JobState { stage, attempts: self.attempts, failures: self.failures }, effect))
    }

    /// Puts the job into this state.
    pub(crate) fn set(&mut self, state: JobState) {
        self.stage = Cow::Borrowed(state.stage.as_str());
        self.due_at = match state.stage {
            Stage::Waiting { due } => Some(due),
            _ => None,
        };
        self.attempts = state.attempts;
        self.failures = state.failures;
    }
}

impl Record for Job<'_> {
    const TABLE: Table = table!(
        "jobs",
        1,
        "job",
        "change",
        "run",
        "event",
        "name",
        "nth",
        "options",
        "effect",
        "ordered",
        "stage",
        "attempts",
        "failures",
        "due_at",
        "updated_at",
        "result",
        "error"
    );

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        let [stage, attempts, failures, due_at, updated_at, result, error] = self.changing();
        [
            int(self.job),
            int(self.change),
            int(self.run),
            text(&self.event),
            text(&self.name),
            int(self.nth),
            text(&self.options),
            text(&self.effect),
            int(self.ordered),
            stage,
            attempts,
            failures,
            due_at,
            updated_at,
            result,
            error,
        ]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            job: row.get(0)?,
            change: row.get(1)?,
            run: row.get(2)?,
            event: cow(row, 3)?,
            name: cow(row, 4)?,
            nth: row.get(5)?,
            options: cow(row, 6)?,
            effect: cow(row, 7)?,
            ordered: row.get(8)?,
            stage: cow(row, 9)?,
            attempts: row.get(10)?,
            failures: row.get(11)?,
            due_at: row.get(12)?,
            updated_at: row.get(13)?,
            result: maybe_cow(row, 14)?,
            error: maybe_cow(row, 15)?,
        })
    }
}

/// An attempt of a job.
#[derive(Debug)]
pub(crate) struct Attempt<'r> {
    pub(crate) job: i64,
    pub(crate) attempt: u32,
    pub(crate) started_at: Millis,
    pub(crate) finished_at: Option<Millis>,
    pub(crate) outcome: Option<Cow<'r, str>>,
    pub(crate) error: Option<Cow<'r, str>>,
}

impl Record for Attempt<'_> {
    const TABLE: Table = table!("attempts", 2, "job", "attempt", "started_at", "finished_at", "outcome", "error");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        let (outcome, error) = (maybe_text(self.outcome.as_deref()), maybe_text(self.error.as_deref()));
        [int(self.job), int(self.attempt), int(self.started_at), maybe_int(self.finished_at), outcome, error]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            job: row.get(0)?,
            attempt: row.get(1)?,
            started_at: row.get(2)?,
            finished_at: row.get(3)?,
            outcome: maybe_cow(row, 4)?,
            error: maybe_cow(row, 5)?,
        })
    }
}

/// A job that a person has to decide on, or has decided on.
#[derive(Debug)]
pub(crate) struct Letter<'r> {
    pub(crate) letter: i64,
    pub(crate) job: i64,
    pub(crate) reason: Cow<'r, str>,
    pub(crate) died_at: Millis,
    pub(crate) resolved_at: Option<Millis>,
    pub(crate) resolution: Option<Cow<'r, str>>,
}

impl Record for Letter<'_> {
    const TABLE: Table = table!("dead_letters", 1, "letter", "job", "reason", "died_at", "resolved_at", "resolution");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        let (resolved_at, resolution) = (maybe_int(self.resolved_at), maybe_text(self.resolution.as_deref()));
        [int(self.letter), int(self.job), text(&self.reason), int(self.died_at), resolved_at, resolution]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            letter: row.get(0)?,
            job: row.get(1)?,
            reason: cow(row, 2)?,
            died_at: row.get(3)?,
            resolved_at: row.get(4)?,
            resolution: maybe_cow(row, 5)?,
        })
    }
}

/// A part of a source's history that was lost.
#[derive(Debug)]
pub(crate) struct GapRecord<'r> {
    pub(crate) gap: i64,
    pub(crate) source: Cow<'r, str>,
    pub(crate) from: Cow<'r, str>,
    pub(crate) to: Cow<'r, str>,
    pub(crate) reason: Cow<'r, str>,
    pub(crate) noticed_at: Millis,
}

impl Record for GapRecord<'_> {
    const TABLE: Table = table!("gaps", 1, "gap", "source", "from", "to", "reason", "noticed_at");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        [int(self.gap), text(&self.source), text(&self.from), text(&self.to), text(&self.reason), int(self.noticed_at)]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (source, from, to, reason) = (cow(row, 1)?, cow(row, 2)?, cow(row, 3)?, cow(row, 4)?);
        Ok(Self { gap: row.get(0)?, source, from, to, reason, noticed_at: row.get(5)? })
    }
}

/// Changes that are no longer kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) source: String,
    pub(crate) first_seq: i64,
    pub(crate) last_seq: i64,
    pub(crate) deleted_at: Millis,
}

impl Record for Tombstone {
    const TABLE: Table = table!("tombstones", 2, "source", "first_seq", "last_seq", "deleted_at");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        [text(&self.source), int(self.first_seq), int(self.last_seq), int(self.deleted_at)]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { source: row.get(0)?, first_seq: row.get(1)?, last_seq: row.get(2)?, deleted_at: row.get(3)? })
    }
}

/// What the ledger knows of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knowledge {
    pub(crate) generation: i64,
    pub(crate) commits: i64,
    pub(crate) created_at: Millis,
}

impl Record for Knowledge {
    const TABLE: Table = table!("ledger", 1, "one", "generation", "commits", "created_at");

    fn cells(&self) -> impl AsRef<[ValueRef<'_>]> {
        [int(1), int(self.generation), int(self.commits), int(self.created_at)]
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { generation: row.get(1)?, commits: row.get(2)?, created_at: row.get(3)? })
    }
}
