//! How does accounts receivable learn that a move has to be billed again?

use anyhow::Context;
use event_detector::{Fatal, JobContext, job};
use serde_json::json;

use crate::http;

/// Runs accounts receivable for one move again.
///
/// POSTs `{"move_id": …}` to the URL that the context calls `rerun_ar_url`. The request carries the header
/// `idempotency-key`, so that a second attempt is no second run.
#[job(timeout = "30s", retries = 3)]
pub async fn rerun_ar(cx: JobContext, move_id: Option<i64>) -> anyhow::Result<String> {
    let move_id = move_id.context("the move has no integer id; pass one, e.g. `change.key().as_i64()`").fatal()?;
    let url = cx.context("rerun_ar_url").as_str();
    let url = url.context("accounts receivable has no URL; inject `rerun_ar_url` into the context").fatal()?;
    http::post(&cx, &url, &json!({ "move_id": move_id })).await?;
    Ok(format!("You ran AR for move {move_id}"))
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, is_fatal};

    use super::rerun_ar;
    use crate::testing::{Server, context};

    #[tokio::test]
    async fn it_posts_the_id_under_the_key_of_the_job() {
        let server = Server::answering("200 OK", "").await;
        let cx = context(Change::update("moves").context("rerun_ar_url", server.url("/ar")));

        let result = rerun_ar(Some(13107)).start(cx.clone()).await.unwrap();

        assert_eq!(result, "You ran AR for move 13107");
        let request = server.request().await;
        assert!(request.head.starts_with("POST /ar HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(request.header("idempotency-key"), Some(cx.idempotency_key().as_str()));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.body, r#"{"move_id":13107}"#);
    }

    #[tokio::test]
    async fn a_missing_id_or_url_is_fatal_and_names_the_cure() {
        let cases = [
            (Change::update("moves").context("rerun_ar_url", "http://127.0.0.1:9"), None, "change.key()"),
            (Change::update("moves"), Some(1), "`rerun_ar_url`"),
            (Change::update("moves").context("rerun_ar_url", 5), Some(1), "`rerun_ar_url`"),
        ];
        for (change, move_id, cure) in cases {
            let error = rerun_ar(move_id).start(context(change)).await.unwrap_err();

            assert!(is_fatal(&error) && error.to_string().contains(cure), "{error:#}");
        }
    }
}
