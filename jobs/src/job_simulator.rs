//! How is an event tried out before its real work exists?

use std::time::Duration;

use event_detector::{JobContext, job};

/// Waits, and answers that `message` is complete.
#[job]
pub async fn job_simulator(_cx: JobContext, delay: Duration, message: &'static str) -> anyhow::Result<String> {
    tokio::time::sleep(delay).await;
    Ok(format!("{message} complete!"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use event_detector::Change;

    use super::job_simulator;
    use crate::testing::context;

    #[tokio::test(start_paused = true)]
    async fn it_answers_once_its_time_is_over() {
        let cx = context(Change::insert("moves"));
        let before = tokio::time::Instant::now();

        let result = job_simulator(Duration::from_secs(3), "Job 1").start(cx).await.unwrap();

        assert_eq!(result, "Job 1 complete!");
        assert_eq!(before.elapsed(), Duration::from_secs(3));
    }
}
