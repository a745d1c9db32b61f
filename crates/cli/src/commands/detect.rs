//! Which events would recorded changes be? No job runs.

use std::fmt::Write as _;
use std::path::Path;

use event_detector::{Change, Detector, Read, Verdict};
use event_detector_runtime::{Rejected, Source};
use event_detector_sources::Recorded;
use serde_json::{Value, json};

use crate::app::Program;
use crate::console::{Cures, Form, Look, describe, print_rejected, undecided_lines};
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out, say};

use super::run::open;
use super::{count, no_change};

/// What a dry run finds out about one event of one change.
struct Finding {
    event: &'static str,
    verdict: Verdict,
    /// Whether jobs would run.
    fires: bool,
    reads: Vec<Read>,
    /// The names and arguments of the jobs that would run, or why `jobs` failed.
    jobs: Result<Vec<(String, Value)>, String>,
}

/// Asks every detector about every change of the file, and shows the verdicts.
pub(crate) async fn detect(program: &Program, file: &Path, verbose: bool, strict: bool) -> Result<Exit, Failure> {
    let mut recorded: Recorded = open(file).await?;
    let form = Form::choose(&program.options);
    let mut exit = Exit::Success;
    let cures = Cures::default();
    let mut seen = Seen::default();
    let mut line = 0;
    loop {
        let next = recorded
            .next(&mut line)
            .await
            .map_err(|error| Failure::input(format!("`{}` cannot be read", file.display()), &error))?;
        match next {
            None => break,
            Some(Ok(mut change)) => {
                change.add_default_context(&program.settings.context);
                let findings: Vec<Finding> =
                    program.registry.detectors().iter().map(|detector| finding(detector, &change)).collect();
                if exit == Exit::Success && findings.iter().any(Finding::failed) {
                    exit = Exit::Failed;
                }
                seen.add(&findings);
                out(&match form {
                    Form::Json => as_json(&change, &findings, verbose),
                    Form::Quiet(_) => quiet(&change, &findings),
                    Form::Full(look) => full(&change, &findings, verbose, look, &cures),
                });
            }
            Some(Err(error)) => {
                exit = Exit::BadData;
                print_rejected(&Rejected { source: recorded.name(), place: format!("line {line}"), error }, program.options.json);
                seen.rejected += 1;
                if strict {
                    break;
                }
            }
        }
    }
    if matches!(form, Form::Full(_)) {
        say(&seen.summed_up());
    }
    Ok(exit)
}

/// What all changes of the file came to.
#[derive(Default)]
struct Seen {
    changes: u64,
    fired: u64,
    undecided: u64,
    failed: u64,
    rejected: u64,
}

impl Seen {
    fn add(&mut self, findings: &[Finding]) {
        let number = |wanted: fn(&Finding) -> bool| findings.iter().filter(|finding| wanted(finding)).count() as u64;
        self.changes += 1;
        self.fired += number(|finding| finding.fires);
        self.undecided += number(|finding| matches!(finding.verdict, Verdict::Undecided(_)));
        self.failed += number(Finding::failed);
    }

    fn summed_up(&self) -> String {
        let mut line = format!("\n{}, {}", count(self.changes, "change"), count(self.fired, "event"));
        for (number, what) in [(self.undecided, "undecided"), (self.failed, "failed")] {
            if number > 0 {
                let _infallible = write!(line, ", {number} {what}");
            }
        }
        if self.rejected > 0 {
            let _infallible = write!(line, ", {}", no_change(self.rejected));
        }
        line + ". This was a dry run: no job ran."
    }
}

