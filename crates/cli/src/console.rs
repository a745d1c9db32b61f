//! What does a person, or a program, see of each change?

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use event_detector::{Change, Unknown, Verdict};
use event_detector_runtime::{EventReport, JobReport, JobStatus, Plugin, PluginResult, Rejected, Report};
use owo_colors::{OwoColorize, Style};
use unicode_width::UnicodeWidthStr;

use crate::args::Options;
use crate::terminal::{self, clean, json, out, say, say_json};

/// The column in which durations end.
const WIDTH: usize = 72;
/// The longest result of a job that is shown whole, in characters.
const MAX_RESULT: usize = 120;
/// The longest reason of a failure that is shown whole, in characters; it says more than a result.
const MAX_ERROR: usize = 500;

/// Prints a report of each change that came to something; in JSON, of each change.
pub(crate) struct Console {
    form: Form,
    /// Whether each event is told of when it is detected, before its jobs have settled.
    announces: bool,
    cures: Cures,
    /// What the jobs would have taken one after another.
    worked: Arc<Mutex<Duration>>,
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

/// The unknowns whose cure was shown, by event.
#[derive(Debug, Default)]
pub(crate) struct Cures(Mutex<HashSet<(&'static str, String)>>);

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

impl Cures {
    /// Whether one of the unknowns is met for the first time.
    fn are_new(&self, event: &'static str, unknowns: &[&Unknown]) -> bool {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Every one is noted, so no `any`.
        unknowns.iter().filter(|unknown| shown.insert((event, unknown.read.clone()))).count() > 0
    }
}

impl Console {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, announces: false, cures: Cures::default(), worked: Arc::default() }
    }

    /// Tells of each event when it is detected, too: for changes that somebody makes just now.
    pub(crate) fn announcing(self) -> Self {
        Self { announces: true, ..self }
    }

    /// What all jobs would have taken one after another; it grows with the reports.
    pub(crate) fn worked(&self) -> Arc<Mutex<Duration>> {
        Arc::clone(&self.worked)
    }

    fn render(&self, report: &Report) -> String {
        match self.form {
            Form::Json => json(report) + "\n",
            _ if report.events.is_empty() => String::new(),
            Form::Quiet(look) => line(report, look),
            Form::Full(look) => full(report, look, &self.cures),
        }
    }
}

impl Plugin for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    async fn detection(&self, change: &Change, event: &str, verdict: &Verdict) -> PluginResult {
        if let (true, Form::Full(look), Verdict::Detected) = (self.announces, self.form, verdict) {
            out(&announcement(change, event, look));
        }
        Ok(())
    }

    async fn report(&self, report: &Report) -> PluginResult {
        let text = self.render(report);
        if !text.is_empty() {
            out(&text);
        }
        terminal::count_change();
        *self.worked.lock().unwrap_or_else(PoisonError::into_inner) += report.jobs().map(|job| job.duration).sum::<Duration>();
        Ok(())
    }

    async fn flush(&self) -> PluginResult {
        terminal::stop_spinner();
        Ok(())
    }
}

/// That an event is detected, and when.
fn announcement(change: &Change, event: &str, look: Look) -> String {
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    format!("{}  {}  {}\n", look.dim(&now), look.strong(&clean(event)), describe(change))
}

/// Says on standard error what a source read that is not a change.
pub(crate) fn print_rejected(rejected: &Rejected, json: bool) {
    let Rejected { source, place, error } = rejected;
    if json {
        say_json(&serde_json::json!({ "rejected": { "source": source, "place": place, "error": error } }));
    } else {
        say(&format!("{}, {place}: {}", clean(source), shortened(error, MAX_ERROR)));
    }
}

/// The change in a few words: `UPDATE on moves 13107`.
pub(crate) fn describe(change: &Change) -> String {
    let operation = change.operation().as_str().to_uppercase();
    let key = change.key();
    let key = if key.exists() { format!(" {}", shortened(&key.to_string(), MAX_RESULT)) } else { String::new() };
    format!("{operation} on {}{key}", clean(change.collection()))
}

/// The report in one line.
fn line(report: &Report, look: Look) -> String {
    let name = |event: &EventReport| match (&event.error, event.undecided.is_empty()) {
        (Some(_), _) => format!("{} {}", clean(event.name), look.bad("(failed)")),
        (None, false) => format!("{} {}", clean(event.name), look.bad("(undecided)")),
        (None, true) => clean(event.name).into_owned(),
    };
    let names: Vec<String> = report.events.iter().map(name).collect();
    let mut line = format!("{}: {}", describe(&report.change), names.join(", "));
    let succeeded = report.jobs().filter(|job| job.completed()).count();
    let waiting = report.jobs().filter(|job| job.status == JobStatus::Retrying).count();
    let failed = report.jobs().count() - succeeded - waiting;
    if succeeded + waiting + failed > 0 {
        let _infallible = write!(line, "; jobs: {succeeded} ok");
    }
    if waiting > 0 {
        let _infallible = write!(line, ", {waiting} waiting");
    }
    if failed > 0 {
        let _infallible = write!(line, ", {}", look.bad(&format!("{failed} failed")));
    }
    let _infallible = writeln!(line, "; {:.2} s", report.duration.as_secs_f64());
    line
}

/// The report over several lines.
fn full(report: &Report, look: Look, cures: &Cures) -> String {
    let (sign, words) = headline(report);
    let mut text = format!("{}{}\n", look.sign(sign, ""), look.strong(&format!("{words} from {}", describe(&report.change))));
    for event in &report.events {
        event_lines(&mut text, event, look, cures);
    }
    text
}

