//! What happens when the server no longer remembers what a source has not seen?

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::mongodb::Client;
use ::mongodb::bson::{Document, Timestamp, doc};
use event_detector::{Detector, Registry};
use event_detector_runtime::{Positions, Runtime, SourceError, Sources, Summary};
use event_detector_sources::{MongoDb, Server};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};
use xtask::mongod::Options;

use super::{LONG, deployment, scope};

/// The server cuts its oplog at a checkpoint, once a minute.
const CUT_WITHIN: Duration = Duration::from_secs(180);

/// Remembers a position over two runs of a source.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<Vec<u8>>>>);

impl Positions for Kept {
    fn load<'p>(&'p self, _: &'p str) -> BoxFuture<'p, Result<Option<Vec<u8>>, SourceError>> {
        async { Ok(self.0.lock().unwrap().clone()) }.boxed()
    }

    fn keep<'p>(&'p self, _: &'p str, position: Vec<u8>) -> BoxFuture<'p, Result<(), SourceError>> {
        *self.0.lock().unwrap() = Some(position);
        async { Ok(()) }.boxed()
    }
}

/// Runs a source from the position that is kept until `stop`.
async fn run(uri: &str, kept: &Kept, stop: impl Future<Output = ()>) -> Summary {
    let server = Server::connect(uri).await.unwrap();
    let mut sources = Sources::default();
    sources.add(MongoDb::new(server, scope("app", &[])).positions(kept.clone()));
    let never = Registry::try_new([Detector::new("never", |_| false)]).unwrap();
    let runtime = Runtime::builder(never).build().unwrap();
    timeout(LONG, runtime.run(sources, stop, |rejected| panic!("{rejected:?}"))).await.expect("it ends")
}

async fn oldest(client: &Client) -> Timestamp {
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    let first = oplog.find_one(doc! {}).sort(doc! { "$natural": 1 }).await.unwrap().unwrap();
    first.get_timestamp("ts").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_goes_on_from_the_position_that_was_kept_and_where_its_history_is_lost_it_ends_and_says_from_when_on() {
    let options = Options { oplog_size_mb: 2, ..Options::default() };
    let Some(deployment) = block_in_place(|| deployment(&options)) else { return };
    let client = Client::with_uri_str(deployment.uri()).await.unwrap();
    let moves = client.database("app").collection::<Document>("moves");
    let kept = Kept::default();
    let seen = |runs: Duration| sleep(runs);

    let first = run(deployment.uri(), &kept, async {
        sleep(Duration::from_millis(300)).await;
        moves.insert_one(doc! { "_id": 1 }).await.unwrap();
        seen(Duration::from_millis(700)).await;
    });
    assert_eq!(first.await.changes, 1);
    moves.insert_one(doc! { "_id": 2 }).await.unwrap();
    let second = run(deployment.uri(), &kept, seen(Duration::from_secs(1))).await;
    assert_eq!((second.changes, second.source_errors.len()), (1, 0), "what was written between two runs is seen");

    let before = oldest(&client).await;
    let pad = "x".repeat(50_000);
    let start = Instant::now();
    let mut id = 10;
    while oldest(&client).await <= before || id < 400 {
        moves.insert_one(doc! { "_id": id, "pad": &pad }).await.unwrap();
        id += 1;
        if id > 400 {
            sleep(Duration::from_millis(100)).await;
        }
        assert!(start.elapsed() < CUT_WITHIN, "the oplog is not cut");
    }
    let lost = run(deployment.uri(), &kept, std::future::pending()).await;

    let [(source, error)] = lost.source_errors.as_slice() else { panic!("{lost:?}") };
    assert_eq!((source.as_str(), lost.changes), ("mongodb app", 0));
    assert!(error.contains("are no longer in the server's oplog (code 286)") && error.contains("after 20"), "{error}");
}
