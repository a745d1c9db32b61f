#[cfg(test)]
mod {{tests}} {
    use event_detector::{Change, assert_detects, assert_ignores};
    use serde_json::{Value, json};

    const EVENT: &str = "{{event}}";

    #[test]
    fn a_document_that_becomes_so_is_one() {
        let changes: [Change; 3] = [
            update(json!("something else"), json!("{{value}}")),
            update(json!(null), json!("{{value}}")),
            Change::insert("{{collection}}").after(json!({ "{{column}}": "{{value}}" })).into(),
        ];
        for change in changes {
            assert_detects!(EVENT, change);
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let changes: [Change; 7] = [
            update(json!("{{value}}"), json!("{{value}}")),
            update(json!("{{value}}"), json!("something else")),
            update(json!("something else"), json!("another thing")),
            update(json!("something else"), json!(null)),
            Change::insert("{{collection}}").after(json!({ "id": 7 })).into(),
            Change::delete("{{collection}}").before(json!({ "{{column}}": "{{value}}" })).into(),
            Change::insert("elsewhere").after(json!({ "{{column}}": "{{value}}" })).into(),
        ];
        for change in changes {
            assert_ignores!(EVENT, change);
        }
    }

    /// An update of the one column.
    fn update(before: Value, after: Value) -> Change {
        Change::update("{{collection}}")
            .before(json!({ "id": 7, "{{column}}": before }))
            .after(json!({ "id": 7, "{{column}}": after }))
            .into()
    }
}
