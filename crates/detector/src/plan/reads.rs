//! What does a predicate look at, as far as its plan tells?

use serde::Serialize;

use crate::change::Side;

use super::{Condition, Operations, Plan};

/// What a predicate looks at, by its recognised clauses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadSet {
    /// The operations that it may say yes to, or leave undecided.
    pub operations: Operations,
    /// The collections that it names, sorted.
    pub collections: Vec<String>,
    /// The databases that it names, sorted.
    pub databases: Vec<String>,
    /// The dotted paths that it asks of, sorted, each with what is asked.
    pub paths: Vec<(String, Asked)>,
    /// Whether there is code besides, which may look at anything.
    pub has_opaque: bool,
}

/// What is asked of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Its value before the change.
    Before,
    /// Its value after the change.
    After,
    /// Whether it changed.
    Changed,
}

impl Plan {
    /// What the predicate looks at.
    pub fn reads(&self) -> ReadSet {
        let mut set = ReadSet {
            operations: self.scope().operations,
            collections: Vec::new(),
            databases: Vec::new(),
            paths: Vec::new(),
            has_opaque: !self.is_exact(),
        };
        for leaf in self.root.leaves() {
            let (path, asked): (_, &[Asked]) = match &leaf.condition {
                Condition::Collection { name } => {
                    set.collections.push(name.to_string());
                    continue;
                }
                Condition::Database { name } => {
                    set.databases.push(name.to_string());
                    continue;
                }
                Condition::Changed { path } => (path, &[Asked::Changed]),
                Condition::Compare { side, path, .. }
                | Condition::Exists { side, path }
                | Condition::Null { side, path }
                | Condition::In { side, path, .. } => (path, of_side(*side)),
                Condition::Became { path, .. } | Condition::FromTo { path, .. } => {
                    (path, &[Asked::Before, Asked::After, Asked::Changed])
                }
                _ => continue,
            };
            set.paths.extend(asked.iter().map(|asked| (path.to_string(), *asked)));
        }
        set.collections.sort_unstable();
        set.collections.dedup();
        set.databases.sort_unstable();
        set.databases.dedup();
        set.paths.sort_unstable();
        set.paths.dedup();
        set
    }
}

fn of_side(side: Side) -> &'static [Asked] {
    match side {
        Side::Before => &[Asked::Before],
        Side::After => &[Asked::After],
    }
}
