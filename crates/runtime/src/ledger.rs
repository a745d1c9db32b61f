//! What does a runtime keep, so that nothing is lost when the program ends, however it ends?
//!
//! A ledger holds the changes that a detector wanted, what the detectors said, their jobs with every attempt, and where each source
//! has got to. The runtime says what happened; [`JobState::after`] says what becomes of a job by it, in the ledger and here alike.

mod life;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use event_detector::{Change, Effect};
use futures::future::BoxFuture;
use serde::Serialize;

pub use life::{Entry, JobState, Outcome, Stage, WrongEntry};

/// The row of a change in its ledger.
pub type ChangeRow = i64;

/// The row of a job in its ledger.
pub type JobRow = i64;

/// Milliseconds since 1970.
pub type Millis = i64;

/// After so many ends of the program in the middle of its jobs, a change is set aside.
pub const MAX_DEATHS: u32 = 3;

/// Why a ledger could not do what was asked. Nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is no space left where the ledger stands.
    #[error("the ledger's disk is full")]
    Full,
    /// What was read is not what was written.
    #[error("the ledger is damaged: {0}; `ledger check` says what is left of it")]
    Damaged(String),
    /// Another change of the source has this id.
    #[error("another change has the id `{id}`, recorded at {recorded_at} ms")]
    IdReused {
        /// The id.
        id: String,
        /// When the other change was recorded.
        recorded_at: Millis,
    },
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
    /// Anything else that the store says.
    #[error("the ledger cannot be used: {0}")]
    Failed(String),
}

/// What a ledger was asked for, once it is done and on disk. Dropping it changes nothing of what will be done.
pub type Receipt<T> = BoxFuture<'static, Result<T, LedgerError>>;

/// A time as ledgers keep it.
pub(crate) fn millis(time: SystemTime) -> Millis {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}

/// A time that a ledger kept.
pub(crate) fn time(millis: Millis) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Keeps what happened, on disk.
///
/// What is asked for is done in the order of the calls, and each is whole or not at all; a receipt comes when it is on disk. Calls do
/// not block. Where the disk is full, what belongs to a [position](Recording::position), to a job, or to a source's position waits
/// until there is space again, in its order; only a change without a position is refused.
pub trait Ledger: Send + Sync + 'static {
    /// Records a change with what the detectors said, its jobs, and the position of its source, in one transaction.
    fn record(&self, recording: Recording) -> Receipt<Recorded>;

    /// Notes what happened to jobs, in one transaction.
    fn note(&self, entries: Vec<(JobRow, Entry)>) -> Receipt<()>;

    /// Keeps the position of a source behind changes that nobody wanted. It may take a second until it is on disk, and a later one
    /// takes its place; it is there when a later receipt comes.
    fn keep(&self, source: &str, position: Vec<u8>);

    /// The position that the source had last.
    fn position(&self, source: &str) -> Receipt<Option<Vec<u8>>>;

    /// Records that a part of a source's history was lost.
    fn gap(&self, gap: Gap) -> Receipt<()>;

    /// Takes over from a process that is gone: what it left in the middle of is noted as interrupted, changes that have seen
    /// [`MAX_DEATHS`] are set aside, and the rest is returned, in the order of recording. Retries whose time has come are left to
    /// [`take_due`](Self::take_due), except those that later changes of the document wait for. Called once, before anything else happens.
    fn recover(&self) -> Receipt<Recovered>;

    /// Takes up to `limit` changes with jobs whose time has come, each with those jobs, which are queued from here on.
    fn take_due(&self, limit: usize) -> Receipt<Vec<Unfinished>>;

    /// Waits until a job may be due: the time of the next one has come, or somebody else wrote to the ledger.
    fn wait_for_due(&self) -> BoxFuture<'static, ()>;

    /// Writes what waits, and closes the ledger; what is asked for later is answered with [`LedgerError::Closed`].
    fn close(&self) -> Receipt<()>;
}

/// A change, and what came of asking the detectors.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The change, with its context.
    pub change: Arc<Change>,
    /// Where its source is behind it. The source without one is told of a full disk.
    pub position: Option<Vec<u8>>,
    /// What was said by the detectors that did not say no.
    pub verdicts: Vec<RecordedVerdict>,
    /// The jobs of the events that fire.
    pub jobs: Vec<DeclaredJob>,
    /// Whether the first attempts begin as soon as this is on disk, so that they are recorded as started with it.
    pub begins: bool,
}

