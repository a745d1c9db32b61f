//! What does a person, or a program, see of each change?

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::process;
use std::sync::{Mutex, PoisonError};

use event_detector::Change;
use event_detector_runtime::{EventReport, JobReport, Plugin, PluginResult, Rejected, Report};
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize, Style};

use crate::args::Options;
use crate::exit::is_broken_pipe;

/// The column in which durations end.
const WIDTH: usize = 72;
/// The longest result of a job that is shown whole.
const MAX_RESULT: usize = 120;

/// Prints a report of each change that came to something; in JSON, of each change.
pub(crate) struct Console {
    form: Form,
    progress: Option<ProgressBar>,
    /// The unknowns whose cure was printed, by event.
    cured: Mutex<HashSet<(&'static str, String)>>,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Several lines a change, with signs and colours on a terminal.
    Full(Look),
    /// One line a change.
    Quiet(Look),
    /// One JSON object a line.
    Json,
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Signs and colours, for a terminal.
    Fancy,
    /// Words alone, for pipes and where NO_COLOR asks for it.
    Plain,
}

impl Form {
    /// The form that the options and the terminal ask for.
    pub(crate) fn choose(options: &Options) -> Self {
        let look = match anstream::AutoStream::choice(&io::stdout()) {
            anstream::ColorChoice::Never => Look::Plain,
            _ => Look::Fancy,
        };
        match options {
            Options { json: true, .. } => Self::Json,
            Options { quiet: true, .. } => Self::Quiet(look),
            _ => Self::Full(look),
        }
    }
}

impl Console {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, progress: None, cured: Mutex::default() }
    }

    /// Shows on standard error how many changes were handled, where that is a terminal.
    #[must_use]
    pub(crate) fn with_progress(mut self) -> Self {
        if io::stderr().is_terminal() && self.form != Form::Json {
            let style = ProgressStyle::with_template("{spinner} {human_pos} changes, {per_sec}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.progress = Some(ProgressBar::new_spinner().with_style(style));
        }
        self
    }

    fn render(&self, report: &Report) -> String {
        match self.form {
            Form::Json => serde_json::to_string(report).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")) + "\n",
            _ if report.events.is_empty() => String::new(),
            Form::Quiet(look) => line(report, look),
            Form::Full(look) => {
                let mut cured = self.cured.lock().unwrap_or_else(PoisonError::into_inner);
                full(report, look, |event, read| cured.insert((event, read.to_owned())))
            }
        }
    }
}

impl Plugin for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    async fn report(&self, report: &Report) -> PluginResult {
        let text = self.render(report);
        match &self.progress {
            Some(progress) => {
                if !text.is_empty() {
                    progress.suspend(|| print(&text));
                }
                progress.inc(1);
            }
            None => print(&text),
        }
        Ok(())
    }

    async fn flush(&self) -> PluginResult {
        if let Some(progress) = &self.progress {
            progress.finish_and_clear();
        }
        Ok(())
    }
}

/// Writes text to standard output in one piece; when nobody reads it any more, the program ends quietly.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if is_broken_pipe(&error) => process::exit(0),
        // Standard output is where the error would be told; there is no better place left.
        Ok(()) | Err(_) => {}
    }
}

/// Says on standard error what a source read that is not a change.
pub(crate) fn print_rejected(rejected: &Rejected, json: bool) {
    let Rejected { source, place, error } = rejected;
    if json {
        anstream::eprintln!("{}", serde_json::json!({ "rejected": { "source": source, "place": place, "error": error } }));
    } else {
        anstream::eprintln!("{}, {place}: {}", clean(source), clean(error));
    }
}

/// The change in a few words: `UPDATE on moves 13107`.
pub(crate) fn describe(change: &Change) -> String {
    let operation = change.operation().as_str().to_uppercase();
    let key = change.key();
    let key = if key.exists() { format!(" {}", clean(&key.to_string())) } else { String::new() };
    format!("{operation} on {}{key}", clean(change.collection()))
}

fn line(report: &Report, look: Look) -> String {
    let names: Vec<&str> = report.events.iter().map(|event| event.name).collect();
    let succeeded = report.jobs().filter(|job| job.completed()).count();
    let failed = report.jobs().count() - succeeded;
    let errors = report.events.iter().filter(|event| event.error.is_some()).count();
    let undecided = report.events.iter().filter(|event| !event.undecided.is_empty()).count();
    let mut line = format!("{}: {}; jobs: {succeeded} ok", describe(&report.change), names.join(", "));
    for (count, what) in [(failed, "failed"), (errors, "event errors"), (undecided, "undecided")] {
        if count > 0 {
            let _infallible = write!(line, ", {}", look.bad(&format!("{count} {what}")));
        }
    }
    let _infallible = writeln!(line, "; {}", seconds(report));
    line
}

