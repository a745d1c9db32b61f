//! Why does a predicate say what it says of a change?
//!
//! The verdict is always the predicate's own; the plan only says which of its conditions hold, and which one decided. To explain
//! runs every clause on its own, also those that the predicate never comes to, so it is nothing for the way of a change.

mod event;
mod near;
mod scope;
mod words;

use serde::Serialize;

use crate::change::Change;
use crate::detector::Verdict;
use crate::undecided::{Unknown, recording};

use super::{Clause, Condition, Plan};

pub use event::EventExplanation;
pub use near::{NearMiss, NearMisses};
pub use scope::Scope;

/// What each clause of a plan says of one change, as a tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Explanation {
    root: ExplainedClause,
}

/// What one clause says of a change.
///
/// A negation of a clause that is not made of others is one clause, not two; so are alternatives that one piece of source code
/// states, such as `matches!(change.collection(), "moves" | "orders")`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExplainedClause {
    /// How it is made of others, or that it is not.
    pub form: Form,
    /// Its source code on one line; what it demands, where it has none.
    pub text: String,
    /// The line of its source code in the file of the event, from 1; 0 for one that stands nowhere.
    pub line: u32,
    /// What has to be, so that it holds.
    pub expected: String,
    /// What the change holds, shortened; empty for a clause that is made of others.
    pub actual: String,
    /// Whether it holds.
    pub truth: Truth,
    /// Whether the predicate comes to it: it stops at the first clause that decides.
    pub reached: bool,
    /// Whether it is the first clause that decides, so that the verdict is what it is. Where all of several clauses decide
    /// together, it is the clause that they make up.
    pub decided: bool,
    /// What would have to be known, where the change does not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<Unknown>,
    /// How its code panicked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why its code is not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
    /// The clauses that it is made of, in the order in which they are asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<Self>,
}

/// How a clause is made of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Each of them has to hold.
    All,
    /// One of them has to hold.
    Any,
    /// It must not hold.
    Not,
    /// It is not, and understood.
    Known,
    /// It is not, and code that is not understood.
    Opaque,
}

/// Whether a clause holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// The change does not say, or its code panicked.
    Unknown,
}

impl Plan {
    /// What each clause says of `change`, and which one decides the verdict that the plan comes to.
    ///
    /// Opaque code is asked too, where it can be; its panic makes the clause unknown.
    pub fn explain(&self, change: &Change) -> Explanation {
        self.explain_verdict(change, &self.evaluate(change))
    }

    /// As [`explain`](Self::explain), for the verdict that the predicate itself came to.
    pub(crate) fn explain_verdict(&self, change: &Change, verdict: &Verdict) -> Explanation {
        let mut root = self.root.explain(change);
        root.reach(true);
        match verdict {
            Verdict::Detected => root.decide(Truth::True),
            Verdict::No => root.decide(Truth::False),
            Verdict::Undecided(_) => root.decide(Truth::Unknown),
            Verdict::Failed(_) => root.blame(),
        }
        Explanation { root }
    }
}

impl Explanation {
    /// The whole condition.
    pub fn root(&self) -> &ExplainedClause {
        &self.root
    }

    /// The first clause that decided.
    pub fn decided(&self) -> Option<&ExplainedClause> {
        self.root.all().into_iter().find(|clause| clause.decided)
    }

    /// What the clauses would have to know that the predicate comes to, each once, in the order in which they are asked.
    pub fn unknowns(&self) -> Vec<&Unknown> {
        let mut unknowns: Vec<&Unknown> = Vec::new();
        let leaves = self.root.all().into_iter().filter(|clause| clause.reached && clause.clauses.is_empty());
        for unknown in leaves.flat_map(|clause| &clause.undecided) {
            if !unknowns.contains(&unknown) {
                unknowns.push(unknown);
            }
        }
        unknowns
    }
}

