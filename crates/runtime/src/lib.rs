//! One change in, every job settled.
//!
//! [`Runtime::handle`] feeds a change to every detector, starts the jobs of those that matched, waits for all of them whatever
//! any one does, and reports. [`Runtime::run`] does so for the changes of [`Source`]s until they end or the program stops.
//!
//! With a [`Ledger`], what was taken is kept: the work goes on where it stopped, however the program ended. Without one, a restart
//! loses the work in flight.

mod admitted;
mod batch;
mod config;
mod detection;
mod guard;
mod intake;
mod job_threads;
mod journal;
mod lanes;
mod ledger;
mod metrics;
mod plugin;
mod report;
mod resume;
mod retry;
mod run;
mod runtime;
mod source;
mod supervise;
mod timer;
mod torture;
mod work;

pub use admitted::{Admitted, Taken};
pub use config::Config;
pub use intake::Intake;
pub use ledger::{
    ChangeRow, DeclaredJob, Entry, Gap, JobRow, JobState, Ledger, LedgerError, MAX_DEATHS, Millis, Outcome, Receipt, Recorded,
    RecordedVerdict, Recording, Recovered, Said, Stage, Unfinished, UnfinishedJob, WrongEntry,
};
pub use metrics::{Figure, FigureKind, Metrics, SourceMetrics};
pub use plugin::{Plugin, PluginResult, Problem};
pub use report::{EventReport, JobReport, JobStatus, Report};
pub use runtime::{BuildError, Builder, Runtime};
pub use source::{NotTaken, Rejected, Source, SourceEnd, SourceError, Sources};
#[doc(hidden)]
pub use torture::{crash_point, spoiled};
pub use work::Summary;
