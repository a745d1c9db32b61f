//! Whatever is wrong with a request, the answer says what, where, and what was expected; nothing is handed over.

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::support::{ID, hasura, notes, payload, post, send};

/// The payload with the value at `pointer` replaced; null removes it.
fn with(pointer: &str, value: Value) -> Bytes {
    let mut payload = payload();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = payload.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(key),
        value => parent.insert(key.to_owned(), value),
    };
    payload.to_string().into()
}

fn text(edit: impl FnOnce(String) -> String) -> Bytes {
    edit(payload().to_string()).into()
}

struct Bad {
    what: &'static str,
    body: Bytes,
    status: u16,
    code: &'static str,
    pointer: Option<&'static str>,
    says: &'static str,
}

fn bad(
    what: &'static str,
    body: impl Into<Bytes>,
    status: u16,
    code: &'static str,
    pointer: impl Into<Option<&'static str>>,
    says: &'static str,
) -> Bad {
    Bad { what, body: body.into(), status, code, pointer: pointer.into(), says }
}

fn table() -> Vec<Bad> {
    let row = "/event/data/new/status";
    vec![
        bad("no bytes", "", 400, "empty_body", None, "Hasura event trigger payload"),
        bad("white space", " \n ", 400, "empty_body", None, "Hasura event trigger payload"),
        bad("no JSON", "{\"id\": 1,\n \"event\": oops}", 400, "invalid_json", None, "oops"),
        bad("half a body", text(|text| text[..60].to_owned()), 400, "invalid_json", None, "the end"),
        bad("no UTF-8", &b"{\"id\":\"\xff\"}"[..], 400, "invalid_json", None, "not UTF-8 at byte 7"),
        bad("an array", "[]", 400, "not_an_object", None, "array"),
        bad("half an array", "[1,}", 400, "invalid_json", None, "column 4, near `}`"),
        bad("a text", "\"hi\"", 400, "not_an_object", None, "string"),
        bad("null", "null", 400, "not_an_object", None, "null"),
        bad("no op", with("/event/op", Value::Null), 422, "missing_field", "/event/op", "/event/op"),
        bad("no data", with("/event/data", Value::Null), 422, "missing_field", "/event/data", "/event/data"),
        bad("no table", with("/table", Value::Null), 422, "missing_field", "/table/name", "/table/name"),
        bad("no id", with("/id", Value::Null), 422, "missing_field", "/id", "/id"),
        bad("an unknown op", with("/event/op", json!("UPSERT")), 422, "unknown_op", "/event/op", "INSERT, UPDATE, DELETE"),
        bad("an insert of nothing", with("/event", insert_of_null()), 422, "inconsistent_event", "/event/data/new", "new"),
        bad("a delete of nothing", with("/event", delete_of_null()), 422, "inconsistent_event", "/event/data/old", "old"),
        bad("an id that is no UUID", with("/id", json!("42")), 422, "bad_id", "/id", "UUID"),
        bad("a long id", with("/id", json!("a".repeat(257))), 422, "bad_id", "/id", "256"),
        bad("an id with a line break", with("/id", json!("a\nb")), 422, "bad_id", "/id", "control characters"),
        bad("a key twice", text(|text| text.replacen('{', "{\"id\":\"x\",", 1)), 422, "unacceptable_json", "", "twice"),
        bad("half a surrogate", text(|text| text.replace("done", "\\ud800")), 422, "unacceptable_json", row, "surrogate"),
        bad("a NUL", text(|text| text.replace("done", "a\\u0000b")), 422, "unacceptable_json", row, "u0000"),
        bad("an id that is a number", with("/id", json!(42)), 422, "bad_id", "/id", "UUID"),
        bad("no event", with("/event", Value::Null), 422, "missing_field", "/event", "`op` and `data`"),
        bad("nothing", "{}", 422, "missing_field", "/event", "`op` and `data`"),
        bad("nothing but an id", format!("{{\"id\":\"{ID}\"}}"), 422, "missing_field", "/event", "`op` and `data`"),
        bad("another object", "{\"hello\":1}", 422, "missing_field", "/event", "`op` and `data`"),
        bad("no schedule", "{\"name\":\"n\",\"payload\":1}", 422, "missing_field", "/scheduled_time", "a string"),
        bad("something wrapped", "{\"payload\":{\"hello\":1}}", 422, "unknown_form", None, "`payload` is no payload"),
        bad("a change of MongoDB", "{\"operationType\":\"insert\"}", 422, "unknown_form", None, "only what Hasura posts"),
    ]
}

fn insert_of_null() -> Value {
    json!({ "op": "INSERT", "data": { "old": null, "new": null } })
}

fn delete_of_null() -> Value {
    json!({ "op": "DELETE", "data": { "old": null, "new": null } })
}

#[tokio::test]
async fn a_body_that_is_no_change_is_refused_with_its_reason_and_its_place() {
    let (hasura, meeting) = hasura(notes);

    for Bad { what, body, status, code, pointer, says } in table() {
        let answer = send(&hasura, post("/hasura", body)).await;

        assert_eq!(answer.code(), (status, code), "{what}: {answer:?}");
        assert_eq!(answer.body.get("pointer").and_then(Value::as_str), pointer, "{what}: {answer:?}");
        assert!(answer.body["message"].as_str().unwrap().contains(says), "{what}: {answer:?}");
        assert!(answer.body["hint"].is_string(), "{what}: {answer:?}");
        assert_eq!(answer.body["request_id"], answer.header("x-request-id"), "{what}");
        assert_eq!(answer.header("content-type"), "application/json", "{what}");
    }
    assert_eq!(meeting.notes(), [""; 0]);
}

#[tokio::test]
async fn text_that_is_no_json_is_shown_by_line_and_column() {
    let (hasura, _) = hasura(notes);

    let answer = send(&hasura, post("/hasura", "{\"id\": 1,\n \"event\": oops}")).await;

    assert_eq!((&answer.body["line"], &answer.body["column"]), (&json!(2), &json!(11)), "{answer:?}");
}

fn nested(depth: usize) -> Bytes {
    text(|text| text.replace("\"done\"", &format!("{}{}", "[".repeat(depth), "]".repeat(depth))))
}

#[tokio::test]
async fn deep_nesting_is_refused_where_it_is_too_deep() {
    let (hasura, meeting) = hasura(notes);

    let refused = send(&hasura, post("/hasura", nested(130))).await;
    let taken = send(&hasura, post("/hasura", nested(120))).await;

    assert_eq!(refused.code(), (422, "unacceptable_json"));
    assert!(refused.body["pointer"].as_str().unwrap().starts_with("/event/data/new/status/0/0/"), "{refused:?}");
    assert!(refused.text().contains("deeper than 128 levels"), "{refused:?}");
    assert_eq!((taken.status, meeting.notes()), (200, vec!["13107".to_owned()]));
}

#[tokio::test]
async fn numbers_beyond_what_computers_count_in_are_taken() {
    for number in ["1e400", "9223372036854775808", "-1E-9999", "0.1000000000000000055511151231257827"] {
        let (hasura, meeting) = hasura(notes);

        let answer = send(&hasura, post("/hasura", text(|text| text.replace("\"done\"", number)))).await;

        assert_eq!((answer.status, meeting.notes().len()), (200, 1), "{number}: {answer:?}");
    }
}
