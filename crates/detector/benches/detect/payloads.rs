//! Which changes are the engines asked about?

use bson::{RawDocumentBuf, rawdoc};
use serde_json::json;

use crate::events::value;

/// How many changes there are; few enough to stay in the cache, as a batch that was just read does.
const CHANGES: usize = 400;
/// In the sparse set one change in so many is an event.
const SPARSE: usize = 100;
/// In the dense set so many events share a value.
pub(crate) const SHARED: usize = 5;

/// How many events a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    Sparse,
    Dense,
}

/// The same changes in the forms that the engines read.
pub(crate) struct Payloads {
    pub(crate) set: Set,
    /// The number of events.
    pub(crate) count: usize,
    /// With the document from after and the description, as MongoDB sends them when nobody asks for images.
    pub(crate) bson: Vec<Vec<u8>>,
    pub(crate) json: Vec<String>,
    /// How many events all of them are together.
    pub(crate) expected: usize,
}

impl Set {
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Sparse => "every change is an update of `status`, one in 100 is an event",
            Self::Dense => "every change is five events",
        }
    }
}

impl Payloads {
    pub(crate) fn new(set: Set, count: usize) -> Self {
        let values = match set {
            Set::Sparse => count,
            Set::Dense => count.div_ceil(SHARED),
        };
        let matching = |at: usize| set == Set::Dense || at.is_multiple_of(SPARSE);
        let status = |at: usize| match matching(at) {
            // Some stride, so that neighbours in time are none in the table.
            true => value(at * 7_919 % values),
            // As long as the others, and nobody's.
            false => format!("another {at:05}"),
        };
        let per_match = match set {
            Set::Sparse => 1,
            Set::Dense => count.min(SHARED),
        };
        let bson = (0..CHANGES).map(|at| mongodb(at, &status(at), None));
        Self {
            set,
            count,
            bson: bson.map(RawDocumentBuf::into_bytes).collect(),
            json: (0..CHANGES).map(|at| hasura(at, &status(at))).collect(),
            expected: (0..CHANGES).filter(|at| matching(*at)).count() * per_match,
        }
    }

    pub(crate) fn len(&self) -> usize {
        CHANGES
    }
}

/// A MongoDB update; with a status from before, it carries the document from before too.
pub(crate) fn mongodb(at: usize, status: &str, before: Option<&str>) -> RawDocumentBuf {
    let number = i32::try_from(at).expect("there are few changes");
    let document = |status: &str, amount: i32| {
        rawdoc! {
            "_id": bson::oid::ObjectId::from_bytes([7; 12]), "status": status, "driver": "Ada Lovelace", "city": "Richmond",
            "amount": amount, "active": true, "kind": "vehicle move", "updated_at": bson::DateTime::from_millis(1_795_234_057_000),
        }
    };
    let mut event = rawdoc! {
        "_id": { "_data": format!("826B011AAE{at:08X}2B022C0100296E5A1004D3F1B6A09C2E4F7F8A1B46645F69640064") },
        "operationType": "update",
        "clusterTime": bson::Timestamp { time: 1_795_234_057, increment: 7 },
        "wallTime": bson::DateTime::from_millis(1_795_234_057_000),
        "fullDocument": document(status, number),
        "ns": { "db": "shop", "coll": "moves" },
        "documentKey": { "_id": bson::oid::ObjectId::from_bytes([7; 12]) },
        "updateDescription": {
            "updatedFields": { "status": status, "amount": number }, "removedFields": [], "truncatedArrays": [],
        },
    };
    if let Some(before) = before {
        event.append(bson::cstr!("fullDocumentBeforeChange"), document(before, number - 1));
    }
    event
}

/// Updates with the document from before and from after, of which none is an event.
pub(crate) fn with_both_documents() -> Vec<Vec<u8>> {
    (0..CHANGES).map(|at| mongodb(at, &format!("another {at:05}"), Some("en route")).into_bytes()).collect()
}

pub(crate) fn hasura(at: usize, status: &str) -> String {
    let row = |status: &str, amount: usize| {
        json!({
            "id": 13107, "status": status, "driver": "Ada Lovelace", "city": "Richmond", "amount": amount, "active": true,
            "kind": "vehicle move", "updated_at": "2026-11-21T10:00:00Z"
        })
    };
    json!({
        "created_at": "2026-11-21T10:00:00.30702Z",
        "delivery_info": { "current_retry": 0, "max_retries": 3 },
        "event": {
            "data": { "new": row(status, at + 1), "old": row("en route", at) },
            "op": "UPDATE",
            "session_variables": { "x-hasura-role": "dispatcher" },
        },
        "id": format!("0b2b4f1e-7c8f-4a53-9d6f-{at:012x}"),
        "table": { "name": "moves", "schema": "public" },
        "trigger": { "name": "moves_changed" }
    })
    .to_string()
}
