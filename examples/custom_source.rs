//! How do changes come in from anywhere else? A source hands them to its intake until there are no more, or it is told to stop.
//!
//! Here it feeds a runtime of our own; the ready-made program takes it with `App::default().source(…)`, for `run`.

use event_detector::{Change, Registry, event};
use event_detector_runtime::{Intake, Runtime, Source, SourceEnd, SourceError, Sources};
use tokio::sync::mpsc;

/// A parcel reached its addressee.
#[event("parcel.delivered")]
pub mod delivered {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "parcels" && change.became("status", "delivered")
    }
}

/// A queue whose messages are changes as JSON.
struct Queue {
    messages: mpsc::Receiver<String>,
}

impl Source for Queue {
    fn name(&self) -> String {
        "queue".to_owned()
    }

    async fn run(mut self, intake: Intake) -> Result<SourceEnd, SourceError> {
        for nth in 1_u64.. {
            let message = tokio::select! {
                () = intake.stopping() => break,
                message = self.messages.recv() => message,
            };
            let Some(message) = message else { return Ok(SourceEnd::Exhausted) };
            match Change::from_json(message) {
                Err(error) => intake.reject(format!("message {nth}"), error),
                // This waits while too many changes are in flight.
                Ok(change) => {
                    if intake.submit(change).await.is_err() {
                        break;
                    }
                }
            }
        }
        Ok(SourceEnd::Stopped { left: "the rest of the queue".to_owned() })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (sender, messages) = mpsc::channel(16);
    for status in ["packed", "delivered"] {
        let message = format!(r#"{{"operation":"insert","collection":"parcels","after":{{"id":5,"status":"{status}"}}}}"#);
        sender.send(message).await?;
    }
    sender.send("no change at all".to_owned()).await?;
    drop(sender);

    let mut sources = Sources::default();
    sources.add(Queue { messages });
    let runtime = Runtime::builder(Registry::from_linked()?).build()?;
    let never = std::future::pending();
    let summary = runtime.run(sources, never, |rejected| println!("{}: {}", rejected.place, rejected.error)).await;

    println!("changes: {}, events: {}, rejected: {}", summary.changes, summary.events, summary.rejected);
    Ok(())
}
