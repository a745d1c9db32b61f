//! Do BSON, relaxed and canonical extended JSON, and the recorded form say the same?

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use serde_json::json;

use super::{Ask, answer, event, forms, update};
use crate::change::{AfterImage, Change};

/// A value of every type that BSON has.
fn every_type() -> Document {
    doc! {
        "_id": ObjectId::from_bytes([1; 12]),
        "double": 1.5, "whole": 2.0, "nan": f64::NAN, "infinite": f64::NEG_INFINITY, "minus_zero": -0.0,
        "string": "caf\u{e9} \"\n\\\u{1F600}\0x", "empty": "", "document": { "a": { "b": 1 } }, "array": [1, "x", [2]],
        "binary": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] }),
        "uuid": Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] }),
        "undefined": Bson::Undefined, "bool": true, "null": Bson::Null,
        "date": bson::DateTime::from_millis(1_795_234_057_123), "old": bson::DateTime::from_millis(-5),
        "regex": Bson::RegularExpression(bson::Regex { pattern: "a+".try_into().unwrap(), options: "i".try_into().unwrap() }),
        "code": Bson::JavaScriptCode("f()".into()),
        "scoped": bson::JavaScriptCodeWithScope { code: "f()".into(), scope: doc! { "x": 1 } },
        "symbol": Bson::Symbol("s".into()), "int": 7_i32, "long": i64::MAX, "lowest": i64::MIN,
        "timestamp": bson::Timestamp { time: 1, increment: 2 },
        "decimal": "1.50".parse::<bson::Decimal128>().unwrap(), "decimal_nan": "NaN".parse::<bson::Decimal128>().unwrap(),
        "min": Bson::MinKey, "max": Bson::MaxKey,
        "$dollar": { "$inner": 1, "b": 2 }, "dollars": { "$only": { "b": 2 } }, "unicode-\u{e9}": 1,
    }
}

#[test]
fn every_type_reads_the_same_in_every_form() {
    let document = every_type();
    let forms = forms(&event("insert", doc! { "fullDocument": document.clone() }));
    let (_, bson) = &forms[3];

    for (form, change) in &forms {
        for name in document.keys() {
            let (own, other) = (change.after(name), bson.after(name));
            assert_eq!(own.to_string(), other.to_string(), "{name} of {form}");
            assert_eq!(own.to_json(), other.to_json(), "{name} of {form}");
            assert_eq!(own.as_str(), other.as_str(), "{name} of {form}");
            assert_eq!(own.as_i64(), other.as_i64(), "{name} of {form}");
            assert_eq!(own.as_bool(), other.as_bool(), "{name} of {form}");
            assert_eq!(own.as_datetime(), other.as_datetime(), "{name} of {form}");
            assert_eq!(own.as_object_id(), other.as_object_id(), "{name} of {form}");
            assert_eq!((own.exists(), own.is_null()), (other.exists(), other.is_null()), "{name} of {form}");
            assert_eq!(format!("{:?}", own.as_f64()), format!("{:?}", other.as_f64()), "{name} of {form}");
            // Zeros at the end are kept as they are written, and a double has none.
            let decimal = |value: &crate::Value<'_>| {
                let text = value.as_decimal().map(|decimal| decimal.to_string())?;
                Some(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text })
            };
            assert_eq!(decimal(&own), decimal(&other), "{name} of {form}");
        }
        assert!(change.after("document.a.b") == 1 && change.after("array.2.0") == 2, "{form}");
        assert!(change.after("$dollar.$inner") == 1 && change.after("dollars.$only.b") == 2, "{form}");
    }
}

#[test]
fn no_type_is_changed_when_it_is_written_again() {
    let event = update(every_type(), every_type(), doc! {});

    for (form, change) in forms(&event) {
        for name in every_type().keys() {
            assert!(!change.column_changed(name), "{name} of {form}");
        }
        assert!(change.changed_columns().is_empty(), "{form}");
    }
}

#[test]
fn documents_are_equal_in_any_order_of_their_fields() {
    let event = update(
        doc! { "_id": 1, "o": { "a": 1, "b": { "c": [1, 2], "d": Bson::Null } }, "arr": [1, 2], "d": { "$x": 1, "y": 2 } },
        doc! { "d": { "y": 2.0, "$x": 1 }, "arr": [2, 1], "o": { "b": { "d": Bson::Null, "c": [1.0, 2_i64] }, "a": 1 }, "_id": 1 },
        doc! {},
    );

    for (form, change) in forms(&event) {
        assert_eq!(change.changed_columns(), ["arr"], "{form}");
    }
}

