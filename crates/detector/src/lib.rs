//! Declare business events over database changes.

mod change;
mod context;
mod detector;
mod job;
mod number;
mod options;
mod panics;
mod raw;
mod registry;
mod state;
mod testing;
mod undecided;
mod value;

pub use bson;
pub use change::{AfterImage, Change, ChangeBuilder, ChangedColumns, DecodeError, Operation, nearest};
pub use context::{Cancellation, Canceller, JobContext, JobRun};
pub use detector::{Declared, Detector, OnUndecided, Verdict};
pub use event_detector_macros::{event, job};
pub use job::{Fatal, Job, JobDeclaration, JobOption, is_fatal};
pub use panics::{Panic, catch_panic};
pub use registry::{Place, Registry, RegistryError};
pub use state::{MissingState, State, StateNeed};
pub use testing::{assert_detects, assert_ignores};
pub use undecided::{Read, Unknown};
pub use value::{Literal, Value};

/// What the macros' expansions name; not for people, and free to change.
#[doc(hidden)]
pub mod __private {
    pub use inventory;

    pub use crate::options::{Shown, ShownAsDebug, ShownAsJson, ShownAsType};
    pub use crate::testing::verdict_of;
}
