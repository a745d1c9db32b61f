//! What has a program done since it started, in numbers that a scraper reads?

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::job_threads::lock;
use crate::ledger::Millis;
use crate::report::JobStatus;

/// Not known yet.
const UNKNOWN: i64 = i64::MIN;

/// Counts what a runtime does. All of it begins at zero with the program.
#[derive(Debug, Default)]
pub struct Metrics {
    changes: AtomicU64,
    detections: AtomicU64,
    attempts: AtomicU64,
    jobs: Outcomes,
    sources: Mutex<Vec<Arc<SourceMetrics>>>,
}

/// Jobs by how they ended.
#[derive(Debug, Default)]
struct Outcomes {
    succeeded: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    timed_out: AtomicU64,
    expired: AtomicU64,
    cancelled: AtomicU64,
    retrying: AtomicU64,
}

/// How far behind a source is.
#[derive(Debug)]
pub struct SourceMetrics {
    source: String,
    read_up_to: AtomicI64,
    /// In millionths; below zero where nobody knows.
    window_used: AtomicI64,
}

/// One number, as a scraper reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// What it counts or measures, in one sentence.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: FigureKind,
    /// What tells it from others of its name.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

/// Whether a number only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// It only grows, from zero at the start of the program.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Metrics {
    /// Counts a change that was handed over.
    pub fn change(&self) {
        add(&self.changes);
    }

    /// Counts an event that was detected.
    pub fn detection(&self) {
        add(&self.detections);
    }

    /// Counts an attempt of a job that was started.
    pub fn attempt(&self) {
        add(&self.attempts);
    }

    /// Counts a job that ended, or waits in the ledger for its next attempt.
    pub fn job(&self, status: JobStatus) {
        add(self.jobs.of(status));
    }

    /// The numbers of the source of this name; those of one name are one.
    pub fn source(&self, name: &str) -> Arc<SourceMetrics> {
        let mut sources = lock(&self.sources);
        if let Some(known) = sources.iter().find(|known| known.source == name) {
            return Arc::clone(known);
        }
        let new = Arc::new(SourceMetrics {
            source: name.to_owned(),
            read_up_to: AtomicI64::new(UNKNOWN),
            window_used: AtomicI64::new(UNKNOWN),
        });
        sources.push(Arc::clone(&new));
        new
    }

    /// All that was counted, those of one name one after another.
    pub fn figures(&self) -> Vec<Figure> {
        let count = |name, help, counter: &AtomicU64| Figure::counter(name, help, value(counter));
        let mut figures = vec![
            count("detector_changes_total", "Changes that were handed over.", &self.changes),
            count("detector_detections_total", "Events that were detected.", &self.detections),
            count("detector_attempts_total", "Attempts of jobs that were started.", &self.attempts),
        ];
        for (outcome, counter) in self.jobs.named() {
            let jobs = Figure::counter(
                "detector_jobs_total",
                "Jobs by how they ended, or whether they are tried again.",
                value(counter),
            );
            figures.push(jobs.label("outcome", outcome));
        }
        let sources = lock(&self.sources);
        let now = now();
        for source in &*sources {
            if let Some(lag) = source.lag(now) {
                const HELP: &str = "Now minus the time up to which the source was read.";
                figures.push(Figure::gauge("detector_source_lag_seconds", HELP, lag).label("source", &source.source));
            }
        }
        for source in &*sources {
            if let Some(left) = source.window_remaining() {
                const HELP: &str = "How much of the oplog's window the source's position has left, from 1 to 0.";
                figures.push(Figure::gauge("detector_oplog_window_remaining_ratio", HELP, left).label("source", &source.source));
            }
        }
        figures
    }
}

impl Outcomes {
    fn of(&self, status: JobStatus) -> &AtomicU64 {
        match status {
            JobStatus::Succeeded => &self.succeeded,
            JobStatus::Failed => &self.failed,
            JobStatus::Panicked => &self.panicked,
            JobStatus::TimedOut => &self.timed_out,
            JobStatus::Expired => &self.expired,
            JobStatus::Cancelled => &self.cancelled,
            JobStatus::Retrying => &self.retrying,
        }
    }

