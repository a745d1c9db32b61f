//! What does one row of a ledger say?

use std::borrow::Cow;

use event_detector::{Change, Effect};
use event_detector_runtime::{ChangeRow, JobRow, JobState, Millis};

use crate::fault::Fault;
use crate::rows::{self as tables, ChangeRecord};

/// A change as it was recorded, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedChange {
    /// Its row.
    pub row: ChangeRow,
    /// The name of its source.
    pub source: String,
    /// Its number among the recorded changes of the source.
    pub seq: i64,
    /// Its id, unique in its source.
    pub id: String,
    /// The database, or schema.
    pub database: String,
    /// The collection, or table.
    pub collection: String,
    /// What was done.
    pub operation: String,
    /// The document key as JSON; empty where there is none.
    pub key: String,
    /// What ties together everything that follows from one cause.
    pub correlation_id: String,
    /// When the source says that it was committed.
    pub committed_at: Option<Millis>,
    /// When it was recorded.
    pub recorded_at: Millis,
    /// How often the program died in the middle of its jobs.
    pub deaths: u32,
    /// What the detectors said, by run and event.
    pub verdicts: Vec<StoredVerdict>,
    /// Its jobs, in the order in which they were recorded.
    pub jobs: Vec<RecordedJob>,
}

/// What a detector said that did not say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVerdict {
    /// The run; 0 is what happened when the change came.
    pub run: i64,
    /// The event's name.
    pub event: String,
    /// `detected`, `undecided` or `failed`.
    pub said: String,
    /// Whether its jobs run.
    pub fires: bool,
    /// Why it failed, or as JSON what would have to be known.
    pub detail: Option<String>,
}

/// A job of an event that fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedJob {
    /// Its row.
    pub row: JobRow,
    /// The row of its change.
    pub change: ChangeRow,
    /// The run; 0 is what happened when the change came.
    pub run: i64,
    /// The event's name.
    pub event: String,
    /// The job's name.
    pub name: String,
    /// How many jobs of this name come before it in the event.
    pub nth: u32,
    /// Its arguments that are reported, as a JSON object.
    pub options: String,
    /// What it comes to when it is run again.
    pub effect: Effect,
    /// Whether later changes of the document wait for it.
    pub ordered: bool,
    /// Where it is in its life.
    pub state: JobState,
    /// When something happened to it last.
    pub updated_at: Millis,
    /// As JSON what it returned.
    pub result: Option<String>,
    /// Why it failed last.
    pub error: Option<String>,
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// When it was started.
    pub started_at: Millis,
    /// When it ended.
    pub finished_at: Option<Millis>,
    /// How it ended: `succeeded`, `failed`, `panicked`, `timed_out`, `expired` or `interrupted`.
    pub outcome: Option<String>,
    /// Why it did not succeed.
    pub error: Option<String>,
}

/// A job that a person has to decide on, or that one has decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its row.
    pub letter: i64,
    /// The row of its job.
    pub job: JobRow,
    /// Why it cannot go on by itself.
    pub reason: String,
    /// Since when.
    pub died_at: Millis,
    /// When somebody decided.
    pub resolved_at: Option<Millis>,
    /// What was decided: `retried` or `dropped`.
    pub resolution: Option<String>,
}

/// A run of recorded changes through later code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number, from 1.
    pub run: i64,
    /// When it was started.
    pub started_at: Millis,
    /// When it had come to all of its changes.
    pub finished_at: Option<Millis>,
    /// As JSON which changes and events were asked for.
    pub selection: String,
    /// The last change it has come to.
    pub reached: ChangeRow,
}

/// A part of a source's history that was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPart {
    /// Its row.
    pub gap: i64,
    /// The name of the source.
    pub source: String,
    /// The last that is known before it, in the words of the source.
    pub from: String,
    /// The first that is known after it; empty where nobody knows.
    pub to: String,
    /// Why it was lost.
    pub reason: String,
    /// When that was noticed.
    pub noticed_at: Millis,
}

/// Where a source has got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// The name of the source.
    pub source: String,
    /// Whatever the source wrote; `None` for one that has no positions.
    pub position: Option<Vec<u8>>,
    /// The number of its last recorded change.
    pub seq: i64,
    /// When that was written.
    pub updated_at: Millis,
}

/// A job with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeJob {
    /// The job.
    pub job: RecordedJob,
    /// Its attempts, in their order.
    pub attempts: Vec<Attempt>,
    /// Its dead letters, in their order.
    pub letters: Vec<Letter>,
}

