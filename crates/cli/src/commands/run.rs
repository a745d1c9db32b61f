//! How are changes handled until their sources end or somebody says stop?

use std::path::Path;
use std::time::Instant;

use event_detector::JobDeclaration;
use event_detector_runtime::{Runtime, Sources, Summary};
use event_detector_sources::Recorded;

use crate::app::Program;
use crate::console::{Console, Form, print_rejected};
use crate::exit::{Exit, Failure};
use crate::signals::stop_requested;

use super::count;

/// Handles the changes of the file, if one is named, and of the program's own sources.
pub(crate) async fn run(program: Program, mut sources: Sources, file: Option<&Path>, strict: bool) -> Result<Exit, Failure> {
    if let Some(file) = file {
        let recorded = open(file).await?;
        sources.add(if strict { recorded.strict() } else { recorded });
    }
    if sources.is_empty() {
        return Err(Failure::new(Exit::Usage, "there is nothing to take changes from")
            .with_hint("name a file of recorded changes with `--file FILE` (`-` is standard input), or add a source to the program's `App`"));
    }
    let json = program.options.json;
    let console = Console::new(Form::choose(&program.options)).with_progress();
    let runtime = program.runtime(console)?;
    banner(&runtime, &sources, json);
    let start = Instant::now();
    let summary = runtime.run(sources, stop_requested(), move |rejected| print_rejected(rejected, json)).await;
    sum_up(&summary, start.elapsed().as_secs_f64(), json);
    Ok(exit(&summary))
}

/// The recorded changes in a file, or on standard input for `-`.
pub(super) async fn open(file: &Path) -> Result<Recorded, Failure> {
    if file == Path::new("-") {
        return Ok(Recorded::stdin());
    }
    Recorded::open(file).await.map_err(|error| {
        let io = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
        io.map_or_else(|| Failure::new(Exit::NoInput, &error), |io| Failure::input(&error, io))
    })
}

/// Says on standard error what the program works with.
fn banner(runtime: &Runtime, sources: &Sources, json: bool) {
    let detectors = runtime.registry().detectors();
    let jobs = JobDeclaration::linked().len();
    let names: Vec<&str> = sources.names().collect();
    if json {
        let banner = serde_json::json!({ "sources": names, "events": detectors.len(), "jobs": jobs });
        anstream::eprintln!("{}", serde_json::json!({ "started": banner }));
    } else {
        anstream::eprintln!(
            "Watching {} ({}) for {}; {} declared. Ctrl-C stops.",
            count(names.len() as u64, "source"),
            names.join(", "),
            count(detectors.len() as u64, "event"),
            count(jobs as u64, "job"),
        );
        if detectors.is_empty() {
            anstream::eprintln!("warning: no event is selected, so nothing can be detected");
        }
    }
}

/// Says on standard error what came of it all.
fn sum_up(summary: &Summary, seconds: f64, json: bool) {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
    let rate = (summary.changes as f64 / seconds.max(0.001)) as u64;
    if json {
        let left: Vec<_> = summary.left.iter().map(|(source, left)| serde_json::json!({ "source": source, "left": left })).collect();
        let errors: Vec<_> = summary.source_errors.iter().map(|(source, error)| serde_json::json!({ "source": source, "error": error })).collect();
        let ended = serde_json::json!({
            "changes": summary.changes, "seconds": seconds, "changes_per_second": rate, "events": summary.events,
            "undecided": summary.undecided, "event_errors": summary.event_errors, "jobs_succeeded": summary.jobs_succeeded,
            "jobs_failed": summary.jobs_failed, "jobs_cut": summary.jobs_cut, "rejected": summary.rejected,
            "in_flight_at_stop": summary.in_flight_at_stop, "left": left, "source_errors": errors,
        });
        anstream::eprintln!("{}", serde_json::json!({ "ended": ended }));
        return;
    }
    let mut line = format!(
        "Handled {} in {seconds:.2} s ({} a second): {}, {} succeeded",
        count(summary.changes, "change"),
        indicatif::HumanCount(rate),
        count(summary.events, "event"),
        count(summary.jobs_succeeded, "job"),
    );
    let others = [
        (summary.jobs_failed, "failed"),
        (summary.jobs_cut, "cut"),
        (summary.undecided, "undecided"),
        (summary.event_errors, "event errors"),
        (summary.rejected, "lines were no change"),
    ];
    for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
        line.push_str(&format!(", {} {what}", indicatif::HumanCount(number)));
    }
    anstream::eprintln!("{line}.");
    for (source, left) in &summary.left {
        anstream::eprintln!(
            "Stopped: {} in flight {} settled or cut; {source}: {left} was not taken.",
            count(summary.in_flight_at_stop as u64, "change"),
            if summary.in_flight_at_stop == 1 { "was" } else { "were" },
        );
    }
    for (source, error) in &summary.source_errors {
        anstream::eprintln!("error: the source {source} ended: {error}");
    }
}

fn exit(summary: &Summary) -> Exit {
    if summary.rejected > 0 {
        Exit::BadData
    } else if !summary.source_errors.is_empty() {
        Exit::Unavailable
    } else if summary.jobs_failed > 0 || summary.event_errors > 0 {
        Exit::Failed
    } else {
        Exit::Success
    }
}
