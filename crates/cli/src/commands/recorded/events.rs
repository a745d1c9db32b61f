//! Which changes were recorded, and what came of them?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use event_detector_ledger::{Filter, Order, Reader, RecordedChange, Status, StoredVerdict};
use event_detector_runtime::{ChangeRow, Stage};
use tokio::time::{Instant, sleep};

use crate::app::Program;
use crate::args::Selected;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out, say};

use super::words::{describe, second, sign, tally};
use super::{failure, objects, open, select};

/// How often it is looked whether something was recorded.
const LOOK: Duration = Duration::from_millis(250);

/// A change whose jobs go on is shown after so long all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many changes are read at a time.
const PAGE: usize = 500;

/// Shows the newest changes, one in a line, and those to come where that is asked for.
pub(super) async fn events(program: &Program, selected: &Selected, limit: u32, follow: bool) -> Result<Exit, Failure> {
    let reader = open(program)?;
    let filter = select::filter(program, &reader, selected)?;
    let form = Form::choose(&program.options);
    let last = reader.last().map_err(failure)?;
    let mut changes = reader.changes(&filter, Order::Newest, limit as usize).map_err(failure)?;
    changes.reverse();
    if !follow {
        let none = changes.is_empty();
        changes.iter().for_each(|change| print(change, form));
        if none && form != Form::Json {
            say(&nothing(&reader, selected)?);
        }
        return Ok(Exit::Success);
    }
    let last = changes.last().map_or(last, |change| change.row.max(last));
    Following { reader, filter, form, last, open: BTreeMap::new() }.go_on(changes).await
}

/// Why nothing is shown.
fn nothing(reader: &Reader, selected: &Selected) -> Result<String, Failure> {
    let changes = reader.counts().map_err(failure)?.changes;
    Ok(match (changes, selected.is_empty()) {
        (0, _) => "Nothing was recorded yet.".to_owned(),
        (_, true) => "Nothing is recorded.".to_owned(),
        (changes, false) => format!("No change matches, of {changes} that are recorded."),
    })
}

/// Shows each change once: when nothing of it runs any more, or it has run for long.
struct Following {
    reader: Reader,
    filter: Filter,
    form: Form,
    /// The last change that was seen.
    last: ChangeRow,
    /// The changes whose jobs run, and when each was seen first.
    open: BTreeMap<ChangeRow, Instant>,
}

impl Following {
    async fn go_on(mut self, first: Vec<RecordedChange>) -> Result<Exit, Failure> {
        let status = self.filter.status.take();
        first.into_iter().for_each(|change| self.meet(&change, status));
        let mut seen = None;
        loop {
            // Those that were met before come before what is new.
            for (row, since) in std::mem::take(&mut self.open) {
                // One that is gone meanwhile has nothing to show.
                let Some(change) = self.reader.change(row).map_err(failure)? else { continue };
                if is_settled(&change) || since.elapsed() >= PATIENCE {
                    self.show(&change, status);
                } else {
                    self.open.insert(row, since);
                }
            }
            let version = Some(self.reader.version().map_err(failure)?);
            if version != seen {
                seen = version;
                self.meet_new(status)?;
            }
            sleep(LOOK).await;
        }
    }

    /// Meets the changes that were recorded since.
    fn meet_new(&mut self, status: Option<Status>) -> Result<(), Failure> {
        loop {
            let page = self.reader.changes(&self.filter, Order::After(self.last), PAGE).map_err(failure)?;
            for change in &page {
                self.last = change.row;
                self.meet(change, status);
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn meet(&mut self, change: &RecordedChange, status: Option<Status>) {
        if is_settled(change) {
            self.show(change, status);
        } else {
            self.open.insert(change.row, Instant::now());
        }
    }

    fn show(&self, change: &RecordedChange, status: Option<Status>) {
        if status.is_none_or(|status| status.is_of(change)) {
            print(change, self.form);
        }
    }
}

/// Whether no process has a job of it.
fn is_settled(change: &RecordedChange) -> bool {
    !change.jobs.iter().any(|job| matches!(job.state.stage, Stage::Queued | Stage::Running))
}

fn print(change: &RecordedChange, form: Form) {
    out(&match form {
        Form::Json => json_line(&objects::change(change)) + "\n",
        Form::Quiet(look) | Form::Full(look) => line(change, look),
    });
}

/// The change in one line.
pub(super) fn line(change: &RecordedChange, look: Look) -> String {
    let status = Status::of(change);
    let mut line =
        format!("{}{}  {:>6}  {}", sign(status, look), look.dim(&second(change.recorded_at)), change.row, describe(change));
    let names = names(&change.verdicts, look);
    let _infallible = write!(line, ": {}", if names.is_empty() { look.dim("no event") } else { names.join(", ") });
    let tally = tally(&change.jobs);
    if !tally.is_empty() {
        let is_bad = matches!(status, Status::Dead | Status::Failed);
        let _infallible = write!(line, "; jobs: {}", if is_bad { look.bad(&tally) } else { tally });
    }
    line + "\n"
}

/// The events, each once with what was said of it last.
fn names(verdicts: &[StoredVerdict], look: Look) -> Vec<String> {
    let mut last: BTreeMap<&str, &StoredVerdict> = BTreeMap::new();
    for verdict in verdicts {
        last.insert(&verdict.event, verdict);
    }
    let named = last.values().map(|verdict| match verdict.said.as_str() {
        "detected" => look.strong(&clean(&verdict.event)),
        said => format!("{} {}", clean(&verdict.event), look.bad(&format!("({})", clean(said)))),
    });
    named.collect()
}
