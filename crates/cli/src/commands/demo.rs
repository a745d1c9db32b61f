//! What does a newcomer see first: recorded changes, events, jobs, in a few seconds?

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use event_detector_runtime::{Sources, Summary};
use event_detector_sources::Recorded;
use serde_json::{Map, Value};

use crate::app::Program;
use crate::console::{Console, Form, print_rejected};
use crate::exit::{Exit, Failure};
use crate::receiver::Receiver;
use crate::signals::{Stop, Unfinished};
use crate::terminal::{say, start_spinner};

use super::{count, program as program_name};

/// Plays the changes bundled with the program, with a web server on the loopback for the jobs to call.
pub(crate) async fn demo(mut program: Program, recorded: Option<&str>) -> Result<Exit, Failure> {
    let Some(recorded) = recorded else {
        return Err(Failure::new(Exit::Usage, "this program bundles no recorded changes")
            .with_hint("add `.demo(include_str!(\"../demo.jsonl\"))` to its `App`, or play a file with `run --file FILE`"));
    };
    let receiver = Receiver::start()
        .await
        .map_err(|error| Failure::new(Exit::Unavailable, format!("no web server on the loopback: {error}")))?;
    let folder =
        tempfile::tempdir().map_err(|error| Failure::new(Exit::Unavailable, format!("no directory for the demo: {error}")))?;
    let recorded = recorded.replace("{receiver}", &receiver.url()).replace("{dir}", &folder.path().display().to_string());
    let (context, lines) = split(&recorded);
    for (name, value) in context {
        program.settings.context.entry(name).or_insert(value);
    }
    let json = program.options.json;
    let form = Form::choose(&program.options);
    let talks = matches!(form, Form::Full(_));
    if talks {
        say(&format!("Playing {}; their jobs run side by side.\n", count(lines.lines().count() as u64, "recorded change")));
    }
    let stop = Stop::listen(program.settings.config.drain, Unfinished::Lost, json);
    let console = Console::new(form);
    let worked = console.worked();
    let runtime = program.runtime(console, None)?;
    let mut sources = Sources::default();
    sources.add(Recorded::text("demo", lines));
    if talks {
        start_spinner();
    }
    let start = Instant::now();
    let summary = runtime.run(sources, stop.requested(), move |rejected| print_rejected(rejected, json)).await;
    if talks {
        let worked = *worked.lock().unwrap_or_else(PoisonError::into_inner);
        say(&ending(&summary, start.elapsed(), worked));
    }
    Ok(if summary.rejected == 0 { Exit::Success } else { Exit::BadData })
}

/// What was seen, and what to try next.
fn ending(summary: &Summary, took: Duration, worked: Duration) -> String {
    let failed = summary.jobs_failed + summary.jobs_cut;
    let lesson = if failed > 0 { "\nA job that fails harms none of its neighbours." } else { "" };
    let name = program_name();
    format!(
        "\n{}, {} in {:.2} s; one after another the jobs would have taken {:.2} s.{lesson}\n\n\
         Next:\n\
         \x20 {name}list           see where each event is declared: copy one of those files, and change its rule\n\
         \x20 {name}detect FILE    ask the events about changes of yours; no job runs\n\
         \x20 {name}--help         see the rest",
        count(summary.events, "event"),
        count(summary.jobs_succeeded + failed, "job"),
        took.as_secs_f64(),
        worked.as_secs_f64(),
    )
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
