//! What can happen to the cancellation of a move?

use event_detector::{Change, Job, event};

/// The customer asked to cancel the move, and nobody has agreed yet.
#[event("move.cancel.pending")]
pub mod pending {
    use super::*;
    use jobs::{publish_event_log, rerun_ar};

    fn detect(change: &Change) -> bool {
        change.collection() == "moves"
            && change.is_update()
            && change.column_changed("status")
            && change.after("status") == "cancel pending"
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![rerun_ar(change.key().as_i64()), publish_event_log(change.user())]
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, assert_detects, assert_ignores};
    use serde_json::{Value, json};

    use crate::testing::{hasura, mongodb, mongodb_update, unknowns};

    const EVENT: &str = "move.cancel.pending";

    #[test]
    fn a_status_that_turns_to_cancel_pending_is_one() {
        let changes: [Change; 6] = [
            status(json!("booked"), json!("cancel pending")),
            status(json!("cancel agreed"), json!("cancel pending")),
            Change::update("moves").before(json!({})).after(json!({ "status": "cancel pending" })).into(),
            hasura("UPDATE", "moves", json!({ "status": "booked" }), json!({ "status": "cancel pending" })),
            mongodb_update("moves", json!({ "updatedFields": { "status": "cancel pending" } })),
            // The server may send an update by pipeline as a replacement.
            mongodb("replace", "moves", replacement("booked", "cancel pending")),
        ];
        for change in changes {
            assert_detects!(EVENT, change);
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let pending = || json!({ "id": 1, "status": "cancel pending" });
        let changes: [Change; 14] = [
            status(json!("cancel pending"), json!("cancel pending")),
            status(json!("cancel pending"), json!("canceled")),
            status(json!("booked"), json!("pending")),
            status(json!("booked"), json!(null)),
            Change::update("moves").before(json!({ "status": "booked" })).after(json!({ "id": 1 })).into(),
            Change::update("orders").before(json!({ "status": "booked" })).after(pending()).into(),
            Change::insert("moves").after(pending()).into(),
            Change::delete("moves").before(pending()).into(),
            Change::manual("moves").after(pending()).into(),
            hasura("INSERT", "moves", json!(null), pending()),
            hasura("UPDATE", "moves", pending(), pending()),
            mongodb_update("moves", json!({ "updatedFields": { "status": "booked" } })),
            mongodb_update("moves", json!({ "removedFields": ["status"] })),
            mongodb("replace", "moves", replacement("cancel pending", "cancel pending")),
        ];
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }

    #[test]
    fn a_replacement_without_an_image_from_before_leaves_it_undecided() {
        let change = mongodb("replace", "moves", json!({ "fullDocument": { "status": "cancel pending" } }));

        assert_eq!(unknowns(EVENT, change), [r#"column_changed("status")"#]);
    }

    fn status(before: Value, after: Value) -> Change {
        Change::update("moves").before(json!({ "id": 1, "status": before })).after(json!({ "id": 1, "status": after })).into()
    }

    fn replacement(before: &str, after: &str) -> Value {
        json!({ "fullDocumentBeforeChange": { "status": before }, "fullDocument": { "status": after } })
    }
}
