//! Does the ledger agree with a model of it in memory, whatever happens in whatever order?
//!
//! A history is a list of random steps: recording, noting, keeping, taking, and the process that ends in the middle: closed, or killed,
//! which leaves the files as they are at that moment. After each end the ledger must hold exactly what it acknowledged.

use std::collections::BTreeMap;
use std::path::PathBuf;

use event_detector::Effect;
use event_detector_ledger::{Sqlite, check};
use event_detector_runtime::{
    DeclaredJob, Entry, JobRow, JobState, Ledger, LedgerError, MAX_DEATHS, Outcome, Recorded, Recording, Stage,
};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;

use crate::support::{change, close, copy_files, job, now, once, open, recording, rows};

const SOURCES: [&str; 2] = ["a", "b"];

/// One step of a history. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Record { source: usize, id: u8, value: i64, position: Option<u8>, jobs: Vec<bool>, begins: bool },
    Note(Vec<Choice>),
    Keep { source: usize, position: u8 },
    TakeDue { limit: usize },
    Close,
    Kill,
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    Queued,
    Started,
    Succeeded,
    Parked { is_due: bool, kept: bool },
    Died,
    Interrupted,
    Refused,
    Retried,
    Dropped,
}

const ALL: [Happening; 12] = [
    Happening::Queued,
    Happening::Started,
    Happening::Succeeded,
    Happening::Parked { is_due: true, kept: false },
    Happening::Parked { is_due: false, kept: false },
    Happening::Parked { is_due: false, kept: true },
    Happening::Died,
    Happening::Interrupted,
    Happening::Refused,
    Happening::Retried,
    Happening::Started,
    Happening::Dropped,
];

impl Happening {
    fn entry(self) -> Entry {
        let at = 1;
        match self {
            Self::Queued => Entry::Queued,
            Self::Started => Entry::Started { at },
            Self::Succeeded => Entry::Finished { at, outcome: Outcome::Succeeded { result: json!(7) } },
            Self::Parked { is_due, kept } => {
                let due = if is_due { 1 } else { i64::MAX / 2 };
                let outcome = Outcome::Retry { status: "failed", error: "why".to_owned(), due, kept };
                Entry::Finished { at, outcome }
            }
            Self::Died => Entry::Finished { at, outcome: Outcome::Dead { status: "failed", error: "why".to_owned() } },
            Self::Interrupted => Entry::Interrupted { at },
            Self::Refused => Entry::Refused { at, reason: "not declared".to_owned() },
            Self::Retried => Entry::Retried { at },
            Self::Dropped => Entry::Dropped { at },
        }
    }
}

/// What happens to which job; what `fits` is the next that can happen to it.
#[derive(Debug, Clone, Copy)]
struct Choice {
    job: usize,
    happening: usize,
    fits: bool,
}

fn choices() -> impl Strategy<Value = Choice> {
    (0..40_usize, 0..ALL.len(), prop::bool::weighted(0.8)).prop_map(|(job, happening, fits)| Choice { job, happening, fits })
}

fn steps() -> impl Strategy<Value = Step> {
    let record = (
        0..2_usize,
        0..24_u8,
        0..2_i64,
        prop::option::of(any::<u8>()),
        prop::collection::vec(any::<bool>(), 0..3),
        any::<bool>(),
    )
        .prop_map(|(source, id, value, position, jobs, begins)| Step::Record { source, id, value, position, jobs, begins });
    prop_oneof![
        6 => record,
        6 => prop::collection::vec(choices(), 1..4).prop_map(Step::Note),
        2 => (0..2_usize, any::<u8>()).prop_map(|(source, position)| Step::Keep { source, position }),
        2 => (1..4_usize).prop_map(|limit| Step::TakeDue { limit }),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
    ]
}

#[derive(Debug, Clone)]
struct ModelChange {
    row: i64,
    value: i64,
    deaths: u32,
    jobs: Vec<JobRow>,
}

#[derive(Debug, Clone)]
struct ModelJob {
    change: (usize, u8),
    state: JobState,
    effect: Effect,
}

#[derive(Debug, Clone, Default)]
struct Model {
    changes: BTreeMap<(usize, u8), ModelChange>,
    jobs: BTreeMap<JobRow, ModelJob>,
    positions: [Option<Vec<u8>>; 2],
    seqs: [i64; 2],
}