/// What a detector said of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedVerdict {
    /// The event's name.
    pub event: &'static str,
    /// Whether its jobs run.
    pub fires: bool,
    /// What was said.
    pub said: Said,
    /// Why `detect` or `jobs` failed, or as JSON what would have to be known.
    pub detail: Option<String>,
}

/// What a detector said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The event happened.
    Detected,
    /// The change does not say.
    Undecided,
    /// `detect` panicked, or the event is detected and `jobs` panicked.
    Failed,
}

impl Said {
    /// Its name, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Undecided => "undecided",
            Self::Failed => "failed",
        }
    }
}

/// A job as the event's `jobs` returned it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredJob {
    /// The event's name.
    pub event: &'static str,
    /// The job's name.
    pub name: Cow<'static, str>,
    /// How many jobs of this name come before it in the event.
    pub nth: u32,
    /// Its arguments that are reported, as a JSON object.
    pub options: String,
    /// What it comes to when it is run again.
    pub effect: Effect,
    /// Whether later changes of the document wait for it.
    pub ordered: bool,
}

/// What became of a change that was to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk.
    New {
        /// Its row.
        change: ChangeRow,
        /// The rows of its jobs, in their order.
        jobs: Vec<JobRow>,
    },
    /// A change of this source and id is there already, with the same content but for how it was delivered.
    Duplicate {
        /// Its row.
        change: ChangeRow,
        /// When it was recorded.
        recorded_at: Millis,
    },
}

/// A part of a source's history that was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The source's name.
    pub source: String,
    /// The last that is known before it, in the words of the source.
    pub from: String,
    /// The first that is known after it, in the words of the source; empty where nobody knows.
    pub to: String,
    /// Why it was lost.
    pub reason: String,
}

/// What a process left that is gone.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Changes whose jobs are to go on now, in the order of recording. One that has seen two deaths is run alone, so that the one that
    /// kills the program is known.
    pub unfinished: Vec<Unfinished>,
    /// How many of them the process had in hand, so that it did not end in order.
    pub interrupted: u64,
    /// How many changes were set aside, because the program died in the middle of their jobs [`MAX_DEATHS`] times.
    pub quarantined: u64,
}

/// A change whose jobs have not all ended.
#[derive(Debug)]
pub struct Unfinished {
    /// Its row.
    pub row: ChangeRow,
    /// The change; an error where it cannot be read any more.
    pub change: Result<Change, String>,
    /// How often the program died in the middle of its jobs.
    pub deaths: u32,
    /// The jobs that are to go on, in their order.
    pub jobs: Vec<UnfinishedJob>,
}

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedJob {
    /// Its row.
    pub row: JobRow,
    /// The event's name.
    pub event: String,
    /// The job's name.
    pub name: String,
    /// How many jobs of this name come before it in the event.
    pub nth: u32,
    /// Where it has got to.
    pub state: JobState,
}

impl<L: Ledger + ?Sized> Ledger for Arc<L> {
    fn record(&self, recording: Recording) -> Receipt<Recorded> {
        (**self).record(recording)
    }

    fn note(&self, entries: Vec<(JobRow, Entry)>) -> Receipt<()> {
        (**self).note(entries)
    }

    fn keep(&self, source: &str, position: Vec<u8>) {
        (**self).keep(source, position);
    }

    fn position(&self, source: &str) -> Receipt<Option<Vec<u8>>> {
        (**self).position(source)
    }

    fn gap(&self, gap: Gap) -> Receipt<()> {
        (**self).gap(gap)
    }

    fn recover(&self) -> Receipt<Recovered> {
        (**self).recover()
    }

    fn take_due(&self, limit: usize) -> Receipt<Vec<Unfinished>> {
        (**self).take_due(limit)
    }

    fn wait_for_due(&self) -> BoxFuture<'static, ()> {
        (**self).wait_for_due()
    }

    fn close(&self) -> Receipt<()> {
        (**self).close()
    }
}
