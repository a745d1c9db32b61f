//! What must a change have, so that a plan does not rule it out?
//!
//! A plan is read into a few *needs*. A change that has none of them is one that [`Plan::rules_out`], so the rules here are its
//! rules: the clauses are taken in their order, what comes after opaque code is of no use, and neither is what comes after more
//! unknowns than a predicate may consult.

use crate::change::{Operation, Side};
use crate::plan::{Clause, Comparison, Condition, Constant, Operations, Plan};
use crate::undecided::MAX_UNKNOWNS;

/// So many ways to hold are looked up apart; a plan of more is found by what they have in common.
const MOST_NEEDS: usize = 16;

/// One way in which a plan may hold: a change that lacks any of this is ruled out of it.
#[derive(Debug, Clone)]
pub(super) struct Need<'p> {
    pub(super) collection: Option<&'p str>,
    pub(super) database: Option<&'p str>,
    pub(super) operations: Operations,
    /// Columns that have to change; only an update changes any.
    pub(super) changed: Vec<&'p str>,
    pub(super) equals: Vec<Equals<'p>>,
    /// Whether no opaque code came yet, so that what comes next still counts.
    is_open: bool,
}

/// A field that has to equal one of some literals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Equals<'p> {
    pub(super) of: Of,
    pub(super) path: &'p str,
    pub(super) literals: &'p [Constant],
}

/// From where a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Of {
    /// The document before the change.
    Before,
    /// The document after it, be it one that was looked up later.
    After,
    /// The document as this very change left it.
    Left,
}

impl From<Side> for Of {
    fn from(side: Side) -> Self {
        match side {
            Side::Before => Self::Before,
            Side::After => Self::After,
        }
    }
}

/// The needs of `plan`; none where it rules out every change.
pub(super) fn needs_of(plan: &Plan) -> Vec<Need<'_>> {
    let anything = Need {
        collection: None,
        database: None,
        operations: Operations::of(|_| true),
        changed: Vec::new(),
        equals: Vec::new(),
        is_open: true,
    };
    Reader { unknowns: 0 }.narrow(vec![anything], plan.root(), true)
}

/// Reads clauses in the order in which they are asked.
struct Reader {
    /// How many unknowns may have been consulted so far, at most.
    unknowns: usize,
}

impl Reader {
    /// `needs`, of those changes only of which `clause` is not certainly the opposite of `wanted`.
    fn narrow<'p>(&mut self, needs: Vec<Need<'p>>, clause: &'p Clause, wanted: bool) -> Vec<Need<'p>> {
        match (clause.condition(), wanted) {
            (Condition::Not { clause }, _) => self.narrow(needs, clause, !wanted),
            (Condition::All { clauses }, true) | (Condition::Any { clauses }, false) => {
                clauses.iter().fold(needs, |needs, clause| self.narrow(needs, clause, wanted))
            }
            (Condition::All { clauses }, false) | (Condition::Any { clauses }, true) if !clauses.is_empty() => {
                let (open, closed): (Vec<_>, Vec<_>) = needs.into_iter().partition(|need| need.is_open);
                let ways = clauses.iter().map(|clause| self.narrow(open.clone(), clause, wanted)).collect::<Vec<_>>().concat();
                let ways = if ways.len() <= MOST_NEEDS { ways } else { closed_by(clause, open) };
                [closed, ways].concat()
            }
            (Condition::Opaque { .. }, _) => closed_by(clause, needs),
            (leaf, _) => {
                let is_usable = self.unknowns <= MAX_UNKNOWNS;
                self.unknowns += leaf.unknowns();
                if is_usable { needs.into_iter().filter_map(|need| need.narrowed(leaf, wanted)).collect() } else { needs }
            }
        }
    }
}

/// `needs` after a clause that they say nothing of.
fn closed_by<'p>(clause: &Clause, mut needs: Vec<Need<'p>>) -> Vec<Need<'p>> {
    if clause.opaque().next().is_some() {
        needs.iter_mut().for_each(|need| need.is_open = false);
    }
    needs
}

impl<'p> Need<'p> {
    /// Whether it says nothing at all.
    pub(super) fn is_anything(&self) -> bool {
        self.collection.is_none()
            && self.database.is_none()
            && self.operations == Operations::of(|_| true)
            && self.changed.is_empty()
            && self.equals.is_empty()
    }

    /// What is needed besides, so that `leaf` is not certainly the opposite of `wanted`; none where no change has both.
    fn narrowed(mut self, leaf: &'p Condition, wanted: bool) -> Option<Self> {
        if !self.is_open {
            return Some(self);
        }
        match (leaf, wanted) {
            (Condition::Operation { operations }, true) => self.of_operations(*operations)?,
            (Condition::Operation { operations }, false) => self.of_operations(operations.complement())?,
            (Condition::Collection { name }, true) => is_only(&mut self.collection, name)?,
            (Condition::Database { name }, true) => is_only(&mut self.database, name)?,
            (Condition::Changed { path }, true) => self.of_changed(path)?,
            (Condition::Compare { side, path, comparison: Comparison::Equal, literal }, true)
            | (Condition::Compare { side, path, comparison: Comparison::NotEqual, literal }, false) => {
                self.of_equal((*side).into(), path, std::slice::from_ref(literal));
            }
            // None of none holds.
            (Condition::All { .. }, false) | (Condition::Any { .. }, true) => return None,
            // Nothing is one of none, be it unknown.
            (Condition::In { literals, .. }, true) if literals.is_empty() => return None,
            (Condition::In { side, path, literals }, true) => self.of_equal((*side).into(), path, literals),
            (Condition::Became { path, literal }, true) => {
                self.of_operations(Operations::of(|operation| matches!(operation, Operation::Insert | Operation::Update)))?;
                self.of_equal(Of::Left, path, std::slice::from_ref(literal));
            }
            (Condition::FromTo { path, from, to }, true) => {
                self.of_changed(path)?;
                self.of_equal(Of::Before, path, std::slice::from_ref(from));
                self.of_equal(Of::Left, path, std::slice::from_ref(to));
            }
            _ => {}
        }
        Some(self)
    }

    fn of_operations(&mut self, operations: Operations) -> Option<()> {
        self.operations = self.operations.and(operations);
        (self.operations != Operations::default()).then_some(())
    }

    fn of_changed(&mut self, path: &'p str) -> Option<()> {
        self.of_operations(Operations::of(|operation| operation == Operation::Update))?;
        self.changed.push(path);
        Some(())
    }

    fn of_equal(&mut self, of: Of, path: &'p str, literals: &'p [Constant]) {
        self.equals.push(Equals { of, path, literals });
    }
}

/// Notes that it has to be `name`; none where it has to be another.
fn is_only<'p>(noted: &mut Option<&'p str>, name: &'p str) -> Option<()> {
    match *noted.get_or_insert(name) == name {
        true => Some(()),
        false => None,
    }
}
