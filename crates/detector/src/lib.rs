//! Declare business events over database changes.
//!
//! An event is a module with a predicate over one [`Change`], and the jobs to run when it holds:
//!
//! ```
//! use event_detector::{Change, Job, JobContext, event, job};
//!
//! /// The vehicle was handed over to the driver.
//! #[event("move.pickup.successful")]
//! pub mod successful {
//!     use super::*;
//!
//!     fn detect(change: &Change) -> bool {
//!         change.collection() == "moves" && change.is_update() && change.became("status", "pickup successful")
//!     }
//!
//!     fn jobs(change: &Change) -> Vec<Job> {
//!         vec![rerun_ar(change.after("id").as_i64())]
//!     }
//! }
//!
//! /// Runs accounts receivable for one move again.
//! #[job(timeout = "30s", retries = 3)]
//! async fn rerun_ar(cx: JobContext, move_id: Option<i64>) -> anyhow::Result<String> {
//!     Ok(format!("ran AR for move {move_id:?}, attempt {}", cx.attempt()))
//! }
//! # fn main() {}
//! ```
//!
//! `detect` is pure, total and synchronous: no clock, no network, no log. `jobs` only makes the jobs; a runtime
//! (`event-detector-runtime`) starts them together and waits until all have settled.
//!
//! # What a change does not say
//!
//! A change may carry no image of the document from before or after it, so a question such as "did `status` change?" has three
//! answers: yes, no, unknown. Helpers answer plain `bool` all the same. While a detector is asked, each distinct unknown it
//! consults is taken both ways, in the order of consultation, until two answers differ (the event is *undecided*) or all agree
//! (it is decided). More than six unknowns, or an unknown read through `as_*`, [`query`](Change::query) or
//! [`changed_columns`](Change::changed_columns), are undecided at once. So a detector may run more than once for one change, and
//! must not count its runs.
//!
//! An undecided event is reported with the setting that would have decided it, and fires only where it says
//! `#[event("…", on_undecided = "fire")]`. Outside of a detector, in `jobs` for one, an unknown is `false` or `None`.
//!
//! # Linking
//!
//! Events register themselves in the crates that a binary *names*. A crate that stands in `Cargo.toml` alone registers nothing,
//! so every binary, test and example says `use events as _;` in its root, under `#![deny(unused_crate_dependencies)]`.
//! [`Registry::from_linked`] refuses an empty set and two events of one name.
//!
//! # Testing events
//!
//! [`assert_detects!`], [`assert_ignores!`] and [`assert_undecided!`] ask one event about a change written down in a line with [`Change::update`] and
//! its siblings, or read with [`Change::from_json`] from a real payload.

mod change;
mod context;
mod detector;
mod effect;
mod job;
mod number;
mod options;
mod panics;
mod plan;
mod raw;
mod registry;
mod state;
mod testing;
mod undecided;
mod value;

pub use bson;
pub use change::{
    AfterImage, Change, ChangeBuilder, ChangedColumns, DecodeError, Operation, Side, StoredChange, StoredForm, nearest,
};
pub use context::{Cancellation, Canceller, JobContext, JobEnvironment, JobRun, JobScope};
pub use detector::{Declared, Detector, OnUndecided, Verdict};
pub use effect::{Effect, UnknownEffect};
/// Declares an inline module as a business event.
///
/// The module has `fn detect(change: &Change) -> bool`, and may have `fn jobs(change: &Change) -> Vec<Job>`; both stay ordinary
/// functions, private if you like. The name is made of lower-case segments of `[a-z0-9_-]` joined by dots, at most 128
/// characters. Arguments after the name: `on_undecided = "fire"` runs the jobs of an undecided event too (the default is
/// `"report"`), `ordered` lets no later change of the document begin before this event's jobs have succeeded or are dead letters
/// (without it, a later change may overtake a job that waits for its next attempt), `crate = path` names this crate where it goes
/// by another name.
///
/// A JSONPath literal in `change.query("…")` is checked when the program is compiled. For one event per file, the file holds the
/// inline module: the compiler refuses attributes on `mod name;`.
pub use event_detector_macros::event;
/// Makes an async function a job: calling it makes a [`Job`] of its name, which a runtime starts later.
///
/// The first argument is a [`JobContext`], the others are the job's own: `Clone + Send + Sync + 'static`, since a job may be
/// started several times. It returns a `Result` of something serialisable and an error that converts into `anyhow::Error`;
/// [`Fatal::fatal`] on an error stops retries. Arguments are reported by name as the job's options, except those that
/// `skip(name)` hides. `timeout = "30s"` limits each attempt, `retries = 3` allows attempts after the first, `crate = path` names
/// this crate where it goes by another name. [`Job::timeout`], [`Job::retries`], [`Job::effect`] and [`Job::named`] change one use.
///
/// `effect` says what may happen to an attempt of which nobody knows how far it went, because the program was killed in the middle
/// of it: `"pure"` and `"idempotent"` (the default, for work under the [idempotency key](JobContext::idempotency_key)) are run
/// again, `"once"` is not: the job becomes a dead letter, and a person decides. It is no matter of retries: an attempt that failed is
/// tried again whatever the effect.
pub use event_detector_macros::job;
pub use job::{Fatal, Job, JobDeclaration, JobOption, is_fatal};
pub use panics::{Panic, catch_panic};
pub use plan::{
    Ask, Asked, Clause, Comparison, Condition, Constant, EventExplanation, ExplainedClause, Explanation, Form, NearMiss,
    NearMisses, Operations, Plan, ReadSet, Scope, Truth,
};
pub use registry::{Place, Registry, RegistryError};
pub use state::{MissingState, State, StateNeed};
pub use testing::{assert_detects, assert_ignores, assert_undecided};
pub use undecided::{Read, Unknown};
pub use value::{Literal, Value};

/// What the macros' expansions name; not for people, and free to change.
#[doc(hidden)]
pub mod __private {
    pub use inventory;

    pub use crate::options::{Shown, ShownAsDebug, ShownAsJson, ShownAsType};
    pub use crate::plan::{At, Const, KnownConst, OtherConst};
    pub use crate::testing::assert_verdict;
}
