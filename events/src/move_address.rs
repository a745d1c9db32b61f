//! What can happen to the address of a move?

use std::time::Duration;

use event_detector::{Change, Job, event};

/// The vehicle has to go to another place.
#[event("move.address.changed")]
pub mod changed {
    use super::*;
    use jobs::job_simulator;

    fn detect(change: &Change) -> bool {
        change.collection() == "moves" && (change.column_changed("address.city") || change.column_changed("address.street"))
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![job_simulator(Duration::from_secs(3), "Job 1")]
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, assert_detects, assert_ignores};
    use serde_json::{Value, json};

    use crate::testing::{hasura, mongodb, mongodb_update, unknowns};

    const EVENT: &str = "move.address.changed";
    const NO_CITY_OR_STREET: [&str; 2] = [r#"column_changed("address.city")"#, r#"column_changed("address.street")"#];

    #[test]
    fn another_city_or_street_is_one() {
        let changes: [Change; 12] = [
            address(json!({ "city": "Bonn", "street": "Am Hof 1" }), json!({ "city": "Köln", "street": "Am Hof 1" })),
            address(json!({ "city": "Bonn", "street": "Am Hof 1" }), json!({ "city": "Bonn", "street": "Am Hof 2" })),
            address(json!({ "city": "Bonn" }), json!({ "city": "Bonn", "street": "Am Hof 1" })),
            address(json!({ "city": "Bonn", "street": "Am Hof 1" }), json!({ "street": "Am Hof 1" })),
            address(json!({ "city": null }), json!({ "city": "Bonn" })),
            address(json!(null), json!({ "city": "Bonn" })),
            address(json!({ "street": "Am Hof 1" }), json!(null)),
            Change::update("moves").before(json!({ "id": 1 })).after(json!({ "address": { "city": "Bonn" } })).into(),
            hasura("UPDATE", "moves", row(json!({ "city": "Bonn" })), row(json!({ "city": "Köln" }))),
            mongodb_update("moves", json!({ "updatedFields": { "address.city": "Köln" } })),
            mongodb_update("moves", json!({ "removedFields": ["address.street"] })),
            // What is known to have changed outweighs what is not.
            mongodb_update("moves", json!({ "updatedFields": { "address.city": 50667, "address.street": "Am Hof 2" } })),
        ];
        for change in changes {
            assert_detects!(EVENT, change);
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let bonn = || row(json!({ "city": "Bonn", "street": "Am Hof 1" }));
        let cologne = || row(json!({ "city": "Köln" }));
        let changes: [Change; 16] = [
            address(json!({ "city": "Bonn", "zip": "53111" }), json!({ "zip": "53113", "city": "Bonn" })),
            address(json!({ "city": "Bonn" }), json!({ "city": "Bonn", "note": "back door" })),
            address(json!({ "note": "a" }), json!({ "note": "b" })),
            address(json!(null), json!({})),
            address(json!("Bonn"), json!("Köln")),
            Change::update("moves").before(json!({ "city": "Bonn" })).after(json!({ "city": "Köln" })).into(),
            Change::update("moves").before(json!({ "id": 1 })).after(json!({ "id": 2 })).into(),
            Change::update("users").before(bonn()).after(cologne()).into(),
            Change::insert("moves").after(bonn()).into(),
            Change::delete("moves").before(bonn()).into(),
            Change::manual("moves").before(bonn()).after(cologne()).into(),
            hasura("UPDATE", "moves", bonn(), bonn()),
            hasura("INSERT", "moves", json!(null), bonn()),
            mongodb_update("moves", json!({ "updatedFields": { "address.zip": "53113", "address.city_code": "BN" } })),
            // A parent written whole, and images that show the same value again.
            mongodb(
                "update",
                "moves",
                json!({
                    "fullDocumentBeforeChange": bonn(),
                    "fullDocument": bonn(),
                    "updateDescription": { "updatedFields": { "address": { "city": "Bonn", "street": "Am Hof 1" } } },
                }),
            ),
            mongodb("delete", "moves", json!({ "fullDocumentBeforeChange": bonn() })),
        ];
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }

    #[test]
    fn an_address_written_whole_leaves_it_undecided_without_images() {
        let change = mongodb_update("moves", json!({ "updatedFields": { "address": { "city": "Bonn", "street": "Am Hof 1" } } }));

        assert_eq!(unknowns(EVENT, change), NO_CITY_OR_STREET);
    }

    #[test]
    fn a_row_of_hasura_without_the_column_leaves_it_undecided() {
        let change = hasura("UPDATE", "moves", json!({ "id": 1 }), json!({ "id": 1 }));

        assert_eq!(unknowns(EVENT, change), NO_CITY_OR_STREET);
    }

    fn address(before: Value, after: Value) -> Change {
        Change::update("moves").before(row(before)).after(row(after)).into()
    }

    fn row(address: Value) -> Value {
        json!({ "id": 1, "address": address })
    }
}
