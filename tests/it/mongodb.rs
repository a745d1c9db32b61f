//! What works against a real MongoDB? `cargo xtask test` provides one, and the program to start others.

mod check;
mod event_log;
mod failover;
mod following;
mod history;
mod images;
mod random;
mod resuming;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{Document, doc};
use ::mongodb::{Client, Collection, Database};
use event_detector::{Change, Detector, Registry};
use event_detector_runtime::{Builder, Plugin, PluginResult, Report, Runtime, Sources, Summary};
use event_detector_sources::{Images, MongoDb, Scope, Server};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use xtask::mongod::{Deployment, Options, Program};

/// What a busy machine may need for anything.
const LONG: Duration = Duration::from_secs(60);

/// The address of the server that all tests share; without one the test says so and ends.
pub(crate) fn uri() -> Option<String> {
    let uri = env::var("MONGODB_URI").ok().filter(|uri| !uri.is_empty());
    if uri.is_none() {
        eprintln!("skipped: no MongoDB: MONGODB_URI is not set; `cargo xtask test` provides one");
    }
    uri
}

/// Servers of a test's own; where none can be started, the test says so and ends.
pub(crate) fn deployment(options: &Options) -> Option<Deployment> {
    let Some(program) = Program::from_env() else {
        eprintln!("skipped: no MongoDB: MONGOD does not name a program; `cargo xtask test` provides one");
        return None;
    };
    Some(Deployment::start(&program, options).unwrap_or_else(|failure| panic!("{failure}")))
}

/// A server of a test's own whose cache has space for large documents: with that of the others, a write of one stands still for
/// minutes, now and then.
pub(crate) fn spacious() -> Option<Deployment> {
    let arguments = ["--wiredTigerEngineConfigString", "cache_size=1GB"].map(str::to_owned).into();
    deployment(&Options { arguments, ..Options::default() })
}

/// A database of its own for one test, or nothing where there is no server.
pub(crate) async fn database() -> Option<Database> {
    let client = Client::with_uri_str(uri()?).await.expect("MONGODB_URI is a valid address");
    Some(client.database(&format!("test_{}", ObjectId::new().to_hex())))
}

/// A collection that stores the documents before its changes.
pub(crate) async fn with_images(database: &Database, name: &str) -> Collection<Document> {
    database.run_command(doc! { "create": name, "changeStreamPreAndPostImages": { "enabled": true } }).await.unwrap();
    database.collection(name)
}

fn scope(database: &str, collections: &[&str]) -> Scope {
    Scope::try_new(vec![database.to_owned()], collections.iter().map(|name| (*name).to_owned()).collect()).unwrap()
}

/// A source that runs, and what it brings.
struct Watching {
    changes: mpsc::UnboundedReceiver<Arc<Change>>,
    stop: Arc<Notify>,
    run: JoinHandle<Summary>,
    runtime: Runtime,
}

/// Passes every change on.
struct Collector(mpsc::UnboundedSender<Arc<Change>>);

impl Plugin for Collector {
    async fn report(&self, report: &Report) -> PluginResult {
        let _nobody_asks = self.0.send(Arc::clone(&report.change));
        Ok(())
    }
}

/// Waits until a source of the runtime knows where it begins: then it says how far behind it is.
async fn begun(runtime: &Runtime) {
    let begins = async {
        while !runtime.metrics().figures().iter().any(|figure| figure.name == "detector_source_lag_seconds") {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, begins).await.expect("the source begins");
}

impl Watching {
    /// Watches a database of the deployment at `uri`, from now on.
    async fn start(uri: &str, scope: Scope, images: Images) -> Self {
        let server = Server::connect(uri).await.unwrap_or_else(|error| panic!("{error}"));
        Self::with(MongoDb::new(server, scope).images(images)).await
    }

    /// Watches all collections of `database`, on the server that all tests share.
    async fn all(database: &Database, images: Images) -> Self {
        Self::start(&uri().unwrap(), scope(database.name(), &[]), images).await
    }

    async fn with(source: MongoDb) -> Self {
        let registry = Registry::try_new([Detector::new("never", |_| false)]).unwrap();
        Self::run(Runtime::builder(registry), source).await
    }

    async fn run(runtime: Builder, source: MongoDb) -> Self {
        let (tell, changes) = mpsc::unbounded_channel();
        let mut sources = Sources::default();
        sources.add(source);
        let stop = Arc::new(Notify::new());
        let runtime = runtime.plugin(Collector(tell)).build().unwrap();
        let run = tokio::spawn({
            let (stop, runtime) = (Arc::clone(&stop), runtime.clone());
            async move { runtime.run(sources, async { stop.notified().await }, |rejected| panic!("{rejected:?}")).await }
        });
        begun(&runtime).await;
        Self { changes, stop, run, runtime }
    }

    async fn next(&mut self) -> Arc<Change> {
        timeout(LONG, self.changes.recv()).await.expect("a change comes").expect("the source runs")
    }

    /// The next change of a document; what is told of whole collections is passed over.
    async fn next_of_documents(&mut self) -> Arc<Change> {
        loop {
            let change = self.next().await;
            if change.is_insert() || change.is_update() || change.is_delete() {
                return change;
            }
        }
    }

    /// Stops the source; what it came to.
    async fn stopped(self) -> Summary {
        self.stop.notify_one();
        timeout(LONG, self.run).await.expect("it stops").unwrap()
    }
}

/// The document after a change.
fn after(change: &Change) -> Document {
    change.after_document().unwrap_or_else(|| panic!("there is no document after {:?}", change.to_json())).try_into().unwrap()
}
