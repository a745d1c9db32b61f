use bson::rawdoc;
use serde_json::json;

use super::{Kind, Raw};

fn plain(text: &str) -> Raw<'_> {
    Raw::Json { text, extended: false }
}

fn extended(text: &str) -> Raw<'_> {
    Raw::Json { text, extended: true }
}

#[test]
fn equal_values_are_the_same_however_they_are_written() {
    let same = [
        (plain("1"), plain("1.0")),
        (plain(r#"{"a":1,"b":[2]}"#), plain(r#"{ "b":[2.0], "a":1 }"#)),
        (plain(r#""caf\u00e9""#), plain("\"café\"")),
        (extended(r#"{"$date":"1970-01-01T00:00:01Z"}"#), extended(r#"{"$date":{"$numberLong":"1000"}}"#)),
        (extended(r#"{"$numberLong":"5"}"#), extended("5")),
        (
            extended(r#"{"$binary":{"base64":"AQ==","subType":"00"}}"#),
            extended(r#"{"$binary":{"subType":"00", "base64":"AQ=="}}"#),
        ),
        (plain("{}"), plain("{ }")),
    ];
    let different = [
        (plain("null"), plain("0")),
        (plain(r#""1""#), plain("1")),
        (plain("[1,2]"), plain("[2,1]")),
        (plain("[1]"), plain("[1,1]")),
        (plain(r#"{"a":1}"#), plain(r#"{"b":1}"#)),
        (plain(r#"{"a":1}"#), plain(r#"{"a":1,"b":null}"#)),
        (extended(r#"{"$date":"1970-01-01T00:00:01Z"}"#), extended(r#""1970-01-01T00:00:01Z""#)),
        (extended(r#"{"$minKey":1}"#), extended(r#"{"$maxKey":1}"#)),
    ];

    for (left, right) in same {
        assert!(left.same(right).unwrap(), "{left:?} {right:?}");
    }
    for (left, right) in different {
        assert!(!left.same(right).unwrap(), "{left:?} {right:?}");
    }
}

#[test]
fn an_object_with_a_dollar_key_is_typed_only_in_extended_json() {
    let text = r#"{"$oid":"64b0f0f0f0f0f0f0f0f0f0f0"}"#;

    assert!(matches!(plain(text).kind(), Ok(Kind::Object)));
    assert!(matches!(extended(text).kind(), Ok(Kind::ObjectId(_))));
}

#[test]
fn paths_lead_through_objects_and_arrays() {
    let document = rawdoc! { "a": { "b": [10, { "c": "x" }] } }.into_bytes();
    let root = Raw::Bson { tag: 3, bytes: &document };

    assert!(matches!(root.at_path("a.b.1.c").unwrap().unwrap().kind(), Ok(Kind::Text(text)) if text == "x"));
    assert!(root.at_path("a.b.7").unwrap().is_none());
    assert!(root.at_path("a.b.1.c.d").unwrap().is_none());
}

#[test]
fn text_that_is_not_utf8_is_malformed_and_not_different() {
    let mut document = rawdoc! { "a": "xy" }.into_bytes();
    let at = document.len() - 4;
    document[at] = 0xFF;
    let value = Raw::Bson { tag: 3, bytes: &document }.get("a").unwrap().unwrap();

    assert!(value.kind().is_err());
    assert!(value.same(Raw::Json { text: "\"xy\"", extended: true }).is_err());
}

#[test]
fn every_bson_type_becomes_json() {
    let document = rawdoc! {
        "i": 1_i32, "l": 5_i64, "d": 1.5, "nan": f64::NAN, "s": "x", "b": true, "n": null, "a": [1, "y"], "o": { "k": 1 },
        "date": bson::DateTime::from_millis(0), "oid": bson::oid::ObjectId::from_bytes([1; 12]),
        "dec": "1.50".parse::<bson::Decimal128>().unwrap(), "ts": bson::Timestamp { time: 1, increment: 2 },
        "far": bson::DateTime::from_millis(1 << 62),
    }
    .into_bytes();

    let json = Raw::Bson { tag: 3, bytes: &document }.to_json().unwrap();

    assert_eq!(
        json,
        json!({
            "i": 1, "l": 5, "d": 1.5, "nan": { "$numberDouble": "NaN" }, "s": "x", "b": true, "n": null, "a": [1, "y"], "o": { "k": 1 },
            "date": { "$date": "1970-01-01T00:00:00Z" }, "oid": { "$oid": "010101010101010101010101" },
            "dec": { "$numberDecimal": "1.50" }, "ts": { "$timestamp": { "t": 1, "i": 2 } },
            "far": { "$date": { "$numberLong": "4611686018427387904" } },
        })
    );
}

#[test]
fn numbers_that_json_readers_would_round_stay_text() {
    assert_eq!(plain("1e400").to_json().unwrap(), json!("1e400"));
    assert_eq!(plain("[1.5, 2]").to_json().unwrap(), json!([1.5, 2]));
}

#[test]
fn values_nested_without_end_are_malformed_and_do_not_overflow_the_stack() {
    let mut inner = rawdoc! {}.into_bytes();
    for _ in 0..5_000 {
        let mut outer = i32::try_from(inner.len() + 8).unwrap().to_le_bytes().to_vec();
        outer.extend([3, b'a', 0]);
        outer.extend(&inner);
        outer.push(0);
        inner = outer;
    }
    let deep = Raw::Bson { tag: 3, bytes: &inner };

    assert!(deep.to_json().is_err());
}

#[test]
fn scopes_nested_without_end_do_not_overflow_the_stack() {
    let mut inner = rawdoc! {}.into_bytes();
    for _ in 0..100_000 {
        // A code with scope: its size, the text "" and the document of the level below.
        let code_size = 4 + 4 + 1 + inner.len();
        let mut outer = i32::try_from(4 + 1 + 2 + code_size + 1).unwrap().to_le_bytes().to_vec();
        outer.extend([0x0F, b'a', 0]);
        outer.extend(i32::try_from(code_size).unwrap().to_le_bytes());
        outer.extend([1, 0, 0, 0, 0]);
        outer.extend(&inner);
        outer.push(0);
        inner = outer;
        if inner.len() > 400_000 {
            break;
        }
    }
    let deep = Raw::Bson { tag: 3, bytes: &inner };

    assert!(deep.to_json().is_err());
}

#[test]
fn a_decimal_that_is_none_is_only_compared_whole() {
    for text in ["hello", "", "1 ", r"1\u0030", "0x1"] {
        let object = format!(r#"{{"$numberDecimal":"{text}"}}"#);
        let raw = extended(&object);

        assert!(matches!(raw.kind(), Ok(Kind::Other)), "{text}");
        assert_eq!(raw.to_json().unwrap().to_string(), object.replace(r"\u0030", "0"), "{text}");
    }
    for text in ["1.50", "-1E+6144", "NaN", "-Infinity", "0.1234567890123456789012345678901234"] {
        let object = format!(r#"{{"$numberDecimal":"{text}"}}"#);
        assert!(matches!(extended(&object).kind(), Ok(Kind::Number(_))), "{text}");
    }
}
