//! How does a program add to every change, and watch what comes of it? A plugin implements the hooks it needs.
//!
//! Here it joins a runtime of our own; the ready-made program takes it with `App::default().plugin(…)`.

use event_detector::{Change, Job, JobContext, Registry, event, job};
use event_detector_runtime::{JobReport, Plugin, PluginResult, Problem, Runtime};
use serde_json::json;

/// An invoice was paid.
#[event("invoice.paid")]
pub mod paid {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "invoices" && change.became("paid", true)
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![book(), print_receipt()]
    }
}

/// Books the payment in the ledger of the region.
#[job]
async fn book(cx: JobContext) -> anyhow::Result<String> {
    Ok(format!("booked in {}", cx.context("region")))
}

/// Prints a receipt, on a printer that has run out of paper.
#[job]
async fn print_receipt(_cx: JobContext) -> anyhow::Result<()> {
    anyhow::bail!("out of paper")
}

/// Tells every change its region, and writes down what its jobs came to.
struct Journal {
    region: &'static str,
}

impl Plugin for Journal {
    async fn change(&self, change: &mut Change) -> PluginResult {
        change.add_context("region", self.region);
        Ok(())
    }

    async fn job_ended(&self, change: &Change, event: &str, job: &JobReport) -> PluginResult {
        println!("{event} {}: {} {:?}", change.key(), job.name, job.status);
        Ok(())
    }

    async fn error(&self, _change: &Change, problem: &Problem) -> PluginResult {
        if let Problem::Job { job, .. } = problem {
            println!("somebody should look after {}: {}", job.name, job.error.as_deref().unwrap_or("no reason given"));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runtime = Runtime::builder(Registry::from_linked()?).plugin(Journal { region: "eu" }).build()?;

    let change = Change::update("invoices").before(json!({ "id": 7, "paid": false })).after(json!({ "id": 7, "paid": true }));
    let report = runtime.handle(change).await;

    println!("{}", report.events[0].jobs[0].result.clone().unwrap_or_default());
    Ok(())
}
