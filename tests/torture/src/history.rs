//! What is known of a run, from three sides: what was written, what the ledger holds, and what the jobs did?

mod ledger;

use std::collections::BTreeSet;
use std::fmt;

pub(crate) use ledger::{Progress, has_position, open, progress, read};

/// What can happen to a wall, and the jobs that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    Built,
    Painted,
    Numbered,
    Billed,
}

/// A version of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version {
    pub(crate) document: String,
    pub(crate) number: i64,
}

/// A change as it was written: by a writer that was told that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) version: Version,
    /// Nothing, where no event is to be found in it.
    pub(crate) events: BTreeSet<Event>,
}

/// What the ledger holds in the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) changes: Vec<Change>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) attempts: Vec<Attempt>,
    /// The reasons, each with its job.
    pub(crate) dead_letters: Vec<(i64, String)>,
    /// In words.
    pub(crate) gaps: Vec<String>,
    /// The last sequence number of each source.
    pub(crate) positions: Vec<(String, i64)>,
}

/// A row of `changes`.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) row: i64,
    pub(crate) source: String,
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) version: Version,
    pub(crate) deaths: i64,
}

/// A row of `verdicts`.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) change: i64,
    pub(crate) event: String,
    pub(crate) said: String,
    pub(crate) fires: bool,
}

/// A row of `jobs`.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) row: i64,
    pub(crate) change: i64,
    pub(crate) event: String,
    pub(crate) name: String,
    pub(crate) nth: i64,
    pub(crate) effect: String,
    pub(crate) ordered: bool,
    pub(crate) stage: String,
    pub(crate) attempts: i64,
}

/// A row of `attempts`.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) job: i64,
    pub(crate) number: i64,
    pub(crate) outcome: String,
}

/// An effect of a job that reached the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The idempotency key.
    pub(crate) key: String,
    pub(crate) version: Version,
    pub(crate) event: String,
    pub(crate) job: String,
    pub(crate) attempt: i64,
    /// Whether the attempt succeeds after it, unless the program dies.
    pub(crate) succeeds: bool,
}

impl Event {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Built, Self::Painted, Self::Numbered, Self::Billed];

    /// The name that the program has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Built => "wall.built",
            Self::Painted => "wall.painted",
            Self::Numbered => "wall.numbered",
            Self::Billed => "wall.billed",
        }
    }

    /// The names of its jobs.
    pub(crate) fn jobs(self) -> &'static [&'static str] {
        match self {
            Self::Built => &["note"],
            Self::Painted => &["note", "photograph"],
            Self::Numbered => &["engrave"],
            Self::Billed => &["bill"],
        }
    }

    /// Whether later changes of the document wait for its jobs.
    pub(crate) fn is_ordered(self) -> bool {
        self == Self::Numbered
    }

    /// What the jobs say that running them twice comes to.
    pub(crate) fn effect(self) -> &'static str {
        if self == Self::Billed { "once" } else { "idempotent" }
    }

    /// The field that an update sets, for an event of updates.
    pub(crate) fn field(self) -> Option<&'static str> {
        match self {
            Self::Built => None,
            Self::Painted => Some("paint"),
            Self::Numbered => Some("number"),
            Self::Billed => Some("bill"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} version {}", self.document, self.number)
    }
}

impl Arrival {
    /// Reads a line that the program sent.
    ///
    /// # Errors
    ///
    /// The line, when it is none of the program's.
    pub(crate) fn read(line: &str) -> Result<Self, String> {
        let fields: Vec<&str> = line.trim_end().split('\t').collect();
        let &[key, document, version, event, job, attempt, will] = &fields[..] else {
            return Err(format!("the receiver cannot read {line:?}"));
        };
        let number = |text: &str| text.parse().map_err(|_| format!("the receiver cannot read {line:?}"));
        Ok(Self {
            key: key.to_owned(),
            version: Version { document: document.to_owned(), number: number(version)? },
            event: event.to_owned(),
            job: job.to_owned(),
            attempt: number(attempt)?,
            succeeds: will == "succeed",
        })
    }
}
