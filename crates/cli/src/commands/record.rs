//! How are real changes kept as a file, for trying events on?

mod number;
mod redact;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_detector::Change;
use event_detector_runtime::{Plugin, PluginResult, Runtime, Sources};
use indicatif::HumanBytes;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{interval, sleep_until};

use crate::app::Program;
use crate::args::Record;
use crate::console::{Form, print_rejected};
use crate::exit::{Exit, Failure};
use crate::files::cannot;
use crate::signals::{Stop, Unfinished};
use crate::terminal::{clean, count_change, json as json_line, note_at_spinner, out, say, start_spinner, stop_spinner};

use super::{count, run};
use redact::Redaction;

/// How often the time that is left is told.
const TOLD: Duration = Duration::from_secs(1);

/// Writes each change that comes into a file.
#[derive(Clone)]
struct Recorder {
    writing: Arc<Mutex<Writing>>,
    /// No more changes are wanted.
    done: Arc<Notify>,
}

struct Writing {
    file: File,
    redaction: Redaction,
    max: Option<u64>,
    changes: u64,
    bytes: u64,
    /// Changes whose bytes could not be read.
    unreadable: u64,
    failed: Option<std::io::Error>,
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The time is over.
    Time,
    /// There are as many changes as were wanted.
    Max,
    /// Somebody said stop.
    Asked,
    /// The source cannot go on, or the file cannot be written.
    Failed,
}

/// Writes the changes of a database into a file, until its time is over, it has enough, or somebody says stop.
pub(crate) async fn record(mut program: Program, what: &Record) -> Result<Exit, Failure> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| Failure::new(Exit::Unavailable, format!("the system gives no random numbers: {error}")))?;
    let redaction = Redaction::new(&what.redact, key);
    if !what.force && what.out.exists() {
        return Err(is_there(&what.out));
    }
    let source = run::mongodb(&mut program, what.watched.enable_images, what.start).await?;
    let file = begin(&what.out, what.force)?;
    let (json, form) = (program.options.json, Form::choose(&program.options));
    let writing = Writing { file, redaction, max: what.max, changes: 0, bytes: 0, unreadable: 0, failed: None };
    let recorder = Recorder { writing: Arc::new(Mutex::new(writing)), done: Arc::default() };
    let stop = Stop::listen(program.settings.config.drain, Unfinished::Lost, json);
    // No event is asked, and no plugin of the program sees what is only written down.
    let registry = program.registry.filtered(|_| false);
    let runtime = Runtime::builder(registry).config(program.settings.config).plugin(recorder.clone()).build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Config, error))?;
    let mut sources = Sources::default();
    sources.add(source);
    if !json {
        say(&beginning(what));
        start_spinner();
    }
    let (start, end) = (Instant::now(), Arc::new(Mutex::new(End::Failed)));
    let ended = until(what.time, recorder.clone(), stop.requested(), Arc::clone(&end));
    let summary = runtime.run(sources, ended, move |rejected| print_rejected(rejected, json)).await;
    stop_spinner();
    let end = *end.lock().unwrap_or_else(PoisonError::into_inner);
    let mut writing = recorder.writing();
    if let Some(error) = writing.failed.take().or_else(|| writing.file.sync_all().err()) {
        let changes = count(writing.changes, "change");
        return Err(cannot(&what.out, &error).with_hint(format!("it has {changes}, and can be used as it is")));
    }
    let seconds = start.elapsed().as_secs_f64();
    match form {
        Form::Json => out(&(json_line(&object(&writing, what, end, seconds, summary.rejected)) + "\n")),
        Form::Quiet(_) | Form::Full(_) => say(&ending(&writing, what, seconds)),
    }
    Ok(if run::has_source_errors(&summary, json) { Exit::Unavailable } else { Exit::Success })
}

/// Makes the file.
fn begin(path: &Path, force: bool) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => is_there(path),
        _ => cannot(path, &error),
    })
}

