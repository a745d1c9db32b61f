//! How do jobs speak HTTP, and which failures are worth another attempt?

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use event_detector::{Fatal, JobContext};
use once_cell::sync::Lazy;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

/// How much of a refusal's text is read and shown.
const REASON_BYTES: usize = 200;

/// How long a refusal's text is waited for; its status alone says enough.
const REASON_TIME: Duration = Duration::from_secs(1);

/// One client for all jobs: it keeps connections. It has no timeout, because every attempt of a job has one.
static CLIENT: Lazy<Client> = Lazy::new(|| {
    // An error says that the program has a provider already, which will do.
    let _already_there = rustls::crypto::ring::default_provider().install_default();
    // The proxy variables of the environment would send the changes past the addresses that the configuration names.
    let client = || Client::builder().user_agent("event-detector").redirect(Policy::none()).no_proxy();
    // Without root certificates on the machine plain HTTP still works, and HTTPS trusts nobody.
    client().build().or_else(|_| client().tls_certs_only([]).build()).expect("no certificate is read, so nothing can fail")
});

/// POSTs `body` as JSON, with the job's idempotency key in the header `idempotency-key` and, where the change is a step of a
/// trace, that in the header `traceparent`.
///
/// # Errors
///
/// A refusal (a status from 300 to 499 other than 408 and 429) and a URL that is none are fatal. Other statuses from 500
/// and a failed connection are worth another attempt. The message names the host, never the rest of the URL.
pub(crate) async fn post(cx: &JobContext, url: &str, body: &serde_json::Value) -> anyhow::Result<()> {
    let url = parse(url).fatal()?;
    let place = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let mut request = CLIENT.post(url).header("idempotency-key", cx.idempotency_key()).json(body);
    if let Some(trace) = cx.change().traceparent() {
        request = request.header("traceparent", trace);
    }
    let response = request.send().await.map_err(|error| anyhow!("{} ({place})", root_cause(&error)))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let hint = if status.is_redirection() { "; redirects are not followed, so give the final URL" } else { "" };
    let error = anyhow!("{place} answered {status}{}{hint}", reason(response).await);
    if may_pass(status) { Err(error) } else { Err(error.fatal()) }
}

/// The host of `url`, the only part that is safe to show.
pub(crate) fn host(url: &str) -> Cow<'static, str> {
    match parse(url) {
        Ok(url) => url.host_str().unwrap_or_default().to_owned().into(),
        Err(_) => "not a URL".into(),
    }
}

fn parse(url: &str) -> anyhow::Result<Url> {
    let url = Url::parse(url).context("this is not a URL")?;
    ensure!(matches!(url.scheme(), "http" | "https"), "`{}:` is not supported; give an `http:` or `https:` URL", url.scheme());
    Ok(url)
}

/// Whether the same request may succeed later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// The first line of a refusal's text, with a colon before it; nothing where there is none, or a page of HTML.
async fn reason(mut response: Response) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < REASON_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            bytes.extend_from_slice(&chunk);
        }
    };
    let _slow_text_is_cut = tokio::time::timeout(REASON_TIME, read).await;
    bytes.truncate(REASON_BYTES);
    match String::from_utf8_lossy(&bytes).trim().lines().next() {
        None => String::new(),
        Some(line) if line.starts_with('<') => String::new(),
        Some(line) => format!(": {}", line.escape_debug()),
    }
}

/// What really went wrong, short; reqwest's own text would show the whole URL.
fn root_cause(error: &reqwest::Error) -> String {
    let Some(mut root) = error.source() else { return "the request failed".to_owned() };
    while let Some(cause) = root.source() {
        root = cause;
    }
    match root.downcast_ref::<io::Error>() {
        // The kind's words are the same on every system and carry no number.
        Some(cause) if cause.raw_os_error().is_some() => cause.kind().to_string(),
        _ => root.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, is_fatal};
    use serde_json::json;

    use super::post;
    use crate::testing::{Server, context};

    async fn error_of(url: &str) -> anyhow::Error {
        let cx = context(Change::insert("moves"));
        post(&cx, url, &json!({})).await.unwrap_err()
    }

    async fn error_after(status: &'static str, body: &'static str) -> anyhow::Error {
        let server = Server::answering(status, body).await;
        error_of(&server.url("/")).await
    }

    #[tokio::test]
    async fn a_refusal_is_fatal() {
        for status in
            ["400 Bad Request", "401 Unauthorized", "404 Not Found", "422 Unprocessable Entity", "308 Permanent Redirect"]
        {
            let error = error_after(status, "").await;

            assert!(is_fatal(&error) && error.to_string().contains(status), "{error:#}");
        }
    }

    #[tokio::test]
    async fn what_may_pass_is_not() {
        for status in ["408 Request Timeout", "429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"] {
            let error = error_after(status, "").await;

            assert!(!is_fatal(&error) && error.to_string().contains(status), "{error:#}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let error = error_after("301 Moved Permanently\r\nlocation: /elsewhere", "").await;

        assert!(error.to_string().contains("redirects are not followed"), "{error:#}");
    }

    #[tokio::test]
    async fn a_refusal_shows_the_first_line_of_its_text_escaped() {
        let error = error_after("422 Unprocessable Entity", "unknown \x1b[31mmove\nand more").await;

        assert!(error.to_string().ends_with(r"422 Unprocessable Entity: unknown \u{1b}[31mmove"), "{error:#}");
    }

    #[tokio::test]
    async fn a_refusal_with_a_page_of_html_shows_the_status_alone() {
        let error = error_after("502 Bad Gateway", "<html>nginx</html>").await;

        assert!(error.to_string().ends_with("answered 502 Bad Gateway"), "{error:#}");
    }

    #[tokio::test]
    async fn a_refused_connection_is_told_in_three_words_without_any_secret() {
        let error = error_of("http://user:s3cr3t@127.0.0.1:9/hook?token=s3cr3t").await;

        assert!(!is_fatal(&error));
        assert_eq!(format!("{error:#}"), "connection refused (127.0.0.1:9)");
    }

    #[tokio::test]
    async fn a_connection_that_breaks_before_the_answer_may_pass() {
        let server = Server::hanging_up().await;

        let error = error_of(&server.url("/")).await;

        assert!(!is_fatal(&error), "{error:#}");
        assert!(error.to_string().starts_with("connection "), "{error:#}");
    }

    #[tokio::test]
    async fn what_is_no_url_is_fatal_and_not_repeated() {
        for url in ["s3cr3t", "http://", "ftp://user:s3cr3t@example.com/"] {
            let error = error_of(url).await;

            assert!(is_fatal(&error) && !format!("{error:?} {error:#}").contains("s3cr3t"), "{error:#}");
        }
    }
}
