//! What do two crates of events both have done?

use event_detector::{JobContext, job};

/// Charges an account.
#[job]
pub async fn charge(_cx: JobContext, amount: i64) -> anyhow::Result<String> {
    Ok(format!("charged {amount}"))
}
