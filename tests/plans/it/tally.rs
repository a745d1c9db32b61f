//! What came of all changes, and what does not hold?

use std::collections::BTreeMap;
use std::fmt::Write;

use event_detector::Verdict;

/// How often an event came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) detected: u64,
    pub(crate) undecided: u64,
    pub(crate) failed: u64,
    /// How often its plan ruled it out.
    pub(crate) ruled_out: u64,
    /// How often it said no, which its plan did not see.
    pub(crate) missed: u64,
}

impl Counts {
    pub(crate) fn note(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::No => {}
            Verdict::Detected => self.detected += 1,
            Verdict::Undecided(_) => self.undecided += 1,
            Verdict::Failed(_) => self.failed += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.detected += other.detected;
        self.undecided += other.undecided;
        self.failed += other.failed;
        self.ruled_out += other.ruled_out;
        self.missed += other.missed;
    }
}

/// Something that does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) event: &'static str,
    pub(crate) source: &'static str,
    pub(crate) nth: u64,
    pub(crate) what: String,
    pub(crate) change: String,
}

/// What came of some changes: counts by the place of the event, and of each event the first fault.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Vec<Counts>,
    pub(crate) faults: BTreeMap<&'static str, Fault>,
}

impl Tally {
    pub(crate) fn new(events: usize) -> Self {
        Self { counts: vec![Counts::default(); events], faults: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (counts, more) in self.counts.iter_mut().zip(&other.counts) {
            counts.add(more);
        }
        for (event, fault) in other.faults {
            let first = self.faults.entry(event).or_insert_with(|| fault.clone());
            if fault.nth < first.nth {
                *first = fault;
            }
        }
    }

    /// The faults, those of the shortest sources, each with the way to see it again.
    pub(crate) fn told(&self, seed: u64) -> String {
        let mut faults: Vec<&Fault> = self.faults.values().collect();
        faults.sort_by_key(|fault| fault.source.len());
        let mut out = format!("{} of the events are at fault; those of the shortest sources:\n", faults.len());
        for Fault { event, source, nth, what, change } in faults.into_iter().take(5) {
            write!(
                out,
                "\n{event}: {what}\n{source}\nchange {nth}, {change}\nagain: PLAN_BODIES_SEED={} PLAN_CHANGES_SEED={seed} \
                 PLAN_CHANGES_FROM={nth} PLAN_CHANGES=1 PLAN_EVENT={event} cargo test -p event-detector-plan-tests\n",
                plan_bodies::SEED
            )
            .expect("a text can be written to");
        }
        out
    }
}
