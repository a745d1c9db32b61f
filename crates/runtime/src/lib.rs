//! One change in, every job settled.
//!
//! [`Runtime::handle`] feeds a change to every detector, starts the jobs of those that matched, waits for all of them whatever
//! any one does, and reports. [`Runtime::run`] does so for the changes of [`Source`]s until they end or the program stops.
//!
//! Nothing is kept: until there is a ledger, a restart loses the work in flight.

mod batch;
mod config;
mod guard;
mod job_threads;
mod lanes;
mod ledger;
mod metrics;
mod plugin;
mod report;
mod retry;
mod runtime;
mod source;
mod supervise;
mod timer;
mod torture;

pub use config::Config;
pub use ledger::{
    ChangeRow, DeclaredJob, Entry, Gap, JobRow, JobState, Ledger, LedgerError, MAX_DEATHS, Millis, Outcome, Receipt, Recorded,
    RecordedVerdict, Recording, Recovered, Said, Stage, Unfinished, UnfinishedJob, WrongEntry,
};
pub use metrics::{Figure, FigureKind, Metrics, SourceMetrics};
pub use plugin::{Plugin, PluginResult, Problem};
pub use report::{EventReport, JobReport, JobStatus, Report};
pub use runtime::{Admitted, BuildError, Builder, Runtime, Taken};
pub use source::{Intake, NotTaken, Rejected, Source, SourceEnd, SourceError, Sources, Summary};
#[doc(hidden)]
pub use torture::{crash_point, spoiled};
