//! Does the next run of a program go on where the last one ended?

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::mongodb::Client;
use ::mongodb::bson::{Document, doc};
use event_detector::{Change, Detector, Job, JobContext, Registry};
use event_detector_ledger::{OpenError, Options as LedgerOptions, Sqlite};
use event_detector_runtime::{Runtime, Sources, Summary};
use event_detector_sources::{Images, MongoDb, Scope, Server, Start};
use rusqlite::{Connection, OpenFlags};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};
use xtask::mongod::Options;

use super::{LONG, Watching, database, deployment, scope, uri, with_images};

/// An event that every insert of a document is, but for those that say that nobody wants them.
pub(super) fn inserts() -> Registry {
    let wanted = |change: &Change| (change.is_insert() || change.is_update()) && change.after("unwanted") != true;
    let jobs = |_: &Change| vec![Job::new("nothing", async |_: JobContext| Ok::<_, std::io::Error>(()))];
    Registry::try_new([Detector::new("inserted", wanted).with_jobs(jobs)]).unwrap()
}

/// A source that runs with a ledger, and what it brings.
pub(super) struct Run(Watching);

impl Run {
    pub(super) async fn start(source: MongoDb, ledger: &Path) -> Self {
        let opens = async {
            loop {
                match Sqlite::open(ledger, LedgerOptions::default()) {
                    // The run before may still be writing.
                    Err(OpenError::Locked { .. }) => sleep(Duration::from_millis(1)).await,
                    opened => break opened.unwrap_or_else(|error| panic!("{error}")),
                }
            }
        };
        let ledger = timeout(LONG, opens).await.expect("the run before is over");
        Self(Watching::run(Runtime::builder(inserts()).ledger(ledger), source).await)
    }

    /// The next change that came to an end.
    pub(super) async fn next(&mut self) -> Arc<Change> {
        self.0.next().await
    }

    async fn next_insert(&mut self) -> Arc<Change> {
        self.0.next_of_documents().await
    }

    pub(super) async fn stopped(self) -> Summary {
        self.0.stopped().await
    }

    /// Ends the run where it stands.
    async fn dropped(self) {
        self.0.run.abort();
        let _cut = self.0.run.await;
    }
}

