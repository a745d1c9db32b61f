//! What can happen to the items of an order?

use std::time::Duration;

use event_detector::{Change, Job, event};

/// More was ordered of some item than there is in stock.
#[event("order.item.backordered")]
pub mod backordered {
    use super::*;
    use jobs::{job_simulator, publish_event_log};

    fn detect(change: &Change) -> bool {
        change.collection() == "orders"
            && (change.is_insert() || change.column_changed("items"))
            && !change.query("$.after.items[?@.qty > @.stock]").is_empty()
            && change.query("$.before.items[?@.qty > @.stock]").is_empty()
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![job_simulator(Duration::from_millis(400), "Reorder"), publish_event_log(change.user())]
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{AfterImage, Change, assert_detects, assert_ignores};
    use serde_json::{Value, json};

    use crate::testing::{hasura, mongodb, mongodb_update, unknowns};

    const EVENT: &str = "order.item.backordered";
    const BEFORE: &str = r#"query("$.before.items[?@.qty > @.stock]")"#;
    const AFTER: &str = r#"query("$.after.items[?@.qty > @.stock]")"#;

    #[test]
    fn a_first_item_beyond_its_stock_is_one() {
        let changes: [Change; 12] = [
            inserted(json!([{ "qty": 3, "stock": 2 }])),
            inserted(json!([{ "qty": 1, "stock": 2 }, { "qty": 2.5, "stock": 2 }])),
            updated(json!([{ "qty": 1, "stock": 2 }]), json!([{ "qty": 3, "stock": 2 }])),
            updated(json!([{ "qty": 2, "stock": 2 }]), json!([{ "qty": 2, "stock": 0 }])),
            updated(json!([]), json!([{ "qty": 3, "stock": 2 }])),
            updated(json!(null), json!([{ "qty": 3, "stock": 2 }])),
            updated(json!([{ "qty": 3 }]), json!([{ "qty": 3, "stock": 2 }])),
            Change::update("orders").before(json!({ "id": 1 })).after(order(json!([{ "qty": 3, "stock": 2 }]))).into(),
            hasura("INSERT", "orders", json!(null), order(json!([{ "qty": 3, "stock": 2 }]))),
            hasura("UPDATE", "orders", order(json!([{ "qty": 1, "stock": 2 }])), order(json!([{ "qty": 3, "stock": 2 }]))),
            mongodb("insert", "orders", json!({ "fullDocument": order(json!([{ "qty": { "$numberLong": "3" }, "stock": 2 }])) })),
            mongodb("update", "orders", images(json!([{ "qty": 1, "stock": 2 }]), json!([{ "qty": 3, "stock": 2 }]))),
        ];
        for change in changes {
            assert_detects!(EVENT, change);
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let short = || json!([{ "qty": 3, "stock": 2 }]);
        let changes: [Change; 22] = [
            inserted(json!([{ "qty": 2, "stock": 2 }])),
            inserted(json!([])),
            inserted(json!(null)),
            inserted(json!("items")),
            inserted(json!([{ "qty": 3 }])),
            inserted(json!([{ "qty": null, "stock": 2 }])),
            inserted(json!([{ "qty": 3, "stock": null }])),
            inserted(json!([[{ "qty": 3, "stock": 2 }]])),
            Change::insert("orders").after(json!({ "id": 1 })).into(),
            updated(short(), short()),
            updated(short(), json!([{ "qty": 9, "stock": 2 }])),
            updated(short(), json!([{ "qty": 3, "stock": 2 }, { "qty": 9, "stock": 2 }])),
            updated(short(), json!([{ "qty": 1, "stock": 2 }])),
            updated(short(), json!(null)),
            Change::insert("carts").after(order(short())).into(),
            Change::delete("orders").before(order(short())).into(),
            Change::manual("orders").after(order(short())).into(),
            hasura("UPDATE", "orders", order(short()), order(short())),
            hasura("UPDATE", "orders", order(json!(null)), order(json!([{ "qty": 1, "stock": 2 }]))),
            mongodb("update", "orders", images(short(), json!([{ "qty": 4, "stock": 2 }]))),
            mongodb("delete", "orders", json!({ "fullDocumentBeforeChange": order(short()) })),
            // Without images: whatever the items are, they are what they were.
            mongodb_update("orders", json!({ "updatedFields": { "note": "call first" } })),
        ];
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }

    #[test]
    fn items_that_changed_leave_it_undecided_where_the_images_are_missing() {
        let description = json!({ "updatedFields": { "items.0.note": "gift" } });
        assert_eq!(unknowns(EVENT, mongodb_update("orders", description)), [AFTER]);

        let change = Change::update("orders").after(order(json!([{ "qty": 3, "stock": 2 }])));
        assert_eq!(unknowns(EVENT, change)[0], r#"column_changed("items")"#);
    }

    #[test]
    fn items_that_changed_are_decided_by_the_image_that_is_there_when_it_says_no() {
        let change = Change::update("orders").after(order(json!([{ "qty": 1, "stock": 2 }])));

        assert_ignores!(EVENT, change);
    }

    #[test]
    fn an_image_that_was_looked_up_later_decides_nothing_about_before() {
        let description = json!({ "updatedFields": { "items.0.note": "gift" } });
        let members = json!({ "updateDescription": description, "fullDocument": order(json!([{ "qty": 3, "stock": 2 }])) });
        let change = mongodb("update", "orders", members).with_after_image(AfterImage::Lookup);

        assert_eq!(unknowns(EVENT, change), [BEFORE]);
    }

    #[test]
    fn a_row_of_hasura_without_the_items_leaves_it_undecided() {
        let change = hasura("INSERT", "orders", json!(null), json!({ "id": 1 }));

        assert_eq!(unknowns(EVENT, change), [AFTER]);
    }

    fn inserted(items: Value) -> Change {
        Change::insert("orders").after(order(items)).into()
    }

    fn updated(before: Value, after: Value) -> Change {
        Change::update("orders").before(order(before)).after(order(after)).into()
    }

    fn images(before: Value, after: Value) -> Value {
        json!({
            "fullDocumentBeforeChange": order(before),
            "fullDocument": order(after.clone()),
            "updateDescription": { "updatedFields": { "items": after } },
        })
    }

    fn order(items: Value) -> Value {
        json!({ "id": 1, "items": items })
    }
}
