//! What does a change say of itself besides its columns?

use bson::oid::ObjectId;
use bson::{Bson, doc};
use serde_json::{Value, json};
use uuid::{Uuid, Version};

use super::{event, forms};
use crate::change::{AfterImage, Change, Operation};

fn hasura(session: &Value, trace: &Value) -> Change {
    let event = json!({
        "op": "INSERT", "data": { "old": null, "new": { "id": 7 } }, "session_variables": session, "trace_context": trace,
    });
    let payload = json!({ "id": "1", "table": { "schema": "public", "name": "moves" }, "event": event });
    Change::from_json(payload.to_string()).unwrap()
}

#[test]
fn the_envelope_is_the_same_in_every_form() {
    let event = event(
        "insert",
        doc! {
            "fullDocument": { "_id": 1 },
            "lsid": { "id": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] }) },
            "txnNumber": 5_i64,
        },
    );

    for (form, change) in forms(&event) {
        assert_eq!(change.id(), "826B011AAE000000022B0229296E04", "{form}");
        assert_eq!((change.database(), change.collection()), ("db", "docs"), "{form}");
        assert_eq!((change.operation(), change.is_replacement()), (Operation::Insert, false), "{form}");
        assert!(change.is_insert() && !change.is_update() && !change.is_delete() && !change.is_manual(), "{form}");
        assert_eq!(change.committed_at().unwrap().timestamp_millis(), 1_795_234_057_000, "{form}");
        assert_eq!(
            change.transaction().as_deref(),
            Some(r#"{"id":{"$binary":{"base64":"BwcHBwcHBwcHBwcHBwcHBw==","subType":"04"}}}:5"#),
            "{form}"
        );
        assert_eq!((change.source(), change.user(), change.role()), ("", None, None), "{form}");
        assert_eq!(change.after_image(), AfterImage::Exact, "{form}");
    }
}

#[test]
fn every_operation_of_a_stream_has_a_name_and_is_read_back() {
    let table = [
        ("insert", Operation::Insert),
        ("update", Operation::Update),
        ("replace", Operation::Update),
        ("delete", Operation::Delete),
        ("create", Operation::Create),
        ("drop", Operation::Drop),
        ("rename", Operation::Rename),
        ("dropDatabase", Operation::DropDatabase),
        ("invalidate", Operation::Invalidate),
        ("modify", Operation::Modify),
        ("createIndexes", Operation::CreateIndexes),
        ("dropIndexes", Operation::DropIndexes),
        ("shardCollection", Operation::Shard),
        ("refineCollectionShardKey", Operation::Shard),
        ("reshardCollection", Operation::Shard),
        ("somethingNew", Operation::Other),
    ];

    for (name, operation) in table {
        let mut event = event(name, doc! {});
        if matches!(operation, Operation::DropDatabase | Operation::Invalidate) {
            event.remove("ns");
            event.remove("documentKey");
        }
        for (form, change) in forms(&event) {
            assert_eq!((change.operation(), change.is_replacement()), (operation, name == "replace"), "{name} of {form}");
        }
    }
}

