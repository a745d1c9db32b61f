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

/// The payload with an id that Hasura could have given, and its member at the pointer replaced.
fn posted(pointer: &str, text: &str) -> String {
    payload(pointer, text).replace(r#""id":"1""#, r#""id":"7a1f5c0e-93d2-4b68-8e47-c05b2d916af3""#)
}

/// What is posted, with this text as the new row.
fn with_row(text: &str) -> String {
    posted("/trigger", r#"{"name":"moves"}"#).replace(r#"{"id":7}"#, text)
}

fn recorded(members: &str) -> String {
    format!(r#"{{"operation":"update","collection":"moves"{members}}}"#)
}

#[test]
fn every_json_that_is_no_change_is_refused_with_its_code_and_place() {
    let deep = format!(r#"{{"event":{{"data":{}{}}}}}"#, "[".repeat(130), "]".repeat(130));
    let long_id = payload("/id", &format!("\"{}\"", "x".repeat(257)));
    let op_expected = "expected one of INSERT, UPDATE, DELETE, MANUAL";
    let table: [(&str, &str, &str); 59] = [
        ("", "empty_body", "the body is empty; expected a change as JSON: a Hasura event trigger payload"),
        (" \r\n\t", "empty_body", "the body is empty"),
        ("hello", "invalid_json", "not JSON at line 1, column 1, near `hello`: expected an object"),
        ("\n  <html>", "invalid_json", "not JSON at line 2, column 3, near `<html>`: expected JSON, and in it one object"),
        ("\u{feff}{}", "invalid_json", "not JSON at line 1, column 1, near `\\u{feff}{}`: expected JSON, and in it"),
        ("[1, 2", "invalid_json", "not JSON at line 1, column 6, near `the end`: expected JSON, and in it one object"),
        ("[1,}", "invalid_json", "not JSON at line 1, column 4, near `}`: expected JSON, and in it one object"),
        ("[\n \"é\",\n  tru]", "invalid_json", "not JSON at line 3, column 6, near `]`: expected JSON, and in it one object"),
        ("17 {", "invalid_json", "not JSON at line 1, column 4, near `{`: expected JSON, and in it one object"),
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
        ("{}", "unknown_form", "found no keys"),
        (r#"{"a":1,"b\n":2}"#, "unknown_form", "found the keys `a`, `b\\n`"),
        (r#"{"scheduled_time":7}"#, "missing_field", "`/scheduled_time` is missing or is not a string"),
        (r#"{"scheduled_time":"x"}"#, "missing_field", "`/name` is missing or is not a string; post a one-off scheduled event"),
        (r#"{"scheduled_time":"x","name":"n"}"#, "missing_field", "`/id` is missing or is not a string"),
        (r#"{"table":{"name":"moves"},"id":"1"}"#, "missing_field", "`/event` is missing or is not an object with `op`"),
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
        (&payload("/id", "\"\""), "bad_id", "`/id` is not usable as an id: expected a text of 1 to 256 bytes"),
        (&payload("/id", "42"), "bad_id", "`/id` is not usable as an id: expected a text of 1 to 256 bytes without control"),
        (&payload("/id", "null"), "missing_field", "`/id` is missing or is not a string"),
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
        DecodeError::NotUtf8 { at: 0, line: 1, column: 1 },
        DecodeError::NotAnObject { found: "null" },
        DecodeError::Unacceptable { pointer: String::new(), problem: String::new() },
        DecodeError::UnknownForm { expected: "", keys: Vec::new(), hint: "" },
        DecodeError::missing("", ""),
        DecodeError::UnknownOperation { pointer: "".into(), found: String::new(), expected: "" },
        DecodeError::inconsistent("", ""),
        DecodeError::BadId { pointer: "".into(), expected: "" },
        DecodeError::InvalidBson { at: 0, expected: "" },
        DecodeError::TooLarge,
    ];
    let codes: std::collections::HashSet<&str> = errors.iter().map(DecodeError::code).collect();

    assert_eq!(codes.len(), errors.len());
    assert_eq!(DecodeError::TooLarge.to_string(), "the body is larger than 4 GiB");
}

#[test]
fn of_what_is_posted_every_fault_is_told_with_its_code_and_pointer() {
    let nul = |key: &str, text: &str| with_row(&format!(r#"{{"id":7,{key}:{text}}}"#));
    let nested = format!("{}{}", "[".repeat(125), "]".repeat(125));
    let table: [(&str, &str, Option<&str>, &str); 30] = [
        ("", "empty_body", None, "expected a change as JSON: a Hasura event trigger payload"),
        ("[1]", "not_an_object", None, "expected a JSON object, found an array"),
        ("[1,}", "invalid_json", None, "not JSON at line 1, column 4, near `}`"),
        ("{}", "missing_field", Some("/event"), "`/event` is missing or is not an object with `op` and `data`"),
        (r#"{"id":"1","hello":1}"#, "missing_field", Some("/event"), "`/event` is missing"),
        (
            r#"{"id":"1","payload":[]}"#,
            "missing_field",
            Some("/scheduled_time"),
            "`/scheduled_time` is missing or is not a string",
        ),
        (r#"{"id":"1","name":"nightly"}"#, "missing_field", Some("/scheduled_time"), "`/scheduled_time` is missing"),
        (&recorded(""), "unknown_form", None, "found the keys `operation`, `collection`; only what Hasura posts is read here"),
        (
            r#"{"operationType":"insert"}"#,
            "unknown_form",
            None,
            "; only what Hasura posts is read here: `event`, `table` and `id`",
        ),
        (&posted("/event", ""), "missing_field", Some("/event"), "`/event` is missing"),
        (&posted("/event/op", ""), "missing_field", Some("/event/op"), "`/event/op` is missing"),
        (&posted("/event/data", "null"), "missing_field", Some("/event/data"), "an object with `old` and `new`"),
        (&posted("/table", ""), "missing_field", Some("/table/name"), "`/table/name` is missing"),
        (&posted("/id", ""), "missing_field", Some("/id"), "`/id` is missing"),
        (&posted("/event/op", r#""TRUNCATE""#), "unknown_op", Some("/event/op"), "one of INSERT, UPDATE, DELETE, MANUAL"),
        (&posted("/event/data/new", "null"), "inconsistent_event", Some("/event/data/new"), "an INSERT has the new row"),
        (&payload("/id", "42"), "bad_id", Some("/id"), "expected a UUID"),
        (&payload("/id", r#""1""#), "bad_id", Some("/id"), "expected a UUID"),
        (&payload("/id", &format!("\"{}\"", "x".repeat(257))), "bad_id", Some("/id"), "at most 256 bytes, no control characters"),
        (&payload("/id", r#""7a1f5c0e93d24b688e47c05b2d916af3""#), "bad_id", Some("/id"), "expected a UUID"),
        (&payload("/id", r#""{7a1f5c0e-93d2-4b68-8e47-c05b2d916a}""#), "bad_id", Some("/id"), "expected a UUID"),
        (&payload("/id", r#""7a1f5c0e-93d2-4b68-8e47-c05b2d916af\u000a""#), "bad_id", Some("/id"), "expected a UUID"),
        (&nul("\"text\"", r#"["a\u0000"]"#), "unacceptable_json", Some("/event/data/new/text/0"), "the character \\u0000"),
        (
            &nul(r#""\u0000""#, "1"),
            "unacceptable_json",
            Some("/event/data/new"),
            "the character \\u0000, which no text of Postgre",
        ),
        (r#"{"\u0000":1}"#, "unacceptable_json", Some(""), "at the top level: the character \\u0000"),
        (&nul("\"id\"", "8"), "unacceptable_json", Some("/event/data/new"), "the key \"id\" stands twice"),
        (&nul("\"a/b\"", r#""\udc00""#), "unacceptable_json", Some("/event/data/new/a~1b"), "half of a surrogate pair"),
        (&with_row(&format!(r#"{{"a":{nested}}}"#)), "unacceptable_json", Some("DEEP"), "deeper than 128 levels"),
        ("{\n\"id\": tru}", "invalid_json", None, "not JSON at line 2, column 7, near `tru}`"),
        (r#"{"payload":{"event":{}}}"#, "missing_field", Some("/payload/event/op"), "`/payload/event/op` is missing"),
    ];

    for (text, code, pointer, wanted) in table {
        let error = Change::from_hasura(text.into(), None).unwrap_err();
        let message = error.to_string();
        assert_eq!(error.code(), code, "{text}: {message}");
        assert!(message.contains(wanted), "{text}: {message}");
        match pointer {
            Some("DEEP") => assert!(error.pointer().unwrap().starts_with("/event/data/new/a/0/0/0")),
            pointer => assert_eq!(error.pointer(), pointer, "{text}"),
        }
        let place = if text == "[1,}" { (1, 4) } else { (2, 7) };
        assert_eq!(error.line().zip(error.column()), (code == "invalid_json").then_some(place), "{text}");
        assert_eq!(error.hint().is_some(), message.contains("only what Hasura posts"), "{text}");
    }
}

#[test]
fn what_is_posted_may_have_any_number_and_any_other_text() {
    let row =
        r#"{"id":7,"huge":1e400,"long":9223372036854775808,"text":"\\u0000 \u0001 \ud83d\ude00","fine":0.1234567890123456789}"#;
    let change = Change::from_hasura(with_row(row).into(), None).unwrap();

    assert!(change.after("huge") > f64::MAX && change.after("long") == 9_223_372_036_854_775_808_u64);
    assert_eq!(change.after("fine").as_decimal().unwrap().to_string(), "0.1234567890123456789");
    assert!(change.after("text") == "\\u0000 \u{1} \u{1F600}");
    assert!(Change::from_json(with_row(r#"{"id":7,"text":"\u0000"}"#)).unwrap().after("text") == "\0");
}

#[test]
fn what_is_not_utf8_is_told_with_its_line_and_column() {
    let error = Change::from_hasura(b"{\n \"\xC3\xA9\": \"\xFF\"}".to_vec(), None).unwrap_err();

    assert_eq!((error.code(), error.line(), error.column()), ("invalid_json", Some(2), Some(8)));
}

#[test]
fn a_message_repeats_no_more_than_a_little_of_what_was_sent() {
    let long = "x".repeat(100_000);
    let many: Vec<String> = (0..10_000).map(|key| format!("\"{key}\":0")).collect();
    let bodies = [
        format!("{{{}}}", many.join(",")),
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"{long}":1,"{long}":2}}"#),
        format!(r#"{{"{long}":{{"{long}":"\ud800"}}}}"#),
        format!(r#"{{"{long}":!}}"#),
        posted("/event/op", &format!("\"{long}\"")),
        posted("/id", &format!("\"{long}\"")),
    ];

    for body in bodies {
        let error = Change::from_hasura(body.into(), None).unwrap_err();
        let message = error.to_string();
        assert!(message.len() < 1_000 && error.pointer().is_none_or(|pointer| pointer.len() < 1_000), "{message}");
    }
}