impl Model {
    /// The job and the entry that are meant, as far as there are jobs.
    fn choose(&self, Choice { job, happening, fits }: Choice) -> (JobRow, Entry) {
        let Some((row, job)) = self.jobs.iter().nth(job % self.jobs.len().max(1)) else { return (1, ALL[happening].entry()) };
        let mut entries = (happening..happening + ALL.len()).map(|at| ALL[at % ALL.len()].entry());
        let fitting = entries.clone().find(|entry| !fits || job.state.after(job.effect, entry).is_ok());
        (*row, fitting.or_else(|| entries.next()).expect("there are some"))
    }

    fn note(&mut self, entries: &[(JobRow, Entry)]) -> bool {
        let before = self.jobs.clone();
        for (row, entry) in entries {
            let after = self.jobs.get(row).map(|job| job.state.after(job.effect, entry));
            let (Some(job), Some(Ok(state))) = (self.jobs.get_mut(row), after) else {
                self.jobs = before;
                return false;
            };
            job.state = state;
        }
        true
    }

    /// What did not begin is given back.
    fn give_back(&mut self, at: i64) {
        for job in self.jobs.values_mut().filter(|job| job.state.stage == Stage::Queued) {
            job.state = job.state.after(job.effect, &Entry::Interrupted { at }).unwrap();
        }
    }

    /// What recovery returns, as rows of jobs, in the order of recording, and how many changes it sets aside.
    fn recover(&mut self, at: i64) -> (Vec<Vec<JobRow>>, u64) {
        let mut changes: Vec<&mut ModelChange> = self.changes.values_mut().collect();
        changes.sort_by_key(|change| change.row);
        let (mut unfinished, mut quarantined) = (Vec::new(), 0);
        for change in changes {
            let stage = |jobs: &BTreeMap<_, ModelJob>, row| jobs[row].state.stage;
            let died = change.jobs.iter().any(|row| stage(&self.jobs, row) == Stage::Running);
            change.deaths += u32::from(died);
            let sets_aside = died && change.deaths >= MAX_DEATHS;
            quarantined += u64::from(sets_aside);
            let mut taken = Vec::new();
            // What began once is left to be taken up later.
            let goes_on = |state: JobState| match state.stage {
                Stage::Queued | Stage::Running => true,
                Stage::Waiting { due } => due <= at && state.attempts == 0,
                _ => false,
            };
            if !change.jobs.iter().any(|row| goes_on(self.jobs[row].state)) {
                continue;
            }
            for row in &change.jobs {
                let Some(job) = self.jobs.get_mut(row) else { continue };
                let entry = match job.state.stage {
                    stage if stage.is_final() => continue,
                    _ if sets_aside => Some(Entry::Refused { at, reason: String::new() }),
                    Stage::Queued | Stage::Running => Some(Entry::Interrupted { at }),
                    _ => None,
                };
                if let Some(entry) = entry {
                    job.state = job.state.after(job.effect, &entry).unwrap();
                }
                if matches!(job.state.stage, Stage::Waiting { due } if due <= at) {
                    job.state = job.state.after(job.effect, &Entry::Queued).unwrap();
                    taken.push(*row);
                }
            }
            if !taken.is_empty() {
                unfinished.push(taken);
            }
        }
        (unfinished, quarantined)
    }
}