/// The rows of a ledger that a query finds, as texts.
pub(super) fn texts(ledger: &Path, query: &str) -> Vec<Vec<String>> {
    let database = Connection::open_with_flags(ledger.join("ledger.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    database.busy_timeout(LONG).unwrap();
    let mut query = database.prepare(query).unwrap();
    let columns = query.column_count();
    let rows = query.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// The keys of the recorded changes, in the order of recording.
fn recorded(ledger: &Path) -> Vec<String> {
    texts(ledger, "SELECT \"key\" FROM changes ORDER BY change").into_iter().flatten().collect()
}

async fn source(scope: Scope) -> MongoDb {
    MongoDb::new(Server::connect(&uri().unwrap()).await.unwrap(), scope)
}

#[tokio::test]
async fn the_next_run_begins_behind_what_was_recorded_and_reads_nothing_again() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let folder = tempfile::tempdir().unwrap();
    let all = scope(database.name(), &[]);

    let mut first = Run::start(source(all.clone()).await, folder.path()).await;
    for number in 1..=3 {
        moves.insert_one(doc! { "_id": number }).await.unwrap();
        first.next().await;
    }
    moves.insert_one(doc! { "_id": 4, "unwanted": true }).await.unwrap();
    first.next().await;
    let first = first.stopped().await;
    moves.insert_one(doc! { "_id": 5 }).await.unwrap();
    let mut second = Run::start(source(all).await, folder.path()).await;
    let change = second.next().await;
    let second = second.stopped().await;

    assert_eq!((first.changes, change.key().as_i64()), (4, Some(5)));
    assert_eq!((second.changes, second.duplicates, second.source_errors.len()), (1, 0, 0));
    assert_eq!(recorded(folder.path()), ["1", "2", "3", "5"]);
    database.drop().await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_cut_before_its_first_change_has_kept_where_it_began() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let folder = tempfile::tempdir().unwrap();
    let all = scope(database.name(), &[]);

    Run::start(source(all.clone()).await, folder.path()).await.dropped().await;
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    let mut second = Run::start(source(all).await, folder.path()).await;

    assert_eq!(second.next().await.key().as_i64(), Some(1));
    assert_eq!(second.stopped().await.changes, 1);
    database.drop().await.unwrap();
}

#[tokio::test]
async fn what_is_watched_may_change_between_two_runs_and_nothing_is_missed_or_comes_twice() {
    let Some(database) = database().await else { return };
    let (moves, orders) = (with_images(&database, "moves").await, with_images(&database, "orders").await);
    let folder = tempfile::tempdir().unwrap();
    let mut session = database.client().start_session().await.unwrap();

    let mut first = Run::start(source(scope(database.name(), &["moves"])).await, folder.path()).await;
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    // One cluster time, at which the next run begins.
    session.start_transaction().await.unwrap();
    for number in 2..=4 {
        moves.insert_one(doc! { "_id": number }).session(&mut session).await.unwrap();
    }
    session.commit_transaction().await.unwrap();
    for _ in 1..=4 {
        first.next().await;
    }
    first.stopped().await;
    orders.insert_one(doc! { "_id": 5 }).await.unwrap();
    moves.insert_one(doc! { "_id": 6 }).await.unwrap();
    let wider = source(scope(database.name(), &["moves", "orders"])).await;
    let mut second = Run::start(wider, folder.path()).await;
    let mut seen = [second.next().await, second.next().await].map(|change| change.key().as_i64());
    // Different documents go side by side.
    seen.sort();
    let second = second.stopped().await;
    moves.insert_one(doc! { "_id": 7 }).await.unwrap();
    let narrower = source(scope(database.name(), &["orders"])).await.images(Images::None);
    let mut third = Run::start(narrower, folder.path()).await;
    orders.insert_one(doc! { "_id": 8 }).await.unwrap();
    third.next().await;
    let third = third.stopped().await;

    assert_eq!(seen, [Some(5), Some(6)]);
    assert_eq!((second.changes, third.changes), (2, 1), "what was handed over is passed over");
    assert_eq!(second.duplicates + third.duplicates, 0);
    assert_eq!(recorded(folder.path()), ["1", "2", "3", "4", "5", "6", "8"]);
    database.drop().await.unwrap();
}

// On a server of its own: others would wait for one that writes so much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_in_parts_is_not_taken_again_whatever_the_images_of_the_next_run() {
    let Some(deployment) = block_in_place(|| deployment(&Options::default())) else { return };
    let database = Client::with_uri_str(deployment.uri()).await.unwrap().database("app");
    let big = with_images(&database, "big").await;
    let folder = tempfile::tempdir().unwrap();
    let all = scope(database.name(), &[]);
    let pad = "x".repeat(9 * 1024 * 1024);
    let source = async || MongoDb::new(Server::connect(deployment.uri()).await.unwrap(), all.clone());
    let stored = async || source().await.images(Images::Stored);

    let mut first = Run::start(stored().await, folder.path()).await;
    big.insert_one(doc! { "_id": 1, "pad": &pad }).await.unwrap();
    // In a transaction, so that its token is not the first that its event says.
    let mut session = database.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    big.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": 1 } }).session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();
    first.next().await;
    assert!(first.next().await.became("n", 1));
    assert_eq!(first.stopped().await.changes, 2);
    big.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": 2 } }).await.unwrap();
    let mut second = Run::start(stored().await, folder.path()).await;
    assert!(second.next().await.became("n", 2), "it goes on behind the last part");
    assert_eq!(second.stopped().await.changes, 1);
    big.insert_one(doc! { "_id": 2 }).await.unwrap();
    let mut third = Run::start(source().await.images(Images::None), folder.path()).await;
    let change = third.next().await;
    let third = third.stopped().await;

    assert_eq!((change.key().as_i64(), third.changes, third.duplicates), (Some(2), 1, 0));
    assert_eq!(recorded(folder.path()), ["1", "1", "1", "2"]);
    block_in_place(|| drop(deployment));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_of_another_deployment_is_refused_unless_it_is_said_where_to_begin() {
    let Some(database) = database().await else { return };
    let Some(other) = block_in_place(|| deployment(&Options::default())) else { return };
    let folder = tempfile::tempdir().unwrap();
    let all = scope(database.name(), &[]);
    let elsewhere = async || MongoDb::new(Server::connect(other.uri()).await.unwrap(), all.clone());
    Run::start(source(all.clone()).await, folder.path()).await.stopped().await;

    let refused = {
        let ledger = Sqlite::open(folder.path(), LedgerOptions::default()).unwrap();
        let runtime = Runtime::builder(inserts()).ledger(ledger).build().unwrap();
        let mut sources = Sources::default();
        sources.add(elsewhere().await);
        timeout(LONG, runtime.run(sources, std::future::pending(), |_| ())).await.expect("it ends")
    };
    let told = Run::start(elsewhere().await.start(Start::Now), folder.path()).await.stopped().await;

    let [(_, error)] = refused.source_errors.as_slice() else { panic!("{refused:?}") };
    assert!(error.contains("is of the replica set `") && error.contains("`--start now`"), "{error}");
    assert_eq!(told.source_errors, []);
    let gaps = texts(folder.path(), "SELECT source, reason FROM gaps");
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert!(gap[0] == "mongodb" && gap[1].contains("and now watches the replica set"), "{gap:?}");
    block_in_place(|| drop(other));
    database.drop().await.unwrap();
}

#[tokio::test]
async fn a_new_source_begins_where_it_is_told_and_an_old_one_where_it_was() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let folder = tempfile::tempdir().unwrap();
    let all = scope(database.name(), &["moves"]);
    let start = SystemTime::now();
    // A place is a whole second.
    sleep(Duration::from_millis(1_100)).await;
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();

    let mut first = Run::start(source(all.clone()).await.start(Start::At(start)), folder.path()).await;
    let before = first.next_insert().await;
    first.stopped().await;
    moves.insert_one(doc! { "_id": 2 }).await.unwrap();
    let mut second = Run::start(source(all.clone()).await.start(Start::At(start)), folder.path()).await;
    let after = second.next_insert().await;
    second.stopped().await;

    assert_eq!((before.key().as_i64(), after.key().as_i64()), (Some(1), Some(2)));
    let mut sources = Sources::default();
    sources.add(source(all).await.start(Start::At(start + Duration::from_secs(3_600))));
    let runtime = Runtime::builder(inserts()).build().unwrap();
    let refused = timeout(LONG, runtime.run(sources, std::future::pending(), |_| ())).await.expect("it ends");
    assert!(refused.source_errors[0].1.contains("expected a time that is over"), "{refused:?}");
    database.drop().await.unwrap();
}

#[tokio::test]
async fn a_source_says_how_far_behind_it_is_and_how_much_of_the_history_is_left() {
    let Some(database) = database().await else { return };
    let moves = database.collection::<Document>("moves");
    let mut run = Watching::all(&database, Images::None).await;
    let figure = |name: &str| {
        let figures = run.runtime.metrics().figures();
        figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    };

    let looked = async {
        while figure("detector_oplog_window_remaining_ratio").is_none() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, looked).await.expect("the oplog is looked at");
    let (left, lag) = (figure("detector_oplog_window_remaining_ratio"), figure("detector_source_lag_seconds"));
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    run.next().await;

    assert!(left.is_some_and(|left| (0.0..=1.0).contains(&left)) && lag.is_some_and(|lag| lag < 60.0), "{left:?} {lag:?}");
    database.drop().await.unwrap();
}
