//! Events with plans that repeat parts of `detect`, in a crate that forbids what the parts do not do.
#![forbid(unsafe_code, unused_must_use, unused_variables, unused_mut, unreachable_patterns, unreachable_code, unused_imports, deprecated)]
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

/// Clauses without the change.
#[event("strict.without_the_change")]
pub mod without_the_change {
    use super::Change;

    fn detect(change: &Change) -> bool {
        let _count = change.id().len();
        change.is_update() && cfg!(debug_assertions)
    }
}

/// Values that come later.
#[event("strict.deferred")]
pub mod deferred {
    use super::Change;

    fn detect(change: &Change) -> bool {
        let n;
        let text: &str;
        if change.is_insert() {
            n = 1;
            return n == change.id().len();
        }
        if change.collection() == "moves" {
            text = "a";
        } else {
            text = "b";
        }
        n = text.len();
        n == 2
    }
}

/// Clauses without a value.
#[event("strict.left")]
pub mod left {
    use super::{Change, Operation};

    fn detect(change: &Change) -> bool {
        if change.is_manual() {
            println!("{}", change.id());
            return true;
        }
        match change.operation() {
            Operation::Insert => change.column_changed("a") || panic!("{}", change.id()),
            Operation::Update => {
                std::todo!()
            }
            Operation::Delete => return change.id() == "x",
            _ => unreachable!("{}", change.id()),
        }
    }
}

/// Items that one of the copies needs.
#[event("strict.items")]
pub mod items {
    use super::Change;

    const fn is_long(text: &str) -> bool {
        text.len() > 9
    }

    fn detect(change: &Change) -> bool {
        use self::is_long as is_it;
        const LIMIT: i64 = 3;
        const TWO: i64 = 2;
        const fn is_more(n: i64) -> bool {
            n > TWO
        }
        is_it(change.id()) || change.after("n") == LIMIT || is_more(change.after("x").as_i64().unwrap_or(0))
    }
}

macro_rules! limit {
    () => {
        LIMIT
    };
}

/// An item that only a macro names.
#[event("strict.named_by_a_macro")]
pub mod named_by_a_macro {
    use super::Change;

    #[allow(clippy::items_after_statements)]
    fn detect(change: &Change) -> bool {
        return change.is_insert() && change.id().len() > limit!();
        const LIMIT: usize = 3;
    }
}

fn main() {
    let registry = event_detector::Registry::from_linked().expect("two events are linked");
    let partial = registry.plan("strict.partial").expect("it is planned");
    let opaque = registry.plan("strict.opaque").expect("it is planned");

    assert_eq!(partial.root().parts().len(), 5, "{partial:#?}");
    assert_eq!(opaque.root().opaque().count(), 2, "{opaque:#?}");
}
