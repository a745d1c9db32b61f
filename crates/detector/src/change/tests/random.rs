//! Whatever bytes come: no panic, and what is read agrees with what `serde_json` and `bson` read.

use bson::{Bson, Document, doc};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{event, forms};
use crate::change::{AfterImage, Change, Operation};
use crate::detector::Detector;

/// Asks everything that can be asked of a change.
fn read_all(change: &Change) {
    let mut paths: Vec<String> = ["", ".", "a", "a.b", "_id", "id", "status", "arr.1", "0", "$oid"].map(str::to_owned).to_vec();
    paths.extend(change.changed_columns());
    for path in &paths {
        for value in [change.before(path), change.after(path), change.key(), change.after(path).get(path), change.context(path)] {
            let _text =
                (value.to_string(), format!("{value:?}"), value.to_json(), value.as_str(), value.as_i64(), value.as_f64());
            let _typed = (value.as_bool(), value.as_datetime(), value.as_object_id(), value.as_decimal(), value.items().len());
            let _answers = (value.exists(), value.is_null(), value == 1, value == "x", value > 1.5, value == change.before(path));
        }
        let _changed = (change.column_changed(path), change.became(path, "x"), change.changed_from_to(path, 1, "x"));
    }
    let _facts = (change.to_json(), change.query("$..a"), change.query("$.after[?@.a > 1]"), change.session("x-hasura-role"));
    let _more = (change.user().is_some(), change.lane(), change.committed_at(), change.transaction(), change.correlation_id());
    let _debug = (format!("{change:?}"), change.id(), change.database(), change.collection(), change.operation());
    let everything = |c: &Change| {
        c.column_changed("a") && c.after("a") == 1 && !c.changed_columns().is_empty() || c.query("$.before.a").is_empty()
    };
    let _verdict = Detector::new("x", everything).evaluate_recorded(change);
}

