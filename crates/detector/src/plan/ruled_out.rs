//! Does the predicate certainly say no to a change, as far as its plan tells? (This is the yardstick of the index.)
//!
//! "No" and "undecided" are different verdicts, and to consult too many unknowns, or one that has more than two answers, leaves
//! a predicate undecided whatever comes after. So the clauses are asked in the order of the predicate, a clause is passed over
//! only where the predicate certainly passes over it too, and a certain no after opaque code is none.

use crate::change::{Change, Side};
use crate::undecided::MAX_UNKNOWNS;
use crate::value::{Origin, Value};

use super::{Clause, Comparison, Condition, Plan};

/// What was consulted on the way that may leave the predicate undecided by itself.
#[derive(Default)]
struct Consulted {
    /// Unknowns, at most; those that are consulted twice count twice.
    unknowns: usize,
    opaque: bool,
}

impl Plan {
    /// Whether the predicate certainly says no to `change`: it is neither detected nor undecided. (A panic of opaque code that
    /// would have come later is none either, since the predicate does not come to it.)
    pub fn rules_out(&self, change: &Change) -> bool {
        let mut consulted = Consulted::default();
        let answer = self.root.answer(change, &mut consulted);
        answer == Some(false) && !consulted.opaque && consulted.unknowns <= MAX_UNKNOWNS
    }
}

impl Clause {
    /// The certain answer, where there is one.
    fn answer(&self, change: &Change, consulted: &mut Consulted) -> Option<bool> {
        match &self.condition {
            Condition::All { clauses } => decided_by(false, clauses, change, consulted),
            Condition::Any { clauses } => decided_by(true, clauses, change, consulted),
            Condition::Not { clause } => clause.answer(change, consulted).map(|answer| !answer),
            Condition::Opaque { .. } => {
                consulted.opaque = true;
                None
            }
            leaf => {
                let answer = leaf.known(change);
                if answer.is_none() {
                    consulted.unknowns += leaf.weight();
                }
                answer
            }
        }
    }
}

/// Asks `clauses` in their order, until one answers `decisive` or it is of no more use.
fn decided_by(decisive: bool, clauses: &[Clause], change: &Change, consulted: &mut Consulted) -> Option<bool> {
    let mut all_known = true;
    for clause in clauses {
        match clause.answer(change, consulted) {
            Some(answer) if answer == decisive => return Some(decisive),
            Some(_) => {}
            None if consulted.opaque => return None,
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

impl Condition {
    /// The answer of a condition that is not made of others; none where the change does not say.
    pub(crate) fn known(&self, change: &Change) -> Option<bool> {
        let field = |side: Side, path| Value::new(change.read(side, path), Origin::Inside);
        match self {
            Self::Operation { operations } => Some(operations.contains(change.operation())),
            Self::Collection { name } => Some(change.collection() == name),
            Self::Database { name } => Some(change.database() == name),
            Self::Changed { path } => change.changed(path).ok(),
            Self::Compare { side, path, comparison, literal } => {
                field(*side, path).try_compares(*comparison, literal.literal()).ok()
            }
            Self::Exists { side, path } => field(*side, path).try_exists().ok(),
            Self::Null { side, path } => field(*side, path).try_is_null().ok(),
            Self::In { side, path, literals } => {
                let field = field(*side, path);
                let mut all_known = true;
                for literal in literals {
                    match field.try_compares(Comparison::Equal, literal.literal()) {
                        Ok(true) => return Some(true),
                        Ok(false) => {}
                        Err(_) => all_known = false,
                    }
                }
                all_known.then_some(false)
            }
            Self::Became { path, literal } => change.has_become(path, literal.literal()).ok(),
            Self::FromTo { path, from, to } => change.has_changed_from_to(path, from.literal(), to.literal()).ok(),
            Self::All { .. } | Self::Any { .. } | Self::Not { .. } | Self::Opaque { .. } => None,
        }
    }

    /// How many unknowns a predicate consults at most, where the change does not answer the condition.
    fn weight(&self) -> usize {
        match self {
            Self::In { literals, .. } => literals.len(),
            _ => 1,
        }
    }

    /// How many unknowns a predicate consults at most for this condition itself, whatever the change. (A change always has an
    /// operation and a place.)
    pub(crate) fn unknowns(&self) -> usize {
        match self {
            Self::Operation { .. } | Self::Collection { .. } | Self::Database { .. } | Self::All { .. } | Self::Any { .. } => 0,
            _ => self.weight(),
        }
    }
}
