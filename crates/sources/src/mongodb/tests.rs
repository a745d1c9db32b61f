//! What a server cannot be brought to do from outside.

use std::sync::Arc;
use std::time::Duration;

use event_detector::{AfterImage, Change, Detector, Registry};
use event_detector_runtime::{Intake, Plugin, PluginResult, Report, Runtime, Source, SourceEnd, SourceError, Sources};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

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

struct Collector(UnboundedSender<Arc<Change>>);

impl Plugin for Collector {
    async fn report(&self, report: &Report) -> PluginResult {
        let _nobody_asks = self.0.send(Arc::clone(&report.change));
        Ok(())
    }
}

#[tokio::test]
async fn an_event_that_is_too_large_comes_without_images_and_holds_up_nothing() {
    let Some(uri) = std::env::var("MONGODB_URI").ok().filter(|uri| !uri.is_empty()) else {
        eprintln!("skipped: no MongoDB: MONGODB_URI is not set; `cargo xtask test` provides one");
        return;
    };
    let server = Server::connect(&uri).await.unwrap();
    let database = server.client().database(&format!("test_{}", ObjectId::new().to_hex()));
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

#[tokio::test]
async fn what_cannot_be_read_is_told_with_its_first_bytes() {
    let bytes = mongodb::bson::rawdoc! { "_id": { "_data": "82AA" }, "operationType": 7 };

    let problem = super::following::readable(bytes).unwrap_err();

    assert!(problem.contains("/operationType") && problem.contains("bytes begin with "), "{problem}");
}