fn read_if_it_is_one(change: Result<Change, crate::DecodeError>) {
    match change {
        Ok(change) => {
            read_all(&change);
            let recorded = change.to_json().map(Value::to_string);
            read_all(&change.with_after_image(AfterImage::Lookup));
            if let Some(recorded) = recorded {
                read_all(&Change::from_json(recorded).expect("what is written can be read"));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.code().is_empty()),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        (0..=u64::MAX / 2).prop_map(Value::from),
        (-10..10_i64).prop_map(Value::from),
        any::<f64>().prop_map(|double| serde_json::Number::from_f64(double).map_or(Value::Null, Value::Number)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(name(), inner, 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-d]", "[a-c0-2]{1,3}", "[^$.\\x00][^.\\x00]{0,4}"]
}

fn object() -> impl Strategy<Value = Value> {
    btree_map(name(), value(), 0..6).prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// Every path into a document, with the value that `serde_json` finds there.
fn paths(value: &Value) -> Vec<(String, &Value)> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = children.iter().flat_map(|(name, value)| {
        paths(value).into_iter().map(move |(path, found)| (format!("{name}.{path}"), found)).collect::<Vec<_>>()
    });
    let below: Vec<_> = below.collect();
    children.into_iter().chain(below).collect()
}

/// The document as BSON.
fn bson(document: &Value) -> Document {
    match Bson::try_from(document.clone()) {
        Ok(Bson::Document(document)) => document,
        other => panic!("{other:?}"),
    }
}

fn hasura(op: &str, old: &Value, new: &Value) -> Value {
    let event = json!({ "op": op, "data": { "old": old, "new": new }, "session_variables": { "x-hasura-role": "a" } });
    json!({ "id": "1", "table": { "schema": "s", "name": "t" }, "event": event })
}

/// Equal as this crate sees it: numbers by value.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let whole = |number: &serde_json::Number| number.as_i128();
            match (whole(left), whole(right)) {
                (Some(left), Some(right)) => left == right,
                (None, None) => left.as_f64() == right.as_f64(),
                (Some(int), None) => exactly(int, right),
                (None, Some(int)) => exactly(int, left),
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| equal(value, other)))
        }
        (left, right) => left == right,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast to i128 saturates, and the way back is compared")]
#[expect(clippy::cast_precision_loss, reason = "only an exact way there and back is equal")]
fn exactly(int: i128, double: &serde_json::Number) -> bool {
    double.as_f64().is_some_and(|double| double as i128 == int && int as f64 == double)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_if_it_is_one(Change::from_bson(bytes.clone()));
        read_if_it_is_one(Change::from_json_bytes(bytes));
    }

    #[test]
    fn arbitrary_text_is_no_panic_and_its_fault_is_inside(text in any::<String>(), braces in "[\\[\\]{}\":,0-9eE+.\\\\ua-f -]{0,80}") {
        for text in [text, format!("{{{braces}"), format!("{{\"event\":{{\"data\":{{{braces}}}}}}}")] {
            let change = Change::from_json(text.clone());
            if let Err(crate::DecodeError::InvalidJson { line, column, near, .. }) = &change {
                let found = text.split('\n').nth(line - 1).expect("the line is there");
                prop_assert!(*column <= found.chars().count() + 1);
                prop_assert!(!near.is_empty());
            }
            read_if_it_is_one(change);
        }
    }

    #[test]
    fn a_change_with_some_bytes_wrong_is_no_panic(
        old in object(), new in object(), places in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let description = doc! { "updatedFields": { "a": 1, "arr.1": "x" }, "removedFields": ["b"], "truncatedArrays": [] };
        let event = event("update", doc! {
            "fullDocument": bson(&new), "fullDocumentBeforeChange": bson(&old), "updateDescription": description,
        });
        let relaxed = Bson::from(event.clone()).into_relaxed_extjson().to_string();
        for whole in [event.to_vec().unwrap(), relaxed.into_bytes(), hasura("UPDATE", &old, &new).to_string().into_bytes()] {
            let mut bytes = whole.clone();
            for (place, byte) in &places {
                let at = place.index(bytes.len());
                bytes[at] = *byte;
            }
            read_if_it_is_one(Change::from_bson(bytes.clone()));
            read_if_it_is_one(Change::from_json_bytes(bytes));
            let cut = places[0].0.index(whole.len());
            prop_assert!(Change::from_bson(whole[..cut].to_vec()).is_err());
            prop_assert!(Change::from_json_bytes(whole[..cut].to_vec()).is_err());
        }
    }

    #[test]
    fn every_path_gives_what_serde_json_finds(new in object(), pretty in any::<bool>()) {
        let payload = hasura("INSERT", &Value::Null, &new);
        let text = if pretty { serde_json::to_string_pretty(&payload).unwrap() } else { payload.to_string() };
        let change = Change::from_json(text).unwrap();

        for (path, expected) in paths(&new) {
            prop_assert_eq!(change.after(&path).to_json(), Some(expected.clone()), "{}", path);
        }
        prop_assert_eq!(&change.to_json().unwrap()["after"], &new);
    }

    #[test]
    fn a_column_changed_exactly_if_its_values_are_not_equal(old in object(), new in object()) {
        let from_hasura = Change::from_json(hasura("UPDATE", &old, &new).to_string()).unwrap();
        let images = doc! { "fullDocument": bson(&new), "fullDocumentBeforeChange": bson(&old) };
        let changes = forms(&event("update", images));

        for (name, _) in old.as_object().unwrap().iter().chain(new.as_object().unwrap()) {
            let expected = match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) => !equal(old, new),
                _ => true,
            };
            prop_assert_eq!(from_hasura.column_changed(name), expected, "{}", name);
            for (form, change) in &changes {
                prop_assert_eq!(change.column_changed(name), expected, "{} of {}", name, form);
            }
            prop_assert_eq!(from_hasura.changed_columns().contains(name), expected);
        }
    }

    #[test]
    fn what_is_recorded_is_read_back(old in object(), new in object(), role in any::<String>()) {
        let mut payload = hasura("UPDATE", &old, &new);
        payload["event"]["session_variables"]["x-hasura-role"] = role.clone().into();
        let change = Change::from_json(payload.to_string()).unwrap().with_source("s").with_context("c", new.clone());

        let again = Change::from_json(change.to_json().unwrap().to_string()).unwrap();

        prop_assert_eq!(again.to_json(), change.to_json());
        prop_assert_eq!((again.role(), again.operation()), (Some(role.as_str()), Operation::Update));
        prop_assert_eq!(again.context("c").to_json(), Some(new.clone()));
        prop_assert_eq!(again.changed_columns(), change.changed_columns());
    }
}
