//! Which of all operations does a clause accept?

use serde::{Serialize, Serializer};

use crate::change::Operation;

/// A set of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Operations(u16);

impl Operations {
    /// Those that `holds` says yes to.
    ///
    /// A pattern that stands in a predicate is asked about every operation, so it does not matter by which names it calls them.
    pub fn of(holds: impl Fn(Operation) -> bool) -> Self {
        Self(Operation::ALL.into_iter().filter(|operation| holds(*operation)).fold(0, |set, operation| set | bit(operation)))
    }

    /// Whether `operation` is one of them.
    #[inline]
    pub fn contains(self, operation: Operation) -> bool {
        self.0 & bit(operation) != 0
    }

    /// The operations, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Operation> {
        Operation::ALL.into_iter().filter(move |operation| self.contains(*operation))
    }

    /// One bit for each.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in one of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in neither.
    #[must_use]
    pub fn complement(self) -> Self {
        Self::of(|operation| !self.contains(operation))
    }
}

#[inline]
fn bit(operation: Operation) -> u16 {
    1 << (operation as u16)
}

impl Serialize for Operations {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter().map(Operation::as_str))
    }
}
