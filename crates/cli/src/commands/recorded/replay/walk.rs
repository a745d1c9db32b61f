//! How does a run come to one recorded change after another, at the rate that it may, and where does it go on later?

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_detector::{Change, Registry};
use event_detector_ledger::{Desk, Filter, Order, Reader, RecordedChange};
use event_detector_runtime::{ChangeRow, Intake, JobRow, Source, SourceEnd, SourceError};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until};

use crate::args::{Rate, Time};
use crate::commands::recorded::failure;
use crate::exit::Failure;
use crate::terminal::count_change;

use super::planned::Planned;
use super::selection::Selection;

/// So many changes are read at a time.
const PAGE: usize = 200;

/// A change that a run has come to.
pub(super) struct Met {
    pub(super) recorded: RecordedChange,
    /// The change itself; an error where it cannot be read any more.
    pub(super) content: Result<Change, String>,
}

/// Comes to each change that a selection means, in the order of recording.
pub(super) struct Walk {
    reader: Reader,
    filter: Filter,
    up_to: ChangeRow,
    last: ChangeRow,
    page: std::vec::IntoIter<RecordedChange>,
    /// The program's own context, which is not recorded.
    context: Map<String, Value>,
}

impl Walk {
    /// The walk over what is behind a row.
    pub(super) fn new(reader: Reader, selection: &Selection, last: ChangeRow, context: Map<String, Value>) -> Self {
        let (filter, up_to) = (selection.filter(), selection.up_to);
        Self { reader, filter, up_to, last, page: Vec::new().into_iter(), context }
    }

    /// The next change.
    pub(super) fn next(&mut self) -> Result<Option<Met>, Failure> {
        if self.page.len() == 0 {
            self.page = self.reader.changes(&self.filter, Order::After(self.last), PAGE).map_err(failure)?.into_iter();
        }
        let Some(recorded) = self.page.next().filter(|recorded| recorded.row <= self.up_to) else { return Ok(None) };
        self.last = recorded.row;
        // One that is gone meanwhile has nothing to be asked about.
        let gone = || Err("it is not kept any more".to_owned());
        let mut content = self.reader.content(recorded.row).map_err(failure)?.unwrap_or_else(gone);
        if let Ok(change) = &mut content {
            change.add_default_context(&self.context);
        }
        Ok(Some(Met { recorded, content }))
    }
}

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) changes: u64,
    /// Events that fire.
    pub(super) events: u64,
    /// Events whose own code failed, and changes that cannot be read any more.
    pub(super) failed: u64,
    pub(super) left_out: u64,
    pub(super) jobs: Vec<JobRow>,
    /// Why it cannot go on.
    pub(super) failure: Option<Failure>,
    /// Whether it has come to all of its changes.
    pub(super) is_whole: bool,
}

/// A run on its way: asks the events about each change, and puts up the jobs that are to run.
pub(super) struct Running {
    pub(super) walk: Walk,
    pub(super) desk: Desk,
    pub(super) registry: Registry,
    pub(super) selection: Selection,
    pub(super) run: i64,
    pub(super) rate: Option<Rate>,
    pub(super) came: Arc<Mutex<Came>>,
}

impl Running {
    /// Comes to one change; `false` when there is none left.
    fn step(&mut self) -> Result<bool, Failure> {
        let Some(Met { recorded, content }) = self.walk.next()? else {
            self.desk.finish_run(self.run).map_err(failure)?;
            self.came().is_whole = true;
            return Ok(false);
        };
        let planned = match &content {
            Ok(change) => Planned::of(&self.registry, change, &recorded, &self.selection),
            Err(error) => {
                tracing::error!(row = recorded.row, error, "the change cannot be read any more, and is passed over");
                Planned::default()
            }
        };
        let (failed, left_out) = (planned.failed() || content.is_err(), planned.left_out.len() as u64);
        let events = planned.verdicts.iter().filter(|verdict| verdict.fires).count() as u64;
        let jobs = self.desk.add_to_run(self.run, recorded.row, &planned.verdicts, &planned.jobs, Time::now().0);
        let jobs = jobs.map_err(failure)?;
        let mut came = self.came();
        came.changes += 1;
        came.events += events;
        came.failed += u64::from(failed);
        came.left_out += left_out;
        came.jobs.extend(jobs);
        Ok(true)
    }

    fn came(&self) -> std::sync::MutexGuard<'_, Came> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes to all changes, at the rate; `false` where `stop` comes before.
    pub(super) async fn all(&mut self, stop: impl Future<Output = ()> + Send) -> Result<bool, Failure> {
        let mut stop = pin!(stop);
        let mut due = Instant::now();
        let pause = self.rate.map(|rate| Duration::from_secs_f64((1.0 / rate.0).min(86_400.0)));
        loop {
            let turn = async {
                match pause {
                    Some(_) => sleep_until(due).await,
                    None => tokio::task::yield_now().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return Ok(false),
                () = turn => {}
            }
            if !self.step()? {
                return Ok(true);
            }
            count_change();
            due += pause.unwrap_or_default();
        }
    }
}

/// As a source of the runtime that runs the jobs; that takes up what has become due before it ends.
impl Source for Running {
    fn name(&self) -> String {
        format!("run {}", self.run)
    }

    async fn run(mut self, intake: Intake) -> Result<SourceEnd, SourceError> {
        match self.all(intake.stopping()).await {
            Err(failure) => {
                let words = failure.message.clone();
                self.came().failure = Some(failure);
                Err(words.into())
            }
            Ok(false) => Ok(SourceEnd::Stopped { left: format!("the rest of it; `replay --resume {}` goes on there", self.run) }),
            Ok(true) => Ok(SourceEnd::Exhausted),
        }
    }
}
