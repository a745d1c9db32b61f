//! What do the detectors say of a change, and which jobs does it want?

use event_detector::{Change, Detector, Job, Registry, Unknown, Verdict};
use tracing::Span;

use crate::batch::Seat;
use crate::job_threads::lock;
use crate::ledger::{DeclaredJob, RecordedVerdict, Said};
use crate::plugin::{Hook, Problem};
use crate::report::{EventReport, options_json};
use crate::runtime::Inner;

/// Per event the unknowns that are warned of; a detector that reads columns by computed names has any number of them.
const MAX_WARNINGS: usize = 50;

/// What the detectors said of one change.
#[derive(Default)]
pub(crate) struct Detection {
    pub(crate) events: Vec<EventReport>,
    /// Per event what was said of it; empty without plugins, who alone are told.
    verdicts: Vec<Verdict>,
    problems: Vec<Problem>,
    /// The jobs of all events, in order.
    pub(crate) seats: Vec<Seat>,
}

/// Gives each of the jobs of the event of `detector`, the change's event number `event`, its seat.
pub(crate) fn take_seats(seats: &mut Vec<Seat>, event: usize, detector: &Detector, jobs: Vec<Job>, parent: &Span) {
    let first = seats.len();
    seats.reserve_exact(jobs.len());
    for job in jobs {
        let nth = seats[first..].iter().filter(|before| before.job.name() == job.name()).count();
        let span = tracing::info_span!(parent: parent, "job", name = job.name());
        seats.push(Seat::new(event, detector, job, u32::try_from(nth).unwrap_or(u32::MAX), span));
    }
}

impl Detection {
    /// The verdicts, as they are recorded.
    pub(crate) fn recorded_verdicts(&self) -> Vec<RecordedVerdict> {
        let recorded = |event: &EventReport| {
            let (said, detail) = match (&event.error, event.undecided.as_slice()) {
                (Some(error), _) => (Said::Failed, Some(error.clone())),
                (None, []) => (Said::Detected, None),
                (None, unknowns) => (Said::Undecided, serde_json::to_string(unknowns).ok()),
            };
            RecordedVerdict { event: event.name, fires: event.detected, said, detail }
        };
        self.events.iter().map(recorded).collect()
    }

    /// The jobs, as they are recorded.
    pub(crate) fn declared_jobs(&self) -> Vec<DeclaredJob> {
        let declared = |seat: &Seat| DeclaredJob {
            event: seat.event_name,
            name: seat.job.shared_name(),
            nth: seat.nth,
            options: options_json(seat.job.options()),
            effect: seat.job.declared_effect(),
            ordered: seat.ordered,
        };
        self.seats.iter().map(declared).collect()
    }
}

impl Inner {
    /// Asks every detector, and collects the jobs of those that matched.
    pub(crate) fn detect(&self, registry: &Registry, change: &Change) -> Detection {
        let mut detection = Detection::default();
        registry.evaluate(change, |detector, verdict| {
            let span = tracing::info_span!("event", name = detector.name());
            let _entered = span.enter();
            self.note(&mut detection, detector, change, verdict, &span);
        });
        detection
    }

    /// Notes an event that was detected, failed or is undecided, and the jobs it wants.
    fn note(&self, detection: &mut Detection, detector: &Detector, change: &Change, verdict: Verdict, span: &Span) {
        let event = detector.name();
        let mut report =
            EventReport { name: event, detected: detector.fires(&verdict), error: None, undecided: Vec::new(), jobs: Vec::new() };
        match &verdict {
            Verdict::No | Verdict::Detected => {}
            Verdict::Undecided(unknowns) => {
                self.warn_once(event, unknowns);
                report.undecided.clone_from(unknowns);
            }
            Verdict::Failed(panic) => {
                tracing::error!(%panic, "the event's `detect` failed");
                report.error = Some(format!("`detect` {panic}"));
                detection.problems.push(Problem::Detection { event, error: panic.to_string() });
            }
        }
        if report.detected {
            self.metrics.detection();
            match detector.jobs(change) {
                Ok(jobs) => {
                    report.jobs.reserve_exact(jobs.len());
                    take_seats(&mut detection.seats, detection.events.len(), detector, jobs, span);
                }
                Err(panic) => {
                    tracing::error!(%panic, "the event's `jobs` failed; the event is detected, but none of its jobs runs");
                    report.error = Some(format!("`jobs` {panic}"));
                    detection.problems.push(Problem::Jobs { event, error: panic.to_string() });
                }
            }
        }
        detection.events.push(report);
        if !self.plugins.is_empty() {
            detection.verdicts.push(verdict);
        }
    }

    /// Warns of each unknown the first time that an event meets it.
    fn warn_once(&self, event: &'static str, unknowns: &[Unknown]) {
        let mut warned = lock(&self.warned);
        let known = warned.entry(event).or_default();
        for unknown in unknowns {
            if known.len() < MAX_WARNINGS && !known.contains(&unknown.read) {
                known.push(unknown.read.clone());
                tracing::warn!(target: "event_detector::undecided", event, read = unknown.read, cure = unknown.cure, "undecided");
            }
        }
    }

    /// Tells the plugins what was said.
    pub(crate) async fn tell_detection(&self, change: &Change, detection: &Detection) {
        let limit = self.config.plugin_timeout;
        for (event, verdict) in detection.events.iter().zip(&detection.verdicts) {
            self.plugins.tell(Hook::Detection(change, event.name, verdict), limit).await;
        }
        for problem in &detection.problems {
            self.plugins.tell(Hook::Error(change, problem), limit).await;
        }
    }
}
