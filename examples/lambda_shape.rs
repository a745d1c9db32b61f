//! How does a function of a cloud take what Hasura sends? One JSON event in, one JSON response out, and no server at all.
//!
//! The JSON is that of an API gateway (payload format 2.0). It stands below; `-- -` reads another from standard input.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use axum::body::Bytes;
use axum::http::Request;
use base64::{Engine, engine::general_purpose::STANDARD};
use event_detector::{Change, Registry, event};
use event_detector_runtime::{Config, Runtime};
use event_detector_server::hasura::{Hasura, Settings};
use serde::Deserialize;
use serde_json::{Value, json};

/// An invoice is overdue.
#[event("invoice.overdue")]
pub mod overdue {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "invoices" && change.became("status", "overdue")
    }
}

/// What of the gateway's event makes a request. The query is left out: `?wait=false` would answer before the work is done.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    raw_path: String,
    request_context: RequestContext,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

/// What the cloud calls, as often as it likes, with a receiver that is built once.
async fn handler(hasura: &Hasura, event: Event) -> anyhow::Result<Value> {
    let mut request = Request::builder().method(event.request_context.http.method.as_str()).uri(event.raw_path);
    for (name, value) in event.headers {
        request = request.header(name, value);
    }
    let body = if event.is_base64_encoded { STANDARD.decode(event.body)? } else { event.body.into_bytes() };

    let response = hasura.handle_http(request.body(Bytes::from(body))?).await;

    let headers = response.headers().iter().map(|(name, value)| Ok((name.as_str(), value.to_str()?)));
    Ok(json!({
        "statusCode": response.status().as_u16(),
        "headers": headers.collect::<anyhow::Result<BTreeMap<_, _>>>()?,
        "body": str::from_utf8(response.body())?,
        "isBase64Encoded": false,
    }))
}

const EVENT: &str = r#"{
    "version": "2.0",
    "rawPath": "/hasura/invoices",
    "headers": { "content-type": "application/json", "x-passphrase": "only for this example" },
    "requestContext": { "http": { "method": "POST", "path": "/hasura/invoices" } },
    "body": "{\"id\":\"5d9c2c1e-77f5-4b0a-8f3b-1f3f0c6f2a11\",\"created_at\":\"2026-11-21T10:00:00Z\",\"table\":{\"schema\":\"public\",\"name\":\"invoices\"},\"event\":{\"op\":\"UPDATE\",\"data\":{\"old\":{\"id\":7,\"status\":\"sent\"},\"new\":{\"id\":7,\"status\":\"overdue\"}}}}",
    "isBase64Encoded": false
}"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let event = match std::env::args().nth(1).as_deref() {
        Some("-") => std::io::read_to_string(std::io::stdin())?,
        _ => EVENT.to_owned(),
    };

    // A gateway waits for 30 seconds, and a function sleeps once it has answered: all work must be done or cut before.
    let config = Config { change_deadline: Some(Duration::from_secs(25)), ..Config::default() };
    let runtime = Runtime::builder(Registry::from_linked()?).config(config).build()?;
    let settings = Settings {
        // A real one comes out of the environment, or out of the cloud's store of secrets.
        passphrases: vec!["only for this example".into()],
        answer_within: Duration::MAX,
        ..Settings::default()
    };
    let hasura = Hasura::try_new(runtime, settings)?;

    println!("{}", handler(&hasura, serde_json::from_str(&event).context("not an event of an API gateway")?).await?);
    Ok(())
}