/// A change with everything that is known of it.
#[derive(Debug)]
pub struct WholeChange {
    /// The change as it was recorded.
    pub recorded: RecordedChange,
    /// The change itself; an error where it cannot be read any more.
    pub change: Result<Change, String>,
    /// Its jobs, in the order in which they were recorded.
    pub jobs: Vec<WholeJob>,
    /// The later runs in which it was looked at.
    pub runs: Vec<Run>,
}

/// How much of what a ledger holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Recorded changes.
    pub changes: u64,
    /// Jobs that a process has, and whose next attempt has not begun.
    pub queued: u64,
    /// Jobs with an attempt on its way.
    pub running: u64,
    /// Jobs that are to be taken up at a time.
    pub waiting: u64,
    /// Dead letters that nobody has decided on.
    pub open_letters: u64,
    /// Parts of histories that were lost.
    pub gaps: u64,
}

/// A change itself.
#[derive(Debug)]
pub struct Content {
    /// Its row.
    pub row: ChangeRow,
    /// The change; an error where it cannot be read any more.
    pub change: Result<Change, String>,
}

/// Which changes a ledger holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many.
    pub changes: u64,
    /// When the first of them was recorded.
    pub first: Option<Millis>,
    /// When the last of them was recorded.
    pub last: Option<Millis>,
    /// How many were recorded besides, and are no longer kept because they were old.
    pub deleted: u64,
}

impl From<&ChangeRecord<'_>> for RecordedChange {
    /// A change without its verdicts and jobs.
    fn from(change: &ChangeRecord<'_>) -> Self {
        Self {
            row: change.change,
            source: change.source.clone().into_owned(),
            seq: change.seq,
            id: change.id.clone().into_owned(),
            database: change.database.clone().into_owned(),
            collection: change.collection.clone().into_owned(),
            operation: change.operation.clone().into_owned(),
            key: change.key.clone().into_owned(),
            correlation_id: change.correlation_id.clone().into_owned(),
            committed_at: change.committed_at,
            recorded_at: change.recorded_at,
            deaths: change.deaths,
            verdicts: Vec::new(),
            jobs: Vec::new(),
        }
    }
}

impl From<tables::Verdict<'_>> for StoredVerdict {
    fn from(verdict: tables::Verdict<'_>) -> Self {
        Self {
            run: verdict.run,
            event: verdict.event.into_owned(),
            said: verdict.said.into_owned(),
            fires: verdict.fires,
            detail: verdict.detail.map(Cow::into_owned),
        }
    }
}

impl TryFrom<tables::Job<'_>> for RecordedJob {
    type Error = Fault;

    fn try_from(job: tables::Job<'_>) -> Result<Self, Fault> {
        let (state, effect) = job.state()?;
        Ok(Self {
            row: job.job,
            change: job.change,
            run: job.run,
            event: job.event.into_owned(),
            name: job.name.into_owned(),
            nth: job.nth,
            options: job.options.into_owned(),
            effect,
            ordered: job.ordered,
            state,
            updated_at: job.updated_at,
            result: job.result.map(Cow::into_owned),
            error: job.error.map(Cow::into_owned),
        })
    }
}

impl From<tables::Attempt<'_>> for Attempt {
    fn from(attempt: tables::Attempt<'_>) -> Self {
        Self {
            attempt: attempt.attempt,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            outcome: attempt.outcome.map(Cow::into_owned),
            error: attempt.error.map(Cow::into_owned),
        }
    }
}

impl From<tables::Letter<'_>> for Letter {
    fn from(letter: tables::Letter<'_>) -> Self {
        Self {
            letter: letter.letter,
            job: letter.job,
            reason: letter.reason.into_owned(),
            died_at: letter.died_at,
            resolved_at: letter.resolved_at,
            resolution: letter.resolution.map(Cow::into_owned),
        }
    }
}

impl From<tables::Run> for Run {
    fn from(run: tables::Run) -> Self {
        let tables::Run { run, started_at, finished_at, selection, reached } = run;
        Self { run, started_at, finished_at, selection, reached }
    }
}

impl From<tables::GapRecord<'_>> for LostPart {
    fn from(gap: tables::GapRecord<'_>) -> Self {
        Self {
            gap: gap.gap,
            source: gap.source.into_owned(),
            from: gap.from.into_owned(),
            to: gap.to.into_owned(),
            reason: gap.reason.into_owned(),
            noticed_at: gap.noticed_at,
        }
    }
}

impl From<tables::Position> for SourcePosition {
    fn from(position: tables::Position) -> Self {
        let tables::Position { source, position, seq, updated_at } = position;
        Self { source, position, seq, updated_at }
    }
}