#[test]
fn every_type_changed_is_seen_in_every_form() {
    let document = every_type();
    let names: Vec<String> = document.keys().filter(|name| *name != "_id").cloned().collect();
    // Every column takes the value of the next.
    let shifted: Document =
        names.iter().zip(names.iter().cycle().skip(1)).map(|(name, next)| (name.clone(), document[next].clone())).collect();

    for (form, change) in forms(&update(document.clone(), shifted, doc! {})) {
        for name in &names {
            assert!(change.column_changed(name), "{name} of {form}");
        }
    }
}

#[test]
fn a_recorded_change_is_read_back_whole() {
    let session = json!({ "x-hasura-role": "admin", "x-hasura-user-id": "7", "x-correlation-id": "cause" });
    let row = |status: &str| json!({ "id": 7, "status": status, "at": "2026-11-21T10:00:00Z", "data": { "a": [1, null] } });
    let payload = json!({
        "id": "1", "created_at": "2026-11-21T10:00:00Z", "table": { "schema": "public", "name": "moves" },
        "event": { "op": "UPDATE", "data": { "old": row("new"), "new": row("done") }, "session_variables": session },
    });
    let built = |builder: crate::ChangeBuilder| builder.try_build().unwrap();
    let changes = [
        Change::from_json(payload.to_string()).unwrap().with_source("hasura").with_context("flag", json!({ "deep": 1.5 })),
        built(Change::manual("moves").after(row("x")).session("x-hasura-role", "user").context("a", 1)),
        built(Change::update("moves").after(row("x")).key(json!({ "$oid": "0123456789abcdef01234567" })).database("shop")),
        built(Change::delete("moves").before(row("x")).id("given")).with_correlation_id("cause"),
        built(Change::insert("moves")),
        forms(&update(Bson::Null, doc! { "_id": 1, "status": "x" }, doc! { "updatedFields": { "status": "x" } }))
            .map(|(_, change)| change)
            .into_iter()
            .next_back()
            .unwrap()
            .with_after_image(AfterImage::Lookup)
            .with_source("mongodb"),
    ];
    let reads = ["id", "status", "at", "data", "data.a.1", "missing"];

    for change in changes {
        let again = Change::from_json(change.to_json().unwrap().to_string()).unwrap();

        assert_eq!(again.to_json(), change.to_json());
        assert_eq!((again.id(), again.source()), (change.id(), change.source()));
        assert_eq!((again.database(), again.collection()), (change.database(), change.collection()));
        assert_eq!((again.operation(), again.is_replacement()), (change.operation(), change.is_replacement()));
        assert_eq!((again.key().to_string(), again.lane()), (change.key().to_string(), change.lane()));
        assert_eq!((again.user(), again.role()), (change.user(), change.role()));
        assert_eq!(again.session("x-hasura-user-id"), change.session("x-hasura-user-id"));
        assert_eq!((again.contexts(), again.committed_at()), (change.contexts(), change.committed_at()));
        assert_eq!(again.after_image(), change.after_image());
        if change.to_json().unwrap().get("correlation_id").is_some() {
            assert_eq!(again.correlation_id(), change.correlation_id());
        }
        for path in reads.into_iter().filter(|path| *path != "missing" || change.source() != "hasura") {
            for ask in [Ask::Before(path), Ask::After(path), Ask::Changed(path), Ask::Became(path, "x".into()), Ask::Columns] {
                assert_eq!(answer(&again, ask), answer(&change, ask), "{ask:?} of {change:?}");
            }
        }
    }
}

#[test]
fn numbers_that_a_double_cannot_hold_are_kept_in_the_change() {
    let text = r#"{"operation":"insert","collection":"t","after":{"id":1,"big":18446744073709551616,"huge":1e400,"fine":0.12345678901234567890123,"long":9223372036854775808}}"#;
    let change = Change::from_json(text).unwrap();

    assert!(
        change.after("big") > u64::MAX
            && change.after("huge") > f64::MAX
            && change.after("long") == 9_223_372_036_854_775_808_u64
    );
    assert_eq!(change.after("fine").as_decimal().unwrap().to_string(), "0.12345678901234567890123");
    assert_eq!(change.after("huge").as_decimal().unwrap().to_string(), "1E+400");
    assert_eq!((change.after("huge").as_f64(), change.after("big").as_i64()), (None, None));
    assert_eq!(change.after("huge").to_json(), Some(json!("1e400")));
    assert_eq!(change.to_json().unwrap()["after"]["long"], json!(9_223_372_036_854_775_808_u64));
}
