//! How fast are changes taken from a real MongoDB, and how much later than a bare change stream does a detector see one?
//!
//! `cargo xtask mongod -- cargo bench -p event-detector-sources --bench drain`
//!
//! 200,000 changes (20,000 inserts, 180,000 updates of documents with fifteen fields) are written first, then drained from the
//! same place by each reader in turn, several rounds, in one run. The source has 100 detectors, of which one change in a hundred
//! is an event with a small job. A bare reader takes `with_type::<RawDocumentBuf>()` and looks at nothing. Then 1,000 changes a
//! second are written, and both see them at the same time. `DRAIN_CHANGES` and `DRAIN_ROUNDS` make a shorter run.
#![expect(clippy::print_stdout, reason = "what is measured is told there")]

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use event_detector::{Change, Detector, Job, JobContext, Registry};
use event_detector_runtime::{Runtime, Sources};
use event_detector_sources::{Images, MongoDb, Scope, Server, Start};
use futures::StreamExt;
use mongodb::bson::{Bson, Document, RawDocumentBuf, Timestamp, doc};
use mongodb::options::{FullDocumentBeforeChangeType, FullDocumentType};
use mongodb::{Client, Database};
use tokio::sync::Notify;

const DETECTORS: u64 = 100;
/// Updates a document gets.
const UPDATES: u64 = 9;
/// Writes in one command.
const COMMAND: u64 = 1_000;
/// Changes of the second part, one each millisecond.
const STEADY: u64 = 5_000;

/// The changes that the detectors saw.
static SEEN: AtomicU64 = AtomicU64::new(0);
/// When each of the steady changes was seen, by its number, in nanoseconds after the start.
static SEEN_AT: Mutex<Vec<(u64, Instant)>> = Mutex::new(Vec::new());

fn from_env(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Counts, and never matches: a detector that says a certain no is asked once for each change.
fn counting(change: &Change) -> bool {
    SEEN.fetch_add(1, Ordering::Relaxed);
    if change.collection() == "steady" {
        let number = change.key().as_i64().unwrap_or_default();
        SEEN_AT.lock().expect("nobody panics with it").push((number as u64, Instant::now()));
    }
    false
}

fn wants<const NUMBER: usize>(change: &Change) -> bool {
    const WANTED: [&str; 3] = ["status 0", "never", "nor ever"];
    change.collection() == "moves"
        && change.is_update()
        && change.column_changed("status")
        && change.after("status") == WANTED[NUMBER]
}

async fn ready(_cx: JobContext) -> anyhow::Result<u32> {
    Ok(7)
}

fn one_job(_change: &Change) -> Vec<Job> {
    vec![Job::new("ready", ready)]
}

/// A hundred detectors: one counts, one matches one of the hundred statuses that updates write, and the others, of its shape, ask
/// for what never comes.
fn registry() -> Registry {
    let others = (2..DETECTORS).map(|number| {
        let name: &'static str = format!("move.status.s{number}").leak();
        Detector::new(name, if number % 2 == 0 { wants::<1> } else { wants::<2> })
    });
    let matching = Detector::new("move.status.s0", wants::<0>).with_jobs(one_job);
    Registry::try_new(others.chain([Detector::new("change", counting), matching])).expect("their names differ")
}

/// The place from where on changes are taken: the beginning of its second.
fn start(from: Timestamp) -> Start {
    Start::At(UNIX_EPOCH + Duration::from_secs(from.time.into()))
}

async fn now(database: &Database) -> Timestamp {
    let hello = database.run_command(doc! { "hello": 1 }).await.expect("it answers");
    let Timestamp { time, increment } = hello.get_timestamp("operationTime").expect("a replica set");
    Timestamp { time, increment: increment + 1 }
}

fn document(id: u64) -> Document {
    let mut document = doc! { "_id": id as i64, "status": "new", "updated": 0 };
    for field in 0..12 {
        document.insert(format!("field_{field}"), Bson::from(format!("value {field} of {id}")));
    }
    document
}

/// Writes `changes` changes: a tenth of them inserts, the others updates.
async fn write(database: &Database, changes: u64) {
    let documents = changes / (UPDATES + 1);
    for first in (0..documents).step_by(COMMAND as usize) {
        let some: Vec<Document> = (first..documents.min(first + COMMAND)).map(document).collect();
        database.collection::<Document>("moves").insert_many(some).await.expect("it is written");
    }
    let mut number = 0;
    for round in 1..=UPDATES {
        for first in (0..documents).step_by(COMMAND as usize) {
            let updates: Vec<Document> = (first..documents.min(first + COMMAND))
                .map(|id| {
                    number += 1;
                    doc! { "q": { "_id": id as i64 }, "u": { "$set": { "status": format!("status {}", (number + round) % 100), "updated": round as i64 } } }
                })
                .collect();
            let done = database.run_command(doc! { "update": "moves", "updates": updates }).await.expect("it is written");
            assert!(done.get_array("writeErrors").is_err(), "{done}");
        }
    }
}

/// Takes `changes` changes with a bare change stream, and returns how long that took.
async fn bare(database: &Database, from: Timestamp, changes: u64, before: bool, lookup: bool) -> Duration {
    let mut watch = database.watch().batch_size(1_000).start_at_operation_time(from);
    if before {
        watch = watch.full_document_before_change(FullDocumentBeforeChangeType::WhenAvailable);
    }
    if lookup {
        watch = watch.full_document(FullDocumentType::UpdateLookup);
    }
    let start = Instant::now();
    let mut stream = watch.await.expect("it opens").with_type::<RawDocumentBuf>();
    for _ in 0..changes {
        stream.next().await.expect("there are more").expect("it is read");
    }
    start.elapsed()
}

/// Takes `changes` changes with the source and its detectors, and returns how long that took.
async fn source(uri: &str, database: &Database, from: Timestamp, changes: u64, images: Images) -> Duration {
    let server = Server::connect(uri).await.expect("it answers");
    let scope = Scope::try_new(vec![database.name().to_owned()], Vec::new()).expect("a name");
    let runtime = Runtime::builder(registry()).build().expect("inside tokio");
    let mut sources = Sources::default();
    sources.add(MongoDb::new(server, scope).images(images).start(start(from)));
    SEEN.store(0, Ordering::Relaxed);
    let start = Instant::now();
    let seen_all = async {
        while SEEN.load(Ordering::Relaxed) < changes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let summary = runtime.run(sources, seen_all, |rejected| panic!("{rejected:?}")).await;
    let taken = start.elapsed();
    assert!(summary.events * 100 >= changes * 8 / 10 && summary.undecided == 0, "{summary:?}");
    taken
}

/// Writes one change each millisecond, seen by a bare stream and by the source at once; how much later each number was seen.
async fn added_latency(uri: &str, database: &Database) -> Vec<Duration> {
    let from = now(database).await;
    let server = Server::connect(uri).await.expect("it answers");
    let scope = Scope::try_new(vec![database.name().to_owned()], vec!["steady".to_owned()]).expect("a name");
    let runtime = Runtime::builder(registry()).build().expect("inside tokio");
    let mut sources = Sources::default();
    sources.add(MongoDb::new(server, scope).images(Images::None).start(start(from)));
    let stop = Arc::new(Notify::new());
    let run = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move { runtime.run(sources, async { stop.notified().await }, |rejected| panic!("{rejected:?}")).await }
    });
    let steady = database.collection::<Document>("steady");
    let mut stream = steady.watch().start_at_operation_time(from).await.expect("it opens").with_type::<RawDocumentBuf>();
    let bare = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..STEADY {
            let event = stream.next().await.expect("there are more").expect("it is read");
            let number = event.get_document("documentKey").expect("a key").get_i64("_id").expect("a number");
            seen.push((number as u64, Instant::now()));
        }
        seen
    });
    SEEN_AT.lock().expect("nobody panics with it").clear();
    let mut clock = tokio::time::interval(Duration::from_millis(1));
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..STEADY {
        clock.tick().await;
        let steady = steady.clone();
        writes.spawn(async move { steady.insert_one(doc! { "_id": number as i64 }).await.map(drop) });
    }
    while let Some(written) = writes.join_next().await {
        written.expect("no panic").expect("it is written");
    }
    let mut bare = bare.await.expect("no panic");
    while SEEN_AT.lock().expect("nobody panics with it").len() < STEADY as usize {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.notify_one();
    run.await.expect("no panic");
    let mut ours = std::mem::take(&mut *SEEN_AT.lock().expect("nobody panics with it"));
    ours.sort_by_key(|(number, _)| *number);
    bare.sort_by_key(|(number, _)| *number);
    let mut later: Vec<Duration> =
        ours.iter().zip(&bare).map(|((_, ours), (_, bare))| ours.saturating_duration_since(*bare)).collect();
    later.sort();
    later
}