/// What the events of a report come to: those that were detected, else why none was.
fn headline(report: &Report) -> (&'static str, String) {
    let count = |wanted: fn(&EventReport) -> bool| report.events.iter().filter(|event| wanted(event)).count();
    let events = |number: usize| if number == 1 { "1 event".to_owned() } else { format!("{number} events") };
    match (count(|event| event.detected), count(|event| event.error.is_some()), count(|event| !event.undecided.is_empty())) {
        (0, 0, undecided) => ("❔  ", format!("Could not decide {}", events(undecided))),
        (0, failed, 0) => ("💥  ", format!("Failed to detect {}", events(failed))),
        (0, failed, undecided) => ("💥  ", format!("Failed to detect {}, and could not decide {undecided},", events(failed))),
        (detected, ..) => ("🔔  ", format!("Detected {}", events(detected))),
    }
}

fn event_lines(text: &mut String, event: &EventReport, look: Look, cures: &Cures) {
    let sign = match (event.detected, event.undecided.is_empty()) {
        (true, _) => look.sign("⭐️ ", "* "),
        (false, false) => look.sign("❔ ", "? "),
        (false, true) => look.sign("💥 ", "! "),
    };
    let _infallible = writeln!(text, "   {sign}{}", look.strong(&clean(event.name)));
    undecided_lines(text, event.name, &event.undecided, look, cures);
    if let Some(error) = &event.error {
        let _infallible = writeln!(text, "      {}", look.bad(&shortened(error, MAX_ERROR)));
    }
    for job in &event.jobs {
        let _infallible = writeln!(text, "      {}", job_line(job, look));
    }
}

/// What the change does not say, and what would have made it say so: once for all that has the same cure, once for each event.
pub(crate) fn undecided_lines(text: &mut String, event: &'static str, unknowns: &[Unknown], look: Look, cures: &Cures) {
    for group in by_cure(unknowns) {
        let reads: Vec<String> = group.iter().map(|unknown| format!("`{}`", clean(&unknown.read))).collect();
        let _infallible = writeln!(text, "      undecided: the change does not say {}", reads.join(", "));
        if cures.are_new(event, &group) {
            // Why it does not say, then what to do.
            for part in group.iter().take(1).flat_map(|unknown| unknown.cure.splitn(2, "; ")) {
                let _infallible = writeln!(text, "         {}", look.dim(&clean(part)));
            }
        }
    }
}

/// The unknowns, those together that have the same cure.
pub(crate) fn by_cure<'u>(unknowns: impl IntoIterator<Item = &'u Unknown>) -> Vec<Vec<&'u Unknown>> {
    let mut groups: Vec<(String, Vec<&Unknown>)> = Vec::new();
    for unknown in unknowns {
        let cure = without_path(unknown);
        match groups.iter_mut().find(|(known, _)| *known == cure) {
            Some((_, group)) => group.push(unknown),
            None => groups.push((cure, vec![unknown])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The cure with the path that was asked for taken out, so that equal cures are equal.
fn without_path(unknown: &Unknown) -> String {
    match unknown.read.split('"').nth(1) {
        Some(path) => unknown.cure.replace(&format!("`{path}`"), "``"),
        None => unknown.cure.clone(),
    }
}

fn job_line(job: &JobReport, look: Look) -> String {
    if job.completed() {
        let sign = look.sign("✅ ", "ok      ");
        let words = job_words(job);
        // Six columns of indent, eight of duration.
        let gap = WIDTH.saturating_sub(6 + sign.width() + words.width() + 8).max(1);
        format!("{sign}{words}{:gap$}{}", "", look.dim(&format!("{:>6.2} s", job.duration.as_secs_f64())))
    } else {
        let attempts = match job.attempts_allowed {
            0 | 1 => String::new(),
            allowed => format!("attempt {} of {allowed}: ", job.attempts),
        };
        let error = shortened(job.error.as_deref().unwrap_or("it did not succeed"), MAX_ERROR);
        let sign = match job.status {
            JobStatus::Retrying => look.sign("⏰ ", "waits   "),
            _ => look.sign("❌ ", "failed  "),
        };
        let due = job.due.map(|due| format!("; tried again at {}", humantime::format_rfc3339_seconds(due))).unwrap_or_default();
        format!("{sign}{}  {}{due}", look.strong(&clean(&job.name)), look.bad(&format!("{attempts}{error}")))
    }
}

/// What a job that succeeded says: its text, else its name with the value it returned.
fn job_words(job: &JobReport) -> String {
    match &job.result {
        Some(serde_json::Value::String(text)) if !text.is_empty() => shortened(text, MAX_RESULT).into_owned(),
        None | Some(serde_json::Value::Null | serde_json::Value::String(_)) => clean(&job.name).into_owned(),
        Some(value) => format!("{}  {}", clean(&job.name), shortened(&value.to_string(), MAX_RESULT)),
    }
}

/// Text from outside in one line, of which at most `most` characters are shown.
pub(crate) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", clean(&text[..end])).into(),
        None => clean(text),
    }
}

impl Look {
    pub(crate) fn sign(self, fancy: &'static str, plain: &'static str) -> &'static str {
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

    pub(crate) fn good(self, text: &str) -> String {
        self.styled(text, Style::new().green())
    }

    pub(crate) fn unsure(self, text: &str) -> String {
        self.styled(text, Style::new().yellow())
    }
}

#[cfg(test)]
mod tests;
