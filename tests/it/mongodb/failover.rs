//! How soon do changes flow again when a server fails, and is each there once?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::mongodb::bson::{Document, doc};
use ::mongodb::options::{ClientOptions, WriteConcern};
use ::mongodb::{Client, Collection};
use event_detector::Change;
use event_detector_sources::Images;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};
use xtask::mongod::{Deployment, Options, Topology};

use super::{LONG, Watching, deployment, scope, with_images};

/// Documents that are written, whatever happens meanwhile.
const WRITES: i64 = 10_000;
const WRITERS: i64 = 8;
/// A server that ends waits for its clients by default, for 15 s; tests need not.
const ENDS_SOON: [&str; 2] = ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=1000"];

fn options(topology: Topology) -> Options {
    Options { topology, arguments: ENDS_SOON.map(str::to_owned).into(), ..Options::default() }
}

async fn client(deployment: &Deployment) -> Client {
    let mut options = ClientOptions::parse(deployment.uri()).await.unwrap();
    options.server_selection_timeout = Some(LONG);
    options.write_concern = Some(WriteConcern::majority());
    Client::with_options(options).unwrap()
}

/// Inserts documents with numbers below `WRITES`, by several writers at a time.
async fn write(collection: Collection<Document>) {
    let writer = |first| {
        let collection = collection.clone();
        tokio::spawn(write_every(collection, first))
    };
    for written in futures::future::join_all((0..WRITERS).map(writer)).await {
        written.unwrap();
    }
}

async fn write_every(collection: Collection<Document>, first: i64) {
    for number in (first..WRITES).step_by(WRITERS as usize) {
        let one = doc! { "_id": number };
        // Retried by the driver once, and here until it is there: a number that is there already was written.
        while let Err(error) = collection.insert_one(&one).await {
            if error.to_string().contains("E11000") {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Writes while `fault` happens to a set of three, and returns the longest silence.
async fn silence_of(fault: impl AsyncFnOnce(&Deployment)) -> Option<Duration> {
    let deployment = block_in_place(|| deployment(&options(Topology::ThreeNodes)))?;
    let client = client(&deployment).await;
    let database = client.database("app");
    let moves = with_images(&database, "moves").await;
    let mut watching = Watching::start(deployment.uri(), scope("app", &["moves"]), Images::Computed).await;
    let writes = tokio::spawn(write(moves));
    let mut times = BTreeMap::new();
    // What comes before the fault is no part of the silence.
    collect(&mut watching, &mut times, 500).await;
    let (silence, ()) = futures::join!(collect(&mut watching, &mut times, WRITES), fault(&deployment));
    writes.await.unwrap();

    assert!(times.values().all(|times| *times == 1), "one came twice");
    assert!(watching.changes.try_recv().is_err(), "nothing comes besides");
    assert!(watching.stopped().await.source_errors.is_empty());
    block_in_place(|| drop(deployment));
    Some(silence)
}

/// Takes changes until so many `numbers` have come, and notes how often each did; returns the longest silence.
async fn collect(watching: &mut Watching, times: &mut BTreeMap<i64, u32>, numbers: i64) -> Duration {
    let (mut last, mut silence) = (Instant::now(), Duration::ZERO);
    while times.len() < usize::try_from(numbers).unwrap() {
        let change: Arc<Change> = timeout(LONG, watching.changes.recv()).await.expect("a change comes").unwrap();
        silence = silence.max(last.elapsed());
        last = Instant::now();
        *times.entry(change.key().as_i64().unwrap()).or_default() += 1;
    }
    silence
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_primary_that_ends_cleanly_costs_less_than_three_seconds_and_nothing_is_lost_or_doubled() {
    let fault = async |deployment: &Deployment| {
        block_in_place(|| {
            deployment.primary().unwrap().terminate().unwrap();
        });
    };
    let Some(silence) = silence_of(fault).await else { return };

    eprintln!("clean end of the primary: {silence:?} of silence");
    assert!(silence < Duration::from_secs(3), "{silence:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_primary_that_steps_down_costs_less_than_two_seconds_and_nothing_is_lost_or_doubled() {
    let fault = async |deployment: &Deployment| {
        let primary = block_in_place(|| deployment.primary().unwrap().port());
        let direct = Client::with_uri_str(format!("mongodb://127.0.0.1:{primary}/?directConnection=true")).await.unwrap();
        direct.database("admin").run_command(doc! { "replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10 }).await.unwrap();
    };
    let Some(silence) = silence_of(fault).await else { return };

    eprintln!("step-down of the primary: {silence:?} of silence");
    assert!(silence < Duration::from_secs(2), "{silence:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_server_that_is_killed_and_comes_back_is_followed_and_nothing_made_meanwhile_is_missed() {
    let Some(deployment) = block_in_place(|| deployment(&options(Topology::OneNode))) else { return };
    let moves = with_images(&client(&deployment).await.database("app"), "moves").await;
    let mut watching = Watching::start(deployment.uri(), scope("app", &[]), Images::Computed).await;

    for round in 0..3 {
        moves.insert_one(doc! { "_id": round }).await.unwrap();
        assert_eq!(watching.next().await.key().as_i64(), Some(round));
        block_in_place(|| {
            let node = &deployment.nodes()[0];
            if round == 1 { node.terminate() } else { node.kill() }.unwrap();
        });
        sleep(Duration::from_secs(3)).await;
        block_in_place(|| deployment.nodes()[0].restart().unwrap());
        moves.insert_one(doc! { "_id": 10 + round }).await.unwrap();
        assert_eq!(watching.next().await.key().as_i64(), Some(10 + round));
    }

    assert!(watching.stopped().await.source_errors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_server_that_no_longer_answers_is_given_up() {
    let Some(deployment) = block_in_place(|| deployment(&options(Topology::OneNode))) else { return };
    let moves = with_images(&client(&deployment).await.database("app"), "moves").await;
    let mut watching = Watching::start(deployment.uri(), scope("app", &[]), Images::Computed).await;
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    watching.next().await;

    block_in_place(|| deployment.nodes()[0].freeze().unwrap());
    sleep(Duration::from_secs(10)).await;
    block_in_place(|| deployment.nodes()[0].thaw().unwrap());
    moves.insert_one(doc! { "_id": 2 }).await.unwrap();

    assert_eq!(watching.next().await.key().as_i64(), Some(2));
    assert!(watching.stopped().await.source_errors.is_empty());
}
