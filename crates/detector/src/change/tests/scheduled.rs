//! What is a scheduled trigger, and what stands inside something else, to a detector?

use serde_json::{Value, json};

use super::Ask::{After, Before, Changed, Columns};
use super::answer;
use crate::change::{Change, DecodeError, Operation};

const ID: &str = "7a1f5c0e-93d2-4b68-8e47-c05b2d916af3";

/// The body of a cron trigger with this payload, written as JSON.
fn cron(payload: &str) -> String {
    format!(r#"{{"scheduled_time":"2026-11-21T02:00:00Z","payload":{payload},"created_at":"x","id":"{ID}","name":"nightly"}}"#)
}

fn read(body: &str) -> Change {
    Change::from_hasura(body.into(), None).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn event() -> Value {
    json!({
        "id": ID, "table": { "schema": "public", "name": "moves" },
        "event": { "op": "INSERT", "data": { "old": null, "new": { "id": 7 } } },
    })
}

#[test]
fn a_payload_that_is_an_object_is_the_document_after() {
    let change = read(&cron(r#"{"region":"east","deep":{"a":[1]},"empty":null}"#));
    let table = [
        (After("region"), "\"east\""),
        (After("deep.a.0"), "1"),
        (After("empty"), "null"),
        // A payload is no row that names all its columns, so what it lacks is missing and not a typo.
        (After("nowhere"), "missing"),
        (Before("region"), "missing"),
        (Changed("region"), "no"),
        (Columns, ""),
    ];

    for (ask, expected) in table {
        assert_eq!(answer(&change, ask), expected, "{ask:?}");
    }
    assert!(change.is_manual() && change.collection() == "nightly" && change.database().is_empty());
}

#[test]
fn any_other_payload_is_the_one_field_of_the_document_and_null_is_no_document() {
    let table = [
        (r#""all hubs""#, "\"all hubs\"", json!({ "payload": "all hubs" })),
        ("17", "17", json!({ "payload": 17 })),
        ("false", "false", json!({ "payload": false })),
        (r#"[{"$oid":"x"},2]"#, r#"[{"$oid":"x"},2]"#, json!({ "payload": [{ "$oid": "x" }, 2] })),
        ("null", "missing", Value::Null),
    ];

    for (payload, after, recorded) in table {
        let change = read(&cron(payload));
        assert_eq!(answer(&change, After("payload")), after, "{payload}");
        assert_eq!(answer(&change, After("region")), "missing", "{payload}");
        assert_eq!(change.to_json().unwrap()["after"], recorded, "{payload}");
        assert_eq!(change.query("$.after.payload").len(), usize::from(payload != "null"), "{payload}");
    }
    assert_eq!(answer(&read(&cron("null").replace(r#""payload":null,"#, "")), After("payload")), "missing");
    assert!(read(&cron("[5]").replace("payload", "p\\u0061yload")).after("payload.0") == 5);
}

#[test]
fn what_is_read_of_a_scheduled_trigger_is_read_of_its_record() {
    for payload in [r#"{"id":7,"_id":8,"a":{"b":1e400}}"#, r#"{"_id":8}"#, "[[1,2],{}]", "\"x\"", "null"] {
        let change = read(&cron(payload));
        let again = Change::from_json(change.to_json().unwrap().to_string()).unwrap();

        assert_eq!(again.to_json(), change.to_json(), "{payload}");
        assert_eq!((again.operation(), again.lane()), (Operation::Manual, change.lane()), "{payload}");
    }
}

#[test]
fn an_array_nests_as_deep_as_its_record_can_be_read_again() {
    let nested = |depth: usize| cron(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));

    let change = read(&nested(126));
    let error = Change::from_json(nested(127)).unwrap_err();

    assert!(Change::from_json(change.to_json().unwrap().to_string()).is_ok());
    assert_eq!((error.code(), error.pointer()), ("unacceptable_json", Some("/payload")));
}

#[test]
fn the_name_is_the_collection_and_only_where_there_is_none_the_trigger_is() {
    let named = cron("{}");
    let table = [
        (named.as_str(), None, Some("nightly")),
        (&named, Some("route"), Some("nightly")),
        (&named.replace("\"nightly\"", "null"), Some("route"), Some("route")),
        (&named.replace("\"nightly\"", "\"\""), Some("route"), Some("route")),
        (&named.replace(",\"name\":\"nightly\"", ""), Some("route"), Some("route")),
        (&named.replace(",\"name\":\"nightly\"", ""), None, None),
    ];

    for (body, trigger, expected) in table {
        let change = Change::from_hasura(body.into(), trigger);
        assert_eq!(change.as_ref().ok().map(Change::collection), expected, "{body}");
        if let Err(error) = change {
            assert_eq!((error.code(), error.pointer()), ("missing_field", Some("/name")));
            assert!(error.to_string().ends_with("has no name, to the route of a trigger"), "{error}");
        }
    }
}

#[test]
fn what_is_wrapped_is_taken_out_and_its_faults_are_told_where_they_stand() {
    let mut no_op = event();
    no_op["event"].as_object_mut().unwrap().remove("op");
    let mut no_row = event();
    no_row["event"]["data"]["new"] = Value::Null;
    let mut bad_id = event();
    bad_id["id"] = "17".into();
    let no_name: Value = serde_json::from_str(&cron("{}").replace("nightly", "")).unwrap();
    let table = [
        (json!({ "payload": event(), "version": "2" }), None),
        (json!({ "payload": event(), "headers": [], "request": { "payload": no_op } }), None),
        (json!({ "request": { "payload": event(), "version": "2" }, "id": "17", "response": {} }), None),
        (json!({ "payload": null, "request": { "payload": event() } }), None),
        (json!({ "payload": no_op }), Some("missing_field /payload/event/op")),
        (json!({ "payload": no_row }), Some("inconsistent_event /payload/event/data/new")),
        (json!({ "request": { "payload": bad_id } }), Some("bad_id /request/payload/id")),
        (json!({ "payload": no_name }), Some("missing_field /payload/name")),
        // Once is enough.
        (json!({ "payload": { "payload": event() } }), Some("unknown_form ")),
        (json!({ "payload": [event()] }), Some("missing_field /scheduled_time")),
        (json!({ "payload": { "order": 5 }, "type": "order" }), Some("unknown_form ")),
    ];

    for (body, expected) in table {
        match Change::from_hasura(body.to_string().into(), None) {
            Ok(change) => {
                assert_eq!((expected, change.is_unwrapped(), change.id()), (None, true, ID), "{body}");
                assert!(serde_json::from_slice::<Value>(change.bytes()).is_ok_and(|own| own == event()), "{body}");
            }
            Err(error) => {
                assert_eq!(
                    Some(format!("{} {}", error.code(), error.pointer().unwrap_or_default()).as_str()),
                    expected,
                    "{body}"
                );
            }
        }
    }
    assert!(!Change::from_json(event().to_string()).unwrap().is_unwrapped());
}

#[test]
fn a_payload_beside_an_event_or_a_schedule_is_not_a_wrapped_one() {
    let mut beside = event();
    beside["payload"] = json!({ "event": { "op": "DELETE" } });
    let scheduled = cron(&event().to_string());

    let (event, scheduled) = (read(&beside.to_string()), read(&scheduled));

    assert!(event.is_insert() && !event.is_unwrapped());
    assert!(scheduled.is_manual() && !scheduled.is_unwrapped() && scheduled.after("event.op") == "INSERT");
}

#[test]
fn a_wrapped_record_stays_refused() {
    let wrapped = json!({ "payload": { "operation": "insert", "collection": "moves", "after": {} } });

    let error = Change::from_json(wrapped.to_string()).unwrap_err();

    assert!(matches!(error, DecodeError::UnknownForm { .. }), "{error}");
    assert_eq!(error.hint(), Some("the object under `payload` is no payload of Hasura's either"));
}
