//! What came of one change?

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use event_detector::{Change, EventExplanation, JobOption, Registry, Unknown};
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::ledger::millis;

/// What came of one change: the events that were detected, failed or undecided, and what their jobs came to.
///
/// It serialises as
/// `{"change":{…},"events":[{"name","detected","error"?,"undecided"?,"jobs":[{"name","options","completed","status","attempts","duration","result","error"?,"due_at"?}]}],"duration","duplicate"?}`
/// with durations in milliseconds, and times in milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct Report {
    /// The change.
    pub change: Arc<Change>,
    /// The events, sorted by name.
    pub events: Vec<EventReport>,
    /// When the ledger recorded the change before, as it was delivered another time; then nothing is run, and there are no events.
    pub duplicate: Option<SystemTime>,
    /// From the start of detection until the last job settled.
    pub duration: Duration,
}

/// What came of one event of a change.
#[derive(Debug, Clone)]
pub struct EventReport {
    /// The event's name.
    pub name: &'static str,
    /// Whether the event was detected, or is undecided and says that it fires then.
    pub detected: bool,
    /// Why the event's own code failed: its `detect` (then it is not detected) or its `jobs` (then it is).
    pub error: Option<String>,
    /// What would have to be known to decide the event; empty when it was decided.
    pub undecided: Vec<Unknown>,
    /// The jobs, in the order in which `jobs` declared them.
    pub jobs: Vec<JobReport>,
}

/// What came of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobReport {
    /// The job's name.
    pub name: Cow<'static, str>,
    /// Its arguments, as far as they are reported.
    pub options: Vec<JobOption>,
    /// How it ended.
    pub status: JobStatus,
    /// The attempts that were started.
    pub attempts: u32,
    /// The attempts that were allowed: one, its retries, and those that were interrupted or were before a person had it tried again.
    pub attempts_allowed: u32,
    /// From its start until its end, the waits between attempts included.
    pub duration: Duration,
    /// What it returned, when it succeeded.
    pub result: Option<serde_json::Value>,
    /// Why it did not succeed: the last attempt's reason.
    pub error: Option<String>,
    /// When its next attempt is due, of one that waits for it in the ledger.
    pub due: Option<SystemTime>,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It returned a result.
    Succeeded,
    /// It returned an error.
    Failed,
    /// It panicked.
    Panicked,
    /// It was cut at its deadline.
    TimedOut,
    /// It was cut, or not begun, because the change's deadline was over.
    Expired,
    /// It was cut, or not begun, because the runtime was cancelled, as at the end of a stop: what it did is not known. With a ledger it
    /// is taken up again by the next run.
    Cancelled,
    /// It failed, and waits in the ledger for its next attempt.
    Retrying,
}

impl JobReport {
    /// Whether the job succeeded.
    pub fn completed(&self) -> bool {
        self.status == JobStatus::Succeeded
    }
}

impl Report {
    /// Every job of every event.
    pub fn jobs(&self) -> impl Iterator<Item = &JobReport> {
        self.events.iter().flat_map(|event| &event.jobs)
    }

    /// Why each event of the report was detected, failed or is undecided: what each clause of its rule says of the change.
    ///
    /// The detectors of `registry` are asked anew; an event that is not among them is left out.
    pub fn explain(&self, registry: &Registry) -> Vec<EventExplanation> {
        self.events.iter().filter_map(|event| registry.explain(event.name, &self.change)).collect()
    }

    /// Whether a job was cut by the runtime's end, so that the change has not settled: whoever can should hand it over again.
    pub fn was_interrupted(&self) -> bool {
        self.jobs().any(|job| job.status == JobStatus::Cancelled)
    }

    /// Whether every job has come to its end, and none waits in the ledger for another attempt.
    pub fn is_settled(&self) -> bool {
        !self.jobs().any(|job| job.status == JobStatus::Retrying)
    }

    /// Whether everything went well: each event was decided without an error, and each job succeeded.
    pub fn is_clean(&self) -> bool {
        self.events.iter().all(|event| event.error.is_none() && event.undecided.is_empty())
            && self.jobs().all(JobReport::completed)
    }
}

/// Milliseconds with three decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 3 + usize::from(self.duplicate.is_some()))?;
        report.serialize_field("change", &ChangeSummary(&self.change))?;
        report.serialize_field("events", &self.events)?;
        report.serialize_field("duration", &milliseconds(self.duration))?;
        match self.duplicate {
            Some(at) => report.serialize_field("duplicate", &millis(at))?,
            None => report.skip_field("duplicate")?,
        }
        report.end()
    }
}

/// The facts of a change that identify it.
struct ChangeSummary<'c>(&'c Change);

impl Serialize for ChangeSummary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let change = self.0;
        let mut summary = serializer.serialize_map(None)?;
        summary.serialize_entry("id", change.id())?;
        for (name, text) in [("source", change.source()), ("database", change.database())] {
            if !text.is_empty() {
                summary.serialize_entry(name, text)?;
            }
        }
        summary.serialize_entry("collection", change.collection())?;
        summary.serialize_entry("operation", &change.operation())?;
        summary.serialize_entry("key", &change.key().to_json())?;
        summary.serialize_entry("correlation_id", change.correlation_id())?;
        summary.end()
    }
}

impl Serialize for EventReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(None)?;
        event.serialize_entry("name", self.name)?;
        event.serialize_entry("detected", &self.detected)?;
        if let Some(error) = &self.error {
            event.serialize_entry("error", error)?;
        }
        if !self.undecided.is_empty() {
            event.serialize_entry("undecided", &self.undecided)?;
        }
        event.serialize_entry("jobs", &self.jobs)?;
        event.end()
    }
}

impl Serialize for JobReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut job = serializer.serialize_map(None)?;
        job.serialize_entry("name", &self.name)?;
        job.serialize_entry("options", &Options(&self.options))?;
        job.serialize_entry("completed", &self.completed())?;
        job.serialize_entry("status", &self.status)?;
        job.serialize_entry("attempts", &self.attempts)?;
        job.serialize_entry("duration", &milliseconds(self.duration))?;
        job.serialize_entry("result", &self.result)?;
        if let Some(error) = &self.error {
            job.serialize_entry("error", error)?;
        }
        if let Some(due) = self.due {
            job.serialize_entry("due_at", &millis(due))?;
        }
        job.end()
    }
}

/// The arguments as a JSON object, in the order of declaration.
pub(crate) fn options_json(options: &[JobOption]) -> String {
    serde_json::to_string(&Options(options)).unwrap_or_else(|_| "{}".to_owned())
}

/// The arguments as an object, in the order of declaration.
struct Options<'o>(&'o [JobOption]);

impl Serialize for Options<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|option| (option.name, &option.value)))
    }
}
