//! How does what is said of changes differ from what was said in a run that was kept?

use std::collections::HashMap;
use std::path::Path;

use event_detector::{Change, Registry};
use serde_json::Value;

use crate::args::Difference;
use crate::commands::rule;
use crate::console::describe;
use crate::exit::Failure;

use super::known::{Known, digest};
use super::saved::{Saved, SavedEvent};
use super::tally::Said;

/// The comparison of a run that goes on with one that was kept.
pub(super) struct Against {
    saved: Saved,
    /// Where the changes stand of which something was said, by their digests.
    said: HashMap<u64, usize>,
    /// The digests of all changes, sorted, and whether each was met.
    seen: Vec<u64>,
    met: Vec<bool>,
    /// The place of each event of the kept run in `events`.
    of_saved: Vec<Option<usize>>,
    /// The place of each event of this run in `events`.
    of_now: Vec<Option<usize>>,
    pub(super) events: Vec<Compared>,
    /// Firings of each kind that are kept for each event.
    limit: usize,
    /// Changes that the kept run has not.
    pub(super) new_changes: u64,
    /// Events of this run that the kept one was not asked for.
    pub(super) not_compared: Vec<&'static str>,
}

/// An event in both runs.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) name: String,
    pub(super) stands: Stands,
    pub(super) added: u64,
    pub(super) removed: u64,
    pub(super) undecided: u64,
    /// Those of the undecided ones that did not fire before, so that they do not stand with the removed ones.
    pub(super) became_undecided: u64,
    pub(super) unchanged: u64,
    /// What its rule was and what it is, clause by clause.
    pub(super) rule: Rules,
    /// The first of each kind.
    pub(super) firings: Vec<Firing>,
}

/// In which of the runs an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    InBoth,
    /// The kept run did not know it.
    New,
    /// The program does not have it any more.
    Gone,
}

/// A rule in both runs; none where it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) then: Option<Vec<String>>,
    pub(super) now: Option<Vec<String>>,
}

/// A change of which an event says another thing than it did.
#[derive(Debug, Clone)]
pub(super) struct Firing {
    pub(super) kind: Difference,
    pub(super) id: String,
    pub(super) key: Option<Value>,
    /// The change in a few words.
    pub(super) what: String,
    pub(super) place: String,
    pub(super) then: Said,
    pub(super) now: Said,
    /// What of today's rule says no.
    pub(super) says_no: Option<Deciding>,
}

/// The clause that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deciding {
    pub(super) clause: String,
    /// Where it stands, where it stands somewhere.
    pub(super) at: Option<(&'static str, u32)>,
    pub(super) expected: String,
    pub(super) actual: String,
}

impl Against {
    /// The comparison with the run that was kept in the file at `path`.
    pub(super) fn read(path: &Path, registry: &Registry, limit: usize) -> Result<Self, Failure> {
        let saved = Saved::read(path)?;
        let seen = saved.digests(path)?;
        let said = saved.said.iter().enumerate().map(|(at, change)| (digest(&change.id, change.nth), at)).collect();
        let mut events = Vec::new();
        let mut of_saved = Vec::new();
        for event in &saved.events {
            let stands = match registry.get(&event.name) {
                Some(_) => Stands::InBoth,
                // It is left out of this run, but not gone.
                None if registry.knows(&event.name) => {
                    of_saved.push(None);
                    continue;
                }
                None => Stands::Gone,
            };
            of_saved.push(Some(events.len()));
            events.push(Compared::new(event.name.clone(), stands, Some(event), registry));
        }
        let mut of_now = Vec::new();
        let mut not_compared = Vec::new();
        for detector in registry.detectors() {
            let known = saved.events.iter().position(|event| event.name == detector.name());
            of_now.push(match known {
                Some(at) => of_saved[at],
                None if saved.is_whole => {
                    events.push(Compared::new(detector.name().to_owned(), Stands::New, None, registry));
                    Some(events.len() - 1)
                }
                None => {
                    not_compared.push(detector.name());
                    None
                }
            });
        }
        let met = vec![false; seen.len()];
        Ok(Self { saved, said, seen, met, of_saved, of_now, events, limit, new_changes: 0, not_compared })
    }

