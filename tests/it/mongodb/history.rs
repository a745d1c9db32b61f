//! What happens when the server no longer remembers what a source has not seen?

use std::path::Path;
use std::time::{Duration, Instant};

use ::mongodb::Client;
use ::mongodb::bson::{Document, Timestamp, doc};
use event_detector_ledger::{Options as LedgerOptions, Sqlite};
use event_detector_runtime::{Runtime, Sources, Summary};
use event_detector_sources::{MongoDb, OnGap, Server};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};
use xtask::mongod::Options;

use super::resuming::{Run, inserts, texts};
use super::{LONG, deployment, scope};

/// The server cuts its oplog at a checkpoint, once a minute.
const CUT_WITHIN: Duration = Duration::from_secs(180);

/// Runs a source until it ends.
async fn run(uri: &str, ledger: &Path) -> Summary {
    let server = Server::connect(uri).await.unwrap();
    let mut sources = Sources::default();
    sources.add(MongoDb::new(server, scope("app", &[])));
    let ledger = Sqlite::open(ledger, LedgerOptions::default()).unwrap();
    let runtime = Runtime::builder(inserts()).ledger(ledger).build().unwrap();
    let run = runtime.run(sources, std::future::pending(), |rejected| panic!("{rejected:?}"));
    timeout(LONG, run).await.expect("it ends")
}

async fn oldest(client: &Client) -> Timestamp {
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    let first = oplog.find_one(doc! {}).sort(doc! { "$natural": 1 }).await.unwrap().unwrap();
    first.get_timestamp("ts").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_history_is_lost_a_gap_is_recorded_once_and_the_source_ends_or_goes_on_as_it_is_told() {
    let options = Options { oplog_size_mb: 2, ..Options::default() };
    let Some(deployment) = block_in_place(|| deployment(&options)) else { return };
    let client = Client::with_uri_str(deployment.uri()).await.unwrap();
    let moves = client.database("app").collection::<Document>("moves");
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path();
    let source = async || MongoDb::new(Server::connect(deployment.uri()).await.unwrap(), scope("app", &[]));
    let mut first = Run::start(source().await, ledger).await;
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    first.next().await;
    first.stopped().await;

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
    for _ in 0..2 {
        let lost = run(deployment.uri(), ledger).await;

        let [(source, error)] = lost.source_errors.as_slice() else { panic!("{lost:?}") };
        assert_eq!((source.as_str(), lost.changes), ("mongodb", 0));
        assert!(error.contains("are no longer in the server's oplog (code 286)") && error.contains("after 20"), "{error}");
        assert!(error.contains("on_gap = \"skip\""), "{error}");
    }
    const GAPS: &str = "SELECT \"from\", \"to\", reason FROM gaps";
    let told = texts(ledger, GAPS);
    let [gap] = told.as_slice() else { panic!("one gap is recorded once: {told:?}") };
    assert!(gap[0].starts_with("20") && gap[1] > gap[0] && gap[2].contains("code 286"), "{gap:?}");

    let mut skipping = Run::start(source().await.on_gap(OnGap::Skip), ledger).await;
    // It finds out when it has begun.
    while texts(ledger, GAPS).len() < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    moves.insert_one(doc! { "_id": 2 }).await.unwrap();
    let change = skipping.next().await;
    let summary = skipping.stopped().await;

    assert_eq!((change.key().as_i64(), summary.changes, summary.source_errors.len()), (Some(2), 1, 0));
    let told = texts(ledger, GAPS);
    assert!(told.len() == 2 && told[1][0] == gap[0] && told[1][1] > gap[1], "{told:?}");
    let mut next = Run::start(source().await, ledger).await;
    moves.insert_one(doc! { "_id": 3 }).await.unwrap();
    assert_eq!(next.next().await.key().as_i64(), Some(3), "the next run goes on from there");
    assert_eq!(next.stopped().await.changes, 1);
}