#[test]
fn the_key_is_the_id_whatever_its_type_and_the_whole_key_of_a_sharded_collection() {
    let oid = ObjectId::from_bytes([7; 12]);
    let table = [
        (doc! { "_id": 13107 }, "13107"),
        (doc! { "_id": 13107_i64 }, "13107"),
        (doc! { "_id": "a\"b" }, "a\"b"),
        (doc! { "_id": oid }, "070707070707070707070707"),
        (doc! { "_id": Bson::Null }, "null"),
        (doc! { "_id": 1.5 }, "1.5"),
        (doc! { "_id": { "a": 1, "b": "x" } }, r#"{"a":1,"b":"x"}"#),
        (doc! { "_id": { "only": 1 } }, r#"{"only":1}"#),
        (doc! { "region": "eu", "_id": 5 }, r#"{"_id":5,"region":"eu"}"#),
    ];

    for (key, expected) in table {
        let event = event("delete", doc! { "documentKey": key });
        for (form, change) in forms(&event) {
            assert_eq!(change.key().to_string(), expected, "{form}");
        }
    }
    for (form, change) in forms(&event("delete", doc! { "documentKey": { "_id": oid } })) {
        assert_eq!(change.key().as_object_id(), Some(oid), "{form}");
    }
}

#[test]
fn a_row_has_its_column_id_as_key_and_none_without_one() {
    let named = |row: Value| -> Change { Change::insert("moves").after(row).into() };

    assert!(hasura(&Value::Null, &Value::Null).key() == 7);
    assert!(named(json!({ "id": 7, "_id": 8 })).key() == 8);
    assert!(named(json!({ "code": 7 })).key().is_missing());
    assert!(Change::from(Change::insert("moves").after(json!({ "id": 7 })).key(9)).key() == 9);
    assert!(Change::from(Change::delete("moves").before(json!({ "id": 7 }))).key() == 7);
}

#[test]
fn a_number_as_key_is_one_lane_however_it_is_written() {
    let lane = |key: &str| {
        let change = Change::from_json(format!(r#"{{"operation":"insert","collection":"c","key":{key}}}"#)).unwrap();
        change.lane().unwrap()
    };
    let table = [
        ["1.5", "1.50", "15e-1"],
        ["1e50", "1E+50", "100000000000000000000000000000000000000000000000000"],
        ["7", "7.0", "0.7e1"],
        // More digits than a double holds, which leave an integer.
        ["9223372036854771.16", "9223372036854772.0", "9223372036854772"],
        ["92233720368547711.6", "9.223372036854771e16", "92233720368547710"],
    ];

    for same in table {
        assert!(same.iter().all(|key| lane(key) == lane(same[0])), "{same:?}");
    }
    assert_ne!(lane("1.5"), lane("1.6"));
}

#[test]
fn changes_of_one_document_share_a_lane_and_those_of_others_do_not() {
    let of_key = |key: bson::Document| forms(&event("delete", doc! { "documentKey": key })).map(|(_, change)| change);
    let first = of_key(doc! { "_id": ObjectId::from_bytes([1; 12]) });
    let others = [
        doc! { "_id": ObjectId::from_bytes([2; 12]) },
        doc! { "_id": 1 },
        doc! { "_id": 1.5 },
        doc! { "_id": "one" },
        doc! { "_id": { "a": 1 } },
        doc! { "_id": { "a": 2 } },
        doc! { "region": "eu", "_id": 1 },
    ];
    let mut lanes: Vec<u64> = others.into_iter().map(|key| of_key(key)[0].lane().unwrap()).collect();
    let mut elsewhere = event("delete", doc! { "documentKey": { "_id": ObjectId::from_bytes([1; 12]) } });
    elsewhere.insert("ns", doc! { "db": "db", "coll": "other" });
    lanes.push(Change::from_bson(elsewhere.to_vec().unwrap()).unwrap().lane().unwrap());

    assert!(first.iter().all(|change| change.lane() == first[0].lane()), "{:?}", first.each_ref().map(Change::lane));
    lanes.push(first[0].lane().unwrap());
    let count = lanes.len();
    lanes.sort_unstable();
    lanes.dedup();
    assert_eq!(lanes.len(), count);
    let mut without = event("drop", doc! {});
    without.remove("documentKey");
    assert!(forms(&without).iter().all(|(_, change)| change.lane().is_none()));
}

#[test]
fn a_lane_does_not_depend_on_how_a_key_is_written() {
    let keys = [r#""caf\u00e9""#, r#" "café""#];
    let lanes = keys.map(|key| {
        let payload = format!(
            r#"{{"id":"1","table":{{"name":"t"}},"event":{{"op":"DELETE","data":{{"old":{{"id":{key}}},"new":null}}}}}}"#
        );
        Change::from_json(payload).unwrap().lane()
    });

    assert_eq!(lanes[0], lanes[1]);
    assert!(lanes[0].is_some());
}

#[test]
fn session_variables_give_the_user_and_the_role() {
    let table = [
        (json!({ "x-hasura-role": "user", "x-hasura-user-email": "ada@example.com" }), Some("ada@example.com"), Some("user")),
        (json!({ "X-Hasura-Role": "admin" }), Some("system"), Some("admin")),
        (json!({ "x-hasura-role": "admin", "x-hasura-user-email": "ada@example.com" }), Some("ada@example.com"), Some("admin")),
        (json!({ "x-hasura-role": "user" }), None, Some("user")),
        (json!({ "x-hasura-role": null }), None, None),
        (json!({}), None, None),
        (Value::Null, None, None),
        (json!("text"), None, None),
    ];

    for (session, user, role) in table {
        let change = hasura(&session, &Value::Null);
        assert_eq!((change.user().as_deref(), change.role()), (user, role), "{session}");
    }
    let change = hasura(&json!({ "x-hasura-user-id": 17, "x-hasura-name": "caf\u{e9}" }), &Value::Null);
    assert_eq!((change.session("X-HASURA-USER-ID"), change.session("x-hasura-name")), (Some("17"), Some("café")));
    assert_eq!(change.session("x-hasura-other"), None);
}

#[test]
fn the_correlation_id_is_the_one_given_else_found_else_made() {
    let trace = json!({ "trace_id": "trace" });
    let table = [
        (json!({ "x-correlation-id": "cause", "x-request-id": "request" }), &trace, "cause"),
        (json!({ "x-request-id": "request" }), &trace, "request"),
        (json!({ "x-correlation-id": "" }), &trace, "trace"),
        (json!({ "x-correlation-id": null }), &trace, "trace"),
        (Value::Null, &trace, "trace"),
    ];

    for (session, trace, expected) in table {
        assert_eq!(hasura(&session, trace).correlation_id(), expected, "{session}");
        assert_eq!(hasura(&session, trace).with_correlation_id("given").correlation_id(), "given");
        assert_eq!(hasura(&session, trace).with_correlation_id("").correlation_id(), expected, "an empty one is none");
    }
    let made = hasura(&Value::Null, &json!({ "trace_id": "" }));
    assert_eq!(Uuid::parse_str(made.correlation_id()).unwrap().get_version(), Some(Version::SortRand));
    assert_eq!(made.correlation_id(), made.correlation_id());
    assert_eq!(made.with_correlation_id("given").correlation_id(), "given", "also after one was made");
}

#[test]
fn what_is_added_to_a_change_is_seen_by_later_reads() {
    let mut change: Change = Change::insert("moves").after(json!({ "id": 1 })).context("flag", true).into();
    assert_eq!(change.query("$.context.flag"), [&json!(true)]);

    change.add_context("flag", false);
    let change = change.with_context("list", json!([1])).with_source("shop").with_id("new").with_correlation_id("cause");

    assert!(change.context("flag") == false && change.context("list").get("0") == 1);
    assert!(change.context("other").is_missing());
    assert_eq!(change.contexts().len(), 2);
    assert_eq!(change.query("$.context.flag"), [&json!(false)]);
    assert_eq!(change.query("$['id','source','correlation_id']"), [&json!("new"), &json!("shop"), &json!("cause")]);
}

#[test]
fn ids_are_the_given_ones_or_follow_from_the_content() {
    let one = || Change::insert("moves").after(json!({ "id": 1 }));
    let id = |change: Change| change.id().to_owned();

    assert_eq!(id(one().into()), id(one().into()));
    assert_ne!(id(one().into()), id(Change::insert("moves").after(json!({ "id": 2 })).into()));
    assert_eq!(id(one().id("given").into()), "given");
    assert_eq!(id(Change::from(one()).with_id("later")), "later");
}

#[test]
fn a_change_shows_what_it_is_and_can_be_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    let change: Change = Change::update("moves").database("shop").id("1").after(json!({ "id": 7, "secret": "x" })).into();

    shared(&change);

    assert_eq!(
        format!("{change:?}"),
        r#"Change { id: "1", operation: Update, database: "shop", collection: "moves", key: 7, .. }"#
    );
    assert_eq!(change.operation().to_string(), "update");
    assert!(std::str::from_utf8(change.bytes()).unwrap().contains("secret"));
}
