//! What does a plan say of a change, asked as a predicate is?

use crate::change::{Change, Side};
use crate::detector::Verdict;
use crate::undecided::{Unknown, consult};
use crate::value::Value;

use super::{Clause, Condition, Plan};

impl Plan {
    /// The verdict over `change` of a predicate that is this plan: unknowns are taken both ways, a panic of opaque code is a
    /// verdict too.
    ///
    /// Opaque code that cannot be asked on its own is an unknown.
    pub fn evaluate(&self, change: &Change) -> Verdict {
        Verdict::of(|| self.root.holds(change))
    }
}

impl Clause {
    /// Whether the clause holds, asked within a predicate.
    pub(crate) fn holds(&self, change: &Change) -> bool {
        match &self.condition {
            Condition::All { clauses } => clauses.iter().all(|clause| clause.holds(change)),
            Condition::Any { clauses } => clauses.iter().any(|clause| clause.holds(change)),
            Condition::Not { clause } => !clause.holds(change),
            Condition::Operation { operations } => operations.contains(change.operation()),
            Condition::Collection { name } => change.collection() == name,
            Condition::Database { name } => change.database() == name,
            Condition::Changed { path } => change.column_changed(path),
            Condition::Compare { side, path, comparison, literal } => {
                field(change, *side, path).compares(*comparison, literal.literal())
            }
            Condition::Exists { side, path } => field(change, *side, path).exists(),
            Condition::Null { side, path } => field(change, *side, path).is_null(),
            Condition::In { side, path, literals } => {
                field(change, *side, path).is_in(literals.iter().map(super::Constant::literal))
            }
            Condition::Became { path, literal } => change.became(path, literal.literal()),
            Condition::FromTo { path, from, to } => change.changed_from_to(path, from.literal(), to.literal()),
            Condition::Opaque { ask: Some(ask), .. } => ask.ask(change),
            Condition::Opaque { why, ask: None } => {
                consult(|| Unknown { read: self.text.clone().into_owned(), cure: why.clone().into_owned() })
            }
        }
    }
}

fn field<'c>(change: &'c Change, side: Side, path: &'c str) -> Value<'c> {
    match side {
        Side::Before => change.before(path),
        Side::After => change.after(path),
    }
}
