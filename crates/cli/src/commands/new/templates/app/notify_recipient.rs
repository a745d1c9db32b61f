//! How does the recipient learn that a parcel was delivered?

use anyhow::Context;
use event_detector::{Fatal, JobContext, job};

/// Tells the recipient that the parcel is there.
///
/// It only says so: call the mail service here. An error is tried again, unless it says `.fatal()`;
/// hand `cx.idempotency_key()` to the service, so that a second attempt sends no second mail.
#[job(timeout = "30s", retries = 3)]
pub async fn notify_recipient(cx: JobContext, recipient: Option<String>) -> anyhow::Result<String> {
    let recipient = recipient.context("the parcel names no recipient").fatal()?;
    Ok(format!("Told {recipient} that parcel {} is there", cx.change().key()))
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, is_fatal};

    use super::notify_recipient;
    use crate::testing::context;

    #[tokio::test]
    async fn it_names_the_recipient_and_the_parcel() {
        let cx = context(Change::update("parcels").key(7));

        let result = notify_recipient(Some("Ana".to_owned())).start(cx).await.unwrap();

        assert_eq!(result, "Told Ana that parcel 7 is there");
    }

    #[tokio::test]
    async fn without_a_recipient_there_is_no_use_in_trying_again() {
        let cx = context(Change::update("parcels").key(7));

        let error = notify_recipient(None).start(cx).await.unwrap_err();

        assert!(is_fatal(&error), "{error:#}");
    }
}