fn seconds(report: &Report) -> String {
    format!("{:.2} s", report.duration.as_secs_f64())
}

/// The report over several lines; `first` says whether an unknown's cure is to be shown.
pub(crate) fn full(report: &Report, look: Look, mut first: impl FnMut(&'static str, &str) -> bool) -> String {
    let detected = report.events.iter().filter(|event| event.detected).count();
    let counted = if detected == 1 { "1 event".to_owned() } else { format!("{detected} events") };
    let bell = look.sign("🔔  ", "");
    let mut text = format!("{bell}{}\n", look.strong(&format!("Detected {counted} from {}", describe(&report.change))));
    for event in &report.events {
        event_lines(&mut text, event, look, &mut first);
    }
    text
}

fn event_lines(text: &mut String, event: &EventReport, look: Look, first: &mut impl FnMut(&'static str, &str) -> bool) {
    let sign = match (event.detected, event.undecided.is_empty()) {
        (true, _) => look.sign("⭐️ ", "* "),
        (false, false) => look.sign("❔ ", "? "),
        (false, true) => look.sign("💥 ", "! "),
    };
    let _infallible = writeln!(text, "   {sign}{}", look.strong(event.name));
    for unknown in &event.undecided {
        let _infallible = writeln!(text, "      undecided: the change does not say `{}`", clean(&unknown.read));
        if first(event.name, &unknown.read) {
            let _infallible = writeln!(text, "         {}", look.dim(&clean(&unknown.cure)));
        }
    }
    if let Some(error) = &event.error {
        let _infallible = writeln!(text, "      {}", look.bad(&clean(error)));
    }
    for job in &event.jobs {
        let _infallible = writeln!(text, "      {}", job_line(job, look));
    }
}

fn job_line(job: &JobReport, look: Look) -> String {
    if job.completed() {
        let sign = look.sign("✅ ", "ok      ");
        let words = job_words(job);
        // On a terminal the sign takes two columns and a space; the indent is six.
        let indent = 6 + if look == Look::Fancy { 3 } else { sign.len() };
        let gap = WIDTH.saturating_sub(indent + words.chars().count() + 8).max(1);
        format!("{sign}{words}{:gap$}{}", "", look.dim(&format!("{:>6.2} s", job.duration.as_secs_f64())))
    } else {
        let attempts = match job.attempts_allowed {
            0 | 1 => String::new(),
            allowed => format!("attempt {} of {allowed}: ", job.attempts),
        };
        let error = clean(job.error.as_deref().unwrap_or("it did not succeed"));
        format!("{}{}  {}", look.sign("❌ ", "failed  "), look.strong(&clean(&job.name)), look.bad(&format!("{attempts}{error}")))
    }
}

/// What a job that succeeded says: its text, else its name with the value it returned.
fn job_words(job: &JobReport) -> String {
    let name = clean(&job.name);
    match &job.result {
        Some(serde_json::Value::String(text)) if !text.is_empty() => clean(text),
        None | Some(serde_json::Value::Null | serde_json::Value::String(_)) => name,
        Some(value) => {
            let json = value.to_string();
            let shown: String = json.chars().take(MAX_RESULT).collect();
            format!("{name}  {}{}", clean(&shown), if shown.len() < json.len() { "…" } else { "" })
        }
    }
}

/// Text from outside, without the control characters that could rewrite a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().flat_map(|char| if char.is_control() { char.escape_default().collect::<Vec<_>>() } else { vec![char] }).collect()
}

impl Look {
    fn sign(self, fancy: &'static str, plain: &'static str) -> &'static str {
        match self {
            Self::Fancy => fancy,
            Self::Plain => plain,
        }
    }

    fn styled(self, text: &str, style: Style) -> String {
        match self {
            Self::Fancy => text.style(style).to_string(),
            Self::Plain => text.to_owned(),
        }
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.styled(text, Style::new().bold())
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.styled(text, Style::new().dimmed())
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.styled(text, Style::new().red())
    }
}

#[cfg(test)]
mod tests;