fn is_there(path: &Path) -> Failure {
    Failure::new(Exit::CannotCreate, format!("`{}` is there already", path.display()))
        .with_hint("name another file, or write over this one with `--force`")
}

/// Waits for the end, and tells meanwhile what there is and what is left.
async fn until(time: Option<Duration>, recorder: Recorder, stop: impl Future<Output = ()>, why: Arc<Mutex<End>>) {
    let end = time.map(|time| tokio::time::Instant::now() + time);
    let over = async {
        match end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let telling = async {
        let mut seconds = interval(TOLD);
        loop {
            let now = seconds.tick().await;
            let left = end.map(|end| Duration::from_secs(end.saturating_duration_since(now).as_secs()));
            let left = left.map(|left| format!(", {} left", humantime::format_duration(left))).unwrap_or_default();
            note_at_spinner(&format!("{}{left}", HumanBytes(recorder.writing().bytes)));
        }
    };
    let end = tokio::select! {
        biased;
        () = stop => End::Asked,
        () = recorder.done.notified() => if recorder.writing().failed.is_some() { End::Failed } else { End::Max },
        () = over => End::Time,
        () = telling => End::Failed,
    };
    *why.lock().unwrap_or_else(PoisonError::into_inner) = end;
}

impl Recorder {
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing {
    /// Writes a change, in one piece so that the file always ends with a whole line; false when no more are wanted.
    fn write(&mut self, change: &Change) -> bool {
        if self.failed.is_some() || self.max.is_some_and(|max| self.changes >= max) {
            return false;
        }
        let Some(mut record) = change.to_json().cloned() else {
            self.unreadable += 1;
            return true;
        };
        self.redaction.apply(&mut record);
        let line = format!("{record}\n");
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            self.failed = Some(error);
            return false;
        }
        self.changes += 1;
        self.bytes += line.len() as u64;
        self.max.is_none_or(|max| self.changes < max)
    }
}

impl Plugin for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    async fn change(&self, change: &mut Change) -> PluginResult {
        if !self.writing().write(change) {
            self.done.notify_one();
        }
        count_change();
        Ok(())
    }
}

fn beginning(what: &Record) -> String {
    let time = what.time.map(|time| format!(" for {}", humantime::format_duration(time))).unwrap_or_default();
    let max = what.max.map(|max| format!(", at most {}", count(max, "change"))).unwrap_or_default();
    format!("Recording into {}{time}{max}. Ctrl-C ends.", clean(&what.out.display().to_string()))
}

fn ending(writing: &Writing, what: &Record, seconds: f64) -> String {
    let mut text = format!(
        "Recorded {} in {seconds:.2} s, {}, into {}.",
        count(writing.changes, "change"),
        HumanBytes(writing.bytes),
        clean(&what.out.display().to_string())
    );
    if writing.unreadable > 0 {
        text.push_str(&format!("\nwarning: {} could not be read, and are not in it.", count(writing.unreadable, "change")));
    }
    for (path, number) in writing.redaction.replaced() {
        match number {
            0 => text.push_str(&format!("\nwarning: no change has `{}`, so nothing of it was replaced.", clean(path))),
            number => text.push_str(&format!("\nReplaced {} of `{}`.", count(number, "value"), clean(path))),
        }
    }
    text
}

fn object(writing: &Writing, what: &Record, end: End, seconds: f64, rejected: u64) -> Value {
    let end = match end {
        End::Time => "time",
        End::Max => "max",
        End::Asked => "asked",
        End::Failed => "failed",
    };
    let redacted: serde_json::Map<String, Value> =
        writing.redaction.replaced().map(|(path, number)| (path.to_owned(), number.into())).collect();
    json!({ "recorded": {
        "file": what.out, "changes": writing.changes, "bytes": writing.bytes, "seconds": seconds, "ended_by": end,
        "rejected": rejected + writing.unreadable, "redacted": redacted,
    } })
}
