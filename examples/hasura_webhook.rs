//! What do Hasura and its receiver say to each other? Here are both: passphrases, repeats, refusals and second tries.
//!
//! The sender behaves as Hasura's event triggers do: in no order, the same event twice, again where it is told to come again.
//! `detector run --listen` is this receiver ready-made, with its settings in `detector.toml`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use event_detector::{Change, Job, JobContext, Registry, event, job};
use event_detector_runtime::{Config, Runtime};
use event_detector_server::hasura::{Hasura, Settings};
use event_detector_server::testing::{Delivery, RetryConf, Sender, Try};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// An order was placed.
#[event("order.placed")]
pub mod placed {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "orders" && change.is_insert()
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![pack(change.after("item").to_string())]
    }
}

/// Any row was written; the trigger of this receiver does not name it.
#[event("row.written")]
pub mod written {
    fn detect(change: &super::Change) -> bool {
        !change.is_delete()
    }
}

/// Packs an order, as soon as the warehouse is open.
#[job]
async fn pack(cx: JobContext, item: String) -> anyhow::Result<String> {
    let _open = cx.state::<Arc<Semaphore>>()?.acquire().await?;
    println!("handled {}: packed {item}", cx.change().id());
    Ok(format!("packed {item}"))
}

/// What Hasura posts when the order `number` was inserted.
fn payload(number: u64) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{number:012}"),
        "created_at": "2026-11-21T10:00:00.000000Z",
        "event": { "op": "INSERT", "data": { "old": null, "new": { "id": number, "item": format!("book {number}") } } },
        "table": { "schema": "public", "name": "orders" },
        "trigger": { "name": "orders" },
    })
}

fn print(Delivery { id, tries }: &Delivery) {
    for one in tries {
        match one {
            Try::Answered { status, body } => println!("sent {id}: {status} {body}"),
            Try::Failed(problem) => println!("sent {id}: {problem}"),
        }
    }
}

/// A layer of this program around the receiver: the warehouse opens when somebody is told to come again.
async fn open_late(State(warehouse): State<Arc<Semaphore>>, request: Request, next: Next) -> axum::response::Response {
    let response = next.run(request).await;
    if response.headers().contains_key("retry-after") {
        warehouse.add_permits(1);
    }
    response
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let warehouse = Arc::new(Semaphore::new(0));
    let mut state = event_detector::State::default();
    state.insert(Arc::clone(&warehouse));
    let config = Config { admitted: 3, ..Config::default() };
    let runtime = Runtime::builder(Registry::from_linked()?).config(config).state(state).build()?;
    let settings = Settings {
        // Real ones come out of the environment; two are valid while Hasura changes from one to the other.
        passphrases: vec!["the old one".into(), "the new one".into()],
        triggers: [("orders".to_owned(), vec!["order.*".to_owned()])].into(),
        ..Settings::default()
    };
    let app = Hasura::try_new(runtime, settings)?.router().layer(from_fn_with_state(warehouse, open_late));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    let conversation = async move {
        let retry = RetryConf { num_retries: 1, interval: Duration::from_millis(10), ..RetryConf::default() };
        let sender = |path| Sender::new(address, path).retry(retry.clone());

        println!("# A stranger is refused, and tries as often as it may.");
        print(&sender("/hasura/orders").header("x-passphrase", "a guess").deliver(payload(1)).await);

        println!("# Three events, each sent twice and in no order, are taken at once; repeats join what is in flight.");
        let at_once = sender("/hasura/orders?wait=false").header("x-passphrase", "the old one");
        at_once.deliver_all((1..=3).map(payload).collect(), 4, 1).await.iter().for_each(print);

        println!("# There is room for three, so the fourth is told when to come again. Then it waits for its report.");
        print(&sender("/hasura/orders").header("x-passphrase", "the new one").deliver(payload(4)).await);
    };
    axum::serve(listener, app).with_graceful_shutdown(conversation).await?;
    Ok(())
}
