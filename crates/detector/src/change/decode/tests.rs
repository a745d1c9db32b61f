//! What is said of bytes that are no change: what is wrong, where, and what was expected.

use bson::{Bson, Document, doc};

use super::DecodeError;
use crate::change::Change;

/// A payload with the member at the pointer replaced by the text, or gone where that is empty.
fn payload(pointer: &str, text: &str) -> String {
    let whole =
        r#"{"id":"1","table":{"schema":"public","name":"moves"},"event":{"op":"INSERT","data":{"old":null,"new":{"id":7}}}}"#;
    let mut value: serde_json::Value = serde_json::from_str(whole).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(name);
    if !text.is_empty() {
        parent.insert(name.to_owned(), serde_json::from_str(text).unwrap());
    }
    value.to_string()
}

fn recorded(members: &str) -> String {
    format!(r#"{{"operation":"update","collection":"moves"{members}}}"#)
}

#[test]
fn every_json_that_is_no_change_is_refused_with_its_code_and_place() {
    let deep = format!(r#"{{"event":{{"data":{}{}}}}}"#, "[".repeat(130), "]".repeat(130));
    let long_id = payload("/id", &format!("\"{}\"", "x".repeat(257)));
    let op_expected = "expected one of INSERT, UPDATE, DELETE, MANUAL";
    let table: [(&str, &str, &str); 51] = [
        ("", "empty_body", "the body is empty; expected a change as JSON: a Hasura event trigger payload"),
        (" \r\n\t", "empty_body", "the body is empty"),
        ("hello", "invalid_json", "not JSON at line 1, column 1, near `hello`: expected an object"),
        ("\n  <html>", "invalid_json", "not JSON at line 2, column 3, near `<html>`: expected an object"),
        ("\u{feff}{}", "invalid_json", "not JSON at line 1, column 1, near `\\u{feff}{}`: expected an object"),
        ("[1, 2", "invalid_json", "not JSON at line 1, column 1, near `[1, 2`: expected an object"),
        ("[1, 2]", "not_an_object", "expected a JSON object, found an array"),
        ("\"text\"", "not_an_object", "expected a JSON object, found a string"),
        ("17", "not_an_object", "expected a JSON object, found a number"),
        ("-1e400", "not_an_object", "expected a JSON object, found a number"),
        ("true", "not_an_object", "expected a JSON object, found a boolean"),
        (" null", "not_an_object", "expected a JSON object, found null"),
        ("{", "invalid_json", "not JSON at line 1, column 2, near `the end`: expected a key in double quotes"),
        ("{\n \"é\": tru}", "invalid_json", "not JSON at line 2, column 7, near `tru}`: expected a value"),
        (r#"{"a":1,}"#, "invalid_json", "column 8, near `}`: expected a key in double quotes"),
        (r#"{"a" 1}"#, "invalid_json", "column 6, near `1}`: expected `:`"),
        (r#"{"a":1 "b"}"#, "invalid_json", "column 8, near `\\\"b\\\"}`: expected `,` or `}`"),
        (r#"{"a":[1 2]}"#, "invalid_json", "column 9, near `2]}`: expected `,` or `]`"),
        (r#"{"a":"b"#, "invalid_json", "column 8, near `the end`: expected the end of the string"),
        ("{\"a\":\"b\nc\"}", "invalid_json", "column 8, near `\\nc\\\"}`: expected an escape instead of a control character"),
        (r#"{"a":"\q"}"#, "invalid_json", "column 7, near `\\\\q\\\"}`: expected one of the escapes"),
        (r#"{"a":"\u12"}"#, "invalid_json", "expected four hexadecimal digits after \\u"),
        (r#"{"a":01}"#, "invalid_json", "column 7, near `1}`: expected `,` or `}`"),
        (r#"{"a":1.}"#, "invalid_json", "column 8, near `}`: expected a digit"),
        (r#"{"a":NaN}"#, "invalid_json", "column 6, near `NaN}`: expected a value"),
        (r#"{"a":1} {"#, "invalid_json", "column 9, near `{`: expected the end of the text"),
        (r#"{"a":{"b/~c":{"x":1,"x":2}}}"#, "unacceptable_json", "at `/a/b~1~0c`: the key \"x\" stands twice in one object"),
        (r#"{"a":1,"\u0061":2}"#, "unacceptable_json", "the key \"a\" stands twice in one object"),
        (r#"{"a":[0,"\ud800"]}"#, "unacceptable_json", "at `/a/1`: text with half of a surrogate pair"),
        (&deep, "unacceptable_json", "nested deeper than 128 levels"),
        ("{}", "unknown_form", "this JSON object is not a change: a Hasura payload has `event`, a MongoDB change event has"),
        ("{}", "unknown_form", "found the keys none"),
        (r#"{"a":1,"b\n":2}"#, "unknown_form", "found the keys `a`, `b\\n`"),
        (r#"{"scheduled_time":"x"}"#, "unknown_form", "this looks like a scheduled trigger, which has no row"),
        (&payload("/event/op", ""), "missing_field", "`/event/op` is missing or is not a string"),
        (&payload("/event/op", "7"), "missing_field", "`/event/op` is missing or is not a string"),
        (&payload("/event/op", "\"TRUNCATE\""), "unknown_op", &format!("`/event/op` is \"TRUNCATE\"; {op_expected}")),
        (&payload("/event/op", "\"insert\""), "unknown_op", op_expected),
        (&payload("/event/data", ""), "missing_field", "`/event/data` is missing or is not an object with `old` and `new`"),
        (&payload("/event/data", "[]"), "missing_field", "`/event/data` is missing or is not an object with `old` and `new`"),
        (&payload("/event/data/new", "[]"), "missing_field", "`/event/data/new` is missing or is not an object or null"),
        (
            &payload("/event/data/new", "null"),
            "inconsistent_event",
            "`/event/data/new` does not fit the operation: an INSERT has",
        ),
        (&payload("/table", ""), "missing_field", "`/table/name` is missing or is not a string"),
        (&payload("/id", ""), "missing_field", "`/id` is missing or is not a string"),
        (&payload("/id", "\"\""), "bad_id", "`/id` is not usable as an id: expected 1 to 256 bytes without control characters"),
        (&payload("/id", "\"a\\u0007\""), "bad_id", "`/id` is not usable as an id"),
        (&long_id, "bad_id", "`/id` is not usable as an id"),
        (r#"{"operationType":"insert"}"#, "missing_field", "`/_id/_data` is missing or is not a resume token"),
        (r#"{"operationType":"insert","_id":{"_data":"82"}}"#, "missing_field", "`/ns/coll` is missing or is not a string"),
        (r#"{"operationType":7}"#, "missing_field", "`/operationType` is missing or is not a string"),
        (r#"{"operation":"upsert","collection":"c"}"#, "unknown_op", "insert, update, replace, delete, manual"),
    ];

    for (text, code, wanted) in table {
        let error = Change::from_json(text).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.to_string().contains(wanted), "{text}: {error}");
    }
}

#[test]
fn rows_that_do_not_fit_the_operation_are_refused_with_the_rule() {
    let rows = |op: &str, old: &str, new: &str| {
        format!(r#"{{"id":"1","table":{{"name":"t"}},"event":{{"op":"{op}","data":{{"old":{old},"new":{new}}}}}}}"#)
    };
    let table = [
        (rows("INSERT", "{}", "null"), "`/event/data/new` does not fit the operation: an INSERT has the new row"),
        (rows("UPDATE", "{}", "null"), "`/event/data/new` does not fit the operation: an UPDATE has the new row"),
        (rows("DELETE", "null", "{}"), "`/event/data/old` does not fit the operation: a DELETE has the old row"),
        (rows("MANUAL", "null", "null"), "`/event/data/new` does not fit the operation: a MANUAL event has a row"),
    ];

    for (text, expected) in table {
        let error = Change::from_json(text).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), ("inconsistent_event", expected));
    }
}

#[test]
fn a_recorded_change_that_is_not_whole_is_refused() {
    let table = [
        (r#"{"operation":"insert"}"#.to_owned(), "`/collection` is missing or is not a string"),
        (recorded(r#","before":7"#), "`/before` is missing or is not an object or null"),
        (recorded(r#","after":"x""#), "`/after` is missing or is not an object or null"),
        (recorded(r#","id":7"#), "`/id` is missing or is not a string"),
        (recorded(r#","context":[]"#), "`/context` is missing or is not an object"),
    ];

    for (text, expected) in table {
        let error = Change::from_json(text).unwrap_err();
        assert_eq!(error.code(), "missing_field");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let error = Change::from_json_bytes(b"{\"a\":\"\xFF\"}".to_vec()).unwrap_err();

    assert_eq!((error.code(), error.to_string().as_str()), ("invalid_json", "not UTF-8 at byte 6; expected JSON text"));
    assert!(Change::from_json_bytes(payload("/id", "\"1\"").into_bytes()).is_ok());
}

#[test]
fn every_bson_that_is_no_change_is_refused_with_its_place() {
    let bytes = |document: Document| document.to_vec().unwrap();
    let whole = doc! { "_id": { "_data": "82" }, "operationType": "insert", "ns": { "db": "d", "coll": "c" } };
    let with = |name: &str, value: Bson| {
        let mut event = whole.clone();
        event.insert(name, value);
        bytes(event)
    };
    let mut long = bytes(whole.clone());
    long.push(0);
    let mut unknown_type = bytes(whole.clone());
    unknown_type[4] = 0x42;
    let mut outside = bytes(whole.clone());
    outside[9] = 0x7F;
    let document = "expected a document whose length is that of the bytes, ended by a zero byte";
    let table = [
        (Vec::new(), "invalid_bson", format!("not BSON at byte 0: {document}")),
        (b"{\"a\":1}".to_vec(), "invalid_bson", format!("not BSON at byte 0: {document}")),
        (long, "invalid_bson", format!("not BSON at byte 0: {document}")),
        (unknown_type, "invalid_bson", "not BSON at byte 9: expected a known BSON element type".to_owned()),
        (outside, "invalid_bson", "not BSON at byte 9: expected a value that ends inside the document".to_owned()),
        (bytes(doc! {}), "missing_field", "`/_id/_data` is missing or is not a resume token".to_owned()),
        (with("_id", doc! { "_data": 7 }.into()), "missing_field", "`/_id/_data` is missing".to_owned()),
        (with("_id", "82".into()), "missing_field", "`/_id/_data` is missing".to_owned()),
        (with("_id", doc! { "_data": "8\n2" }.into()), "missing_field", "`/_id/_data` is missing".to_owned()),
        (with("ns", doc! { "db": "d" }.into()), "missing_field", "`/ns/coll` is missing or is not a string".to_owned()),
        (with("operationType", 7_i64.into()), "missing_field", "`/operationType` is missing or is not a string".to_owned()),
    ];

    for (bytes, code, wanted) in table {
        let error = Change::from_bson(bytes).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(&wanted), "{error}");
    }
    assert!(Change::from_bson(bytes(whole)).is_ok());
}

#[test]
fn every_error_has_a_code_of_its_own() {
    let errors = [
        DecodeError::EmptyBody,
        DecodeError::NotUtf8 { at: 0 },
        DecodeError::NotAnObject { found: "null" },
        DecodeError::Unacceptable { pointer: String::new(), problem: String::new() },
        DecodeError::UnknownForm { keys: Vec::new(), hint: "" },
        DecodeError::MissingField { pointer: "", expected: "" },
        DecodeError::UnknownOperation { pointer: "", found: String::new(), expected: "" },
        DecodeError::InconsistentEvent { pointer: "", rule: "" },
        DecodeError::BadId { pointer: "" },
        DecodeError::InvalidBson { at: 0, expected: "" },
        DecodeError::TooLarge,
    ];
    let codes: std::collections::HashSet<&str> = errors.iter().map(DecodeError::code).collect();

    assert_eq!(codes.len(), errors.len());
    assert_eq!(DecodeError::TooLarge.to_string(), "the body is larger than 4 GiB");
}
