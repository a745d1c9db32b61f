//! Does the program watch a database, and say what is in the way of that?

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use ::mongodb::bson::{Document, doc};
use ::mongodb::{Client, Collection};
use tokio::task::block_in_place;
use xtask::mongod::{Options, Topology};

use super::{Start, said, signal};
use crate::mongodb::{database, deployment, uri, with_images};

/// What a busy machine may need for anything.
const LONG: Duration = Duration::from_secs(60);

/// `detector run --mongodb` that watches.
struct Watching {
    child: Child,
    /// The lines of standard output, with the moments at which they came.
    lines: Receiver<(Instant, String)>,
    err: BufReader<ChildStderr>,
    _start: Start,
}

impl Watching {
    fn start(uri: &str, database: &str) -> Self {
        let mut start = Start::detector(["run", "--database", database]).env("DETECTOR_MONGODB", uri);
        let mut child = start.spawn();
        let (tell, lines) = channel();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).unwrap() > 0 {
                if tell.send((Instant::now(), std::mem::take(&mut line))).is_err() {
                    return;
                }
            }
        });
        let mut err = BufReader::new(child.stderr.take().unwrap());
        said(&mut err, "Watching 1 source");
        Self { child, lines, err, _start: start }
    }

    /// The moment at which a line with these words comes, and what was said before it.
    fn said(&self, words: &str) -> (Instant, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let (when, line) = self.lines.recv_timeout(LONG).unwrap_or_else(|_| panic!("`{words}` was not said, but {before:?}"));
            if line.contains(words) {
                return (when, before);
            }
            before.push(line);
        }
    }

    /// The exit code after SIGTERM, and what was said on standard error.
    fn ended(mut self) -> (Option<i32>, String) {
        signal(&self.child, "TERM");
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), err)
    }
}

