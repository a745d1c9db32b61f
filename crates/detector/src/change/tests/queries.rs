//! What does a JSONPath select of a change, and when does the change not say?

use bson::{Bson, doc};
use serde_json::json;

use super::{forms, update};
use crate::change::Change;
use crate::detector::{Detector, Verdict};
use crate::panics::catch_panic;

fn order() -> Change {
    let items = json!([{ "sku": "a", "qty": 5, "stock": 2 }, { "sku": "b", "qty": 1, "stock": 9 }]);
    Change::update("orders")
        .before(json!({ "id": 7, "items": [] }))
        .after(json!({ "id": 7, "items": items, "note": "it's" }))
        .context("flag", true)
        .into()
}

#[test]
fn a_query_selects_what_the_standard_says() {
    let table = [
        ("$.after.items[?@.qty > 3].sku", json!(["a"])),
        ("$.after.items[?@.qty > @.stock].sku", json!(["a"])),
        ("$.after.items[?@.sku == 'b' && @.qty < 2].stock", json!([9])),
        ("$.after.items[*].sku", json!(["a", "b"])),
        ("$.after.items[-1].sku", json!(["b"])),
        ("$.after.items[?@.missing]", json!([])),
        ("$..sku", json!(["a", "b"])),
        ("$['after']['id']", json!([7])),
        ("$.operation", json!(["update"])),
        ("$.context.flag", json!([true])),
        ("$.nothing", json!([])),
    ];
    let change = order();

    for (path, expected) in table {
        let found: Vec<serde_json::Value> = change.query(path).into_iter().cloned().collect();
        assert_eq!(serde_json::Value::from(found), expected, "{path}");
    }
}

type Detect = fn(&Change) -> bool;

#[test]
fn a_query_that_looks_at_an_image_that_is_not_there_is_undecided() {
    let blind = update(Bson::Null, Bson::Null, doc! { "updatedFields": { "qty": 5 } });
    let table: [(Detect, bool); 8] = [
        (|c| c.query("$.after.items[?@.qty > 3]").is_empty(), true),
        (|c| c.query("$['before'].qty").is_empty(), true),
        (|c| c.query("$['after','key']").is_empty(), true),
        (|c| c.query("$..qty").is_empty(), true),
        (|c| c.query("$[?@.qty]").is_empty(), true),
        (|c| c.query("$.context[?@ == $.after.qty]").is_empty(), true),
        (|c| c.query("$.collection").len() == 1, false),
        (|c| c.query("$.updateDescription.updatedFields.qty").len() == 1, false),
    ];

    for (form, change) in forms(&blind) {
        for (at, (detect, undecided)) in table.into_iter().enumerate() {
            let verdict = Detector::new("x", detect).evaluate(&change);
            let expected = if undecided { matches!(verdict, Verdict::Undecided(_)) } else { verdict == Verdict::Detected };
            assert!(expected, "query {at} of {form}: {verdict:?}");
        }
    }
}

#[test]
fn a_query_over_what_an_operation_cannot_have_is_decided() {
    let insert: Change = Change::insert("orders").after(json!({ "id": 7 })).into();
    let delete: Change = Change::delete("orders").before(json!({ "id": 7 })).into();
    let unrecorded: Change = Change::insert("orders").into();
    let before: Detect = |c| c.query("$.before.id").is_empty();
    let after: Detect = |c| c.query("$.after.id").is_empty();

    assert_eq!(Detector::new("x", before).evaluate(&insert), Verdict::Detected);
    assert_eq!(Detector::new("x", after).evaluate(&delete), Verdict::Detected);
    assert!(matches!(Detector::new("x", after).evaluate(&unrecorded), Verdict::Undecided(_)));
}

#[test]
fn a_query_that_is_no_jsonpath_panics_with_the_path() {
    let panic = catch_panic(|| order().query("$.after[").len()).unwrap_err();

    assert!(panic.message().contains("`$.after[` is not a JSONPath"), "{panic:?}");
}
