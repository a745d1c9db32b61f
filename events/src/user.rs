//! What can happen to a user's account?

use std::time::Duration;

use event_detector::{Change, Job, event};

/// The account can be used from now on.
#[event("user.activated")]
pub mod activated {
    use super::*;
    use jobs::{job_simulator, publish_event_log};

    fn detect(change: &Change) -> bool {
        change.collection() == "users" && change.became("active", true)
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![job_simulator(Duration::from_millis(300), "Welcome"), publish_event_log(change.user())]
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, assert_detects, assert_ignores};
    use serde_json::{Value, json};

    use crate::testing::{hasura, mongodb, mongodb_update, unknowns};

    const EVENT: &str = "user.activated";

    #[test]
    fn a_user_who_is_active_now_and_was_not_is_one() {
        let changes: [Change; 9] = [
            updated(json!(false), json!(true)),
            updated(json!(null), json!(true)),
            updated(json!("true"), json!(true)),
            Change::update("users").before(json!({ "id": 1 })).after(json!({ "id": 1, "active": true })).into(),
            Change::insert("users").after(json!({ "id": 1, "active": true })).into(),
            hasura("INSERT", "users", json!(null), json!({ "id": 1, "active": true })),
            hasura("UPDATE", "users", json!({ "id": 1, "active": false }), json!({ "id": 1, "active": true })),
            mongodb("insert", "users", json!({ "fullDocument": { "active": true } })),
            mongodb_update("users", json!({ "updatedFields": { "active": true } })),
        ];
        for change in changes {
            assert_detects!(EVENT, change);
        }
    }

    #[test]
    fn nobody_else_is() {
        let active = || json!({ "id": 1, "active": true });
        let changes: [Change; 19] = [
            updated(json!(true), json!(true)),
            updated(json!(true), json!(false)),
            updated(json!(false), json!(false)),
            updated(json!(false), json!("true")),
            updated(json!(false), json!(1)),
            updated(json!(false), json!(null)),
            updated(json!(false), json!({ "active": true })),
            Change::update("users").before(active()).after(json!({ "id": 1, "active": true, "name": "Ana" })).into(),
            Change::update("users").before(json!({ "id": 1, "active": false })).after(json!({ "id": 1 })).into(),
            Change::update("users").before(json!({ "id": 1 })).after(json!({ "id": 2 })).into(),
            Change::insert("users").after(json!({ "id": 1, "active": false })).into(),
            Change::insert("users").after(json!({ "id": 1 })).into(),
            Change::insert("drivers").after(active()).into(),
            Change::delete("users").before(active()).into(),
            Change::manual("users").after(active()).into(),
            hasura("UPDATE", "users", active(), active()),
            hasura("DELETE", "users", active(), json!(null)),
            mongodb_update("users", json!({ "updatedFields": { "active": false } })),
            mongodb_update("users", json!({ "removedFields": ["active"] })),
        ];
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }

    #[test]
    fn an_active_user_without_an_image_from_before_is_undecided() {
        let change = Change::update("users").after(json!({ "id": 1, "active": true }));
        assert_eq!(unknowns(EVENT, change), [r#"became("active", true)"#]);

        let change = mongodb_update("users", json!({ "updatedFields": { "name": "Ana" } }));
        assert_ignores!(EVENT, change);
    }

    fn updated(before: Value, after: Value) -> Change {
        let row = |active| json!({ "id": 1, "active": active });
        Change::update("users").before(row(before)).after(row(after)).into()
    }
}
