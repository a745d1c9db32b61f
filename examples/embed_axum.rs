//! How does a program that has a web server already take what Hasura sends? It merges one router into its own.
//!
//! Started without an argument it posts one payload to itself, prints the answer, and ends. With a port (`-- 8080`, or 0 for a
//! free one) it stays until Ctrl-C, for payloads of others.

use axum::Router;
use axum::routing::get;
use event_detector::{Change, Job, JobContext, Registry, event, job};
use event_detector_runtime::Runtime;
use event_detector_server::hasura;
use event_detector_server::testing::Sender;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Somebody signed up.
#[event("user.created")]
pub mod created {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "users" && change.is_insert()
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![welcome(change.after("name").to_string())]
    }
}

/// Welcomes a user.
#[job]
async fn welcome(_cx: JobContext, name: String) -> anyhow::Result<String> {
    Ok(format!("welcome, {name}"))
}

/// What Hasura posts when a row of `users` was inserted.
fn payload() -> Value {
    json!({
        "id": "0b5f4a52-3f0e-4c38-9c55-6d0b6a3f9e21",
        "created_at": "2026-11-21T10:00:00.000000Z",
        "event": { "op": "INSERT", "session_variables": null, "data": { "old": null, "new": { "id": 7, "name": "Ana" } } },
        "table": { "schema": "public", "name": "users" },
        "trigger": { "name": "users" },
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port: Option<u16> = std::env::args().nth(1).map(|port| port.parse()).transpose()?;
    let runtime = Runtime::builder(Registry::from_linked()?).build()?;

    // Nobody needs a passphrase here, so it is for this machine alone; `Hasura::try_new(runtime, settings)?.router()` asks for one.
    let app = Router::new().route("/", get(async || "this program's own page\n")).merge(hasura::router(runtime));

    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await?;
    let address = listener.local_addr()?;
    println!("event triggers post to http://{address}/hasura");

    let demonstration = async move {
        let delivery = Sender::new(address, "/hasura").deliver(payload()).await;
        match delivery.answer() {
            Some((status, report)) => println!("{status} {report}"),
            None => println!("not taken: {:?}", delivery.tries),
        }
    };
    let stop = async move {
        match port {
            None => demonstration.await,
            // Where it cannot be told to stop, it ends at once.
            Some(_) => tokio::signal::ctrl_c().await.unwrap_or_default(),
        }
    };
    // Requests in flight are answered first. Work that was answered with 202 does not outlive the program; `Server` waits for it.
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}
