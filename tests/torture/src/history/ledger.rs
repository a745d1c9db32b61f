//! What does the file of a ledger hold? It is read with SQL alone, so that no code of the program has a say in it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bson::RawDocument;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;

use super::{Attempt, Change, Job, Ledger, Verdict, Version};

/// The ledger in the folder of the data.
const FILE: &str = "ledger.db";

/// How far the program has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) changes: u64,
    /// Jobs that have not ended.
    pub(crate) open: u64,
}

/// Opens the ledger of a folder, to read.
pub(crate) fn open(folder: &Path) -> anyhow::Result<Connection> {
    let path = folder.join(FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).with_context(|| format!("cannot open {}", path.display()))?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Whether a source knows where it begins.
pub(crate) fn has_position(connection: &Connection) -> bool {
    let count = connection.query_row("SELECT count(*) FROM positions WHERE position IS NOT NULL", [], |row| row.get::<_, i64>(0));
    count.is_ok_and(|count| count > 0)
}

/// How far the program has got, while it runs.
pub(crate) fn progress(connection: &Connection) -> anyhow::Result<Progress> {
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(Progress {
        changes: count("SELECT count(*) FROM changes")?.unsigned_abs(),
        open: count("SELECT count(*) FROM jobs WHERE stage IN ('queued', 'running', 'waiting')")?.unsigned_abs(),
    })
}

/// All that is in the ledger, once the program has ended.
pub(crate) fn read(connection: &Connection) -> anyhow::Result<Ledger> {
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if found != "ok" {
        // The first line is a title, and there may be a hundred.
        let found: Vec<&str> = found.lines().take(2).collect();
        bail!("SQLite finds the ledger damaged: {}", found.join(" "));
    }
    Ok(Ledger {
        changes: changes(connection)?,
        verdicts: rows(connection, "SELECT change, event, said, fires FROM verdicts ORDER BY change, event", |row| {
            Ok(Verdict { change: row.get(0)?, event: row.get(1)?, said: row.get(2)?, fires: row.get(3)? })
        })?,
        jobs: rows(
            connection,
            "SELECT job, change, event, name, nth, effect, ordered, stage, attempts FROM jobs ORDER BY job",
            |row| {
                Ok(Job {
                    row: row.get(0)?,
                    change: row.get(1)?,
                    event: row.get(2)?,
                    name: row.get(3)?,
                    nth: row.get(4)?,
                    effect: row.get(5)?,
                    ordered: row.get(6)?,
                    stage: row.get(7)?,
                    attempts: row.get(8)?,
                })
            },
        )?,
        attempts: rows(connection, "SELECT job, attempt, outcome FROM attempts ORDER BY job, attempt", |row| {
            let outcome: Option<String> = row.get(2)?;
            Ok(Attempt { job: row.get(0)?, number: row.get(1)?, outcome: outcome.unwrap_or_default() })
        })?,
        dead_letters: rows(connection, "SELECT job, reason FROM dead_letters", |row| Ok((row.get(0)?, row.get(1)?)))?,
        gaps: rows(connection, "SELECT source || ': ' || reason FROM gaps", |row| row.get(0))?,
        positions: rows(connection, "SELECT source, seq FROM positions", |row| Ok((row.get(0)?, row.get(1)?)))?,
    })
}

fn rows<T>(connection: &Connection, sql: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], |row| read(row))?.collect()
}

fn changes(connection: &Connection) -> anyhow::Result<Vec<Change>> {
    let mut statement = connection.prepare("SELECT change, source, seq, id, deaths, form, body FROM changes ORDER BY change")?;
    let mut rows = statement.query([])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let (form, body): (String, Vec<u8>) = (row.get(5)?, row.get(6)?);
        let id: String = row.get(3)?;
        let version = match form.as_str() {
            "bson" => of_bson(&body),
            "json" => of_json(&body),
            other => bail!("the change {id} has the unknown form `{other}`"),
        };
        let version = version.with_context(|| format!("the change {id} has no version of a wall"))?;
        changes.push(Change { row: row.get(0)?, source: row.get(1)?, seq: row.get(2)?, id, version, deaths: row.get(4)? });
    }
    Ok(changes)
}

/// The version in an event of a change stream.
fn of_bson(body: &[u8]) -> Option<Version> {
    let event = RawDocument::from_bytes(body).ok()?;
    let document = event.get_document("documentKey").ok()?.get_str("_id").ok()?.to_owned();
    let written = match event.get_str("operationType").ok()? {
        "insert" => event.get_document("fullDocument").ok()?,
        _ => event.get_document("updateDescription").ok()?.get_document("updatedFields").ok()?,
    };
    Some(Version { document, number: written.get_i64("version").ok()? })
}

/// The version in a payload of Hasura.
fn of_json(body: &[u8]) -> Option<Version> {
    let payload: Value = serde_json::from_slice(body).ok()?;
    let new = &payload["event"]["data"]["new"];
    Some(Version { document: new["id"].as_str()?.to_owned(), number: new["version"].as_i64()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(number: i64) -> Option<Version> {
        Some(Version { document: "w7".to_owned(), number })
    }

    #[test]
    fn the_version_is_read_from_each_form_of_a_change() {
        let insert =
            bson::doc! { "operationType": "insert", "documentKey": { "_id": "w7" }, "fullDocument": { "version": 1_i64 } };
        let update = bson::doc! {
            "operationType": "update", "documentKey": { "_id": "w7" }, "updateDescription": { "updatedFields": { "version": 2_i64 } },
        };
        let payload = json!({ "event": { "data": { "old": null, "new": { "id": "w7", "version": 3 } } } });

        assert_eq!(of_bson(&insert.to_vec().unwrap()), version(1));
        assert_eq!(of_bson(&update.to_vec().unwrap()), version(2));
        assert_eq!(of_json(payload.to_string().as_bytes()), version(3));
        assert_eq!(of_json(b"{}"), None);
        assert_eq!(of_bson(b""), None);
    }
}