fn finding(detector: &Detector, change: &Change) -> Finding {
    let (verdict, reads) = detector.evaluate_recorded(change);
    let fires = detector.fires(&verdict);
    // Making jobs starts nothing; they are asked for their names and dropped.
    let jobs = if fires { detector.jobs(change).map_err(|panic| format!("`jobs` {panic}")) } else { Ok(Vec::new()) };
    let described = |job: &event_detector::Job| {
        let options = job.options().iter().map(|option| (option.name.to_owned(), option.value.clone()));
        (job.name().to_owned(), Value::Object(options.collect()))
    };
    Finding { event: detector.name(), verdict, fires, reads, jobs: jobs.map(|jobs| jobs.iter().map(described).collect()) }
}

impl Finding {
    fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_)) || self.jobs.is_err()
    }

    /// Whether there is something to say without being asked for everything.
    fn matters(&self) -> bool {
        self.verdict != Verdict::No
    }

    fn verdict(&self) -> &'static str {
        match self.verdict {
            Verdict::No => "not detected",
            Verdict::Detected => "detected",
            Verdict::Undecided(_) => "undecided",
            Verdict::Failed(_) => "failed",
        }
    }
}

fn as_json(change: &Change, findings: &[Finding], verbose: bool) -> String {
    let events: Vec<Value> = findings
        .iter()
        .filter(|finding| verbose || finding.matters())
        .map(|finding| {
            let mut event = json!({ "name": finding.event, "verdict": finding.verdict(), "detected": finding.fires });
            match &finding.verdict {
                Verdict::Undecided(unknowns) => event["undecided"] = json!(unknowns),
                Verdict::Failed(panic) => event["error"] = json!(format!("`detect` {panic}")),
                Verdict::No | Verdict::Detected => {}
            }
            match &finding.jobs {
                Ok(jobs) => {
                    event["jobs"] = jobs.iter().map(|(name, options)| json!({ "name": name, "options": options })).collect()
                }
                Err(error) => event["error"] = json!(error),
            }
            if verbose {
                event["reads"] = json!(finding.reads);
            }
            event
        })
        .collect();
    let change = json!({
        "id": change.id(), "collection": change.collection(), "operation": change.operation(), "key": change.key().to_json(),
    });
    json_line(&json!({ "change": change, "events": events })) + "\n"
}

fn quiet(change: &Change, findings: &[Finding]) -> String {
    let events: Vec<String> = findings
        .iter()
        .filter(|finding| finding.matters())
        .map(
            |finding| if finding.fires { finding.event.to_owned() } else { format!("{} ({})", finding.event, finding.verdict()) },
        )
        .collect();
    let events = if events.is_empty() { "no event".to_owned() } else { events.join(", ") };
    format!("{}: {events}\n", describe(change))
}

fn full(change: &Change, findings: &[Finding], verbose: bool, look: Look, cures: &Cures) -> String {
    let mut text = format!("{}\n", look.strong(&describe(change)));
    for finding in findings.iter().filter(|finding| verbose || finding.matters()) {
        let _infallible = writeln!(text, "   {}  {}", look.strong(finding.event), finding.verdict());
        match &finding.verdict {
            Verdict::Undecided(unknowns) => undecided_lines(&mut text, finding.event, unknowns, look, cures),
            Verdict::Failed(panic) => {
                let _infallible = writeln!(text, "      {}", look.bad(&format!("`detect` {}", clean(&panic.to_string()))));
            }
            Verdict::No | Verdict::Detected => {}
        }
        if verbose {
            for read in &finding.reads {
                let _infallible =
                    writeln!(text, "      {}", look.dim(&format!("{} = {}", clean(&read.read), clean(&read.answer))));
            }
        }
        match &finding.jobs {
            Ok(jobs) => {
                for (name, options) in jobs {
                    let _infallible =
                        writeln!(text, "      would run {} {}", clean(name), look.dim(&clean(&options.to_string())));
                }
            }
            Err(error) => {
                let _infallible = writeln!(text, "      {}", look.bad(&clean(error)));
            }
        }
    }
    if !verbose && !findings.iter().any(Finding::matters) {
        let _infallible = writeln!(text, "   no event");
    }
    text
}
