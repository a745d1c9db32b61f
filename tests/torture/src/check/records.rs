//! Is what was written in the ledger, all of it, once, and nothing else?

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{ATTEMPTS, Found, MAX_DEATHS, Promise, event_named};
use crate::history::{Change, Event, Job, Version};

impl Found<'_> {
    /// Each change that an event is in is there once, and no other.
    pub(super) fn check_changes(&mut self) {
        let ledger = self.histories.ledger;
        let mut rows: HashMap<&Version, usize> = HashMap::new();
        let mut ids = HashSet::new();
        for change in &ledger.changes {
            *rows.entry(&change.version).or_default() += 1;
            if !ids.insert((&change.source, &change.id)) {
                self.violate(Promise::RecordedOnce, format!("the id {} of {} is recorded again", change.id, change.source));
            }
            if self.written.get(&change.version).is_none_or(|written| written.events.is_empty()) {
                self.violate(Promise::NothingInvented, format!("{} is recorded, and no event is in it", change.version));
            }
        }
        for written in self.histories.written.iter().filter(|written| !written.events.is_empty()) {
            match rows.get(&written.version) {
                None => self.violate(Promise::NothingLost, format!("{} was written, and is not recorded", written.version)),
                Some(1) => {}
                Some(rows) => self.violate(Promise::RecordedOnce, format!("{} is recorded {rows} times", written.version)),
            }
        }
    }

    /// The changes of each source count from 1, without gaps, and the source knows the last.
    pub(super) fn check_sequences(&mut self) {
        let ledger = self.histories.ledger;
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        for change in &ledger.changes {
            let last = last.entry(&change.source).or_default();
            let expected = *last + 1;
            *last = change.seq;
            if change.seq != expected {
                let what = format!("{} has the number {} in {}, not {expected}", change.version, change.seq, change.source);
                self.violate(Promise::Sequence, what);
            }
        }
        for (source, seq) in &ledger.positions {
            let last = last.remove(source.as_str()).unwrap_or_default();
            if last != *seq {
                self.violate(Promise::Sequence, format!("{source} says that its last change is {seq}, and it is {last}"));
            }
        }
        for source in last.keys() {
            self.violate(Promise::Sequence, format!("{source} has changes, and no row of its own"));
        }
    }

    /// The verdicts of each change are those of the events in it.
    pub(super) fn check_verdicts(&mut self) {
        let mut verdicts: HashMap<i64, BTreeSet<&str>> = HashMap::new();
        for verdict in &self.histories.ledger.verdicts {
            if verdict.said != "detected" || !verdict.fires {
                let what = format!("row {}: {} was {}, not detected", verdict.change, verdict.event, verdict.said);
                self.violate(Promise::Verdicts, what);
            } else if !verdicts.entry(verdict.change).or_default().insert(&verdict.event) {
                self.violate(Promise::Verdicts, format!("row {}: {} has two verdicts", verdict.change, verdict.event));
            }
        }
        for change in &self.histories.ledger.changes {
            let Some(written) = self.written.get(&change.version) else { continue };
            let expected: BTreeSet<&str> = written.events.iter().map(|event| event.name()).collect();
            let found = verdicts.remove(&change.row).unwrap_or_default();
            if found != expected {
                self.violate(Promise::Verdicts, format!("{} has the events {found:?}, not {expected:?}", change.version));
            }
        }
        for row in verdicts.keys() {
            self.violate(Promise::Verdicts, format!("there are verdicts of the row {row}, which is not there"));
        }
    }

    /// Each event has its jobs once, and each has ended as it should.
    pub(super) fn check_jobs(&mut self) {
        for change in &self.histories.ledger.changes {
            let Some(written) = self.written.get(&change.version) else { continue };
            let expected = written.events.iter().flat_map(|event| event.jobs().iter().map(|job| (event.name(), *job)));
            let expected: BTreeSet<(&str, &str)> = expected.collect();
            let jobs = self.jobs_of_change.get(&change.row).cloned().unwrap_or_default();
            let found: BTreeSet<(&str, &str)> = jobs.iter().map(|job| (job.event.as_str(), job.name.as_str())).collect();
            if found != expected || jobs.len() != expected.len() {
                self.violate(Promise::Jobs, format!("{} has the jobs {found:?}, not {expected:?}", change.version));
            }
            for job in jobs {
                self.check_job(change, job);
            }
        }
        for job in &self.histories.ledger.jobs {
            if !self.changes.contains_key(&job.change) {
                self.violate(Promise::Jobs, format!("there is a job of the row {}, which is not there", job.change));
            }
        }
    }

    fn check_job(&mut self, change: &Change, job: &Job) {
        let name = format!("{}: {} of {}", change.version, job.name, job.event);
        let declared = event_named(&job.event).map(|event| (event.effect(), event.is_ordered(), 0));
        if declared.is_some() && declared != Some((job.effect.as_str(), job.ordered, job.nth)) {
            self.violate(Promise::Jobs, format!("{name} is recorded otherwise than it is declared: {job:?}"));
        }
        let has_letter = self.letters.contains(&job.row);
        match job.stage.as_str() {
            "succeeded" if has_letter => self.violate(Promise::Jobs, format!("{name} has succeeded, and is a dead letter")),
            "succeeded" => {}
            "dead" if !has_letter => self.violate(Promise::Jobs, format!("{name} is dead, and no dead letter says why")),
            "dead" if self.has_reason(change, job) => {}
            "dead" => self.violate(Promise::Jobs, format!("{name} is a dead letter for no reason: {:?}", self.attempts_of(job))),
            stage => self.violate(Promise::Jobs, format!("{name} is left {stage}")),
        }
    }

    /// Whether a job may be a dead letter: it failed too often, it was interrupted and must not run twice, or its change has seen
    /// the program die too often.
    fn has_reason(&self, change: &Change, job: &Job) -> bool {
        let attempts = self.attempts_of(job);
        let last = attempts.last().map(|(_, outcome)| *outcome);
        let failed = attempts.iter().filter(|(_, outcome)| *outcome == "failed").count() == ATTEMPTS;
        failed || (job.effect == Event::Billed.effect() && last == Some("interrupted")) || change.deaths >= MAX_DEATHS
    }

    /// No part of a history was given up.
    pub(super) fn check_gaps(&mut self) {
        for gap in &self.histories.ledger.gaps {
            self.violate(Promise::NoGap, format!("a gap was recorded: {gap}"));
        }
    }
}
