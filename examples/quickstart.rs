//! An event, a job, and the ready-made program around both. Try it with `demo`.

use event_detector::{Change, Job, JobContext, event, job};

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
        vec![send_invoice(change.after("customer").to_string())]
    }
}

/// Sends the invoice for the move to its customer.
#[job(timeout = "30s", retries = 3)]
async fn send_invoice(cx: JobContext, customer: String) -> anyhow::Result<String> {
    Ok(format!("Sent the invoice for move {} to {customer}", cx.change().key()))
}

/// A recorded change: what `demo` plays.
const CHANGE: &str = concat!(
    r#"{"operation":"update","collection":"moves","before":{"id":13107,"status":"en route"},"#,
    r#""after":{"id":13107,"status":"pickup successful","customer":"Ana"}}"#,
);

fn main() -> std::process::ExitCode {
    event_detector_cli::App::default().demo(CHANGE).main()
}
