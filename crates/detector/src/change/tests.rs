//! What may be asked of a change, in every form it comes in.

mod computed;
mod delivery;
mod facts;
mod forms;
mod hasura;
mod payloads;
mod queries;
mod random;
mod scheduled;
mod unknowns;
mod updates;

use bson::{Bson, Document, doc};

use crate::undecided::{Decision, decide};
use crate::value::Literal;

use super::Change;

/// One read of a change, as a detector writes it.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Changed(&'static str),
    Became(&'static str, Literal<'static>),
    FromTo(&'static str, Literal<'static>, Literal<'static>),
    Before(&'static str),
    After(&'static str),
    Columns,
}

/// What the change answers: `yes`, `no` or `unknown` (undecided, were a detector to ask it), or the value.
fn answer(change: &Change, ask: Ask) -> String {
    let told = |read: &dyn Fn() -> bool| match decide(read) {
        Decision::Decided(true) => "yes".to_owned(),
        Decision::Decided(false) => "no".to_owned(),
        Decision::Undecided(_) => "unknown".to_owned(),
    };
    match ask {
        Ask::Changed(path) => told(&|| change.column_changed(path)),
        Ask::Became(path, value) => told(&|| change.became(path, value)),
        Ask::FromTo(path, from, to) => told(&|| change.changed_from_to(path, from, to)),
        Ask::Before(path) => format!("{:?}", change.before(path)),
        Ask::After(path) => format!("{:?}", change.after(path)),
        Ask::Columns => {
            let mut columns = change.changed_columns();
            columns.sort_unstable();
            let all = columns.join(" ");
            if told(&|| change.changed_columns().is_empty()) == "unknown" { format!("{all} and unknown") } else { all }
        }
    }
}

/// The same change event in every form: BSON, relaxed and canonical extended JSON, and as `to_json` writes it.
fn forms(event: &Document) -> [(&'static str, Change); 4] {
    let bytes = event.to_vec().unwrap();
    let from_bson = Change::from_bson(bytes).unwrap();
    let recorded = from_bson.to_json().unwrap().to_string();
    let json = |value: serde_json::Value| Change::from_json(value.to_string()).unwrap();
    [
        ("relaxed", json(Bson::from(event.clone()).into_relaxed_extjson())),
        ("canonical", json(Bson::from(event.clone()).into_canonical_extjson())),
        ("recorded", Change::from_json(recorded).unwrap()),
        ("BSON", from_bson),
    ]
}

/// Asserts that the event answers as the table says, in every form.
#[track_caller]
fn assert_answers(what: &str, event: &Document, table: &[(Ask, &str)]) {
    for (form, change) in forms(event) {
        for (ask, expected) in table {
            assert_eq!(answer(&change, *ask), *expected, "{what}: {ask:?} of {form}");
        }
    }
}

/// A MongoDB change event of `db.docs`, with what `more` adds to the envelope.
fn event(operation: &str, more: Document) -> Document {
    let mut event = doc! {
        "_id": { "_data": "826B011AAE000000022B0229296E04" },
        "operationType": operation,
        "clusterTime": bson::Timestamp { time: 1_795_234_057, increment: 7 },
        "wallTime": bson::DateTime::from_millis(1_795_234_057_000),
        "ns": { "db": "db", "coll": "docs" },
        "documentKey": { "_id": 1 },
    };
    event.extend(more);
    event
}

/// An update with the description that a server sends for it, and whatever images.
fn update(before: impl Into<Bson>, after: impl Into<Bson>, description: Document) -> Document {
    let mut whole = doc! { "updatedFields": {}, "removedFields": [], "truncatedArrays": [] };
    whole.extend(description);
    event("update", doc! { "fullDocument": after, "fullDocumentBeforeChange": before, "updateDescription": whole })
}

/// The change event in BSON, with every text `broken` in it made to be no UTF-8.
fn with_broken_text(event: &Document) -> Change {
    let mut bytes = event.to_vec().unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"broken")).collect();
    for at in &places {
        bytes[*at] = 0xFF;
    }
    assert!(!places.is_empty());
    Change::from_bson(bytes).unwrap()
}
