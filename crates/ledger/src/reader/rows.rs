//! What does one row of a ledger say?

use event_detector::{Change, Effect};
use event_detector_runtime::{ChangeRow, JobRow, JobState, Millis, Stage};
use rusqlite::Row;

use super::ReadError;

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

pub(super) const CHANGE_COLUMNS: &str = r#"c.change, c.source, c.seq, c.id, c."database", c.collection, c.operation, c."key", c.correlation_id,
    c.committed_at, c.recorded_at, c.deaths"#;

pub(super) const JOB_COLUMNS: &str = "j.job, j.change, j.run, j.event, j.name, j.nth, j.options, j.effect, j.ordered, j.stage, \
    j.attempts, j.failures, j.due_at, j.updated_at, j.result, j.error";

/// How many columns [`JOB_COLUMNS`] are.
pub(super) const JOB_WIDTH: usize = 16;

pub(super) const LETTER_COLUMNS: &str = "d.letter, d.job, d.reason, d.died_at, d.resolved_at, d.resolution";

pub(super) const RUN_COLUMNS: &str = "run, started_at, finished_at, selection, reached";

/// A change without its verdicts and jobs.
pub(super) fn change(row: &Row<'_>) -> Result<RecordedChange, ReadError> {
    Ok(RecordedChange {
        row: row.get(0)?,
        source: row.get(1)?,
        seq: row.get(2)?,
        id: row.get(3)?,
        database: row.get(4)?,
        collection: row.get(5)?,
        operation: row.get(6)?,
        key: row.get(7)?,
        correlation_id: row.get(8)?,
        committed_at: row.get(9)?,
        recorded_at: row.get(10)?,
        deaths: row.get(11)?,
        verdicts: Vec::new(),
        jobs: Vec::new(),
    })
}

/// A verdict of the columns run, event, said, fires, detail.
pub(super) fn verdict(row: &Row<'_>) -> Result<StoredVerdict, ReadError> {
    Ok(StoredVerdict { run: row.get(0)?, event: row.get(1)?, said: row.get(2)?, fires: row.get(3)?, detail: row.get(4)? })
}

pub(super) fn job(row: &Row<'_>) -> Result<RecordedJob, ReadError> {
    let number: JobRow = row.get(0)?;
    let (effect, stage): (String, String) = (row.get(7)?, row.get(9)?);
    let damaged = |what: &str, found: &str| ReadError::Damaged(format!("the {what} of job {number} is `{found}`"));
    let state = JobState {
        stage: Stage::from_name(&stage, row.get(12)?).ok_or_else(|| damaged("stage", &stage))?,
        attempts: row.get(10)?,
        failures: row.get(11)?,
    };
    Ok(RecordedJob {
        row: number,
        change: row.get(1)?,
        run: row.get(2)?,
        event: row.get(3)?,
        name: row.get(4)?,
        nth: row.get(5)?,
        options: row.get(6)?,
        effect: effect.parse().map_err(|_| damaged("effect", &effect))?,
        ordered: row.get(8)?,
        state,
        updated_at: row.get(13)?,
        result: row.get(14)?,
        error: row.get(15)?,
    })
}

/// An attempt of the columns attempt, started_at, finished_at, outcome, error.
pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt, ReadError> {
    Ok(Attempt {
        attempt: row.get(0)?,
        started_at: row.get(1)?,
        finished_at: row.get(2)?,
        outcome: row.get(3)?,
        error: row.get(4)?,
    })
}

/// A dead letter, whose columns begin at `first`.
pub(super) fn letter(row: &Row<'_>, first: usize) -> Result<Letter, ReadError> {
    Ok(Letter {
        letter: row.get(first)?,
        job: row.get(first + 1)?,
        reason: row.get(first + 2)?,
        died_at: row.get(first + 3)?,
        resolved_at: row.get(first + 4)?,
        resolution: row.get(first + 5)?,
    })
}

pub(super) fn run(row: &Row<'_>) -> Result<Run, ReadError> {
    Ok(Run { run: row.get(0)?, started_at: row.get(1)?, finished_at: row.get(2)?, selection: row.get(3)?, reached: row.get(4)? })
}
