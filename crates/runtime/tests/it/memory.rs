//! A ledger in memory, which can be told to hold back, to refuse, and to be found again by another runtime.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_detector::{Change, Effect};
use event_detector_runtime::{
    Entry, Gap, JobRow, JobState, Ledger, LedgerError, Receipt, Recorded, Recording, Recovered, Stage, Unfinished, UnfinishedJob,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

/// Cheap to clone; the clones are one ledger.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Default)]
pub(crate) struct Kept {
    changes: Vec<Arc<Change>>,
    pub(crate) jobs: Vec<KeptJob>,
    pub(crate) positions: Vec<(String, Vec<u8>)>,
    /// Every entry, in order.
    pub(crate) entries: Vec<(JobRow, &'static str)>,
    holds: bool,
    refuses: Option<LedgerError>,
    /// The process is killed: what it still says is not heard.
    pub(crate) is_gone: bool,
    pub(crate) deaths: u32,
    pub(crate) closed: bool,
}

pub(crate) struct KeptJob {
    change: usize,
    event: String,
    pub(crate) name: String,
    nth: u32,
    effect: Effect,
    pub(crate) state: JobState,
    pub(crate) error: Option<String>,
}

impl Memory {
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(&mut self.0.kept.lock().unwrap())
    }

    /// Brings nothing to the disk until it is released.
    pub(crate) fn hold(&self) {
        self.look(|kept| kept.holds = true);
    }

    pub(crate) fn release(&self) {
        self.look(|kept| kept.holds = false);
        self.0.changed.notify_waiters();
    }

    /// Refuses whatever is to be recorded.
    pub(crate) fn refuse(&self, error: LedgerError) {
        self.look(|kept| kept.refuses = Some(error));
    }

    /// The stages of all jobs.
    pub(crate) fn stages(&self) -> Vec<(String, Stage)> {
        self.look(|kept| kept.jobs.iter().map(|job| (job.name.clone(), job.state.stage)).collect())
    }

    /// Makes every waiting job due now.
    pub(crate) fn make_due(&self) {
        self.look(|kept| {
            for job in &mut kept.jobs {
                if let Stage::Waiting { due } = &mut job.state.stage {
                    *due = 0;
                }
            }
        });
        self.0.changed.notify_waiters();
    }

    /// Ready when nothing is held back.
    fn on_disk<T: Send + 'static>(&self, answer: Result<T, LedgerError>) -> Receipt<T> {
        let memory = self.clone();
        async move {
            loop {
                let changed = memory.0.changed.notified();
                if !memory.look(|kept| kept.holds) {
                    return answer;
                }
                changed.await;
            }
        }
        .boxed()
    }

    fn take(&self, wanted: impl Fn(&KeptJob) -> bool, entries: &[Entry]) -> Vec<Unfinished> {
        self.look(|kept| {
            let mut unfinished: Vec<Unfinished> = Vec::new();
            for row in 0..kept.jobs.len() {
                if !wanted(&kept.jobs[row]) {
                    continue;
                }
                for entry in entries {
                    if !kept.jobs[row].state.stage.is_final() {
                        kept.apply(row as JobRow, entry).unwrap();
                    }
                }
                let job = &kept.jobs[row];
                if job.state.stage != Stage::Queued {
                    continue;
                }
                let change = job.change;
                let taken = UnfinishedJob {
                    row: row as JobRow,
                    event: job.event.clone(),
                    name: job.name.clone(),
                    nth: job.nth,
                    state: job.state,
                };
                match unfinished.last_mut().filter(|last| last.row == change as i64) {
                    Some(last) => last.jobs.push(taken),
                    None => unfinished.push(Unfinished {
                        row: change as i64,
                        change: Change::from_stored(kept.changes[change].to_stored()).map_err(|error| error.to_string()),
                        deaths: kept.deaths,
                        jobs: vec![taken],
                    }),
                }
            }
            unfinished
        })
    }
}

impl Kept {
    fn apply(&mut self, row: JobRow, entry: &Entry) -> Result<(), LedgerError> {
        let job = &mut self.jobs[row as usize];
        job.state = job.state.after(job.effect, entry).map_err(|error| LedgerError::Failed(error.to_string()))?;
        let name = match entry {
            Entry::Queued => "queued",
            Entry::Started { .. } => "started",
            Entry::Finished { .. } => "finished",
            Entry::Interrupted { .. } => "interrupted",
            Entry::NotBegun { .. } => "given back",
            Entry::Refused { reason, .. } => {
                job.error = Some(reason.clone());
                "refused"
            }
            Entry::Retried { .. } => "retried",
            Entry::Dropped { .. } => "dropped",
        };
        self.entries.push((row, name));
        Ok(())
    }
}

impl Ledger for Memory {
    fn record(&self, recording: Recording) -> Receipt<Recorded> {
        let recorded = self.look(|kept| {
            if let Some(error) = kept.refuses.clone() {
                return Err(error);
            }
            if let Some(change) = kept.changes.iter().position(|change| change.id() == recording.change.id()) {
                return Ok(Recorded::Duplicate { change: change as i64, recorded_at: 7 });
            }
            let change = kept.changes.len();
            kept.positions.extend(recording.position.map(|position| (recording.change.source().to_owned(), position)));
            kept.changes.push(recording.change);
            let first = kept.jobs.len();
            kept.jobs.extend(recording.jobs.into_iter().map(|job| KeptJob {
                change,
                event: job.event.to_owned(),
                name: job.name.into_owned(),
                nth: job.nth,
                effect: job.effect,
                state: JobState::recorded(recording.begins),
                error: None,
            }));
            Ok(Recorded::New { change: change as i64, jobs: (first..kept.jobs.len()).map(|row| row as JobRow).collect() })
        });
        self.on_disk(recorded)
    }

    fn note(&self, entries: Vec<(JobRow, Entry)>) -> Receipt<()> {
        let noted = self.look(|kept| match kept.is_gone {
            true => Ok(()),
            false => entries.iter().try_for_each(|(row, entry)| kept.apply(*row, entry)),
        });
        self.on_disk(noted)
    }

    fn keep(&self, source: &str, position: Vec<u8>) {
        self.look(|kept| kept.positions.push((source.to_owned(), position)));
    }

    fn position(&self, source: &str) -> Receipt<Option<Vec<u8>>> {
        let last =
            self.look(|kept| kept.positions.iter().rev().find(|(name, _)| name == source).map(|(_, position)| position.clone()));
        self.on_disk(Ok(last))
    }

    fn gap(&self, _gap: Gap) -> Receipt<()> {
        self.on_disk(Ok(()))
    }

    fn recover(&self) -> Receipt<Recovered> {
        self.look(|kept| kept.closed = false);
        let taken = self.take(
            |job| matches!(job.state.stage, Stage::Queued | Stage::Running),
            &[Entry::Interrupted { at: 0 }, Entry::Queued],
        );
        self.on_disk(Ok(Recovered { interrupted: taken.len() as u64, unfinished: taken, quarantined: 0 }))
    }

    fn take_due(&self, _limit: usize) -> Receipt<Vec<Unfinished>> {
        self.on_disk(Ok(self.take(|job| matches!(job.state.stage, Stage::Waiting { due: 0 }), &[Entry::Queued])))
    }

    fn wait_for_due(&self) -> BoxFuture<'static, ()> {
        tokio::time::sleep(Duration::from_millis(2)).boxed()
    }

    fn close(&self) -> Receipt<()> {
        self.look(|kept| kept.closed = true);
        async { Ok(()) }.boxed()
    }
}
