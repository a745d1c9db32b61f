//! How does somebody ask for an event by hand?

use event_detector::Change;
use event_detector_runtime::{Intake, Source, SourceEnd, SourceError, Sources};
use serde_json::Value;
use uuid::Uuid;

use crate::app::Program;
use crate::console::{Console, Form, describe, print_rejected};
use crate::exit::{Exit, Failure};
use crate::signals::{Stop, Unfinished};
use crate::terminal::say;

use super::run;

/// What is said on the command line about the change.
pub(crate) struct Emitted {
    pub(crate) collection: String,
    pub(crate) data: Value,
    pub(crate) database: String,
    pub(crate) session: Vec<(String, String)>,
    pub(crate) correlation_id: Option<String>,
}

/// Handles a MANUAL change, and waits for its jobs.
pub(crate) async fn emit(program: Program, emitted: Emitted) -> Result<Exit, Failure> {
    let Emitted { collection, data, database, session, correlation_id } = emitted;
    let manual = Change::manual(&collection).id(&Uuid::now_v7().to_string()).database(&database).after(data);
    let manual = session.iter().fold(manual, |manual, (name, value)| manual.session(name, value));
    let mut change = manual.try_build().map_err(|error| Failure::new(Exit::BadData, error))?;
    if let Some(id) = correlation_id {
        change = change.with_correlation_id(id);
    }
    let json = program.options.json;
    let stop = Stop::listen(program.settings.config.drain, Unfinished::Lost, json);
    let form = Form::choose(&program.options);
    let runtime = program.runtime(Console::new(form), None)?;
    let described = describe(&change);
    let mut sources = Sources::default();
    sources.add(Once(change));
    let summary = runtime.run(sources, stop.requested(), move |rejected| print_rejected(rejected, json)).await;
    if summary.events + summary.undecided + summary.event_errors == 0 && form != Form::Json {
        say(&format!(
            "No event came of {described}.\n  hint: an event reacts to it where its `detect` asks `change.is_manual()`, and for this collection"
        ));
    }
    Ok(run::exit(&summary, None, stop.was_requested()))
}

/// A source of one change.
struct Once(Change);

impl Source for Once {
    fn name(&self) -> String {
        "command line".to_owned()
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        match intake.submit(self.0).await {
            Ok(_taken) => Ok(SourceEnd::Exhausted),
            // Without a ledger nothing else refuses it.
            Err(_stopping) => Ok(SourceEnd::Stopped { left: "the change".to_owned() }),
        }
    }
}
