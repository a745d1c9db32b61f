//! Do the three histories of a run agree, as was promised? This is what judges; it does nothing but compare.

mod effects;
mod order;
mod records;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::history::{Arrival, Change, Event, Job, Ledger, Version, Written};

/// After so many deaths of the program in the middle of its jobs, a change is set aside.
const MAX_DEATHS: i64 = 3;

/// Attempts of a job that fails: the first and four retries.
const ATTEMPTS: usize = 5;

/// The three histories, and how often the program ended.
pub(crate) struct Histories<'h> {
    pub(crate) written: &'h [Written],
    pub(crate) ledger: &'h Ledger,
    /// In the order of arrival.
    pub(crate) arrivals: &'h [Arrival],
    /// How often the program was killed, or told to stop.
    pub(crate) ends: usize,
    /// Changes that are handled at a time.
    pub(crate) in_flight: usize,
}

/// What was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Promise {
    /// A change that an event is in is recorded.
    NothingLost,
    /// It is recorded once.
    RecordedOnce,
    /// Nothing else is recorded.
    NothingInvented,
    /// Sequence numbers of a source have no gaps.
    Sequence,
    /// The verdicts are those of the events.
    Verdicts,
    /// Each event has its jobs, and each has succeeded or is a dead letter for a reason.
    Jobs,
    /// What the ledger says of attempts is what reached the receiver.
    Effects,
    /// A repeated effect is explained by an attempt that was interrupted, and there are few.
    Doubles,
    /// A job that must not run twice does not.
    Once,
    /// Changes of a document are recorded, and begun, in order.
    Order,
    /// All attempts of an ordered event keep that order.
    OrderedEvents,
    /// No part of the history was given up.
    NoGap,
    /// The program ends well, and in time, when it is told to.
    Stop,
    /// The program finds its own ledger whole.
    Whole,
    /// Damage to a ledger is told, or harmless.
    DamageTold,
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    pub(crate) promise: Promise,
    /// Where, and how.
    pub(crate) what: String,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    /// Changes that were written.
    pub(crate) written: usize,
    /// Those of them that an event is in.
    pub(crate) matching: usize,
    /// Changes in the ledger.
    pub(crate) recorded: usize,
    pub(crate) jobs: usize,
    pub(crate) dead_letters: usize,
    /// Attempts in the middle of which the program ended.
    pub(crate) interrupted: usize,
    /// Jobs that must not run twice and were left to people, because one of these attempts was theirs.
    pub(crate) once_interrupted: usize,
    /// Changes that were set aside because the program died too often in the middle of their jobs.
    pub(crate) set_aside: usize,
    /// Effects that reached the receiver.
    pub(crate) effects: usize,
    /// Effects of jobs that had succeeded in having it already.
    pub(crate) doubles: usize,
}

/// A job of a version: the ledger and the receiver mean the same by it.
type JobOfVersion<'h> = (&'h Version, &'h str, &'h str);

/// The histories, found by what belongs together.
struct Found<'h> {
    histories: &'h Histories<'h>,
    written: HashMap<&'h Version, &'h Written>,
    changes: HashMap<i64, &'h Change>,
    jobs_of_change: HashMap<i64, Vec<&'h Job>>,
    /// Attempt number and outcome, by the row of the job.
    attempts: HashMap<i64, Vec<(i64, &'h str)>>,
    /// With the place in the order of arrival.
    arrivals: HashMap<JobOfVersion<'h>, Vec<(usize, &'h Arrival)>>,
    /// The jobs that are dead letters.
    letters: HashSet<i64>,
    violations: Vec<Violation>,
}

/// Compares the histories, and says what was counted and which promises were broken.
pub(crate) fn check(histories: &Histories<'_>) -> (Counted, Vec<Violation>) {
    let mut found = Found::new(histories);
    found.check_changes();
    found.check_sequences();
    found.check_verdicts();
    found.check_jobs();
    found.check_gaps();
    found.check_effects();
    let doubles = found.check_doubles();
    found.check_order();
    found.check_ordered_events();
    let ledger = histories.ledger;
    let counted = Counted {
        written: histories.written.len(),
        matching: histories.written.iter().filter(|written| !written.events.is_empty()).count(),
        recorded: ledger.changes.len(),
        jobs: ledger.jobs.len(),
        dead_letters: ledger.dead_letters.len(),
        interrupted: ledger.attempts.iter().filter(|attempt| attempt.outcome == "interrupted").count(),
        once_interrupted: found.once_interrupted(),
        set_aside: ledger.changes.iter().filter(|change| change.deaths >= MAX_DEATHS).count(),
        effects: histories.arrivals.len(),
        doubles,
    };
    (counted, found.violations)
}

impl<'h> Found<'h> {
    fn new(histories: &'h Histories<'h>) -> Self {
        let Histories { written, ledger, arrivals, .. } = histories;
        let mut found = Self {
            histories,
            written: written.iter().map(|written| (&written.version, written)).collect(),
            changes: ledger.changes.iter().map(|change| (change.row, change)).collect(),
            jobs_of_change: HashMap::new(),
            attempts: HashMap::new(),
            arrivals: HashMap::new(),
            letters: ledger.dead_letters.iter().map(|(job, _)| *job).collect(),
            violations: Vec::new(),
        };
        for job in &ledger.jobs {
            found.jobs_of_change.entry(job.change).or_default().push(job);
        }
        for attempt in &ledger.attempts {
            found.attempts.entry(attempt.job).or_default().push((attempt.number, &attempt.outcome));
        }
        for (place, arrival) in arrivals.iter().enumerate() {
            let job = (&arrival.version, arrival.event.as_str(), arrival.job.as_str());
            found.arrivals.entry(job).or_default().push((place, arrival));
        }
        found
    }

    fn violate(&mut self, promise: Promise, what: String) {
        self.violations.push(Violation { promise, what });
    }

    /// What reached the receiver of a job of a change.
    fn arrivals_of(&self, change: &'h Change, job: &'h Job) -> &[(usize, &'h Arrival)] {
        self.arrivals.get(&(&change.version, job.event.as_str(), job.name.as_str())).map_or(&[], Vec::as_slice)
    }

    /// The attempts that the ledger has of a job.
    fn attempts_of(&self, job: &Job) -> &[(i64, &'h str)] {
        self.attempts.get(&job.row).map_or(&[], Vec::as_slice)
    }

    /// The changes of each document, in the order of recording.
    fn documents(&self) -> HashMap<&'h str, Vec<&'h Change>> {
        let mut documents: HashMap<&str, Vec<&Change>> = HashMap::new();
        for change in &self.histories.ledger.changes {
            documents.entry(&change.version.document).or_default().push(change);
        }
        documents
    }
}

/// The event of a name.
fn event_named(name: &str) -> Option<Event> {
    Event::ALL.into_iter().find(|event| event.name() == name)
}
