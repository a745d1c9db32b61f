//! What can happen to an order as a whole?

use std::time::Duration;

use event_detector::{Change, Job, event};

/// A customer ordered.
#[event("order.created")]
pub mod created {
    use super::*;
    use jobs::{job_simulator, publish_event_log};

    fn detect(change: &Change) -> bool {
        change.collection() == "orders" && change.is_insert()
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![job_simulator(Duration::from_millis(200), "Confirmation"), publish_event_log(change.user())]
    }
}

/// The order is so large that somebody has to approve it.
#[event("order.large.approval")]
pub mod large {
    use super::*;
    use jobs::post_webhook;

    fn detect(change: &Change) -> bool {
        change.collection() == "orders" && change.is_insert() && change.after("amount") > 1000
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![post_webhook(change.context("webhook_url").into())]
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, assert_detects, assert_ignores};
    use serde_json::{Value, json};

    use crate::testing::{hasura, mongodb, mongodb_update, unknowns};

    const CREATED: &str = "order.created";
    const LARGE: &str = "order.large.approval";

    #[test]
    fn a_new_order_is_created_whatever_it_says() {
        let changes: [Change; 4] = [
            amount(json!(5)),
            Change::insert("orders").after(json!({})).into(),
            hasura("INSERT", "orders", json!(null), json!({ "id": 1, "amount": 5 })),
            mongodb("insert", "orders", json!({ "fullDocument": { "amount": 5 } })),
        ];
        for change in changes {
            assert_detects!(CREATED, change);
        }
    }

    #[test]
    fn no_other_change_creates_one() {
        let changes: [Change; 7] = [
            Change::insert("order_items").after(json!({ "id": 1 })).into(),
            Change::update("orders").before(json!({ "id": 1 })).after(json!({ "id": 1, "amount": 5 })).into(),
            Change::delete("orders").before(json!({ "id": 1 })).into(),
            Change::manual("orders").after(json!({ "id": 1 })).into(),
            hasura("UPDATE", "orders", json!({ "id": 1 }), json!({ "id": 1 })),
            hasura("MANUAL", "orders", json!(null), json!({ "id": 1 })),
            mongodb_update("orders", json!({ "updatedFields": { "amount": 5 } })),
        ];
        for change in changes {
            assert_ignores!(CREATED, change);
        }
    }

    #[test]
    fn a_new_order_of_more_than_a_thousand_needs_approval() {
        let changes: [Change; 7] = [
            amount(json!(1001)),
            amount(json!(1000.01)),
            amount(json!(1e300)),
            amount(json!({ "$numberLong": "4200" })),
            amount(json!({ "$numberDecimal": "1000.01" })),
            hasura("INSERT", "orders", json!(null), json!({ "id": 1, "amount": 4200.5 })),
            mongodb("insert", "orders", json!({ "fullDocument": { "amount": { "$numberInt": "1001" } } })),
        ];
        for change in changes {
            assert_detects!(LARGE, change);
        }
    }

    #[test]
    fn no_other_order_does() {
        let large = || json!({ "id": 1, "amount": 4200 });
        let changes: [Change; 17] = [
            amount(json!(1000)),
            amount(json!(1000.0)),
            amount(json!({ "$numberDecimal": "1000.00" })),
            amount(json!(0)),
            amount(json!(-4200)),
            amount(json!(null)),
            amount(json!("4200")),
            amount(json!([4200])),
            amount(json!(true)),
            Change::insert("orders").after(json!({ "id": 1 })).into(),
            Change::insert("orders").after(json!({ "order": { "amount": 4200 } })).into(),
            Change::insert("moves").after(large()).into(),
            Change::update("orders").before(json!({ "amount": 5 })).after(large()).into(),
            Change::delete("orders").before(large()).into(),
            Change::manual("orders").after(large()).into(),
            hasura("UPDATE", "orders", json!({ "id": 1, "amount": 5 }), large()),
            mongodb_update("orders", json!({ "updatedFields": { "amount": 4200 } })),
        ];
        for change in changes {
            assert_ignores!(LARGE, change);
        }
    }

    #[test]
    fn a_row_of_hasura_without_the_amount_leaves_the_approval_undecided() {
        let change = hasura("INSERT", "orders", json!(null), json!({ "id": 1, "total": 4200 }));

        assert_eq!(unknowns(LARGE, change), [r#"after("amount") > 1000"#]);
    }

    fn amount(amount: Value) -> Change {
        Change::insert("orders").after(json!({ "id": 1, "amount": amount })).into()
    }
}
