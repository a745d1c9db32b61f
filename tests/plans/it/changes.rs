//! Which changes come? One seed and a number give one change, in one of the forms in which changes are delivered.

use event_detector::bson::{Bson, Document, doc};
use event_detector::{AfterImage, Change};
use plan_bodies::vocabulary::{COLLECTIONS, DATABASES};
use serde_json::{Value, json};

use crate::chances::{Chances, MALFORMED};
use crate::documents::{COLUMNS, Update, document, update};

/// What happens to a document, or to more than one.
const OPERATIONS: [&str; 20] = [
    "insert", "insert", "insert", "insert", "insert", "update", "update", "update", "update", "update", "update", "update",
    "update", "replace", "delete", "delete", "delete", "delete", "", "",
];
const OTHER_OPERATIONS: [&str; 8] =
    ["create", "drop", "rename", "dropDatabase", "invalidate", "shardCollection", "modify", "of another version"];

/// What a change is made from, before it has a form.
struct Parts {
    operation: &'static str,
    database: &'static str,
    collection: &'static str,
    before: Option<Document>,
    after: Option<Document>,
    description: Option<Document>,
}

/// The change of that number.
pub(crate) fn change(seed: u64, nth: u64) -> Change {
    let mut chances = Chances::new(seed, nth);
    let parts = Parts::new(&mut chances);
    match chances.below(10) {
        0..4 => from_bson(parts, &mut chances),
        4 => {
            let event = Bson::from(parts.event(&mut chances));
            let form = if chances.percent(50) { event.into_relaxed_extjson() } else { event.into_canonical_extjson() };
            looked_up(decoded(form.to_string()), &mut chances)
        }
        5..8 => from_hasura(parts, &mut chances),
        8 => recorded(parts, &mut chances),
        _ => {
            // What was recorded of another, read again; where bytes are malformed, nothing can be recorded.
            let change = from_bson(parts, &mut chances);
            match change.to_json().map(Value::to_string) {
                Some(record) => decoded(record),
                None => change,
            }
        }
    }
}

/// The change as it can be written down: its record, or its bytes where it has none.
pub(crate) fn shown(change: &Change) -> String {
    let bytes = || String::from_utf8_lossy(change.bytes()).into_owned();
    format!("{:?}: {}", change.after_image(), change.to_json().map_or_else(bytes, Value::to_string))
}

