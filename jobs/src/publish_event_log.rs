//! Where is it written down that an event happened?

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use event_detector::bson::DateTime;
use event_detector::{Fatal, JobContext, job};
use mongodb::Database;
use mongodb::bson::Bson;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::WriteConcern;
use serde_json::{Value, json};

/// The log in the working directory, for a context that names none as `event_log`.
const DEFAULT_FILE: &str = "events.jsonl";

/// The log in a registered database.
const COLLECTION: &str = "event_log";

/// MongoDB's number for a duplicate key.
const DUPLICATE_KEY: i32 = 11000;

/// Writes down that the event happened, and on whose behalf.
///
/// Where the program registered a [`Database`], the entry goes to its collection `event_log`, once: its `_id` is the
/// idempotency key. Elsewhere it becomes a line of JSON at the end of the file that the context calls `event_log`; a
/// second run appends a second line, with the same `idempotency_key`.
#[job(timeout = "10s", retries = 3)]
pub async fn publish_event_log(cx: JobContext, user: Option<String>) -> anyhow::Result<String> {
    let entry = entry(&cx, user);
    let place = match cx.try_state::<Database>() {
        Some(database) => insert(database, entry).await?,
        None => append(cx.context("event_log").as_str().as_deref().unwrap_or(DEFAULT_FILE).into(), entry).await?,
    };
    Ok(format!("Logged {} in {place}", cx.event()))
}

fn entry(cx: &JobContext, user: Option<String>) -> Value {
    let change = cx.change();
    let at = change.committed_at().unwrap_or_else(DateTime::now);
    json!({
        "event": cx.event(),
        "change_id": change.id(),
        "collection": change.collection(),
        "key": change.key().to_json(),
        "operation": change.operation().as_str(),
        "user": user,
        "correlation_id": cx.correlation_id(),
        "idempotency_key": cx.idempotency_key(),
        "at": at.try_to_rfc3339_string().ok(),
    })
}

/// Appends the entry in one write, which the system keeps whole beside other writers; returns the file's name.
async fn append(path: PathBuf, entry: Value) -> anyhow::Result<String> {
    let write = move || {
        let written = OpenOptions::new().append(true).create(true).open(&path);
        let written = written.and_then(|mut file| file.write_all(format!("{entry}\n").as_bytes()));
        written.with_context(|| format!("cannot append to {}", path.display()))?;
        Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    };
    tokio::task::spawn_blocking(write).await?
}

/// Inserts the entry unless it is there; returns the collection's name.
async fn insert(database: &Database, mut entry: Value) -> anyhow::Result<String> {
    entry["_id"] = entry["idempotency_key"].clone();
    // As a date it can be searched by time.
    entry["at"] = json!({ "$date": entry["at"] });
    // Ids and dates of the key are extended JSON, and become what they were.
    let entry = Bson::try_from(entry).context("the entry cannot be written as BSON").fatal()?;
    let inserted = database.collection(COLLECTION).insert_one(entry).write_concern(WriteConcern::majority()).await;
    match inserted {
        Err(error) if !is_duplicate(&error) => Err(error.into()),
        _ => Ok(COLLECTION.to_owned()),
    }
}

fn is_duplicate(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE_KEY)
}

#[cfg(test)]
mod tests {
    use std::env;

    use event_detector::{Change, State};
    use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
    use mongodb::{Client, Database};
    use serde_json::{Value, json};

    use super::publish_event_log;
    use crate::testing::{context, context_with};

    #[tokio::test]
    async fn it_appends_a_line_that_says_what_happened_to_whom_by_whom() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let change = Change::update("moves").id("c1").key(13107).context("event_log", path.to_str().unwrap());
        let cx = context(change.session("x-correlation-id", "r1"));

        for _ in 0..2 {
            let result = publish_event_log(Some("ana@example.com".to_owned())).start(cx.clone()).await.unwrap();
            assert_eq!(result, "Logged test.event in log.jsonl");
        }

        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = json!({
            "event": "test.event", "change_id": "c1", "collection": "moves", "key": 13107, "operation": "update",
            "user": "ana@example.com", "correlation_id": "r1", "idempotency_key": cx.idempotency_key(), "at": lines[0]["at"],
        });
        assert_eq!(lines[0], expected);
        assert_eq!(lines[1]["idempotency_key"], lines[0]["idempotency_key"]);
        assert!(text.ends_with('\n') && lines.len() == 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn lines_of_jobs_that_run_at_once_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let user = "u".repeat(10_000);
        let jobs = (0..64).map(|id| {
            let change = Change::insert("moves").key(id).context("event_log", path.to_str().unwrap());
            tokio::spawn(publish_event_log(Some(user.clone())).start(context(change)))
        });

        for job in jobs.collect::<Vec<_>>() {
            job.await.unwrap().unwrap();
        }

        let text = std::fs::read_to_string(path).unwrap();
        let mut keys: Vec<i64> =
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_i64().unwrap()).collect();
        keys.sort_unstable();
        assert_eq!(keys, (0..64).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_named() {
        let cx = context(Change::insert("moves").context("event_log", "/dev/null/log.jsonl"));

        let error = publish_event_log(None).start(cx).await.unwrap_err();

        assert!(error.to_string().contains("/dev/null/log.jsonl"), "{error:#}");
    }

    /// A database of its own, or nothing where there is no server.
    async fn database() -> Option<Database> {
        let Some(uri) = env::var("MONGODB_URI").ok().filter(|uri| !uri.is_empty()) else {
            eprintln!("skipped: no MongoDB: MONGODB_URI is not set; `cargo xtask test` provides one");
            return None;
        };
        let client = Client::with_uri_str(uri).await.unwrap();
        Some(client.database(&format!("test_{}", ObjectId::new().to_hex())))
    }

    #[tokio::test]
    async fn with_a_registered_database_a_second_run_inserts_nothing() {
        let Some(database) = database().await else { return };
        let mut state = State::default();
        state.insert(database.clone());
        let key = json!({ "$oid": "65f0c1e2a3b4c5d6e7f80910" });
        let cx = context_with(Change::delete("moves").key(key), state);

        for _ in 0..2 {
            let result = publish_event_log(None).start(cx.clone()).await.unwrap();
            assert_eq!(result, "Logged test.event in event_log");
        }

        let log = database.collection::<Document>("event_log");
        let entry = log.find_one(doc! { "_id": cx.idempotency_key(), "at": { "$lte": DateTime::now() } }).await.unwrap().unwrap();
        assert_eq!(entry.get_object_id("key").unwrap().to_hex(), "65f0c1e2a3b4c5d6e7f80910");
        assert_eq!(log.count_documents(doc! {}).await.unwrap(), 1);
        database.drop().await.unwrap();
    }
}
