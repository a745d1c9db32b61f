//! Changes of many kinds: with images and without, known and unknown, of several collections and operations.

use event_detector::Change;
use serde_json::{Value, json};

/// Every change of the table.
pub(crate) fn changes() -> Vec<Change> {
    let documents = [
        json!({ "status": "new", "n": 1, "active": false }),
        json!({ "status": "done", "n": 1000, "active": true, "eta": null }),
        json!({ "status": "held", "n": 1000.5 }),
        json!({ "n": -1, "text": "1000" }),
    ];
    let mut changes = Vec::new();
    for collection in ["moves", "orders", "users"] {
        for document in &documents {
            changes.push(Change::insert(collection).after(document.clone()).into());
            changes.push(Change::delete(collection).before(document.clone()).into());
            changes.push(Change::manual(collection).after(document.clone()).into());
            changes.push(Change::update(collection).before(document.clone()).into());
            changes.push(Change::update(collection).after(document.clone()).into());
            changes.push(updated(collection, json!({ "status": "done", "n": 7 })));
            for other in &documents {
                changes.push(Change::update(collection).before(document.clone()).after(other.clone()).into());
            }
        }
        changes.push(Change::update(collection).key(1).into());
        changes.push(Change::insert(collection).key(1).into());
        changes.push(Change::delete(collection).key(1).into());
        changes.push(updated(collection, json!({ "address": { "city": "Bonn" } })));
    }
    for operation in ["drop", "rename", "dropDatabase", "invalidate", "createIndexes"] {
        let event = json!({ "_id": { "_data": "1" }, "operationType": operation, "ns": { "db": "app", "coll": "moves" } });
        changes.push(Change::from_json(event.to_string()).expect("it is an event of MongoDB"));
    }
    changes
}

/// An update as MongoDB describes it, without images.
fn updated(collection: &str, fields: Value) -> Change {
    let event = json!({
        "_id": { "_data": "1" },
        "operationType": "update",
        "ns": { "db": "app", "coll": collection },
        "documentKey": { "_id": 1 },
        "updateDescription": { "updatedFields": fields, "removedFields": [] },
    });
    Change::from_json(event.to_string()).expect("it is an event of MongoDB")
}
