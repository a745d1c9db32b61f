//! What does a newcomer see first: recorded changes, events, jobs, in a few seconds?

use std::time::Instant;

use event_detector_runtime::Sources;
use event_detector_sources::Recorded;
use serde_json::{Map, Value};

use crate::app::Program;
use crate::console::{Console, Form, print_rejected};
use crate::exit::{Exit, Failure};
use crate::receiver::Receiver;
use crate::signals::stop_requested;

use super::{count, program as program_name};

/// Plays the changes bundled with the program, with a web server on the loopback for the jobs to call.
pub(crate) async fn demo(mut program: Program, recorded: Option<&str>) -> Result<Exit, Failure> {
    let Some(recorded) = recorded else {
        return Err(Failure::new(Exit::Usage, "this program bundles no recorded changes")
            .with_hint("add `.demo(include_str!(\"../demo.jsonl\"))` to its `App`, or play a file with `run --file FILE`"));
    };
    let receiver = Receiver::start().await.map_err(|error| Failure::new(Exit::Unavailable, format!("no web server on the loopback: {error}")))?;
    let folder = tempfile::tempdir().map_err(|error| Failure::new(Exit::Unavailable, format!("no directory for the demo: {error}")))?;
    let recorded = recorded.replace("{receiver}", &receiver.url()).replace("{dir}", &folder.path().display().to_string());
    let (context, lines) = split(&recorded);
    for (name, value) in context {
        program.settings.context.entry(name).or_insert(value);
    }
    let json = program.options.json;
    let form = Form::choose(&program.options);
    if form != Form::Json {
        anstream::eprintln!("Playing {}; their jobs run side by side.\n", count(lines.lines().count() as u64, "recorded change"));
    }
    let runtime = program.runtime(Console::new(form))?;
    let mut sources = Sources::default();
    sources.add(Recorded::text("demo", lines));
    let start = Instant::now();
    let summary = runtime.run(sources, stop_requested(), move |rejected| print_rejected(rejected, json)).await;
    if form != Form::Json {
        let name = program_name();
        anstream::eprintln!(
            "\n{} and {} in {:.2} s, {} of them on purpose without success.\n\n\
             Next: `{name}list` shows where each event is declared; copy one of those files and change its rule.\n\
             `{name}detect FILE` asks the events about your own changes without running a job; `{name}--help` shows the rest.",
            count(summary.events, "event"),
            count(summary.jobs_succeeded + summary.jobs_failed + summary.jobs_cut, "job"),
            start.elapsed().as_secs_f64(),
            summary.jobs_failed + summary.jobs_cut,
        );
    }
    Ok(if summary.rejected == 0 { Exit::Success } else { Exit::BadData })
}

/// The context in the first line, if it is one, and the other lines.
fn split(recorded: &str) -> (Map<String, Value>, &str) {
    let (first, rest) = recorded.split_once('\n').unwrap_or((recorded, ""));
    match serde_json::from_str::<Map<String, Value>>(first) {
        Ok(mut header) if header.len() == 1 => match header.remove("context") {
            Some(Value::Object(context)) => (context, rest),
            _ => (Map::new(), recorded),
        },
        _ => (Map::new(), recorded),
    }
}