fn told(name: &str, changes: u64, rounds: &mut [Duration]) -> f64 {
    rounds.sort();
    let rate = |taken: Duration| changes as f64 / taken.as_secs_f64();
    let median = rate(rounds[rounds.len() / 2]);
    println!("{name:<52} {median:>9.0}/s  ({:.0} to {:.0})", rate(rounds[rounds.len() - 1]), rate(rounds[0]));
    median
}

// One thread for all readers: the server has the other core of a small machine, and a second one would only take turns with it.
#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let Some(uri) = env::var("MONGODB_URI").ok().filter(|uri| !uri.is_empty()) else {
        println!(
            "skipped: MONGODB_URI is not set; run it as `cargo xtask mongod -- cargo bench -p event-detector-sources --bench drain`"
        );
        return;
    };
    let (changes, rounds) = (from_env("DRAIN_CHANGES", 200_000), from_env("DRAIN_ROUNDS", 5));
    let client = Client::with_uri_str(&uri).await.expect("it answers");
    let database = client.database("event_detector_drain");
    database.drop().await.expect("it may");
    let images = doc! { "create": "moves", "changeStreamPreAndPostImages": { "enabled": true } };
    database.run_command(images).await.expect("it may");
    // What was there before is not of the same second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let from = now(&database).await;
    write(&database, changes).await;
    let mut taken: [Vec<Duration>; 4] = Default::default();
    for _ in 0..rounds {
        taken[0].push(bare(&database, from, changes, false, false).await);
        taken[1].push(source(&uri, &database, from, changes, Images::None).await);
        taken[2].push(bare(&database, from, changes, true, true).await);
        taken[3].push(source(&uri, &database, from, changes, Images::Computed).await);
    }
    println!("{changes} changes, {rounds} rounds, median (slowest to fastest):");
    let bare_none = told("bare stream, no documents", changes, &mut taken[0]);
    let ours_none = told("source with 100 detectors, no documents", changes, &mut taken[1]);
    let bare_both = told("bare stream, document before and looked up after", changes, &mut taken[2]);
    let ours_both = told("source with 100 detectors, exact before and after", changes, &mut taken[3]);
    println!("the source takes {:.0} % of the bare stream's rate without documents", 100.0 * ours_none / bare_none);
    println!("and {:.2} times that of the bare stream with both documents", ours_both / bare_both);
    let later = added_latency(&uri, &database).await;
    let at = |percent: usize| later[later.len() * percent / 100];
    println!("at 1,000 changes a second a detector sees one {:?} later than the bare stream (p50), {:?} (p99)", at(50), at(99));
    database.drop().await.expect("it may");
}
