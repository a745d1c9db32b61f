//! How is the work of `{{job}}` done?

use event_detector::{JobContext, job};

/// Says which document it ran for; the work belongs here.
///
/// An error is tried again, unless it says `.fatal()`. Hand `cx.idempotency_key()` to whatever is
/// called, so that a second attempt has no second effect.
#[job(timeout = "30s", retries = 3)]
pub async fn {{job}}(cx: JobContext) -> anyhow::Result<String> {
    Ok(format!("Ran for {}", cx.change().key()))
}

#[cfg(test)]
mod tests {
    use event_detector::Change;

    use super::{{job}};
    use crate::testing::context;

    #[tokio::test]
    async fn it_says_which_document_it_ran_for() {
        let cx = context(Change::insert("things").key(7));

        let result = {{job}}().start(cx).await.unwrap();

        assert_eq!(result, "Ran for 7");
    }
}
