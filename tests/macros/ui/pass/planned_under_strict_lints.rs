//! Events with plans that repeat parts of `detect`, in a crate that forbids what the parts do not do.
#![forbid(unsafe_code, unused_must_use, unused_variables, unused_mut, unreachable_patterns, unreachable_code, deprecated)]
#![deny(
    missing_docs,
    unreachable_pub,
    unused_crate_dependencies,
    unused_qualifications,
    unused,
    nonstandard_style,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::unwrap_used
)]

use anyhow as _;
use event_detector::{Change, Operation, event};
use futures as _;
use serde_json as _;

/// All that a plan can be.
#[event("strict.partial")]
pub mod partial {
    use super::{Change, Operation};

    const MOVES: &str = "moves";

    fn detect(change: &Change) -> bool {
        const LIMIT: i64 = 3;
        if change.collection() != MOVES {
            return false;
        }
        let is_done = change.after("status") == "done";
        let status = change.before("status");
        let n = change.after("n").as_i64().unwrap_or_default();
        let Some(other) = change.after("other").as_i64() else { return false };
        if n > LIMIT || other > n {
            return true;
        }
        match change.operation() {
            Operation::Insert => n == 1,
            operation if operation == Operation::Update => status != "done",
            _ => is_done && matches!(change.operation(), Operation::Delete | Operation::Manual),
        }
    }
}

/// One that is opaque.
#[event("strict.opaque")]
pub mod opaque {
    use super::Change;

    fn detect(change: &Change) -> bool {
        let mut count = 0;
        for path in ["a", "b"] {
            if change.column_changed(path) {
                count += 1;
            }
        }
        count == 1
    }
}

fn main() {
    let registry = event_detector::Registry::from_linked().expect("two events are linked");
    let partial = registry.plan("strict.partial").expect("it is planned");
    let opaque = registry.plan("strict.opaque").expect("it is planned");

    assert_eq!(partial.root().parts().len(), 5, "{partial:#?}");
    assert_eq!(opaque.root().opaque().count(), 2, "{opaque:#?}");
}
