//! Is what the jobs did what the ledger says that they did?

use std::collections::{HashMap, HashSet};

use super::{Found, Promise};
use crate::history::{Change, Job};

impl Found<'_> {
    /// Each attempt in the ledger had its effect, and each effect has its attempt.
    pub(super) fn check_effects(&mut self) {
        let mut known = HashSet::new();
        for job in &self.histories.ledger.jobs {
            let Some(change) = self.changes.get(&job.change).copied() else { continue };
            known.insert((&change.version, job.event.as_str(), job.name.as_str()));
            self.check_attempts(change, job);
        }
        let mut keys: HashMap<&str, (&crate::history::Version, &str, &str)> = HashMap::new();
        for arrival in self.histories.arrivals {
            let job = (&arrival.version, arrival.event.as_str(), arrival.job.as_str());
            let name = format!("{}: {} of {}", arrival.version, arrival.job, arrival.event);
            if !known.contains(&job) {
                self.violate(Promise::Effects, format!("{name} ran, and is not in the ledger"));
            }
            if *keys.entry(&arrival.key).or_insert(job) != job {
                self.violate(Promise::Effects, format!("{name} has the idempotency key {} of another job", arrival.key));
            }
        }
        for ((version, event, job), arrivals) in &self.arrivals {
            let keys: HashSet<&str> = arrivals.iter().map(|(_, arrival)| arrival.key.as_str()).collect();
            if keys.len() > 1 {
                let what = format!("{version}: {job} of {event} has {} idempotency keys", keys.len());
                self.violations.push(super::Violation { promise: Promise::Effects, what });
            }
        }
    }

    fn check_attempts(&mut self, change: &Change, job: &Job) {
        let name = format!("{}: {} of {}", change.version, job.name, job.event);
        let attempts = self.attempts_of(job).to_vec();
        let numbers: Vec<i64> = attempts.iter().map(|(number, _)| *number).collect();
        if numbers != (1..=job.attempts).collect::<Vec<_>>() {
            let what = format!("{name} has {} attempts, and the rows of {numbers:?}", job.attempts);
            self.violate(Promise::Effects, what);
        }
        let mut arrived: HashMap<i64, Vec<bool>> = HashMap::new();
        for (_, arrival) in self.arrivals_of(change, job) {
            arrived.entry(arrival.attempt).or_default().push(arrival.succeeds);
        }
        for (number, outcome) in attempts {
            let effects = arrived.remove(&number).unwrap_or_default();
            let is_explained = match effects[..] {
                [] => outcome == "interrupted",
                [true] => outcome == "succeeded" || outcome == "interrupted",
                [false] => outcome == "failed" || outcome == "interrupted",
                _ => false,
            };
            if !is_explained {
                let what = match effects.len() {
                    0 => format!("{name} attempt {number} is `{outcome}`, and had no effect"),
                    1 => format!("{name} attempt {number} is `{outcome}`, and its effect was another"),
                    times => format!("{name} attempt {number} had its effect {times} times"),
                };
                self.violate(Promise::Effects, what);
            }
        }
        for number in arrived.keys() {
            self.violate(Promise::Effects, format!("{name} attempt {number} had an effect, and is not in the ledger"));
        }
    }

    /// An effect that is repeated has an interrupted attempt before it, there are no more than the changes in flight at each end of
    /// the program, and some are not repeated at all; how many there are.
    pub(super) fn check_doubles(&mut self) -> usize {
        let mut doubles = 0;
        for job in &self.histories.ledger.jobs {
            let Some(change) = self.changes.get(&job.change).copied() else { continue };
            let name = format!("{}: {} of {}", change.version, job.name, job.event);
            let arrivals = self.arrivals_of(change, job);
            let (all, effects) = (arrivals.len(), arrivals.iter().filter(|(_, arrival)| arrival.succeeds).count());
            let interrupted = self.attempts_of(job).iter().filter(|(_, outcome)| *outcome == "interrupted").count();
            doubles += effects.saturating_sub(1);
            if effects.saturating_sub(1) > interrupted {
                let what = format!("{name} had its effect {effects} times, and was interrupted {interrupted} times");
                self.violate(Promise::Doubles, what);
            }
            if job.effect == "once" && all > 1 {
                self.violate(Promise::Once, format!("{name} must not run twice, and had its effect {all} times"));
            }
        }
        let most = self.histories.ends * self.histories.in_flight;
        if doubles > most {
            let what = format!("{doubles} effects were repeated; {most} is the most that {} ends explain", self.histories.ends);
            self.violate(Promise::Doubles, what);
        }
        doubles
    }
    /// How many jobs that must not run twice are dead letters because they were interrupted.
    pub(super) fn once_interrupted(&self) -> usize {
        let jobs = self.histories.ledger.jobs.iter().filter(|job| job.effect == "once" && job.stage == "dead");
        jobs.filter(|job| self.attempts_of(job).last().is_some_and(|(_, outcome)| *outcome == "interrupted")).count()
    }
}
