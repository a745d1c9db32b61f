//! What is known of a predicate without running it: a tree of the conditions that its source code states.
//!
//! `#[event]` reads the body of `detect` into a [`Plan`] and leaves the body as it is. What it does not understand is *opaque*,
//! and may be true. So a plan that rules a change out is right, whatever the rest of the body does, and everything that is
//! built on plans (the index, explanations, the catalogue) only ever leaves out what certainly does not match.

mod build;
mod constant;
mod explain;
mod holds;
mod operations;
mod reads;
mod ruled_out;

use std::borrow::Cow;

use serde::Serialize;

use crate::change::{Change, Side};

pub use build::At;
pub use constant::Constant;
pub use constant::{Const, KnownConst, OtherConst};
pub use explain::{EventExplanation, ExplainedClause, Explanation, Form, NearMiss, NearMisses, Scope, Truth};
pub use operations::Operations;
pub use reads::{Asked, ReadSet};

/// The conditions of a predicate, as far as they are recognised.
///
/// A change that the plan [rules out](Self::rules_out) is one that the predicate certainly says no to. On a predicate that is
/// recognised wholly, [`evaluate`](Self::evaluate) comes to the predicate's own verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Plan {
    root: Clause,
}

/// One condition, with the source code that states it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clause {
    #[serde(flatten)]
    condition: Condition,
    /// As it is written, on one line.
    #[serde(skip_serializing_if = "str::is_empty")]
    text: Cow<'static, str>,
    #[serde(skip)]
    line: u32,
}

/// What a clause demands.
///
/// Reads, comparisons and what is unknown are those of [`Change`] and [`Value`](crate::Value).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// Each of these, asked in their order until one does not hold; nothing is `true`.
    All {
        /// What has to hold.
        clauses: Vec<Clause>,
    },
    /// One of these, asked in their order until one holds; nothing is `false`.
    Any {
        /// What may hold.
        clauses: Vec<Clause>,
    },
    /// Not this.
    Not {
        /// What must not hold.
        clause: Box<Clause>,
    },
    /// [`Change::operation`] is one of these.
    Operation {
        /// The operations.
        operations: Operations,
    },
    /// [`Change::collection`] is this.
    Collection {
        /// The name.
        name: Cow<'static, str>,
    },
    /// [`Change::database`] is this.
    Database {
        /// The name.
        name: Cow<'static, str>,
    },
    /// [`Change::column_changed`].
    Changed {
        /// The dotted path.
        path: Cow<'static, str>,
    },
    /// A field beside a constant: [`Change::before`] or [`Change::after`], compared.
    Compare {
        /// Which image.
        side: Side,
        /// The dotted path.
        path: Cow<'static, str>,
        /// How they are compared, the field on the left.
        comparison: Comparison,
        /// What the field is compared with.
        literal: Constant,
    },
    /// [`Value::exists`](crate::Value::exists) of a field.
    Exists {
        /// Which image.
        side: Side,
        /// The dotted path.
        path: Cow<'static, str>,
    },
    /// [`Value::is_null`](crate::Value::is_null) of a field.
    Null {
        /// Which image.
        side: Side,
        /// The dotted path.
        path: Cow<'static, str>,
    },
    /// [`Value::is_in`](crate::Value::is_in) of a field.
    In {
        /// Which image.
        side: Side,
        /// The dotted path.
        path: Cow<'static, str>,
        /// What the field may equal.
        literals: Vec<Constant>,
    },
    /// [`Change::became`].
    Became {
        /// The dotted path.
        path: Cow<'static, str>,
        /// The new value.
        literal: Constant,
    },
    /// [`Change::changed_from_to`].
    FromTo {
        /// The dotted path.
        path: Cow<'static, str>,
        /// The value from before.
        from: Constant,
        /// The new value.
        to: Constant,
    },
    /// Code that is not understood: it may hold, whatever the change.
    Opaque {
        /// Why it is not understood.
        why: Cow<'static, str>,
        /// How the code is asked on its own, where it can be.
        #[serde(skip)]
        ask: Option<Ask>,
    },
}

/// How a field is compared with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`, which holds for a missing field too.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// One clause of a predicate as code of its own.
///
/// It is asked as a predicate is. Where the clause would not have been reached, it may panic.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    function: fn(&Change, u32) -> bool,
    nth: u32,
}

impl Plan {
    /// A plan of which `root` is the whole condition.
    pub const fn new(root: Clause) -> Self {
        Self { root }
    }

    /// The whole condition.
    pub fn root(&self) -> &Clause {
        &self.root
    }

    /// Whether every clause is recognised, so that the plan is the predicate.
    pub fn is_exact(&self) -> bool {
        self.root.opaque().next().is_none()
    }
}

impl Clause {
    /// A clause of no source code, for conditions made at run time.
    pub const fn new(condition: Condition) -> Self {
        Self { condition, text: Cow::Borrowed(""), line: 0 }
    }

    /// What it demands.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Its source code on one line; empty for one that stands nowhere.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line of its source code in the file of the event, from 1; 0 for one that stands nowhere.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The clauses that it is made of, in the order in which they are asked; none for a condition that is not made of others.
    pub fn parts(&self) -> &[Self] {
        match &self.condition {
            Condition::All { clauses } | Condition::Any { clauses } => clauses,
            Condition::Not { clause } => std::slice::from_ref(clause),
            _ => &[],
        }
    }

    /// The clauses in it that are not recognised, in the order in which they are asked.
    pub fn opaque(&self) -> impl Iterator<Item = &Self> {
        self.leaves().filter(|leaf| matches!(leaf.condition, Condition::Opaque { .. }))
    }

    /// The clauses in it that are not made of others, in the order in which they are asked.
    pub fn leaves(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            loop {
                let clause = open.pop()?;
                match &clause.condition {
                    Condition::All { clauses } | Condition::Any { clauses } => open.extend(clauses.iter().rev()),
                    Condition::Not { clause } => open.push(clause),
                    _ => return Some(clause),
                }
            }
        })
    }
}

impl Comparison {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Ask {
    /// Asks the clause about `change`, as a predicate: unknowns are taken as everywhere.
    pub(crate) fn ask(self, change: &Change) -> bool {
        (self.function)(change, self.nth)
    }
}

/// Plans are compared by what they say; the code of a clause is known by its text.
impl PartialEq for Ask {
    fn eq(&self, other: &Self) -> bool {
        self.nth == other.nth
    }
}

#[cfg(test)]
mod tests;
