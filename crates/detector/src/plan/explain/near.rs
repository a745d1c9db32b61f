//! Which events nearly happened, but for one clause?

use std::borrow::Cow;

use serde::Serialize;

use crate::change::Change;
use crate::detector::Verdict;
use crate::registry::Registry;

use super::super::{Clause, Condition, Plan};

/// Counts, per event and clause, how often that clause alone kept the event from happening.
///
/// It asks every clause of every plan, so it is for those who ask for it. Opaque code is asked too, where it can be.
#[derive(Debug, Clone, Default)]
pub struct NearMisses {
    /// By the place of the event among those with a plan, so that no clause is looked for among those of all events.
    counts: Vec<Vec<NearMiss>>,
}

/// A clause that alone kept its event from happening, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NearMiss {
    /// The event's name.
    pub event: &'static str,
    /// The clause, as it is written.
    pub clause: String,
    /// The line of its source code in the file of the event, from 1; 0 for one that stands nowhere.
    pub line: u32,
    /// For so many changes it was the only clause that did not hold.
    pub count: u64,
}

impl NearMisses {
    /// A count of nothing yet, with room for the events of `registry`.
    pub fn new(registry: &Registry) -> Self {
        Self { counts: Vec::with_capacity(registry.planned().count()) }
    }

    /// Counts the events of `registry` that `change` nearly is.
    pub fn note(&mut self, registry: &Registry, change: &Change) {
        for (place, (detector, plan)) in registry.planned().enumerate() {
            for clause in plan.near_misses(change) {
                self.count(place, detector.name(), clause);
            }
        }
    }

    fn count(&mut self, place: usize, event: &'static str, clause: &Clause) {
        if self.counts.len() <= place {
            self.counts.resize_with(place + 1, Vec::new);
        }
        // Two clauses of one line that read the same are the same.
        let words: Cow<'_, str> = clause.words();
        let known = |miss: &&mut NearMiss| miss.event == event && miss.line == clause.line() && miss.clause == words;
        match self.counts[place].iter_mut().find(known) {
            Some(miss) => miss.count += 1,
            None => self.counts[place].push(NearMiss { event, clause: words.into_owned(), line: clause.line(), count: 1 }),
        }
    }

    /// The counts, by event, the most frequent clause of each first.
    pub fn into_counts(self) -> Vec<NearMiss> {
        let mut counts = self.counts.into_iter().flatten().collect::<Vec<_>>();
        counts.sort_by(|one, other| (one.event, other.count, one.line).cmp(&(other.event, one.count, other.line)));
        counts
    }
}

/// What a clause is to the event that it is part of.
enum Stand<'p> {
    Holds,
    /// Each of these alone keeps it from holding.
    Misses(Vec<&'p Clause>),
    /// It does not hold, for more than one clause.
    Far,
    /// The change does not say.
    Unknown,
}

impl Plan {
    /// The clauses each of which alone keeps the predicate from saying yes to `change`; none where it says yes, several clauses
    /// do not hold, or one is unknown.
    ///
    /// A rule of one clause is never nearly met. Of alternatives that are conjunctions themselves, each is looked at on its own.
    pub fn near_misses(&self, change: &Change) -> Vec<&Clause> {
        match self.root.stand(change) {
            Stand::Misses(clauses) if !is_itself(&self.root, &clauses) => clauses,
            // Where it is the rule itself, nothing else of it holds.
            _ => Vec::new(),
        }
    }
}

impl Clause {
    fn stand(&self, change: &Change) -> Stand<'_> {
        match &self.condition {
            Condition::All { clauses } => {
                // Most events are of other collections and operations, which is seen at little cost.
                if clauses.iter().filter(|clause| clause.condition.known(change) == Some(false)).nth(1).is_some() {
                    return Stand::Far;
                }
                let mut misses = None;
                let (mut is_any_held, mut is_any_unknown) = (false, false);
                for clause in clauses {
                    match clause.stand(change) {
                        Stand::Holds => is_any_held = true,
                        Stand::Misses(missing) if misses.is_none() => misses = Some((clause, missing)),
                        Stand::Misses(_) | Stand::Far => return Stand::Far,
                        Stand::Unknown => is_any_unknown = true,
                    }
                }
                match misses {
                    None if is_any_unknown => Stand::Unknown,
                    None => Stand::Holds,
                    Some(_) if is_any_unknown => Stand::Far,
                    // Nothing else of the conjunction holds, so it misses as a whole.
                    Some((clause, missing)) if !is_any_held && is_itself(clause, &missing) => Stand::Misses(vec![self]),
                    Some((_, missing)) => Stand::Misses(missing),
                }
            }
            Condition::Any { clauses } => {
                let (mut misses, mut is_missed_whole, mut is_any_unknown) = (Vec::new(), false, false);
                for clause in clauses {
                    match clause.stand(change) {
                        Stand::Holds => return Stand::Holds,
                        // Alternatives of which nothing holds are missed together.
                        Stand::Misses(missing) if is_itself(clause, &missing) => is_missed_whole = true,
                        Stand::Misses(missing) => misses.extend(missing),
                        Stand::Far => {}
                        Stand::Unknown => is_any_unknown = true,
                    }
                }
                if is_any_unknown {
                    return Stand::Unknown;
                }
                match (misses.is_empty(), is_missed_whole) {
                    (false, _) => Stand::Misses(misses),
                    (true, true) => Stand::Misses(vec![self]),
                    (true, false) => Stand::Far,
                }
            }
            _ => match self.answer_alone(change) {
                Some(true) => Stand::Holds,
                Some(false) => Stand::Misses(vec![self]),
                None => Stand::Unknown,
            },
        }
    }

    /// The certain answer of a clause that is looked at as one.
    fn answer_alone(&self, change: &Change) -> Option<bool> {
        if let Some(answer) = self.condition.known(change) {
            return Some(answer);
        }
        match &self.condition {
            Condition::Opaque { .. } | Condition::Not { .. } => match Verdict::of(|| self.holds(change)) {
                Verdict::Detected => Some(true),
                Verdict::No => Some(false),
                Verdict::Undecided(_) | Verdict::Failed(_) => None,
            },
            _ => None,
        }
    }
}

/// Whether what a clause misses is the clause itself, and no part of it.
fn is_itself(clause: &Clause, missing: &[&Clause]) -> bool {
    missing.iter().any(|missing| std::ptr::eq(*missing, clause))
}
