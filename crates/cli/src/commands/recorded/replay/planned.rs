//! What would the events of this program make of a recorded change, and which of the jobs are to run?

use event_detector::{Change, Detector, Effect, Registry, Verdict};
use event_detector_ledger::{RecordedChange, RecordedJob};
use event_detector_runtime::{DeclaredJob, RecordedVerdict, Said, Stage};
use serde_json::{Map, Value};

use super::selection::Selection;

/// What is made of a change.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// What the detectors said that did not say no.
    pub(super) verdicts: Vec<RecordedVerdict>,
    /// The jobs that are to run.
    pub(super) jobs: Vec<DeclaredJob>,
    /// The jobs that are left out.
    pub(super) left_out: Vec<(DeclaredJob, LeftOut)>,
}

/// Why a job is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// It has succeeded for the change.
    Succeeded,
    /// Its effect must not happen twice.
    Once,
    /// It is on its way, or waits for its next attempt.
    Open,
    /// Somebody decided that it is not to be run.
    Dropped,
}

impl LeftOut {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "it has succeeded (--include-succeeded runs it again)",
            Self::Once => "its effect is `once` (--include-once runs it)",
            Self::Open => "it is on its way, or waits for its next attempt",
            Self::Dropped => "somebody dropped it",
        }
    }
}

impl Planned {
    /// Asks the detectors of `registry` that the selection names about the change.
    pub(super) fn of(registry: &Registry, change: &Change, recorded: &RecordedChange, selection: &Selection) -> Self {
        let mut planned = Self::default();
        let asked = |name: &str| selection.events.as_ref().is_none_or(|events| events.iter().any(|event| event == name));
        for detector in registry.detectors().iter().filter(|detector| asked(detector.name())) {
            planned.ask(detector, change, recorded, selection);
        }
        planned
    }

    fn ask(&mut self, detector: &Detector, change: &Change, recorded: &RecordedChange, selection: &Selection) {
        let event = detector.name();
        let verdict = detector.evaluate(change);
        let fires = detector.fires(&verdict);
        let (said, mut detail) = match &verdict {
            Verdict::No => return,
            Verdict::Detected => (Said::Detected, None),
            Verdict::Undecided(unknowns) => (Said::Undecided, serde_json::to_string(unknowns).ok()),
            Verdict::Failed(panic) => (Said::Failed, Some(format!("`detect` {panic}"))),
        };
        let mut said = said;
        let jobs = match fires.then(|| detector.jobs(change)) {
            None => Vec::new(),
            Some(Ok(jobs)) => jobs,
            Some(Err(panic)) => {
                (said, detail) = (Said::Failed, Some(format!("`jobs` {panic}")));
                Vec::new()
            }
        };
        self.verdicts.push(RecordedVerdict { event, fires, said, detail });
        for (at, job) in jobs.iter().enumerate() {
            let nth = jobs[..at].iter().filter(|before| before.name() == job.name()).count();
            let options: Map<String, Value> =
                job.options().iter().map(|option| (option.name.to_owned(), option.value.clone())).collect();
            let declared = DeclaredJob {
                event,
                name: job.shared_name(),
                nth: u32::try_from(nth).unwrap_or(u32::MAX),
                options: Value::Object(options).to_string(),
                effect: job.declared_effect(),
                ordered: detector.is_ordered(),
            };
            match left_out(&declared, &recorded.jobs, selection) {
                None => self.jobs.push(declared),
                Some(why) => self.left_out.push((declared, why)),
            }
        }
    }

    /// Whether an event's own code failed.
    pub(super) fn failed(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.said == Said::Failed)
    }
}

