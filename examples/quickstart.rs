//! An event, a job, and a change that runs through both.

use event_detector::{Change, Job, JobContext, Registry, event, job};
use event_detector_runtime::Runtime;
use serde_json::json;

/// The vehicle was handed over to the driver.
#[event("move.pickup.successful")]
pub mod successful {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "moves"
            && change.is_update()
            && change.column_changed("status")
            && change.after("status") == "pickup successful"
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![tell_customer(change.after("customer").to_string())]
    }
}

/// Tells the customer that the vehicle is on its way.
#[job(timeout = "30s", retries = 3)]
async fn tell_customer(cx: JobContext, customer: String) -> anyhow::Result<String> {
    Ok(format!("Told {customer} that move {} is on its way", cx.change().key()))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runtime = Runtime::builder(Registry::from_linked()?).build()?;
    let change = Change::update("moves")
        .before(json!({ "id": 13107, "customer": "Ana", "status": "en route" }))
        .after(json!({ "id": 13107, "customer": "Ana", "status": "pickup successful" }));
    let report = runtime.handle(change).await;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