/// A ledger, the folder it lives in, and what it must hold.
struct Pair {
    root: tempfile::TempDir,
    lives: u32,
    ledger: Sqlite,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let ledger = open(&root.path().join("0"));
        Self { root, lives: 0, ledger, model: Model::default() }
    }

    fn home(&self) -> PathBuf {
        self.root.path().join(self.lives.to_string())
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Record { source, id, value, position, jobs, begins } => {
                self.record((source, id), value, position, jobs, begins)
            }
            Step::Note(entries) => {
                let entries: Vec<_> = entries.into_iter().map(|choice| self.model.choose(choice)).collect();
                let noted = now(self.ledger.note(entries.clone()));
                assert_eq!(noted.is_ok(), self.model.note(&entries), "{entries:?}: {noted:?}");
            }
            Step::Keep { source, position } => {
                self.ledger.keep(SOURCES[source], vec![position]);
                self.model.positions[source] = Some(vec![position]);
            }
            Step::TakeDue { limit } => self.take_due(limit),
            Step::Close => {
                close(&self.ledger);
                self.model.give_back(crate::support::clock());
                self.reopen();
            }
            Step::Kill => {
                // What was kept is only promised with a later receipt.
                now(self.ledger.position("nobody")).unwrap();
                let killed = self.home();
                self.lives += 1;
                copy_files(&killed, &self.home());
                self.reopen();
            }
        }
    }

    fn record(&mut self, key: (usize, u8), value: i64, position: Option<u8>, jobs: Vec<bool>, begins: bool) {
        let names = ["one", "two", "three"];
        let jobs: Vec<DeclaredJob> =
            jobs.into_iter().zip(names).map(|(is_once, name)| if is_once { once(name) } else { job(name) }).collect();
        let effects: Vec<Effect> = jobs.iter().map(|job| job.effect).collect();
        let position = position.map(|position| vec![position]);
        let asked = recording(change(SOURCES[key.0], &key.1.to_string(), value), position.as_deref(), jobs);
        let recorded = now(self.ledger.record(Recording { begins, ..asked }));
        match (self.model.changes.get(&key), recorded) {
            (None, Ok(Recorded::New { change: row, jobs })) => {
                assert!(self.model.changes.values().all(|earlier| earlier.row < row));
                for (row, effect) in jobs.iter().zip(effects) {
                    let job = ModelJob { change: key, state: JobState::recorded(begins), effect };
                    assert!(self.model.jobs.insert(*row, job).is_none());
                }
                self.model.seqs[key.0] += 1;
                self.model.changes.insert(key, ModelChange { row, value, deaths: 0, jobs });
            }
            (Some(earlier), Ok(Recorded::Duplicate { change, .. })) => {
                assert_eq!(change, earlier.row);
                assert!(position.is_some() || earlier.value == value);
            }
            (Some(earlier), Err(LedgerError::IdReused { .. })) => {
                assert!(position.is_none() && earlier.value != value);
                return;
            }
            (model, recorded) => panic!("{model:?} {recorded:?}"),
        }
        if position.is_some() {
            self.model.positions[key.0] = position;
        }
    }

    fn take_due(&mut self, limit: usize) {
        let taken = now(self.ledger.take_due(limit)).unwrap();
        let is_due = |job: &ModelJob| matches!(job.state.stage, Stage::Waiting { due } if due < i64::MAX / 2);
        let due: std::collections::BTreeSet<_> =
            self.model.jobs.values().filter(|job| is_due(job)).map(|job| job.change).collect();
        assert_eq!(taken.len(), limit.min(due.len()));
        for unfinished in taken {
            let (_, change) = self.model.changes.iter().find(|(_, change)| change.row == unfinished.row).unwrap();
            assert_eq!(unfinished.deaths, change.deaths);
            let expected: Vec<JobRow> = change.jobs.iter().copied().filter(|row| is_due(&self.model.jobs[row])).collect();
            assert_eq!(unfinished.jobs.iter().map(|job| job.row).collect::<Vec<_>>(), expected);
            for job in unfinished.jobs {
                let known = self.model.jobs.get_mut(&job.row).unwrap();
                known.state = known.state.after(known.effect, &Entry::Queued).unwrap();
                assert_eq!(job.state, known.state);
            }
        }
    }

    fn reopen(&mut self) {
        self.ledger = open(&self.home());
        self.compare();
        let recovered = now(self.ledger.recover()).unwrap();
        let (unfinished, quarantined) = self.model.recover(crate::support::clock());
        let taken = |jobs: &[event_detector_runtime::UnfinishedJob]| jobs.iter().map(|job| job.row).collect::<Vec<_>>();
        assert_eq!(recovered.unfinished.iter().map(|change| taken(&change.jobs)).collect::<Vec<_>>(), unfinished);
        assert_eq!(recovered.quarantined, quarantined);
        self.compare();
    }

    /// Compares every row with the model.
    fn compare(&self) {
        for (at, source) in SOURCES.into_iter().enumerate() {
            assert_eq!(now(self.ledger.position(source)).unwrap(), self.model.positions[at], "{source}");
            let seqs: Vec<String> = (1..=self.model.seqs[at]).map(|seq| seq.to_string()).collect();
            let sql = format!("SELECT seq FROM changes WHERE source = '{source}' ORDER BY change");
            assert_eq!(rows(&self.home(), &sql), seqs, "{source}");
        }
        let mut expected = Vec::new();
        for (row, job) in &self.model.jobs {
            let JobState { stage, attempts, failures } = job.state;
            expected.push(format!("{row} {} {attempts} {failures}", stage.as_str()));
        }
        assert_eq!(rows(&self.home(), "SELECT job, stage, attempts, failures FROM jobs ORDER BY job"), expected);
        let report = check(&self.home()).unwrap();
        assert!(report.is_whole(), "{report:?}");
    }
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_ledger_holds_what_its_model_holds(history in prop::collection::vec(steps(), 1..60)) {
        let mut pair = Pair::new();
        for step in history {
            pair.step(step);
        }
        pair.step(Step::Kill);
    }
}
