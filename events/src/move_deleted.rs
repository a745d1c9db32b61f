//! What can happen to a move as a whole?

use event_detector::{Change, Job, event};

/// The move is gone.
#[event("move.deleted")]
pub mod deleted {
    use super::*;
    use jobs::publish_event_log;

    fn detect(change: &Change) -> bool {
        change.collection() == "moves" && change.is_delete()
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![publish_event_log(change.user())]
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, assert_detects, assert_ignores};
    use serde_json::json;

    use crate::testing::{hasura, mongodb, mongodb_update};

    const EVENT: &str = "move.deleted";

    #[test]
    fn a_move_that_is_gone_is_one() {
        let changes: [Change; 4] = [
            Change::delete("moves").before(json!({ "id": 1 })).into(),
            Change::delete("moves").key(1).into(),
            hasura("DELETE", "moves", json!({ "id": 1 }), json!(null)),
            // A collection without images: the key is all that is left.
            mongodb("delete", "moves", json!({})),
        ];
        for change in changes {
            assert_detects!(EVENT, change);
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let changes: [Change; 9] = [
            Change::delete("orders").before(json!({ "id": 1 })).into(),
            Change::delete("Moves").key(1).into(),
            Change::delete("moves_archive").key(1).into(),
            Change::insert("moves").after(json!({ "id": 1 })).into(),
            Change::update("moves").before(json!({ "id": 1 })).after(json!({ "id": 1, "status": "deleted" })).into(),
            Change::manual("moves").before(json!({ "id": 1 })).into(),
            hasura("UPDATE", "moves", json!({ "id": 1, "deleted": false }), json!({ "id": 1, "deleted": true })),
            mongodb_update("moves", json!({ "removedFields": ["status"] })),
            mongodb("drop", "moves", json!({})),
        ];
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }
}