    fn named(&self) -> [(&'static str, &AtomicU64); 7] {
        [
            ("succeeded", &self.succeeded),
            ("failed", &self.failed),
            ("panicked", &self.panicked),
            ("timed_out", &self.timed_out),
            ("expired", &self.expired),
            ("cancelled", &self.cancelled),
            ("retrying", &self.retrying),
        ]
    }
}

impl SourceMetrics {
    /// Notes that everything that was committed before `time` was read.
    pub fn set_read_up_to(&self, time: Millis) {
        self.read_up_to.store(time, Ordering::Relaxed);
    }

    /// Notes that everything that has been committed by now was read.
    pub fn set_caught_up(&self) {
        self.set_read_up_to(now());
    }

    /// Notes how much of the history that the server keeps lies behind the source's position, from 0 to 1.
    pub fn set_window_used(&self, part: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "it was brought between 0 and a million")]
        self.window_used.store((part.clamp(0.0, 1.0) * 1e6) as i64, Ordering::Relaxed);
    }

    /// Notes that nobody knows any more how much of the server's history is left.
    pub fn forget_window(&self) {
        self.window_used.store(UNKNOWN, Ordering::Relaxed);
    }

    /// In seconds.
    #[expect(clippy::cast_precision_loss, reason = "a number for people")]
    fn lag(&self, now: Millis) -> Option<f64> {
        let read_up_to = self.read_up_to.load(Ordering::Relaxed);
        (read_up_to != UNKNOWN).then(|| now.saturating_sub(read_up_to).max(0) as f64 / 1e3)
    }

    #[expect(clippy::cast_precision_loss, reason = "a number up to a million")]
    fn window_remaining(&self) -> Option<f64> {
        let used = self.window_used.load(Ordering::Relaxed);
        (used != UNKNOWN).then(|| (1_000_000 - used) as f64 / 1e6)
    }
}

impl Figure {
    /// One that only grows.
    pub fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: FigureKind::Counter, labels: Vec::new(), value }
    }

    /// One that goes up and down.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: FigureKind::Gauge, labels: Vec::new(), value }
    }

    /// The same with one more label.
    #[must_use]
    pub fn label(mut self, name: &'static str, value: &str) -> Self {
        self.labels.push((name, value.to_owned()));
        self
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn value(counter: &AtomicU64) -> f64 {
    counter.load(Ordering::Relaxed) as f64
}

/// Milliseconds since 1970.
fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Figure, Metrics, now};
    use crate::report::JobStatus;

    fn value(figures: &[Figure], name: &str, label: &str) -> Option<f64> {
        let is_wanted =
            |figure: &&Figure| figure.name == name && (label.is_empty() || figure.labels.iter().any(|(_, value)| value == label));
        figures.iter().find(is_wanted).map(|figure| figure.value)
    }

    #[test]
    fn what_happens_is_counted_under_its_own_name() {
        let metrics = Metrics::default();
        metrics.change();
        metrics.change();
        metrics.detection();
        metrics.attempt();
        metrics.job(JobStatus::TimedOut);

        let figures = metrics.figures();

        assert_eq!(value(&figures, "detector_changes_total", ""), Some(2.0));
        assert_eq!(value(&figures, "detector_detections_total", ""), Some(1.0));
        assert_eq!(value(&figures, "detector_attempts_total", ""), Some(1.0));
        assert_eq!(value(&figures, "detector_jobs_total", "timed_out"), Some(1.0));
        assert_eq!(value(&figures, "detector_jobs_total", "succeeded"), Some(0.0));
    }

    #[test]
    fn a_source_is_as_far_behind_as_it_has_not_read_and_says_nothing_before_it_knows() {
        let metrics = Metrics::default();
        let source = metrics.source("mongodb");
        assert_eq!(value(&metrics.figures(), "detector_source_lag_seconds", "mongodb"), None);
        assert_eq!(value(&metrics.figures(), "detector_oplog_window_remaining_ratio", "mongodb"), None);

        source.set_read_up_to(now() - 60_000);
        source.set_window_used(0.25);

        let lag = value(&metrics.figures(), "detector_source_lag_seconds", "mongodb").unwrap();
        assert!((60.0..70.0).contains(&lag), "{lag}");
        assert_eq!(value(&metrics.figures(), "detector_oplog_window_remaining_ratio", "mongodb"), Some(0.75));
        metrics.source("mongodb").set_caught_up();
        source.forget_window();
        assert!(value(&metrics.figures(), "detector_source_lag_seconds", "mongodb").unwrap() < 10.0);
        assert_eq!(value(&metrics.figures(), "detector_oplog_window_remaining_ratio", "mongodb"), None);
    }
}