impl Clause {
    fn explain(&self, change: &Change) -> ExplainedClause {
        let (leaf, negated) = match &self.condition {
            Condition::Not { clause } => (&**clause, true),
            _ => (self, false),
        };
        // A negation of several clauses is no leaf.
        let is_leaf = leaf.is_one_text() || !leaf.is_made_of_others();
        // As a predicate asks it, so that what a part of it guards is not asked where the guard says no.
        let (verdict, reads) = recording(|| Verdict::of(|| self.holds(change)));
        let (truth, undecided, error) = match verdict {
            Verdict::Detected => (Truth::True, Vec::new(), None),
            Verdict::No => (Truth::False, Vec::new(), None),
            Verdict::Undecided(unknowns) => (Truth::Unknown, unknowns, None),
            Verdict::Failed(panic) => (Truth::Unknown, Vec::new(), Some(panic.to_string())),
        };
        let form = match &self.condition {
            Condition::All { .. } => Form::All,
            Condition::Any { .. } if !is_leaf => Form::Any,
            Condition::Not { .. } if !is_leaf => Form::Not,
            _ if matches!(leaf.condition, Condition::Opaque { .. }) => Form::Opaque,
            _ => Form::Known,
        };
        let (expected, actual) = match form {
            Form::All => ("each of these".to_owned(), String::new()),
            Form::Any => ("one of these".to_owned(), String::new()),
            Form::Not => ("not this".to_owned(), String::new()),
            Form::Known => (leaf.expected(negated), leaf.actual(change)),
            Form::Opaque => {
                let answer = match truth {
                    Truth::True => Some(!negated),
                    Truth::False => Some(negated),
                    Truth::Unknown => None,
                };
                ((!negated).to_string(), words::opaque(&leaf.condition, leaf.text(), answer, error.as_deref(), &reads))
            }
        };
        ExplainedClause {
            form,
            text: self.words().into_owned(),
            line: self.line,
            expected,
            actual,
            truth,
            reached: false,
            decided: false,
            undecided,
            error,
            opaque: match &leaf.condition {
                Condition::Opaque { why, .. } => Some(why.clone().into_owned()),
                _ => None,
            },
            clauses: if is_leaf { Vec::new() } else { self.parts().iter().map(|part| part.explain(change)).collect() },
        }
    }

    /// Whether it is alternatives that one piece of source code states, so that it is shown as one.
    pub fn is_one_text(&self) -> bool {
        let is_same = |part: &Self| part.text == self.text && !part.is_made_of_others();
        let is_leaf = |part: &Self| !matches!(part.condition, Condition::Opaque { .. });
        matches!(self.condition, Condition::Any { .. })
            && !self.text.is_empty()
            && self.parts().len() > 1
            && self.parts().iter().all(|part| is_same(part) && is_leaf(part))
    }

    fn is_made_of_others(&self) -> bool {
        matches!(self.condition, Condition::All { .. } | Condition::Any { .. } | Condition::Not { .. })
    }
}

impl ExplainedClause {
    /// Notes where the predicate comes to, when it comes here.
    fn reach(&mut self, mut reached: bool) {
        self.reached = reached;
        let stop = match self.form {
            Form::Any => Truth::True,
            _ => Truth::False,
        };
        for clause in &mut self.clauses {
            clause.reach(reached);
            reached &= clause.truth != stop && clause.error.is_none();
        }
    }

    /// Marks the first clause by which this one is `truth`.
    fn decide(&mut self, truth: Truth) {
        let is_one_enough = match self.form {
            Form::All => truth != Truth::True,
            Form::Any => truth != Truth::False,
            _ => false,
        };
        if is_one_enough {
            let certain = self.clauses.iter().position(|clause| clause.reached && clause.truth == truth);
            // Code that cannot be asked on its own is what decided, when nothing else did.
            let place = certain.or_else(|| self.only_unknown());
            if let Some(place) = place {
                return self.clauses[place].decide(truth);
            }
        }
        self.decided = true;
    }

    /// The only clause of which it is not known whether it holds.
    fn only_unknown(&self) -> Option<usize> {
        let mut unknown = (0..).zip(&self.clauses).filter(|(_, clause)| clause.reached && clause.truth == Truth::Unknown);
        unknown.next().map(|(place, _)| place).filter(|_| unknown.next().is_none())
    }

    /// Marks the first clause that panicked.
    fn blame(&mut self) {
        match self.clauses.iter_mut().find(|clause| clause.reached && clause.error.is_some()) {
            Some(clause) => clause.blame(),
            None => self.decided = true,
        }
    }

    /// This clause and those that it is made of, in the order in which they are asked.
    pub fn all(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.clauses.iter().flat_map(Self::all)).collect()
    }
}

#[cfg(test)]
mod tests;