/// Why the job is not run, by what was recorded of the same job in all runs.
fn left_out(job: &DeclaredJob, recorded: &[RecordedJob], selection: &Selection) -> Option<LeftOut> {
    let same = |known: &&RecordedJob| known.event == job.event && known.name == job.name && known.nth == job.nth;
    let has = |wanted: fn(Stage) -> bool| recorded.iter().filter(same).any(|known| wanted(known.state.stage));
    // A run drops what it takes over from former ones.
    let last = recorded.iter().filter(same).max_by_key(|known| known.run);
    if has(|stage| !stage.is_final()) {
        Some(LeftOut::Open)
    } else if job.effect == Effect::Once && !selection.include_once {
        Some(LeftOut::Once)
    } else if has(|stage| stage == Stage::Succeeded) && !selection.include_succeeded {
        Some(LeftOut::Succeeded)
    } else if last.is_some_and(|known| known.state.stage == Stage::Dropped) {
        Some(LeftOut::Dropped)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, Detector, Effect, Job, Registry};
    use event_detector_ledger::{RecordedChange, RecordedJob};
    use event_detector_runtime::{JobState, Said, Stage};

    use super::{LeftOut, Planned};
    use crate::commands::recorded::replay::selection::Selection;

    fn job(name: &'static str) -> Job {
        Job::new(name, async |_cx| Ok::<_, anyhow::Error>(1))
    }

    fn registry() -> Registry {
        let jobs = |_: &Change| vec![job("send"), job("send"), job("charge").effect(Effect::Once)];
        Registry::try_new([
            Detector::new("a", |_| true).with_jobs(jobs).ordered(),
            Detector::new("b", |_| panic!("no")),
            Detector::new("c", |_| true).with_jobs(|_| panic!("none")),
            Detector::new("d", |_| false),
        ])
        .unwrap()
    }

    fn recorded(jobs: &[(&str, u32, Stage)]) -> RecordedChange {
        let job = |(run, (name, nth, stage)): (i64, &(&str, u32, Stage))| RecordedJob {
            row: 1,
            change: 1,
            run,
            event: "a".to_owned(),
            name: (*name).to_owned(),
            nth: *nth,
            options: String::new(),
            effect: Effect::Pure,
            ordered: false,
            state: JobState { stage: *stage, attempts: 1, failures: 0 },
            updated_at: 0,
            result: None,
            error: None,
        };
        RecordedChange {
            row: 1,
            source: String::new(),
            seq: 1,
            id: String::new(),
            database: String::new(),
            collection: String::new(),
            operation: String::new(),
            key: String::new(),
            correlation_id: String::new(),
            committed_at: None,
            recorded_at: 0,
            deaths: 0,
            verdicts: Vec::new(),
            jobs: (0..).zip(jobs).map(job).collect(),
        }
    }

    fn left_out(jobs: &[(&str, u32, Stage)], selection: &Selection) -> Vec<(String, u32, LeftOut)> {
        let change: Change = Change::insert("x").key(1).into();
        let planned = Planned::of(&registry(), &change, &recorded(jobs), selection);
        planned.left_out.into_iter().map(|(job, why)| (job.name.into_owned(), job.nth, why)).collect()
    }

    #[test]
    fn jobs_that_succeeded_or_happen_once_are_left_out_unless_asked_for() {
        let succeeded = [("send", 0, Stage::Succeeded), ("charge", 0, Stage::Succeeded)];
        let send = |why| ("send".to_owned(), 0, why);
        let charge = |why| ("charge".to_owned(), 0, why);
        let with = |include_once, include_succeeded| Selection { include_once, include_succeeded, ..Selection::default() };

        assert_eq!(left_out(&succeeded, &with(false, false)), [send(LeftOut::Succeeded), charge(LeftOut::Once)]);
        assert_eq!(left_out(&succeeded, &with(true, false)), [send(LeftOut::Succeeded), charge(LeftOut::Succeeded)]);
        assert_eq!(left_out(&succeeded, &with(false, true)), [charge(LeftOut::Once)]);
        assert_eq!(left_out(&succeeded, &with(true, true)), []);
        assert_eq!(left_out(&[], &with(true, false)), []);
    }

    #[test]
    fn a_job_on_its_way_is_always_left_out_and_a_dead_one_is_not() {
        let all = Selection { include_once: true, include_succeeded: true, ..Selection::default() };
        let send = |why| vec![("send".to_owned(), 1, why)];

        for stage in [Stage::Queued, Stage::Running, Stage::Waiting { due: 9 }] {
            assert_eq!(left_out(&[("send", 1, stage), ("send", 1, Stage::Succeeded)], &all), send(LeftOut::Open));
        }
        assert_eq!(left_out(&[("send", 1, Stage::Dropped)], &all), send(LeftOut::Dropped));
        assert_eq!(left_out(&[("send", 1, Stage::Dead)], &all), []);
        // The run before this one dropped what it took over.
        assert_eq!(left_out(&[("send", 1, Stage::Dropped), ("send", 1, Stage::Dead)], &all), []);
        assert_eq!(left_out(&[("send", 1, Stage::Dropped), ("send", 1, Stage::Dropped)], &all), send(LeftOut::Dropped));
    }

    #[test]
    fn verdicts_are_those_of_the_events_that_are_asked() {
        let change: Change = Change::insert("x").key(1).into();
        let all = Planned::of(&registry(), &change, &recorded(&[]), &Selection::default());
        let only = Selection { events: Some(vec!["a".to_owned(), "d".to_owned()]), ..Selection::default() };
        let some = Planned::of(&registry(), &change, &recorded(&[]), &only);

        let said: Vec<_> = all.verdicts.iter().map(|verdict| (verdict.event, verdict.said, verdict.fires)).collect();
        assert_eq!(said, [("a", Said::Detected, true), ("b", Said::Failed, false), ("c", Said::Failed, true)]);
        assert!(all.failed() && !some.failed());
        assert!(all.verdicts[2].detail.as_ref().unwrap().starts_with("`jobs` panicked"), "{:?}", all.verdicts[2]);
        assert_eq!(some.verdicts.len(), 1);
        assert_eq!(some.jobs.iter().map(|job| (job.nth, job.ordered)).collect::<Vec<_>>(), [(0, true), (1, true)]);
    }
}