fn decoded(text: String) -> Change {
    Change::from_json(text.as_str()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl Parts {
    fn new(chances: &mut Chances) -> Self {
        let operation = match chances.one(&OPERATIONS) {
            "" => "manual",
            operation => operation,
        };
        let mut parts = Self {
            operation,
            database: if chances.percent(70) { DATABASES[0] } else { chances.one(&DATABASES) },
            collection: if chances.percent(20) { COLLECTIONS[0] } else { chances.one(&COLLECTIONS) },
            before: None,
            after: None,
            description: None,
        };
        let Update { before, after, description } = update(chances);
        match operation {
            "insert" => parts.after = Some(after),
            "delete" => parts.before = Some(before),
            "update" => {
                (parts.before, parts.after) = (Some(before), Some(after));
                parts.description = Some(description).filter(|_| chances.percent(90));
            }
            "replace" => {
                (parts.before, parts.after) = (Some(before), Some(if chances.percent(30) { document(chances) } else { after }))
            }
            _ => parts.after = Some(after).filter(|_| chances.percent(80)),
        }
        // An image may not be carried.
        if chances.percent(10) {
            parts.before = None;
        }
        if operation != "insert" && chances.percent(10) {
            parts.after = None;
        }
        parts
    }

    /// As MongoDB sends it. Somebody who asks for something by hand is no server, which tells of other things instead.
    fn event(self, chances: &mut Chances) -> Document {
        let operation = if self.operation == "manual" { chances.one(&OTHER_OPERATIONS) } else { self.operation };
        let mut event = doc! {
            "_id": { "_data": "8263F1" },
            "operationType": operation,
            "ns": { "db": self.database, "coll": self.collection },
        };
        let id = [&self.before, &self.after].into_iter().flatten().find_map(|document| document.get("_id").cloned());
        if chances.percent(90) {
            let key = id.unwrap_or(Bson::Int32(1));
            event.insert(
                "documentKey",
                if chances.percent(10) {
                    doc! { "n": 1, "_id": key }
                } else {
                    doc! { "_id": key }
                },
            );
        }
        for (name, part) in
            [("fullDocument", self.after), ("fullDocumentBeforeChange", self.before), ("updateDescription", self.description)]
        {
            if let Some(part) = part {
                event.insert(name, part);
            }
        }
        if chances.percent(50) {
            event.insert("wallTime", event_detector::bson::DateTime::from_millis(1_795_255_207_302));
        }
        event
    }
}

fn from_bson(parts: Parts, chances: &mut Chances) -> Change {
    let mut bytes = parts.event(chances).to_vec().expect("the event is BSON");
    spoil(&mut bytes);
    let change = Change::from_bson(bytes).unwrap_or_else(|error| panic!("{error}"));
    let change = if chances.percent(60) { change.with_computed_after() } else { change };
    looked_up(change, chances)
}

/// Makes the texts that are to be malformed so.
fn spoil(bytes: &mut [u8]) {
    let word = MALFORMED.as_bytes();
    for at in 0..bytes.len().saturating_sub(word.len()) {
        if bytes[at..].starts_with(word) {
            bytes[at] = 0xFF;
        }
    }
}

fn looked_up(change: Change, chances: &mut Chances) -> Change {
    if chances.percent(12) { change.with_after_image(AfterImage::Lookup) } else { change }
}

/// As Hasura posts it, where a row has all its columns on both sides, or lacks one on both.
fn from_hasura(mut parts: Parts, chances: &mut Chances) -> Change {
    if parts.operation == "manual" && chances.percent(40) {
        let payload = parts.after.map_or_else(|| json!(chances.below(3)), |document| plain(Bson::Document(document)));
        let trigger =
            json!({ "id": "1", "name": parts.collection, "scheduled_time": "2026-11-21T10:00:07Z", "payload": payload });
        return decoded(trigger.to_string());
    }
    // A row that has to be there is.
    match parts.operation {
        "delete" => parts.before = parts.before.or_else(|| Some(document(chances))),
        _ => parts.after = parts.after.or_else(|| Some(document(chances))),
    }
    let operation = match parts.operation {
        "replace" => "UPDATE".to_owned(),
        other => other.to_uppercase(),
    };
    let lacking = if chances.percent(15) { chances.one(&["n", "status", "flag", "doc"]) } else { "" };
    let row = |document: Option<Document>| {
        document.map_or(Value::Null, |mut document| {
            for column in COLUMNS {
                document.entry(column.to_owned()).or_insert(Bson::Null);
            }
            document.remove(lacking);
            plain(Bson::Document(document))
        })
    };
    let payload = json!({
        "id": "c1a9e5f4-6d02-4f3b-8c7e-0b5d2a914e68",
        "created_at": "2026-11-21T10:00:07.302418Z",
        "table": { "schema": parts.database, "name": parts.collection },
        "event": {
            "op": operation,
            "data": { "old": row(parts.before), "new": row(parts.after) },
            "session_variables": { "x-hasura-role": if chances.percent(50) { "admin" } else { "driver" } },
        },
    });
    decoded(payload.to_string())
}

/// As PostgreSQL's JSON has it: no type but JSON's own, numbers of any size.
fn plain(value: Bson) -> Value {
    match value {
        Bson::Document(document) => Value::Object(document.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        Bson::Array(items) => items.into_iter().map(plain).collect(),
        Bson::Decimal128(decimal) if decimal.to_string() == "18446744073709551615" => Value::from(u64::MAX),
        Bson::Decimal128(decimal) => Value::from(decimal.to_string()),
        Bson::Double(double) if !double.is_finite() => Value::from(double.to_string()),
        Bson::DateTime(at) => at.try_to_rfc3339_string().map_or(Value::Null, Value::from),
        Bson::ObjectId(id) => Value::from(id.to_hex()),
        other => other.into_relaxed_extjson(),
    }
}

/// As this crate writes it down, its values in extended JSON.
fn recorded(parts: Parts, chances: &mut Chances) -> Change {
    let mut record = json!({
        "operation": parts.operation,
        "database": parts.database,
        "collection": parts.collection,
        "context": { "flag": chances.percent(50) },
    });
    let canonical = chances.percent(50);
    for (name, part) in [("before", parts.before), ("after", parts.after), ("updateDescription", parts.description)] {
        if let Some(part) = part.map(Bson::Document) {
            record[name] = if canonical { part.into_canonical_extjson() } else { part.into_relaxed_extjson() };
        }
    }
    if parts.operation == "manual" && chances.percent(30) {
        record["operation"] = json!(chances.one(&["create", "drop", "shard", "rename", "other"]));
    }
    if chances.percent(30) {
        record["after_image"] = json!(chances.one(&["lookup", "computed"]));
    }
    decoded(record.to_string())
}
