//! Are real changes kept as a file that can be read again, without what nobody is to know?

use std::fs;
use std::time::Duration;

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{DateTime, Decimal128, doc};
use event_detector::Change;
use tempfile::TempDir;
use tokio::task::block_in_place;

use super::{Ended, Start};
use crate::mongodb::{database, uri, with_images};

const SECRET: &str = "ana@example.com";

/// Records what the database has written since now is long ago.
fn recorded(database: &str, arguments: &[&str]) -> (Ended, TempDir) {
    let arguments = [&["record", "--database", database, "--out", "changes.jsonl", "--start", "1h"], arguments].concat();
    block_in_place(|| Start::detector(arguments).env("DETECTOR_MONGODB", &uri().unwrap()).ended_in())
}

/// The changes of documents in the file.
fn changes(folder: &TempDir) -> Vec<Change> {
    let text = fs::read_to_string(folder.path().join("changes.jsonl")).unwrap();
    text.lines().map(|line| Change::from_json(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_kept_in_its_order_and_read_back_by_every_command() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let price: Decimal128 = "189.90".parse().unwrap();
    moves.insert_one(doc! { "_id": ObjectId::new(), "status": "new", "price": price, "at": DateTime::now() }).await.unwrap();
    moves.update_one(doc! {}, doc! { "$set": { "status": "pickup successful" } }).await.unwrap();
    moves.delete_one(doc! {}).await.unwrap();
    // Where a server does not tell that the collection was made, this is the fourth change.
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();

    let (ended, folder) = recorded(database.name(), &["--max", "4", "--json"]);
    let ended = ended.expect(0);
    let mut tried = Start::detector(["backtest", "changes.jsonl", "--quiet"]);
    tried.command.current_dir(folder.path());
    let tried = block_in_place(|| tried.ended()).expect(0);

    let changes = changes(&folder);
    let operations: Vec<_> = changes.iter().map(|change| change.operation().as_str()).filter(|name| *name != "create").collect();
    assert_eq!(operations[..3], ["insert", "update", "delete"], "{}", ended.out);
    let update = changes.iter().find(|change| change.is_update()).unwrap();
    assert!(update.became("status", "pickup successful") && update.before("price").exists());
    assert!(update.source() == "mongodb" && update.id().starts_with("82"));
    assert_eq!(tried.out, "move.deleted: 1 fired\nmove.pickup.successful: 1 fired\n");
    let summary = &ended.json()[0]["recorded"];
    let bytes = fs::metadata(folder.path().join("changes.jsonl")).unwrap().len();
    assert_eq!((&summary["changes"], &summary["bytes"], &summary["ended_by"]), (&4.into(), &bytes.into(), &"max".into()));
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_redacted_is_nowhere_in_the_file_and_what_changed_still_does() {
    let Some(database) = database().await else { return };
    let users = with_images(&database, "users").await;
    let user = |email: &str| doc! { "_id": SECRET, "email": email, "active": false, "people": [{ "email": SECRET }], "n": { "email": SECRET } };
    users.insert_one(user(SECRET)).await.unwrap();
    users.update_one(doc! {}, doc! { "$set": { "active": true, "people.0.email": SECRET } }).await.unwrap();
    users.update_one(doc! {}, doc! { "$set": { "email": "other@example.com" } }).await.unwrap();
    users.replace_one(doc! {}, user(SECRET)).await.unwrap();
    users.delete_one(doc! {}).await.unwrap();
    // Where a server does not tell that the collection was made, this is the sixth change.
    users.insert_one(user("last@example.com")).await.unwrap();

    let redact = ["--redact", "after.email", "--redact", "people.email,n,_id", "--redact", "nobody"];
    let (ended, folder) = recorded(database.name(), &[&redact[..], &["--max", "6"]].concat());
    let ended = ended.expect(0);

    let text = fs::read_to_string(folder.path().join("changes.jsonl")).unwrap();
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
    assert!(!text.contains("example.com") && !text.to_uppercase().contains(&hex), "{text}");
    let changes = changes(&folder);
    let updates: Vec<&Change> = changes.iter().filter(|change| change.is_update()).collect();
    assert_eq!(updates.iter().map(|change| change.column_changed("email")).collect::<Vec<_>>(), [false, true, true]);
    assert!(updates[0].became("active", true) && !updates[0].column_changed("people") && !updates[2].column_changed("n.email"));
    let keys: Vec<_> = changes.iter().filter(|change| change.key().exists()).map(|change| change.key().to_string()).collect();
    assert!(keys.len() >= 5 && keys.iter().all(|key| *key == keys[0]), "one document has one key: {keys:?}");
    let ids: std::collections::HashSet<_> = changes.iter().map(Change::id).collect();
    assert_eq!(ids.len(), changes.len());
    assert!(ended.err.contains("Replaced ") && ended.err.contains("warning: no change has `nobody`"), "{}", ended.err);
    database.drop().await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_it_has_every_change_up_to_then() {
    use std::io::{BufReader, Read};

    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    moves.insert_many((0..200).map(|key| doc! { "_id": key, "text": "x".repeat(300) })).await.unwrap();
    let arguments = ["record", "--database", database.name(), "--out", "changes.jsonl", "--start", "1h", "--for", "10m"];
    let mut start = Start::detector(arguments).env("DETECTOR_MONGODB", &uri().unwrap());
    let mut child = start.spawn();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let file = start.folder.path().join("changes.jsonl");

    block_in_place(|| super::said(&mut err, "Recording into changes.jsonl for 10m. Ctrl-C ends."));
    let lines = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    for _ in 0..600 {
        if lines() >= 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    super::signal(&child, "INT");
    let mut said = String::new();
    block_in_place(|| err.read_to_string(&mut said)).unwrap();

    assert_eq!(block_in_place(|| child.wait()).unwrap().code(), Some(0), "{said}");
    let changes = changes(&start.folder);
    assert!(said.contains(&format!("Recorded {} changes in ", changes.len())), "{said}");
    assert_eq!(changes.iter().filter(|change| change.is_insert()).count(), 200);
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_there_is_left_alone_unless_it_is_to_be_replaced() {
    let Some(database) = database().await else { return };
    database.create_collection("moves").await.unwrap();
    let record = |arguments: &[&str]| {
        let base = ["record", "--database", database.name(), "--out", "a", "--for", "100ms"];
        let start = Start::detector([&base, arguments].concat()).env("DETECTOR_MONGODB", &uri().unwrap()).file("a", "mine");
        block_in_place(|| start.ended_in())
    };

    let (refused, kept) = record(&[]);
    let (replaced, folder) = record(&["--force"]);

    let refused = refused.expect(73);
    assert!(refused.err.contains("`a` is there already") && refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(fs::read_to_string(kept.path().join("a")).unwrap(), "mine");
    assert!(replaced.expect(0).err.contains("Recorded 0 changes in "));
    assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "");
    database.drop().await.unwrap();
}

#[test]
fn what_cannot_be_recorded_is_refused_with_its_cure_and_without_the_password() {
    let nobody = "mongodb://me:S3CR3T@127.0.0.1:9/?serverSelectionTimeoutMS=100";
    for (arguments, code, words) in [
        (vec!["--out", "a"], 2, "no MongoDB is named"),
        (vec!["--mongodb", nobody, "--database", "app"], 2, "--out"),
        (vec!["--mongodb", nobody, "--database", "app", "--out", "a"], 69, "no MongoDB answers at 127.0.0.1:9"),
        (vec!["--mongodb", "mongodb://me:S3CR3T@", "--out", "a"], 2, "not valid"),
        (vec!["--out", "a", "--redact", "after."], 2, "names joined by dots"),
        (vec!["--out", "a", "--for", "10"], 2, "needs its unit"),
    ] {
        let (ended, folder) = Start::detector([vec!["record"], arguments].concat()).ended_in();
        let ended = ended.expect(code);

        assert!(ended.err.contains(words) && !ended.err.contains("S3CR3T"), "{words}: {}", ended.err);
        assert!(!folder.path().join("a").exists(), "nothing is made where nothing can be recorded");
    }
}