    /// Compares what is said of a change.
    pub(super) fn meet(
        &mut self,
        registry: &Registry,
        change: &Change,
        known: Known,
        now: impl Iterator<Item = (usize, Said)>,
        place: impl Fn() -> String,
    ) {
        let Ok(at) = self.seen.binary_search(&known.digest) else {
            self.new_changes += 1;
            return;
        };
        self.met[at] = true;
        // Another change with the same digest said something else.
        let then = self.said.get(&known.digest).map(|at| &self.saved.said[*at]).filter(|then| then.id == change.id());
        let mut both: Vec<(usize, Said, Said)> = match then {
            Some(then) => then.said().filter_map(|(event, said)| Some((self.of_saved[event]?, said, Said::No))).collect(),
            None => Vec::new(),
        };
        for (event, said) in now {
            let Some(event) = self.of_now[event] else { continue };
            match both.iter_mut().find(|(other, ..)| *other == event) {
                Some((.., now)) => *now = said,
                None => both.push((event, Said::No, said)),
            }
        }
        for (event, then, now) in both {
            self.events[event].meet(registry, change, then, now, self.limit, &place);
        }
    }

    /// The changes of the kept run that were not met.
    pub(super) fn gone_changes(&self) -> u64 {
        self.met.iter().filter(|met| !**met).count() as u64
    }

    /// How many changes the kept run had.
    pub(super) fn changes(&self) -> u64 {
        self.saved.changes
    }

    /// How many firings differ in this way.
    pub(super) fn number(&self, kind: Difference) -> u64 {
        self.events.iter().map(|event| event.number(kind)).sum()
    }
}

impl Compared {
    fn new(name: String, stands: Stands, saved: Option<&SavedEvent>, registry: &Registry) -> Self {
        let rule = Rules { then: saved.and_then(|saved| saved.rule.clone()), now: registry.plan(&name).map(rule::texts) };
        Self { name, stands, added: 0, removed: 0, undecided: 0, became_undecided: 0, unchanged: 0, rule, firings: Vec::new() }
    }

    pub(super) fn number(&self, kind: Difference) -> u64 {
        match kind {
            Difference::Added => self.added,
            Difference::Removed => self.removed,
            Difference::Undecided => self.undecided,
        }
    }

    /// How many there are to be told of one kind; each is told once.
    pub(super) fn told(&self, kind: Difference) -> u64 {
        match kind {
            Difference::Undecided => self.became_undecided,
            Difference::Added | Difference::Removed => self.number(kind),
        }
    }

    /// Whether anything differs.
    pub(super) fn differs(&self) -> bool {
        self.added + self.removed + self.undecided > 0
    }

    fn meet(&mut self, registry: &Registry, change: &Change, then: Said, now: Said, limit: usize, place: impl Fn() -> String) {
        let kind = match (then, now) {
            (Said::Fired, Said::Fired) => {
                self.unchanged += 1;
                return;
            }
            (Said::Fired, _) => Difference::Removed,
            (_, Said::Fired) => Difference::Added,
            (Said::No | Said::Failed, Said::Undecided) => Difference::Undecided,
            _ => return,
        };
        self.undecided += u64::from(now == Said::Undecided);
        let number = match kind {
            Difference::Added => &mut self.added,
            Difference::Removed => &mut self.removed,
            Difference::Undecided => &mut self.became_undecided,
        };
        *number += 1;
        if *number > limit as u64 {
            return;
        }
        self.firings.push(Firing {
            kind,
            id: change.id().to_owned(),
            key: change.key().to_json(),
            what: describe(change),
            place: place(),
            then,
            now,
            says_no: if now == Said::No { deciding(registry, &self.name, change) } else { None },
        });
    }
}

/// What of the event's rule decides what it says of a change.
fn deciding(registry: &Registry, event: &str, change: &Change) -> Option<Deciding> {
    let explained = registry.explain(event, change)?;
    let clause = explained.rule.as_ref()?.decided()?;
    Some(Deciding {
        clause: clause.text.clone(),
        at: (clause.line > 0).then_some((explained.file, clause.line)),
        expected: clause.expected.clone(),
        actual: clause.actual.clone(),
    })
}

impl Rules {
    /// The clauses that are there no more, and those that are new, by their texts.
    pub(super) fn differences(&self) -> (Vec<&str>, Vec<&str>) {
        let (then, now) = (self.then.as_deref().unwrap_or_default(), self.now.as_deref().unwrap_or_default());
        (without(then, now), without(now, then))
    }
}

/// The texts of `left` that `right` does not have, each as often as it has it more.
fn without<'t>(left: &'t [String], right: &[String]) -> Vec<&'t str> {
    let mut others: Vec<&String> = right.iter().collect();
    let mut only = Vec::new();
    for text in left {
        match others.iter().position(|other| *other == text) {
            Some(at) => drop(others.swap_remove(at)),
            None => only.push(text.as_str()),
        }
    }
    only
}

#[cfg(test)]
mod tests;
