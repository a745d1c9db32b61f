//! What can happen to the pickup leg of a move?

use event_detector::{Change, Job, event};

/// The vehicle was handed over to the driver.
#[event("move.pickup.successful")]
pub mod successful {
    use super::*;
    use jobs::{post_webhook, publish_event_log, rerun_ar};

    fn detect(change: &Change) -> bool {
        change.collection() == "moves"
            && change.is_update()
            && change.column_changed("status")
            && change.after("status") == "pickup successful"
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![
            rerun_ar(change.key().as_i64()),
            publish_event_log(change.user()),
            post_webhook(change.context("webhook_url").into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, assert_detects, assert_ignores};
    use serde_json::json;

    use crate::testing::{hasura, mongodb_update, unknowns};

    const EVENT: &str = "move.pickup.successful";

    #[test]
    fn a_status_that_turns_to_pickup_successful_is_one() {
        let changes: [Change; 7] = [
            status(json!("en route"), json!("pickup successful")),
            status(json!(null), json!("pickup successful")),
            status(json!(1), json!("pickup successful")),
            Change::update("moves").before(json!({ "id": 1 })).after(json!({ "status": "pickup successful" })).into(),
            hasura(
                "UPDATE",
                "moves",
                json!({ "id": 1, "status": "en route" }),
                json!({ "id": 1, "status": "pickup successful" }),
            ),
            mongodb_update("moves", json!({ "updatedFields": { "status": "pickup successful" } })),
            mongodb_update(
                "moves",
                json!({ "updatedFields": { "note": "x", "status": "pickup successful" }, "removedFields": ["eta"] }),
            ),
        ];
        for change in changes {
            assert_detects!(EVENT, change);
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let done = || json!({ "id": 1, "status": "pickup successful" });
        let changes: [Change; 18] = [
            status(json!("pickup successful"), json!("pickup successful")),
            status(json!("pickup successful"), json!("delivered")),
            status(json!("en route"), json!("pickup failed")),
            status(json!("en route"), json!("Pickup Successful")),
            status(json!("en route"), json!(null)),
            status(json!("en route"), json!(["pickup successful"])),
            Change::update("moves").before(json!({ "status": "en route" })).after(json!({ "id": 1 })).into(),
            Change::update("moves").before(json!({ "id": 1 })).after(json!({ "id": 1 })).into(),
            Change::update("moves")
                .before(json!({ "status": "pickup successful", "note": "a" }))
                .after(json!({ "status": "pickup successful", "note": "b" }))
                .into(),
            Change::update("orders").before(json!({ "status": "en route" })).after(done()).into(),
            Change::insert("moves").after(done()).into(),
            Change::delete("moves").before(done()).into(),
            Change::manual("moves").after(done()).into(),
            hasura("INSERT", "moves", json!(null), done()),
            hasura("DELETE", "moves", done(), json!(null)),
            hasura("MANUAL", "moves", json!(null), done()),
            hasura("UPDATE", "moves", done(), done()),
            mongodb_update("moves", json!({ "updatedFields": { "note": "x" } })),
        ];
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }

    #[test]
    fn without_an_image_from_before_a_full_row_leaves_it_undecided() {
        let change = Change::update("moves").after(json!({ "status": "pickup successful" }));

        assert_eq!(unknowns(EVENT, change), [r#"column_changed("status")"#]);
    }

    #[test]
    fn a_row_of_hasura_without_the_column_leaves_it_undecided() {
        let change = hasura("UPDATE", "moves", json!({ "id": 1, "state": "a" }), json!({ "id": 1, "state": "b" }));

        assert_eq!(unknowns(EVENT, change), [r#"column_changed("status")"#, r#"after("status") == "pickup successful""#]);
    }

    fn status(before: serde_json::Value, after: serde_json::Value) -> Change {
        Change::update("moves").before(json!({ "id": 1, "status": before })).after(json!({ "id": 1, "status": after })).into()
    }
}
