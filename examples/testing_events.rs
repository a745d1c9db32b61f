//! How is an event tested? Without a database: a change is written down, and the event is asked about it.

use event_detector::{Change, event};

/// The price of a product went down.
#[event("product.price.reduced")]
pub mod reduced {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "products"
            && change.column_changed("price")
            && change.after("price").as_f64() < change.before("price").as_f64()
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, Registry, Verdict, assert_detects, assert_ignores};
    use serde_json::{Value, json};

    const EVENT: &str = "product.price.reduced";

    #[test]
    fn a_lower_price_is_one() {
        for (before, after) in [(json!(10), json!(9.5)), (json!(0.1), json!(0)), (json!(5), json!({ "$numberDecimal": "4.99" }))]
        {
            assert_detects!(EVENT, price(before, after));
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let reduced = price(json!(10), json!(9));
        let changes: [Change; 5] = [
            price(json!(10), json!(10.0)),
            price(json!(10), json!(11)),
            Change::insert("products").after(json!({ "price": 9 })).into(),
            Change::delete("products").before(json!({ "price": 9 })).into(),
            Change::update("offers").before(json!({ "price": 10 })).after(json!({ "price": 9 })).into(),
        ];

        assert_detects!(EVENT, reduced);
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }

    #[test]
    fn without_the_document_from_before_nobody_can_tell() {
        let change: Change = Change::update("products").after(json!({ "price": 9 })).into();
        let registry = Registry::from_linked().unwrap();

        let verdict = registry.get(EVENT).unwrap().evaluate(&change);

        assert!(matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");
    }

    fn price(before: Value, after: Value) -> Change {
        Change::update("products").before(json!({ "price": before })).after(json!({ "price": after })).into()
    }
}
