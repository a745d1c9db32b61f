//! How does a program of one's own watch a database? (The ready-made program does it with `run --mongodb URI --database NAME`.)
//!
//! `cargo xtask mongod -- cargo run -p event-detector-examples --bin mongodb_watch` gives it a server to watch.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use event_detector::{Change, Job, JobContext, Registry, event, job};
use event_detector_runtime::{Plugin, PluginResult, Report, Runtime, Sources};
use event_detector_sources::{MongoDb, Scope, Server};
use mongodb::bson::{Document, doc};
use tokio::sync::Notify;

/// A parcel reached its addressee.
#[event("parcel.delivered")]
pub mod delivered {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "parcels" && change.became("status", "delivered")
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![thank(change.after("addressee").to_string(), change.before("status").to_string())]
    }
}

/// Thanks the addressee, who knows where the parcel was before.
#[job]
async fn thank(_cx: JobContext, addressee: String, before: String) -> anyhow::Result<String> {
    Ok(format!("thanked {addressee}, whose parcel was {before}"))
}

/// Prints what came of each event, and says that one came.
struct Printer(Arc<Notify>);

impl Plugin for Printer {
    async fn report(&self, report: &Report) -> PluginResult {
        for job in report.jobs() {
            println!("{}: {}", report.events[0].name, job.result.clone().unwrap_or_default());
            self.0.notify_one();
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let uri = std::env::var("MONGODB_URI").context("MONGODB_URI does not name a replica set; `cargo xtask mongod` starts one")?;
    let server = Server::connect(&uri).await?;
    let database = server.client().database("event_detector_example");
    let scope = Scope::try_new(vec![database.name().to_owned()], vec!["parcels".to_owned()])?;
    // Without, what was before a change would be unknown.
    server.enable_images(&scope).await?;

    let printed = Arc::new(Notify::new());
    let runtime = Runtime::builder(Registry::from_linked()?).plugin(Printer(Arc::clone(&printed))).build()?;
    let mut sources = Sources::default();
    sources.add(MongoDb::new(server, scope));
    // Somebody delivers parcels, until one delivery was seen.
    let delivered = async {
        let parcels = database.collection::<Document>("parcels");
        for id in 0.. {
            let written = async {
                parcels.insert_one(doc! { "_id": id, "status": "on its way", "addressee": "Ana" }).await?;
                parcels.update_one(doc! { "_id": id }, doc! { "$set": { "status": "delivered" } }).await
            };
            if written.await.is_err() || tokio::time::timeout(Duration::from_millis(200), printed.notified()).await.is_ok() {
                break;
            }
        }
    };
    let summary = runtime.run(sources, delivered, |rejected| println!("{}: {}", rejected.place, rejected.error)).await;
    database.drop().await?;
    println!("{} jobs succeeded", summary.jobs_succeeded);
    Ok(())
}
