//! What a server cannot be brought to do from outside.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_detector::{AfterImage, Change, Detector, Registry};
use event_detector_runtime::{
    Entry, Gap, Intake, JobRow, Ledger, Plugin, PluginResult, Receipt, Recorded, Recording, Recovered, Report, Runtime, Source,
    SourceEnd, SourceError, Sources, Unfinished,
};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use mongodb::Database;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::position::{Origin, Position};
use super::{Following, Images, MongoDb, Scope, Server, Watch};

/// A source on a server that cannot send an event in parts.
struct WithoutParts(MongoDb);

impl Source for WithoutParts {
    fn name(&self) -> String {
        self.0.name()
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        let watch = Watch { splits: false, ..Watch::new(&self.0.server, self.0.images) };
        Following::begin(self.0, intake, watch).await?.follow().await
    }
}

/// The server that all tests share, and a database of its own for one of them.
async fn database() -> Option<(Server, Database)> {
    let Some(uri) = std::env::var("MONGODB_URI").ok().filter(|uri| !uri.is_empty()) else {
        eprintln!("skipped: no MongoDB: MONGODB_URI is not set; `cargo xtask test` provides one");
        return None;
    };
    let server = Server::connect(&uri).await.unwrap();
    let database = server.client().database(&format!("test_{}", ObjectId::new().to_hex()));
    Some((server, database))
}

struct Collector(UnboundedSender<Arc<Change>>);

impl Plugin for Collector {
    async fn report(&self, report: &Report) -> PluginResult {
        let _nobody_asks = self.0.send(Arc::clone(&report.change));
        Ok(())
    }
}

