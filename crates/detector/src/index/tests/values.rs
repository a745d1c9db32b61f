//! Which literals does a value equal, whatever it is written as?

use std::str::FromStr;

use bson::{Bson, Decimal128, doc};
use serde_json::json;

use super::super::found::Found;
use super::super::values::Values;
use super::{HERE, NOBODY, asked, text};
use crate::change::{Change, Side};
use crate::plan::{Comparison, Constant};
use crate::value::{Origin, Value};

/// Literals of every kind, with those that are nearly equal beside each other.
fn literals() -> Vec<Constant> {
    let ints = [0, 1, -1, 5, 1 << 53, (1 << 53) + 1, 1 << 62, 4_611_686_018_427_388_000, i64::MAX, i64::MIN];
    let large = [i64::MAX as u64 + 1, u64::MAX, 18_446_744_073_709_551_000, 5, 1 << 62];
    let doubles = [
        0.0,
        -0.0,
        1.0,
        0.1,
        1.5,
        9.99,
        9_007_199_254_740_992.0,
        4_611_686_018_427_387_904.0,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
        18_446_744_073_709_551_616.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        5e-324,
    ];
    let texts = ["", "1", "1.0", "true", "null", "NaN", "é", "2026-11-21T10:00:00Z", "done"];
    ints.map(Constant::Int)
        .into_iter()
        .chain(large.map(Constant::Large))
        .chain(doubles.map(Constant::Float))
        .chain(texts.map(|text| Constant::Text(text.into())))
        .chain([true, false].map(Constant::Bool))
        .collect()
}

fn values() -> Vec<Bson> {
    let decimals = [
        "0",
        "-0.0",
        "1",
        "1.0",
        "1.00E0",
        "0.1",
        "9.99",
        "NaN",
        "Infinity",
        "-Infinity",
        "9223372036854775808",
        "1E+400",
        "4611686018427387904",
        "4611686018427388000",
        "18446744073709552000",
        "18446744073709551615",
        "9007199254740993",
    ];
    let decimals = decimals.map(|text| Bson::Decimal128(Decimal128::from_str(text).unwrap()));
    let own = literals().into_iter().filter_map(|literal| match literal {
        Constant::Int(int) => Some(Bson::Int64(int)),
        Constant::Float(double) => Some(Bson::Double(double)),
        Constant::Text(text) => Some(Bson::String(text.into())),
        Constant::Bool(value) => Some(Bson::Boolean(value)),
        Constant::Large(_) => None,
    });
    let others = [
        Bson::Null,
        Bson::Int32(1),
        Bson::Int32(5),
        Bson::Symbol("done".into()),
        Bson::DateTime(bson::DateTime::from_millis(1)),
        Bson::DateTime(bson::DateTime::parse_rfc3339_str("2026-11-21T10:00:00Z").unwrap()),
        Bson::ObjectId(bson::oid::ObjectId::from_bytes([7; 12])),
        Bson::Array(vec![1.into()]),
        Bson::Document(doc! { "a": 1 }),
        Bson::MinKey,
    ];
    own.chain(decimals).chain(others).collect()
}

fn insert_of(value: &Bson) -> bson::Document {
    doc! {
        "_id": { "_data": "826B" }, "operationType": "insert", "ns": { "db": "shop", "coll": "moves" },
        "documentKey": { "_id": 1 }, "fullDocument": { "v": value.clone() },
    }
}

/// The literals that are found for what `change` has at `v` are those that it equals; for an unknown, all.
fn assert_found(change: &Change) {
    let literals = literals();
    let mut table = Values::default();
    (0..).zip(&literals).for_each(|(place, literal)| table.add(literal, place));
    let reading = change.read(Side::After, "v");

    let mut found = Found::default();
    table.find(reading, &mut found);

    let field = Value::new(reading, Origin::Inside);
    let equal = (0..).zip(&literals).filter(|(_, literal)| field.try_equals(literal.literal()) != Ok(false));
    let equal: Vec<u32> = equal.map(|(place, _)| place).collect();
    assert_eq!(found.places(), equal, "{:?}", change.after("v"));
}

#[test]
fn a_value_finds_exactly_the_literals_that_it_equals() {
    for value in values() {
        let event = insert_of(&value);
        assert_found(&Change::from_bson(event.to_vec().unwrap()).unwrap());
        assert_found(&Change::from_json(Bson::from(event.clone()).into_relaxed_extjson().to_string()).unwrap());
        assert_found(&Change::from_json(Bson::from(event).into_canonical_extjson().to_string()).unwrap());
    }
}

#[test]
fn a_number_in_json_text_finds_exactly_the_literals_that_it_equals() {
    let numbers = [
        "0",
        "-0",
        "0.0",
        "-0.0e5",
        "1",
        "1.0",
        "10e-1",
        "0.1",
        "9.99",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "4611686018427388000",
        "4611686018427387904",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709552000",
        "-9223372036854775808",
        "1e400",
        "5e-324",
        "1.7976931348623157e308",
        "5.000",
    ];
    for number in numbers {
        let payload = format!(
            r#"{{"id":"1","table":{{"schema":"s","name":"t"}},"event":{{"op":"INSERT","data":{{"old":null,"new":{{"v":{number}}}}}}}}}"#
        );
        assert_found(&Change::from_json(payload).unwrap());
    }
}

#[test]
fn text_with_escapes_is_found_by_what_it_stands_for() {
    for (written, place) in [(r"\u0064one", 0), ("done", 0), (r"do\\ne", 1)] {
        let payload = format!(
            r#"{{"id":"1","table":{{"schema":"s","name":"t"}},"event":{{"op":"INSERT","data":{{"old":null,"new":{{"v":"{written}"}}}}}}}}"#
        );
        let wanted = |value| HERE.compare(Side::After, text("v"), Comparison::Equal, text(value));

        assert_eq!(asked([wanted("done"), wanted(r"do\ne")], &Change::from_json(payload).unwrap()), [place]);
    }
}

#[test]
fn a_text_that_is_no_utf8_leaves_nobody_out() {
    let mut bytes = insert_of(&"broken".into()).to_vec().unwrap();
    let at = bytes.windows(6).position(|window| window == b"broken").unwrap();
    bytes[at] = 0xFF;

    assert_found(&Change::from_bson(bytes).unwrap());
}

#[test]
fn missing_and_null_are_found_by_no_literal() {
    for document in [json!({}), json!({ "v": null })] {
        let change: Change = Change::insert("moves").after(document).into();
        let wanted = literals().into_iter().map(|literal| HERE.compare(Side::After, text("v"), Comparison::Equal, Some(literal)));
        for wanted in wanted {
            assert_eq!(asked([wanted], &change), NOBODY);
        }
    }
}

#[test]
fn a_column_that_no_row_has_leaves_nobody_out() {
    let payload = r#"{"id":"1","table":{"schema":"s","name":"t"},"event":{"op":"INSERT","data":{"old":null,"new":{"w":1}}}}"#;

    assert_found(&Change::from_json(payload).unwrap());
}
