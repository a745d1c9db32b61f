//! How does another program learn of an event?

use std::borrow::Cow;
use std::fmt;

use anyhow::Context;
use event_detector::{Fatal, JobContext, Value, job};
use serde_json::json;

use crate::http;

/// Tells another program of the event.
///
/// POSTs `{"event": …, "correlation_id": …, "change": …}` with the header `idempotency-key`, and `traceparent` where Hasura
/// named the trace. The change goes without its session and context, which are nobody else's business.
#[job(timeout = "30s", retries = 3)]
pub async fn post_webhook(cx: JobContext, url: WebhookUrl) -> anyhow::Result<String> {
    let url = url.0.context("the webhook has no URL; inject one into the context, e.g. as `webhook_url`").fatal()?;
    let mut change = cx.change().to_json().cloned().context("the bytes of the change cannot be read").fatal()?;
    for private in ["session", "context"] {
        change.as_object_mut().expect("a change is a JSON object").remove(private);
    }
    let body = json!({ "event": cx.event(), "correlation_id": cx.correlation_id(), "change": change });
    http::post(&cx, &url, &body).await?;
    Ok(format!("Posted {} to {}", cx.event(), http::host(&url)))
}

/// Where a webhook goes, if anybody said.
///
/// Reports show its host and nothing else: what comes before and behind is often a secret.
#[derive(Clone)]
pub struct WebhookUrl(Option<String>);

/// The URL in a context's value, as in `post_webhook(change.context("webhook_url").into())`.
impl From<Value<'_>> for WebhookUrl {
    fn from(value: Value<'_>) -> Self {
        Self(value.as_str().map(Cow::into_owned))
    }
}

impl From<&str> for WebhookUrl {
    fn from(url: &str) -> Self {
        Self(Some(url.to_owned()))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.as_deref().map_or(Cow::Borrowed("none"), http::host))
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, is_fatal};
    use serde_json::{Value, json};

    use super::post_webhook;
    use crate::testing::{Server, context};

    #[tokio::test]
    async fn it_posts_the_event_and_the_change_without_session_and_context() {
        let server = Server::answering("204 No Content", "").await;
        let change = Change::insert("orders").id("c1").after(json!({ "id": 7, "amount": 4200 }));
        let change = change.session("x-hasura-role", "clerk").context("webhook_url", server.url("/hook?token=s3cr3t"));
        let cx = context(change);

        let job = post_webhook(cx.context("webhook_url").into());
        let result = job.start(cx.clone()).await.unwrap();

        assert_eq!(result, "Posted test.event to 127.0.0.1");
        let request = server.request().await;
        assert!(request.head.starts_with("POST /hook?token=s3cr3t HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(request.header("idempotency-key"), Some(cx.idempotency_key().as_str()));
        assert_eq!(request.header("traceparent"), None);
        let expected = json!({
            "event": "test.event",
            "correlation_id": cx.correlation_id(),
            "change": {
                "id": "c1", "collection": "orders", "operation": "insert", "key": 7,
                "before": null, "after": { "id": 7, "amount": 4200 },
            },
        });
        assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), expected);
    }

    #[tokio::test]
    async fn the_trace_of_the_change_goes_on() {
        let server = Server::answering("204 No Content", "").await;
        let payload = json!({
            "id": "c2", "table": { "name": "orders" },
            "event": {
                "op": "INSERT", "data": { "new": { "id": 7 } },
                "trace_context": { "trace_id": "2c7fd10b6e95a843", "span_id": "b4e9028fc7163da5" },
            },
        });
        let cx = context(Change::from_json(payload.to_string()).unwrap());

        post_webhook(server.url("/").as_str().into()).start(cx).await.unwrap();

        let trace = "00-00000000000000002c7fd10b6e95a843-b4e9028fc7163da5-01";
        assert_eq!(server.request().await.header("traceparent"), Some(trace));
    }

    #[test]
    fn its_report_shows_the_host_of_the_url_and_no_secret() {
        let shown = |url: &str| post_webhook(url.into()).options()[0].value.clone();

        assert_eq!(shown("https://user:s3cr3t@hooks.example.com/s3cr3t?key=s3cr3t"), "hooks.example.com");
        assert_eq!(shown("s3cr3t"), "not a URL");
    }

    #[tokio::test]
    async fn a_missing_url_is_fatal_and_names_the_cure() {
        let cx = context(Change::insert("orders"));

        let error = post_webhook(cx.context("webhook_url").into()).start(cx).await.unwrap_err();

        assert!(is_fatal(&error) && error.to_string().contains("`webhook_url`"), "{error:#}");
    }
}