/// Writes again and again until the program, which may still be looking for its place, has seen one of the writes.
async fn is_seen(program: &Watching, moves: &Collection<Document>) {
    for key in 1_000_000..1_000_300 {
        moves.insert_one(doc! { "_id": key }).await.unwrap();
        moves.delete_one(doc! { "_id": key }).await.unwrap();
        let this = format!("move.deleted  DELETE on moves {key}");
        while let Ok((_, line)) = program.lines.recv_timeout(Duration::from_millis(200)) {
            if line.contains(&this) {
                program.said("Logged move.deleted");
                return;
            }
        }
    }
    panic!("nothing is seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_by_any_client_is_told_at_once_and_its_jobs_when_they_have_settled() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let document = |status: &str| doc! { "_id": 13107, "status": status, "address": { "city": "a" } };
    moves.insert_one(document("new")).await.unwrap();
    let program = block_in_place(|| Watching::start(&uri().unwrap(), database.name()));
    is_seen(&program, &moves).await;

    let mut latencies = Vec::new();
    for _ in 0..20 {
        moves.update_one(doc! { "_id": 13107 }, doc! { "$set": { "status": "en route" } }).await.unwrap();
        let start = Instant::now();
        moves.update_one(doc! { "_id": 13107 }, doc! { "$set": { "status": "pickup successful" } }).await.unwrap();
        let (told, _) = block_in_place(|| program.said("move.pickup.successful  UPDATE on moves 13107"));
        latencies.push(told.saturating_duration_since(start));
        let (_, before) = block_in_place(|| program.said("Logged move.pickup.successful"));
        assert!(before.iter().any(|line| line.contains("rerun_ar")), "{before:?}");
    }
    moves.replace_one(doc! { "_id": 13107 }, document("pickup successful")).await.unwrap();
    moves.delete_one(doc! { "_id": 13107 }).await.unwrap();
    let (_, before) = block_in_place(|| program.said("move.deleted  DELETE on moves 13107"));
    let (code, err) = block_in_place(|| program.ended());

    latencies.sort();
    eprintln!("from the write to the line: median {:?}, longest {:?}", latencies[10], latencies[19]);
    assert!(latencies[10] < Duration::from_millis(100), "{latencies:?}");
    assert!(!before.iter().any(|line| line.contains("move.pickup.successful  UPDATE")), "an identical document: {before:?}");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("everything after 20"), "{err}");
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_restarted_needs_no_restart_of_the_program() {
    let options = Options {
        arguments: ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=1000"].map(str::to_owned).into(),
        ..Options::default()
    };
    let Some(deployment) = block_in_place(|| deployment(&options)) else { return };
    let client = Client::with_uri_str(deployment.uri()).await.unwrap();
    let moves = with_images(&client.database("app"), "moves").await;
    let mut program = block_in_place(|| Watching::start(deployment.uri(), "app"));
    is_seen(&program, &moves).await;

    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    block_in_place(|| {
        deployment.nodes()[0].kill().unwrap();
        said(&mut program.err, "the change stream broke");
        deployment.nodes()[0].restart().unwrap();
    });
    moves.delete_one(doc! { "_id": 1 }).await.unwrap();
    block_in_place(|| program.said("move.deleted  DELETE on moves 1"));
    let (code, err) = block_in_place(|| program.ended());

    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("the change stream is back"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_collection_lacks_is_warned_of_and_checked_and_mended() {
    let Some(database) = database().await else { return };
    database.create_collection("moves").await.unwrap();
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--database", database.name()]].concat();
        block_in_place(|| Start::detector(arguments).env("DETECTOR_MONGODB", &uri().unwrap()).ended())
    };

    let lacking = run(&["check"]).expect(0);
    let mended = run(&["check", "--enable-images", "--json"]).expect(0);
    let absent = run(&["check", "--collection", "orders"]).expect(0);

    assert!(lacking.out.contains("warning  ") && lacking.out.contains("collMod: \"moves\""), "{}", lacking.out);
    assert!(mended.err.contains("images_enabled"), "{}", mended.err);
    assert!(mended.json().iter().all(|finding| finding["level"] == "good"), "{}", mended.out);
    assert!(absent.out.contains("does not exist yet"), "{}", absent.out);
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_alone_is_refused() {
    let options = Options { topology: Topology::Standalone, ..Options::default() };
    let Some(alone) = block_in_place(|| deployment(&options)) else { return };

    for command in ["check", "run"] {
        let start = Start::detector([command, "--mongodb", alone.uri(), "--database", "app"]);
        let ended = block_in_place(|| start.ended()).expect(78);

        assert!(ended.err.contains("no member of a replica set") && ended.err.contains("rs.initiate()"), "{}", ended.err);
    }
}

#[test]
fn what_cannot_be_watched_is_refused_with_its_cure() {
    let nobody = "mongodb://me:S3CR3T@127.0.0.1:9/?serverSelectionTimeoutMS=100";
    for (arguments, config, code, needles) in [
        (vec!["check"], "", 2, vec!["no MongoDB is named", "--mongodb mongodb://", "DETECTOR_MONGODB"]),
        (vec!["check", "--mongodb", "localhost"], "", 2, vec!["not valid", "mongodb://host:27017"]),
        (vec!["run", "--mongodb", "mongodb://me:S3CR3T@"], "", 2, vec!["not valid"]),
        (vec!["run", "--mongodb", nobody, "--database", "app"], "", 69, vec!["no MongoDB answers at 127.0.0.1:9"]),
        (vec!["check"], "[mongodb]\nuri = \"${NOT_SET}\"", 78, vec!["`NOT_SET`", "not set"]),
        (vec!["check"], "[mongodb]\ndatabase = [\"app\"]", 78, vec!["did you mean `databases`?"]),
        (vec!["check"], "[mongodb]\nimages = \"before\"", 78, vec!["computed", "stored", "lookup"]),
        (vec!["run", "--images", "before"], "", 2, vec!["--images"]),
    ] {
        let ended = Start::detector(&arguments).file("detector.toml", config).ended().expect(code);

        assert!(needles.iter().all(|needle| ended.err.contains(needle)), "{needles:?}: {}", ended.err);
        assert!(!ended.err.contains("S3CR3T") && ended.out.is_empty(), "{}", ended.err);
    }
}
