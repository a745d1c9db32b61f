//! Is each shape of payload that Hasura was seen to post read as what it says? (The files are in `tests/payloads`.)

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::change::Change;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/payloads"))
}

fn payload(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.json"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the table says of a change; a random correlation id is left out.
fn facts(change: &Change) -> Value {
    let recorded = change.to_json().unwrap();
    json!({
        "operation": change.operation(),
        "place": format!("{}/{}", change.database(), change.collection()),
        "id": change.id(),
        "key": change.key().to_json(),
        "before": recorded.get("before"),
        "after": recorded.get("after"),
        "session": recorded.get("session"),
        "correlation": recorded.get("correlation_id"),
        "traceparent": change.traceparent(),
        "retry": [change.context("current_retry").as_i64(), change.context("max_retries").as_i64()],
        "at": change.committed_at().map(|at| at.try_to_rfc3339_string().unwrap()),
        "unwrapped": change.is_unwrapped(),
    })
}

/// The facts of a change of today, with what is said of this one.
fn with(special: Value) -> Value {
    let mut all = json!({ "session": null, "correlation": null, "traceparent": null, "retry": [null, null], "unwrapped": false });
    let special = special.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(special);
    all
}

#[expect(clippy::too_many_lines, reason = "a table of every shape")]
fn table() -> Vec<(&'static str, Value)> {
    let admin = json!({ "x-hasura-role": "admin" });
    let hub = |open: bool| json!({ "id": 7, "name": "Richmond", "open": open });
    let hubs = |operation: &str, id: &str, before: Value, after: Value| {
        with(json!({
            "operation": operation, "place": "public/hubs", "id": id, "key": 7, "before": before, "after": after,
            "session": admin, "correlation": "2c7fd10b6e95a843",
            "traceparent": "00-00000000000000002c7fd10b6e95a843-b4e9028fc7163da5-01",
            "retry": [1, 3], "at": "2021-06-30T12:30:00Z",
        }))
    };
    let lesson =
        |title: &str| json!({ "id": 5120, "titre": title, "auteur": null, "note": null, "publié": true, "langue": "français" });
    vec![
        (
            "01-oldest-insert",
            with(json!({
                "operation": "insert", "place": "public/drivers", "id": "3b0f6a52-1d47-4c5e-9a86-7f2b91c0d3e1", "key": 41,
                "before": null, "after": { "id": 41, "name": "Grace H" }, "at": "2018-11-21T08:15:42.118Z",
                "session": { "x-hasura-role": "admin", "x-hasura-allowed-roles": "['admin', 'dispatcher', 'driver']" },
            })),
        ),
        (
            "02-current-update",
            with(json!({
                "operation": "update", "place": "public/moves", "id": "c1a9e5f4-6d02-4f3b-8c7e-0b5d2a914e68", "key": 13107,
                "before": { "id": 13107, "status": "en route", "lane_price": "245.50", "driver": { "name": "Ada L", "stops": [1] } },
                "after": {
                    "id": 13107, "status": "pickup successful", "lane_price": "245.50",
                    "driver": { "name": "Ada L", "stops": [1, 2] },
                },
                "session": { "x-hasura-role": "dispatcher", "x-hasura-user-email": "ada@example.com" },
                "correlation": "8a3c60f7d188f8fa79d48a391a778fa6",
                "traceparent": "00-8a3c60f7d188f8fa79d48a391a778fa6-5f1c2ab09d3e4f67-01",
                "retry": [2, 5], "at": "2026-11-21T10:00:07.302Z",
            })),
        ),
        (
            "03-insert-without-trace",
            with(json!({
                "operation": "insert", "place": "public/bookings", "id": "61b7d3c9-25ae-4e80-b1f6-d94c037a8b52",
                "key": "9f0e1d2c-3b4a-4958-8776-655443322110", "before": null, "session": admin, "retry": [0, 0],
                "after": { "id": "9f0e1d2c-3b4a-4958-8776-655443322110", "title": "Überführung nach Köln", "seats": null },
                "at": "2020-03-09T17:46:07.307Z",
            })),
        ),
        ("04-insert", hubs("insert", "0d4c8b7a-91e2-4f60-a3b5-c6d7e8f90123", Value::Null, hub(true))),
        ("04-update", hubs("update", "1e5d9c8b-a2f3-4071-b4c6-d7e8f9012345", hub(false), hub(true))),
        ("04-delete", hubs("delete", "2f6ead9c-b304-4182-85d7-e8f901234567", hub(false), Value::Null)),
        ("04-manual", hubs("manual", "307fbead-c415-4293-96e8-f90123456789", Value::Null, hub(true))),
        (
            "05-insert-in-another-schema",
            with(json!({
                "operation": "insert", "place": "app/vehicles", "id": "4180cfbe-d526-43a4-87f9-0123456789ab", "key": 880,
                "before": null,
                "after": {
                    "id": 880, "vin": "", "note": "", "miles": 0, "price": 18250.75, "factor": 0.001,
                    "created_at": "2021-11-02T06:05:03.9+00:00", "picked_up_at": null,
                },
                "session": { "x-hasura-role": "app_backend" }, "correlation": "90ab12cd34ef5678",
                "traceparent": "00-000000000000000090ab12cd34ef5678-0011223344556677-01",
                "retry": [0, 4], "at": "2021-11-02T06:05:04.003Z",
            })),
        ),
        (
            "06-invocation-log",
            with(json!({
                "operation": "update", "place": "public/lessons", "id": "5291d0cf-e637-44b5-980a-123456789abc", "key": 5120,
                "before": lesson("Leçon 3"), "after": lesson("Leçon 3 — été"),
                "session": { "x-hasura-role": "teacher", "x-hasura-user-id": "311" },
                "correlation": "00000000000000004e8a1f2b3c4d5e6f",
                "traceparent": "00-00000000000000004e8a1f2b3c4d5e6f-7788990011aabbcc-01",
                "retry": [0, 2], "at": "2022-10-12T14:22:31.604Z", "unwrapped": true,
            })),
        ),
        (
            "07-sampled-delete",
            with(json!({
                "operation": "delete", "place": "public/keys", "id": "63a2e1d0-f748-45c6-891b-23456789abcd",
                "key": "b2d0f6a8-7c31-45e9-9f24-68ac0e13d57b",
                "before": { "id": "b2d0f6a8-7c31-45e9-9f24-68ac0e13d57b", "label": "spare key", "count": 2 }, "after": null,
                "session": { "x-hasura-role": "admin", "x-hasura-user-id": "12" },
                "correlation": "d1e2f3a4b5c6978812345678abcdef01",
                "traceparent": "00-d1e2f3a4b5c6978812345678abcdef01-c0ffee1234567890-01",
                "retry": [0, 0], "at": "2023-04-18T21:09:55.41Z",
            })),
        ),
        (
            "08-sql-server-update-of-the-primary-key",
            with(json!({
                "operation": "update", "place": "dbo/plates", "id": "74B3F2E1-0859-46D7-8A2C-3456789ABCDE", "key": 901,
                "before": null, "after": { "id": 901, "plate": "RVA-1607" },
                "correlation": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                "traceparent": "00-f0e1d2c3b4a5968778695a4b3c2d1e0f-1a2b3c4d5e6f7081-01",
                "retry": [0, 1], "at": "2024-02-29T03:04:05.06Z",
            })),
        ),
        (
            "08-sql-server-insert",
            with(json!({
                "operation": "insert", "place": "dbo/plates", "id": "85C40302-196A-47E8-9B3D-456789ABCDEF", "key": 902,
                "before": null, "after": { "id": 902, "plate": "RVA-1608" },
                "retry": [0, 1], "at": "2024-02-29T03:04:06.07Z",
            })),
        ),
        (
            "09-cron",
            with(json!({
                "operation": "manual", "place": "/nightly_settlement", "id": "96d51413-2a7b-48f9-ac4e-56789abcdef0", "key": null,
                "before": null, "after": { "region": "east", "limit": 250 }, "at": "2026-11-21T02:00:00Z",
            })),
        ),
        (
            "09-cron-with-a-text",
            with(json!({
                "operation": "manual", "place": "/hourly_report", "id": "a7e62524-3b8c-490a-bd5f-6789abcdef01", "key": null,
                "before": null, "after": { "payload": "all hubs" }, "at": "2026-11-21T03:00:00Z",
            })),
        ),
        (
            "09-cron-without-payload",
            with(json!({
                "operation": "manual", "place": "/hourly_report", "id": "b8f73635-4c9d-4a1b-8e60-789abcdef012", "key": null,
                "before": null, "after": null, "at": "2026-11-21T04:00:00Z",
            })),
        ),
        (
            "09-one-off-without-a-name",
            with(json!({
                "operation": "manual", "place": "/the_route", "id": "c9084746-5dae-4b2c-9f71-89abcdef0123", "key": 77,
                "before": null, "after": { "id": 77, "text": "close early" }, "at": "2026-12-24T18:30:00Z",
            })),
        ),
        (
            "10-wrapped-insert",
            with(json!({
                "operation": "insert", "place": "public/moves", "id": "da195857-6ebf-4c3d-a082-9abcdef01234", "key": 13108,
                "before": null, "after": { "id": 13108, "status": "new" },
                "session": { "x-hasura-role": "dispatcher", "x-correlation-id": "order-5521" }, "correlation": "order-5521",
                "traceparent": "00-0fedcba9876543210123456789abcdef-21436587a9cbed0f-00",
                "retry": [0, 5], "at": "2026-11-21T11:12:13.141Z", "unwrapped": true,
            })),
        ),
        (
            "10-wrapped-cron",
            with(json!({
                "operation": "manual", "place": "/nightly_settlement", "id": "eb2a6968-7fc0-4d4e-b193-abcdef012345", "key": null,
                "before": null, "after": { "region": "west" }, "at": "2026-11-21T02:00:00Z", "unwrapped": true,
            })),
        ),
    ]
}

#[test]
fn every_shape_is_read_as_what_it_says() {
    for (name, expected) in table() {
        let change = Change::from_hasura(payload(name), Some("the_route")).unwrap_or_else(|error| panic!("{name}: {error}"));

        assert_eq!(facts(&change), expected, "{name}");
    }
}

#[test]
fn every_shape_that_names_itself_is_read_from_a_file_too() {
    for (name, expected) in table() {
        let change = Change::from_json_bytes(payload(name));

        match change {
            Ok(change) => assert_eq!(facts(&change), expected, "{name}"),
            Err(error) => assert_eq!((name, error.pointer()), ("09-one-off-without-a-name", Some("/name"))),
        }
    }
}

#[test]
fn the_table_names_every_file() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let names = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let names: BTreeSet<String> = names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();

    assert_eq!(names, table().into_iter().map(|(name, _)| name.to_owned()).collect());
}

#[test]
fn sql_server_sends_no_old_row_of_an_update_which_is_not_an_old_row_of_nulls() {
    let change = Change::from_hasura(payload("08-sql-server-update-of-the-primary-key"), None).unwrap();

    assert_eq!(format!("{:?} {:?}", change.before("plate"), change.after("plate")), r#"unknown "RVA-1607""#);
    assert!(!change.to_json().unwrap().as_object().unwrap().contains_key("before"));
}
