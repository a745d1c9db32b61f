//! How does somebody ask for an event by hand?

use event_detector::Change;
use event_detector_runtime::Report;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::Program;
use crate::console::{Console, Form, describe};
use crate::exit::{Exit, Failure};

/// Handles a MANUAL change, and waits for its jobs.
pub(crate) async fn emit(
    program: Program,
    collection: &str,
    data: Value,
    database: &str,
    session: Vec<(String, String)>,
    correlation_id: Option<String>,
) -> Result<Exit, Failure> {
    let session: Map<String, Value> = session.into_iter().map(|(name, value)| (name, value.into())).collect();
    let change = json!({
        "id": Uuid::now_v7().to_string(), "operation": "manual", "database": database, "collection": collection, "after": data, "session": session,
    });
    let mut change = Change::from_json(change.to_string())
        .map_err(|error| Failure::new(Exit::BadData, error))?
        .with_source("command line");
    if let Some(id) = correlation_id {
        change = change.with_correlation_id(id);
    }
    let form = Form::choose(&program.options);
    let runtime = program.runtime(Console::new(form))?;
    let report: Report = runtime.handle(change).await;
    if report.events.is_empty() && form != Form::Json {
        anstream::eprintln!("{} is no event of this program; `detect --verbose` shows why", describe(&report.change));
    }
    let clean = report.jobs().all(|job| job.completed()) && report.events.iter().all(|event| event.error.is_none());
    Ok(if clean { Exit::Success } else { Exit::Failed })
}