#[tokio::test]
async fn an_event_that_is_too_large_comes_without_images_and_holds_up_nothing() {
    let Some((server, database)) = database().await else { return };
    let images = doc! { "create": "big", "changeStreamPreAndPostImages": { "enabled": true } };
    database.run_command(images).await.unwrap();
    let big = database.collection::<Document>("big");
    big.insert_one(doc! { "_id": 1, "pad": "x".repeat(9 * 1024 * 1024) }).await.unwrap();
    let scope = Scope::try_new(vec![database.name().to_owned()], vec![]).unwrap();
    let (tell, mut changes) = unbounded_channel();
    let never = Registry::try_new([Detector::new("never", |_| false)]).unwrap();
    let runtime = Runtime::builder(never).plugin(Collector(tell)).build().unwrap();
    let mut sources = Sources::default();
    sources.add(WithoutParts(MongoDb::new(server, scope).images(Images::Stored)));
    let writes = async {
        // The source may still be looking for its place.
        tokio::time::sleep(Duration::from_millis(500)).await;
        big.insert_one(doc! { "_id": 2 }).await.unwrap();
        for n in 1..=2 {
            big.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": n } }).await.unwrap();
            big.update_one(doc! { "_id": 2 }, doc! { "$set": { "n": n } }).await.unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < 5 {
            seen.push(timeout(Duration::from_secs(60), changes.recv()).await.expect("a change comes").unwrap());
        }
        seen
    };
    let seen = tokio::select! {
        _ = runtime.run(sources, std::future::pending(), |rejected| panic!("{rejected:?}")) => panic!("it goes on"),
        seen = writes => seen,
    };

    let told: Vec<_> =
        seen.iter().map(|change| (change.key().as_i64(), change.after("n").as_i64(), change.after_image())).collect();
    assert_eq!(
        told,
        [
            (Some(2), None, AfterImage::Exact),
            (Some(1), Some(1), AfterImage::None),
            (Some(2), Some(1), AfterImage::Exact),
            (Some(1), Some(2), AfterImage::None),
            (Some(2), Some(2), AfterImage::Exact),
        ]
    );
    database.drop().await.unwrap();
}

/// A ledger that has a position, and remembers what it is told of positions and gaps.
#[derive(Clone, Default)]
pub(super) struct Positions(pub(super) Arc<Mutex<Kept>>);

#[derive(Default)]
pub(super) struct Kept {
    pub(super) position: Option<Vec<u8>>,
    pub(super) gaps: Vec<Gap>,
    /// There is no space, so that what is noted waits, and this is told.
    pub(super) full: Option<Arc<Notify>>,
}

impl Ledger for Positions {
    fn record(&self, recording: Recording) -> Receipt<Recorded> {
        self.0.lock().unwrap().position = recording.position;
        async { Ok(Recorded::New { change: 1, jobs: Vec::new() }) }.boxed()
    }

    fn note(&self, _entries: Vec<(JobRow, Entry)>) -> Receipt<()> {
        let full = self.0.lock().unwrap().full.clone();
        async move {
            if let Some(full) = full {
                full.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(())
        }
        .boxed()
    }

    fn keep(&self, _source: &str, position: Vec<u8>) {
        self.0.lock().unwrap().position = Some(position);
    }

    fn position(&self, _source: &str) -> Receipt<Option<Vec<u8>>> {
        let position = self.0.lock().unwrap().position.clone();
        async { Ok(position) }.boxed()
    }

    fn gap(&self, gap: Gap) -> Receipt<()> {
        self.0.lock().unwrap().gaps.push(gap);
        async { Ok(()) }.boxed()
    }

    fn recover(&self) -> Receipt<Recovered> {
        async { Ok(Recovered::default()) }.boxed()
    }

    fn take_due(&self, _limit: usize) -> Receipt<Vec<Unfinished>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn wait_for_due(&self) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }

    fn close(&self) -> Receipt<()> {
        async { Ok(()) }.boxed()
    }
}

#[tokio::test]
async fn a_token_that_the_stream_does_not_have_is_answered_with_its_cluster_time_and_no_gap() {
    let Some((server, database)) = database().await else { return };
    let (moves, orders) = (database.collection::<Document>("moves"), database.collection::<Document>("orders"));
    moves.insert_one(doc! { "_id": 0 }).await.unwrap();
    let mut all = database.watch().await.unwrap();
    // The position is behind an event that the source does not watch for, as if its filter had changed unnoticed.
    orders.insert_one(doc! { "_id": 0 }).await.unwrap();
    let token = mongodb::bson::serialize_to_vec(&all.next().await.unwrap().unwrap().id).unwrap();
    let scope = Scope::try_new(vec![database.name().to_owned()], vec!["moves".to_owned()]).unwrap();
    let of = Origin { deployment: server.deployment().await, options: Watch::new(&server, Images::Computed).fingerprint(&scope) };
    let ledger = Positions::default();
    ledger.0.lock().unwrap().position = Some(of.at(&Position::Token(token)));
    let (tell, mut changes) = unbounded_channel();
    let never = Registry::try_new([Detector::new("never", |_| false)]).unwrap();
    let runtime = Runtime::builder(never).plugin(Collector(tell)).ledger(ledger.clone()).build().unwrap();
    let mut sources = Sources::default();
    sources.add(MongoDb::new(server, scope));

    let writes = async {
        for number in 1..=3 {
            moves.insert_one(doc! { "_id": number }).await.unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let change = timeout(Duration::from_secs(60), changes.recv()).await.expect("a change comes").unwrap();
            seen.push(change.key().as_i64());
        }
        seen
    };
    let seen = tokio::select! {
        ended = runtime.run(sources, std::future::pending(), |rejected| panic!("{rejected:?}")) => panic!("it goes on: {ended:?}"),
        seen = writes => seen,
    };

    assert_eq!(seen, [Some(1), Some(2), Some(3)]);
    assert_eq!(ledger.0.lock().unwrap().gaps, []);
    database.drop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_its_first_bytes() {
    let bytes = mongodb::bson::rawdoc! { "_id": { "_data": "82AA" }, "operationType": 7 };

    let problem = super::following::readable(bytes).unwrap_err();

    assert!(problem.contains("/operationType") && problem.contains("bytes begin with "), "{problem}");
}
