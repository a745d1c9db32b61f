//! Which changes is a predicate asked about at all?

use std::fmt;

use serde::Serialize;

use super::super::{Clause, Condition, Operations, Plan};
use crate::change::Operation;

/// The changes that a predicate is asked about: of all others its first clauses certainly say no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// Their operations.
    pub operations: Operations,
    /// Their collections, sorted; `None` for any.
    pub collections: Option<Vec<String>>,
    /// Their databases, sorted; `None` for any.
    pub databases: Option<Vec<String>>,
}

impl Scope {
    /// Whether it is every change.
    pub fn is_everything(&self) -> bool {
        *self == Self::everything()
    }

    fn everything() -> Self {
        Self { operations: Operations::of(|_| true), collections: None, databases: None }
    }

    fn nothing() -> Self {
        Self { operations: Operations::default(), collections: Some(Vec::new()), databases: Some(Vec::new()) }
    }

    fn and(self, other: Self) -> Self {
        let both = |one: Option<Vec<String>>, other: Option<Vec<String>>| match (one, other) {
            (Some(one), Some(other)) => Some(one.into_iter().filter(|name| other.contains(name)).collect()),
            (one, other) => one.or(other),
        };
        Self {
            operations: self.operations.and(other.operations),
            collections: both(self.collections, other.collections),
            databases: both(self.databases, other.databases),
        }
    }

    fn or(self, other: Self) -> Self {
        let either = |one: Option<Vec<String>>, other: Option<Vec<String>>| {
            let mut names: Vec<String> = one?.into_iter().chain(other?).collect();
            names.sort_unstable();
            names.dedup();
            Some(names)
        };
        Self {
            operations: self.operations.or(other.operations),
            collections: either(self.collections, other.collections),
            databases: either(self.databases, other.databases),
        }
    }
}

/// `update of moves`, `every change`.
impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return out.write_str("every change");
        }
        let named = |names: &[String]| if names.is_empty() { "no".to_owned() } else { names.join(" or ") };
        write!(out, "{}", self.operations)?;
        if let Some(collections) = &self.collections {
            write!(out, " of {}", named(collections))?;
        }
        match &self.databases {
            Some(databases) => write!(out, " in database {}", named(databases)),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// The changes that the predicate is asked about. Opaque code may do anything before a later clause says no, so a
    /// clause behind it leaves nothing out.
    pub fn scope(&self) -> Scope {
        self.root.scope()
    }
}

impl Clause {
    fn scope(&self) -> Scope {
        let only = |name: &str| Some(vec![name.to_owned()]);
        match &self.condition {
            Condition::All { clauses } => {
                let before_opaque = clauses.iter().take_while(|clause| clause.opaque().next().is_none());
                let first_opaque = clauses.iter().find(|clause| clause.opaque().next().is_some());
                before_opaque.chain(first_opaque).map(Self::scope).fold(Scope::everything(), Scope::and)
            }
            Condition::Any { clauses } => clauses.iter().map(Self::scope).fold(Scope::nothing(), Scope::or),
            Condition::Collection { name } => Scope { collections: only(name), ..Scope::everything() },
            Condition::Database { name } => Scope { databases: only(name), ..Scope::everything() },
            condition => Scope { operations: condition.operations(), ..Scope::everything() },
        }
    }
}

impl Condition {
    /// The operations of which it may hold, where it is not made of others, or is the opposite of one that is not.
    fn operations(&self) -> Operations {
        match self {
            Self::Not { clause } => match clause.condition {
                Self::Operation { operations } => operations.complement(),
                _ => Operations::of(|_| true),
            },
            Self::Operation { operations } => *operations,
            // Only an update changes a column from one value to another.
            Self::Changed { .. } | Self::FromTo { .. } => Operations::of(|operation| operation == Operation::Update),
            Self::Became { .. } => Operations::of(|operation| matches!(operation, Operation::Insert | Operation::Update)),
            _ => Operations::of(|_| true),
        }
    }
}
