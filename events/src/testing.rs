//! How do the tests of events write down what Hasura and MongoDB send, and what a change leaves open?

use event_detector::{Change, Registry, Verdict};
use serde_json::{Value, json};

/// A payload of a Hasura event trigger.
pub(crate) fn hasura(op: &str, table: &str, old: Value, new: Value) -> Change {
    let payload = json!({
        "id": "85558393-c75d-4d2f-9c15-e80591b83894",
        "created_at": "2026-11-20T09:14:05.151591Z",
        "delivery_info": { "current_retry": 0, "max_retries": 0 },
        "event": {
            "session_variables": { "x-hasura-role": "dispatcher" },
            "op": op,
            "data": { "old": old, "new": new },
            "trace_context": null,
        },
        "table": { "schema": "public", "name": table },
        "trigger": { "name": "changes" },
    });
    Change::from_json(payload.to_string()).unwrap()
}

/// A MongoDB update, with its description only, as a collection without images sends it.
pub(crate) fn mongodb_update(collection: &str, description: Value) -> Change {
    mongodb("update", collection, json!({ "updateDescription": with_every_part(description) }))
}

/// The description with every part that the server always sends.
fn with_every_part(description: Value) -> Value {
    let mut whole = json!({ "updatedFields": {}, "removedFields": [], "truncatedArrays": [] });
    overwrite(&mut whole, &description);
    whole
}

fn overwrite(whole: &mut Value, parts: &Value) {
    for (name, part) in parts.as_object().unwrap() {
        whole[name] = part.clone();
    }
}

/// A MongoDB change event in extended JSON; `members` are the images and the description.
pub(crate) fn mongodb(operation: &str, collection: &str, members: Value) -> Change {
    let mut event = json!({
        "_id": { "_data": "826566F0C1000000012B042C0100296E5A1004" },
        "operationType": operation,
        "clusterTime": { "$timestamp": { "t": 1763629000, "i": 1 } },
        "wallTime": { "$date": "2026-11-20T09:14:05.151Z" },
        "ns": { "db": "app", "coll": collection },
        "documentKey": { "_id": { "$oid": "6566f0c1a3b4c5d6e7f80910" } },
    });
    overwrite(&mut event, &members);
    Change::from_json(event.to_string()).unwrap()
}

/// What `event` would have to know of the change, which must leave it undecided.
pub(crate) fn unknowns(event: &str, change: impl Into<Change>) -> Vec<String> {
    let registry = Registry::from_linked().unwrap();
    match registry.get(event).unwrap().evaluate(&change.into()) {
        Verdict::Undecided(unknowns) => unknowns.into_iter().map(|unknown| unknown.read).collect(),
        verdict => panic!("`{event}` is not undecided: {verdict:?}"),
    }
}
