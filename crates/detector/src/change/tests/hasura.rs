//! What do the rows of a Hasura payload answer? (What each shape of payload is read as is in `payloads.rs`.)

use serde_json::{Value, json};

use super::Ask::{After, Became, Before, Changed, Columns};
use super::answer;
use crate::change::Change;
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
fn a_row_that_the_operation_cannot_have_is_not_there() {
    let (row, other) = (json!({ "id": 1, "status": "new" }), json!({ "id": 1, "status": "done" }));
    let insert = decode(&payload("INSERT", &other, &row));
    let delete = decode(&payload("DELETE", &other, &row));

    assert!(insert.before("status").is_missing() && insert.became("status", "new"));
    assert!(delete.after("status").is_missing() && delete.before("status") == "done");
    assert_eq!((&insert.to_json().unwrap()["before"], &delete.to_json().unwrap()["after"]), (&Value::Null, &Value::Null));
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
