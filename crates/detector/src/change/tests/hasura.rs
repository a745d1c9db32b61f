//! Does every payload that Hasura was seen to send, in eight years of versions, become a change?

use serde_json::{Value, json};

use super::Ask::{After, Became, Before, Changed, Columns};
use super::answer;
use crate::change::{Change, DecodeError, Operation};
use crate::detector::{Detector, Verdict};
use crate::value::Literal::Text;

fn decode(payload: &Value) -> Change {
    Change::from_json(payload.to_string()).unwrap_or_else(|error| panic!("{error}: {payload}"))
}

/// A payload of today with the rows given.
fn payload(op: &str, old: &Value, new: &Value) -> Value {
    json!({
        "created_at": "2026-11-21T10:00:00.30702Z",
        "delivery_info": { "current_retry": 0, "max_retries": 3 },
        "event": {
            "data": { "new": new, "old": old },
            "op": op,
            "session_variables": { "x-hasura-role": "dispatcher" },
            "trace_context": { "span_id": "6e1ee2d5b4d6f1a2", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736" },
        },
        "id": "0b2b4f1e-7c8f-4a53-9d6f-2f0e6a1c9b7d",
        "table": { "name": "moves", "schema": "public" },
        "trigger": { "name": "moves_changed" },
    })
}

/// The shapes of eight years, by their number in the list of conformance cases.
fn shapes() -> Vec<(&'static str, Value, Operation)> {
    let row = json!({ "id": 1, "name": "Café", "empty": "", "none": null, "at": "2026-11-21T10:00:00+00:00" });
    let mut mssql = payload("UPDATE", &Value::Null, &row);
    mssql["event"]["session_variables"] = Value::Null;
    let mut sampled = payload("DELETE", &row, &Value::Null);
    sampled["event"]["trace_context"]["sampling_state"] = "1".into();
    let mut early = payload("INSERT", &Value::Null, &row);
    early["created_at"] = "2020-03-04T05:06:07.30702Z".into();
    early["event"].as_object_mut().unwrap().remove("trace_context");
    let mut short_trace = payload("UPDATE", &row, &row);
    short_trace["event"]["trace_context"] = json!({ "trace_id": "6f1b2c3d4e5f6071", "span_id": "6f1b2c3d4e5f6072" });
    let mut app = payload("INSERT", &Value::Null, &row);
    app["table"]["schema"] = "app".into();
    let mut unwrapped = payload("UPDATE", &row, &row);
    unwrapped["event"]["session_variables"]["x-hasura-user-id"] = "17".into();
    let mut without = payload("UPDATE", &Value::Null, &row);
    without["event"].as_object_mut().unwrap().remove("session_variables");
    let oldest = json!({
        "id": "85558393-c75d-4d2f-9c15-e80591b83894", "created_at": "2018-09-05T07:14:21.601701Z", "trigger": { "name": "t" },
        "table": { "schema": "public", "name": "users" },
        "event": {
            "session_variables": { "x-hasura-role": "admin", "x-hasura-allowed-roles": "['user', 'boo', 'admin']" },
            "op": "INSERT", "data": { "old": null, "new": row },
        },
    });
    vec![
        ("1, oldest", oldest, Operation::Insert),
        ("2, today", payload("UPDATE", &row, &row), Operation::Update),
        ("3, without a trace", early, Operation::Insert),
        ("4, short trace", short_trace, Operation::Update),
        ("4, delete", payload("DELETE", &row, &Value::Null), Operation::Delete),
        ("4, manual", payload("MANUAL", &Value::Null, &row), Operation::Manual),
        ("5, another schema", app, Operation::Insert),
        ("6, from an invocation log", unwrapped, Operation::Update),
        ("7, sampled", sampled, Operation::Delete),
        ("8, null session", mssql, Operation::Update),
        ("8, no session", without, Operation::Update),
    ]
}

#[test]
fn every_shape_of_payload_is_a_change() {
    for (what, payload, operation) in shapes() {
        let change = decode(&payload);

        assert_eq!(change.operation(), operation, "{what}");
        assert_eq!(change.id(), payload["id"], "{what}");
        assert_eq!((change.database(), change.collection()), table(&payload), "{what}");
        assert!(change.key() == 1, "{what}");
        assert!(change.committed_at().is_some(), "{what}");
        let image = if operation == Operation::Delete { change.before("name") } else { change.after("name") };
        assert!(image == "Café", "{what}");
        assert!(change.to_json().is_some(), "{what}");
    }
}

fn table(payload: &Value) -> (&str, &str) {
    (payload["table"]["schema"].as_str().unwrap(), payload["table"]["name"].as_str().unwrap())
}

#[test]
fn what_is_no_row_event_is_refused_with_a_hint() {
    let cron =
        json!({ "scheduled_time": "2026-11-21T10:00:00Z", "payload": {}, "created_at": "x", "id": "1", "name": "nightly" });
    let one_off = json!({ "scheduled_time": "2026-11-21T10:00:00Z", "payload": null, "created_at": "x", "id": "1" });
    let wrapped = json!({ "payload": payload("INSERT", &Value::Null, &json!({ "id": 1 })), "version": "2" });
    let table = [
        (cron, "; this looks like a scheduled trigger, which has no row"),
        (one_off, "; this looks like a scheduled trigger, which has no row"),
        (wrapped, "; this looks like a payload wrapped as in Hasura's invocation log: use the object under `payload`"),
        (json!({ "some": 1, "custom": 2 }), ""),
    ];

    for (body, expected) in table {
        let error = Change::from_json(body.to_string()).unwrap_err();
        assert!(matches!(&error, DecodeError::UnknownForm { hint, .. } if *hint == expected), "{error}");
        assert!(error.to_string().contains("found the keys"), "{error}");
    }
}

#[test]
fn rows_are_compared_by_value_and_not_as_they_are_written() {
    let old = json!({ "id": 1, "data": { "a": 1, "b": [1, { "x": null }] }, "amount": 1, "price": "9.90", "gone": null, "city": "Bonn" });
    let text = payload("UPDATE", &old, &json!("NEW")).to_string().replace(
        "\"NEW\"",
        r#"{ "city":"\u0042onn", "data":{"b":[1.0,{ "x":null}],"a":1e0}, "amount":1.0, "price":"9.9", "gone":0, "id":1 }"#,
    );
    let change = Change::from_json(text).unwrap();
    let table = [
        (Changed("data"), "no"),
        (Changed("data.b.1.x"), "no"),
        (Changed("amount"), "no"),
        (Changed("city"), "no"),
        (Changed("price"), "yes"),
        (Changed("gone"), "yes"),
        (Changed("id"), "no"),
        (Before("gone"), "null"),
        (After("city"), "\"Bonn\""),
        (Became("city", Text("Bonn")), "no"),
        (Became("price", Text("9.9")), "yes"),
        (Columns, "gone price"),
    ];

    for (ask, expected) in table {
        assert_eq!(answer(&change, ask), expected, "{ask:?}");
    }
}

#[test]
fn a_column_that_no_row_has_is_undecided_but_a_path_into_one_is_not() {
    let row = json!({ "id": 1, "address": { "city": "Bonn" }, "tags": null });
    let update = decode(&payload("UPDATE", &row, &row));
    let primary_key_changed = decode(&payload("UPDATE", &Value::Null, &row));
    let insert = decode(&payload("INSERT", &Value::Null, &row));
    let delete = decode(&payload("DELETE", &row, &Value::Null));
    let table = [
        (&update, Changed("adress.city"), "unknown"),
        (&update, Changed("address.city"), "no"),
        (&update, Changed("address.ctiy"), "no"),
        (&update, Changed("tags.0"), "no"),
        (&update, Became("stauts", Text("x")), "unknown"),
        (&update, After("stauts"), "unknown"),
        (&update, After("address.ctiy"), "missing"),
        (&primary_key_changed, Changed("address"), "unknown"),
        (&primary_key_changed, Changed("adress"), "unknown"),
        (&primary_key_changed, After("address.city"), "\"Bonn\""),
        (&primary_key_changed, Columns, " and unknown"),
        (&insert, Before("address"), "missing"),
        (&insert, Before("adress"), "unknown"),
        (&insert, Changed("adress"), "no"),
        (&insert, Became("adress", Text("x")), "unknown"),
        (&delete, After("address"), "missing"),
        (&delete, Before("adress"), "unknown"),
    ];

    for (change, ask, expected) in table {
        assert_eq!(answer(change, ask), expected, "{ask:?} of {:?}", change.operation());
    }
}

#[test]
fn a_typo_in_a_column_is_reported_and_not_a_silent_never() {
    let row = json!({ "id": 1, "status": "done" });
    let update = decode(&payload("UPDATE", &row, &row));

    let verdict = Detector::new("x", |c| c.column_changed("satus") && c.after("satus") == "done").evaluate(&update);

    assert!(matches!(verdict, Verdict::Undecided(unknowns) if unknowns[0].cure.contains("did you mean `status`?")));
}

#[test]
fn an_object_that_looks_like_extended_json_is_an_ordinary_one_in_a_row() {
    let row = json!({ "id": 1, "data": { "$oid": "0123456789abcdef01234567" } });
    let change = decode(&payload("INSERT", &Value::Null, &row));

    assert!(change.after("data").as_object_id().is_none());
    assert!(change.after("data").get("$oid") == "0123456789abcdef01234567");
}

#[test]
fn members_of_other_forms_beside_a_payload_do_not_disturb_it() {
    let row = json!({ "id": 1, "status": "done" });
    let mut payload = payload("UPDATE", &json!({ "id": 1, "status": "new" }), &row);
    for (name, value) in [
        ("after", json!({ "status": "forged", "more": 1 })),
        ("before", Value::Null),
        ("session", json!({ "x-hasura-role": "admin" })),
        ("correlation_id", json!("forged")),
        ("database", json!("forged")),
        ("collection", json!("forged")),
        ("key", json!(9)),
        ("wallTime", json!("2001-01-01T00:00:00Z")),
        ("fullDocument", json!({ "status": "forged" })),
    ] {
        payload[name] = value;
    }

    let change = decode(&payload);

    assert!(change.became("status", "done") && change.before("status") == "new" && change.key() == 1);
    assert_eq!(change.changed_columns(), ["status"]);
    assert_eq!((change.role(), change.correlation_id()), (Some("dispatcher"), "4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!((change.database(), change.collection()), ("public", "moves"));
    assert_eq!(change.committed_at().unwrap().timestamp_millis(), 1_795_255_200_307);
}

#[test]
fn names_may_be_written_with_escapes() {
    let row = json!({ "id": 1, "status": "done" });
    let text = payload("INSERT", &Value::Null, &row).to_string();
    let escaped = text.replace("\"event\"", r#""\u0065vent""#).replace("\"id\":1", r#""i\u0064":1"#);
    let escaped = escaped.replace("\"status\"", r#""stat\u0075s""#).replace("\"moves\"", r#""mo\u0076es""#);
    assert_eq!(escaped.matches("\\u00").count(), 4);

    let change = Change::from_json(escaped).unwrap();

    assert!(change.after("status") == "done" && change.key() == 1 && change.collection() == "moves");
}
