//! What is kept, and what do people do with it?

mod decide;
mod look;
mod owned;
mod replay;

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Ended, Start};

/// A folder in which programs run one after another, with their ledger in `d`.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where `changes` have been handled: the file they stand in is told apart by its name.
    fn with(name: &str, changes: &[Value]) -> Self {
        let place = Self::new();
        place.handle(name, changes);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program with these arguments, which starts here.
    fn start(&self, arguments: &[&str]) -> Start {
        let mut start = Start::detector(arguments);
        start.command.current_dir(self.path());
        start
    }

    /// What the program does with these arguments and the ledger.
    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Ended {
        self.start(arguments).env("DETECTOR_DATA", "d").ended().expect(code)
    }

    /// What it prints as JSON.
    #[track_caller]
    fn json(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        self.run(&[arguments, &["--json"]].concat(), code).json()
    }

    /// Handles changes from a file of this name, whatever comes of them.
    fn handle(&self, name: &str, changes: &[Value]) -> Ended {
        let lines: String = changes.iter().map(|change| format!("{change}\n")).collect();
        std::fs::write(self.path().join(name), lines).unwrap();
        self.start(&["run", "--file", name]).env("DETECTOR_DATA", "d").ended()
    }
}

/// A deletion in `moves`: the event `move.deleted`, whose job appends to `log`.
fn deletion(key: u32, log: &str) -> Value {
    json!({ "operation": "delete", "collection": "moves", "key": key, "before": { "id": key }, "context": { "event_log": log } })
}

/// A large order: `order.created` with two jobs that succeed, and `order.large.approval`, whose job fails for want of a URL.
fn large_order(key: u32) -> Value {
    json!({ "operation": "insert", "collection": "orders", "key": key, "after": { "amount": 5000 } })
}

/// An address that is not known: `order.item.backordered` cannot be decided.
fn undecided(key: u32) -> Value {
    json!({ "operation": "update", "collection": "orders", "key": key, "after": { "amount": 1 } })
}

/// The texts under `name`, of each object.
fn texts<'v>(objects: &'v [Value], name: &str) -> Vec<&'v str> {
    objects.iter().map(|object| object[name].as_str().unwrap_or_default()).collect()
}
