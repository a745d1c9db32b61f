//! What does one field answer, of every type a source can send?

use std::cmp::Ordering;

use bson::oid::ObjectId;
use bson::{Bson, doc};
use serde_json::json;

use super::{Literal, Value};
use crate::change::Change;

/// A change whose document after it is this JSON text.
fn row(text: &str) -> Change {
    Change::from_json(format!(r#"{{"operation":"insert","collection":"t","after":{text}}}"#)).unwrap()
}

fn bson_row(document: bson::Document) -> Change {
    let event =
        doc! { "_id": { "_data": "82" }, "operationType": "insert", "ns": { "db": "d", "coll": "c" }, "fullDocument": document };
    Change::from_bson(event.to_vec().unwrap()).unwrap()
}

#[test]
fn a_field_equals_a_literal_of_any_type_that_holds_its_value() {
    let change = row(r#"{"n":5,"f":9.99,"neg":-1,"t":true,"s":"done","z":null,"big":18446744073709551615}"#);
    let text = "done".to_owned();

    assert!(change.after("n") == 5_i8 && change.after("n") == 5_i16 && change.after("n") == 5_i32 && change.after("n") == 5_i64);
    assert!(change.after("n") == 5_u8 && change.after("n") == 5_u16 && change.after("n") == 5_u32 && change.after("n") == 5_u64);
    assert!(change.after("n") == 5.0_f32 && change.after("n") == 5.0_f64 && change.after("f") == 9.99);
    assert!(change.after("big") == u64::MAX && change.after("neg") == -1 && change.after("t") == true);
    assert!(change.after("s") == "done" && change.after("s") == text && change.after("s") == *"done");
    assert!(change.after("n") != 6 && change.after("n") != "5" && change.after("n") != true && change.after("t") != 1);
    assert!(change.after("s") != "Done" && change.after("s") != true && change.after("f") != 10);
    assert!(change.after("z") != 0 && change.after("z") != "" && change.after("z") != false && change.after("z") != "null");
    assert!(change.after("missing") != 0 && change.after("missing") != "" && change.after("missing") != "missing");
}

#[test]
fn fields_order_against_numbers_and_texts_only() {
    let change = row(r#"{"n":5,"s":"m","z":null,"t":true,"o":{},"huge":1e400,"tiny":1e-400}"#);
    let table: [(&str, bool); 16] = [
        ("n > 4", change.after("n") > 4),
        ("n > 4.9", change.after("n") > 4.9),
        ("n >= 5", change.after("n") >= 5_u8),
        ("n <= 5.0", change.after("n") <= 5.0),
        ("n < u64::MAX", change.after("n") < u64::MAX),
        ("s > l", change.after("s") > "l"),
        ("s <= m", change.after("s") <= "m"),
        ("huge > f64::MAX", change.after("huge") > f64::MAX),
        ("tiny > 0", change.after("tiny") > 0),
        ("n is not > 5", !matches!(change.after("n").partial_cmp(&5), Some(Ordering::Greater))),
        ("n against s", change.after("n").partial_cmp(&"5").is_none()),
        ("null", change.after("z").partial_cmp(&0).is_none()),
        ("missing", change.after("missing").partial_cmp(&0).is_none()),
        ("bool", change.after("t").partial_cmp(&false).is_none()),
        ("object", change.after("o").partial_cmp(&0).is_none()),
        ("NaN", change.after("n").partial_cmp(&f64::NAN).is_none()),
    ];
    let none = ["z", "missing", "t", "o"].into_iter().any(|name| {
        let value = change.after(name);
        [value > 0, value < 0, value >= 0, value <= 0, value > "", value < "zzz"].contains(&true)
    });

    for (what, holds) in table {
        assert!(holds, "{what}");
    }
    assert!(!none);
}

#[test]
fn missing_is_not_null_and_neither_equals_anything() {
    let change = row(r#"{"z":null,"o":{"z":null}}"#);
    let table = [("z", true, true), ("o.z", true, true), ("o.x", false, false), ("x", false, false), ("z.x", false, false)];

    for (path, exists, null) in table {
        let value = change.after(path);
        assert_eq!((value.exists(), value.is_missing(), value.is_null()), (exists, !exists, null), "{path}");
        assert!(value.is_known() && value != 0, "{path}");
    }
    assert!(change.after("z") == change.after("o.z"), "null is null");
    assert!(change.after("x") != change.after("y"), "two missing fields hold nothing that could be equal");
    assert!(change.after("x") != change.after("z"));
}

#[test]
fn a_field_is_one_of_many() {
    let change = row(r#"{"s":"b","n":2}"#);

    assert!(change.after("s").is_in(["a", "b"]) && change.after("n").is_in([1, 2, 3]));
    assert!(!change.after("s").is_in(["c"]) && !change.after("s").is_in(Vec::<&str>::new()));
    assert!(!change.after("missing").is_in(["a", "b"]) && change.after("n").is_in([Literal::Text("2"), Literal::Float(2.0)]));
}

#[test]
fn a_field_converts_to_what_it_holds_and_to_nothing_else() {
    let oid = ObjectId::from_bytes([7; 12]);
    let change = bson_row(doc! {
        "int": 5_i32, "long": i64::MIN, "whole": 5.0, "half": 0.5, "nan": f64::NAN, "large": 1e19,
        "decimal": "12.50".parse::<bson::Decimal128>().unwrap(), "text": "12.5", "word": "word", "bool": true,
        "date": bson::DateTime::from_millis(5), "oid": oid, "null": Bson::Null, "list": [1],
    });
    let after = |name: &'static str| change.after(name);

    let ints =
        ["int", "long", "whole", "half", "nan", "large", "decimal", "text", "bool", "null", "missing"].map(|n| after(n).as_i64());
    assert_eq!(ints, [Some(5), Some(i64::MIN), Some(5), None, None, None, None, None, None, None, None]);
    let doubles = ["int", "half", "large", "decimal", "text", "date", "missing"].map(|name| after(name).as_f64());
    assert_eq!(doubles, [Some(5.0), Some(0.5), Some(1e19), Some(12.5), None, None, None]);
    assert!(after("nan").as_f64().unwrap().is_nan());
    let decimals = ["int", "half", "decimal", "text", "word", "bool"].map(|name| after(name).as_decimal().map(|d| d.to_string()));
    assert_eq!(decimals, ["5", "0.5", "12.50", "12.5", "", ""].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty())));
    assert_eq!(
        ["text", "int", "oid", "null"].map(|name| after(name).as_str().map(String::from)),
        [Some("12.5".to_owned()), None, None, None]
    );
    assert_eq!(["bool", "int", "text"].map(|name| after(name).as_bool()), [Some(true), None, None]);
    assert_eq!(["oid", "text", "null"].map(|name| after(name).as_object_id()), [Some(oid), None, None]);
}

#[test]
fn a_decimal_of_any_number_is_exact_or_none() {
    let change = bson_row(doc! {
        "tiny": 1e-300, "huge": 1e300, "max": f64::MAX, "third": 1.0 / 3.0, "infinite": f64::INFINITY, "nan": f64::NAN,
        "minus_nan": "-NaN".parse::<bson::Decimal128>().unwrap(), "largest": "9.999E+6144".parse::<bson::Decimal128>().unwrap(),
    });
    let table = [
        ("tiny", Some(1e-300)),
        ("huge", Some(1e300)),
        ("max", Some(f64::MAX)),
        ("third", Some(1.0 / 3.0)),
        ("infinite", Some(f64::INFINITY)),
    ];

    for (name, expected) in table {
        let decimal = change.after(name).as_decimal().map(|decimal| decimal.to_string().parse::<f64>().unwrap());
        assert_eq!(decimal, expected, "{name}");
    }
    assert!(change.after("nan").as_decimal().is_some() && change.after("minus_nan") != 1);
    assert!(change.after("largest") > f64::MAX && change.after("largest").as_f64().is_none());
}

#[test]
fn times_are_read_from_dates_and_from_rfc3339() {
    let change = row(r#"{"date":{"$date":"2026-11-21T10:00:00.5Z"},"millis":{"$date":{"$numberLong":"-62135596800001"}},
            "far":{"$date":{"$numberLong":"9223372036854775807"}},"z":"2026-11-21T10:00:00.307020Z",
            "zone":"2026-11-21T12:00:00+02:00","space":"2026-11-21 10:00:00Z","none":"2026-11-21T10:00:00","word":"soon","n":5}"#);
    let table = [
        ("date", Some(1_795_255_200_500)),
        ("millis", Some(-62_135_596_800_001)),
        ("far", Some(i64::MAX)),
        ("z", Some(1_795_255_200_307)),
        ("zone", Some(1_795_255_200_000)),
        ("none", None),
        ("word", None),
        ("n", None),
        ("missing", None),
    ];

    for (name, expected) in table {
        assert_eq!(change.after(name).as_datetime().map(bson::DateTime::timestamp_millis), expected, "{name}");
    }
    assert!(change.after("date") != "2026-11-21T10:00:00.5Z", "a date never equals a string");
    assert_eq!(change.after("far").to_string(), r#"{"$date":{"$numberLong":"9223372036854775807"}}"#);
}

#[test]
fn numbers_beyond_an_integer_are_compared_by_their_digits() {
    let change = row(r#"{"long":9223372036854775808,"big":123456789012345678901234567890,"near":9007199254740993,
            "huge":1e400,"minus":-1e400,"fine":0.1000000000000000055511151231257827,"tenth":0.1}"#);

    assert!(change.after("long") == 9_223_372_036_854_775_808_u64 && change.after("long") > i64::MAX);
    assert!(change.after("big") > u64::MAX && change.after("big").as_i64().is_none());
    assert!(change.after("near") == 9_007_199_254_740_993_i64 && change.after("near") != 9_007_199_254_740_992.0_f64);
    assert!(change.after("huge") > f64::MAX && change.after("huge") < f64::INFINITY && change.after("minus") < f64::MIN);
    assert!(change.after("tenth") == 0.1 && change.after("fine") != 0.1 && change.after("fine") > 0.1);
    assert_eq!(change.after("huge").as_f64(), None);
    assert_eq!(change.after("big").as_f64(), Some(1.234_567_890_123_456_8e29));
}

#[test]
fn parts_of_a_value_are_values() {
    let change = row(r#"{"o":{"a":[10,{"b":"x"}],"1":"one"},"l":[1,"a",null]}"#);
    let (object, list) = (change.after("o"), change.after("l"));

    assert!(object.get("a.1.b") == "x" && object.get("1") == "one" && object.get("a").get("0") == 10);
    assert!(object.get("a.9").is_missing() && object.get("a.x").is_missing() && object.get("1.x").is_missing());
    assert!(object.get("a.-1").is_missing() && object.get("").is_missing());
    assert_eq!(list.items().iter().map(Value::to_string).collect::<Vec<_>>(), ["1", "a", "null"]);
    assert!(list.items()[1] == "a" && object.items().is_empty() && change.after("missing").items().is_empty());
    assert_eq!(change.after("o.a").to_json(), Some(json!([10, { "b": "x" }])));
    assert_eq!(change.after("missing").to_json(), None);
}

#[test]
fn a_path_leads_by_numbers_that_are_written_plainly() {
    let json = row(r#"{"l":["a","b"]}"#);
    let bson = bson_row(doc! { "l": ["a", "b"] });

    for path in ["l.1", "l.01", "l.+1", "l.1.0", "l.", "l..1", ".l", "", "."] {
        let expected = if path == "l.1" { "b" } else { "missing" };
        assert_eq!(
            (json.after(path).to_string().as_str(), bson.after(path).to_string().as_str()),
            (expected, expected),
            "{path}"
        );
    }
}

#[test]
fn fields_are_shown_plainly_and_debugged_as_in_code() {
    let change = row(r#"{"s":"a\"b","n":1.50,"z":null,"o":{"a":1},"id":{"$oid":"0123456789abcdef01234567"},"b":true}"#);
    let blind: Change = Change::update("t").after(json!({})).into();
    let table = [
        ("s", "a\"b", r#""a\"b""#),
        ("n", "1.5", "1.5"),
        ("z", "null", "null"),
        ("o", r#"{"a":1}"#, r#"{"a":1}"#),
        ("id", "0123456789abcdef01234567", "0123456789abcdef01234567"),
        ("b", "true", "true"),
        ("x", "missing", "missing"),
    ];

    for (path, plain, debug) in table {
        assert_eq!((change.after(path).to_string(), format!("{:?}", change.after(path))), (plain.to_owned(), debug.to_owned()));
    }
    assert_eq!(format!("{} {:?}", blind.before("s"), blind.before("s")), "unknown unknown");
    assert!(!blind.before("s").is_known());
}

#[test]
fn literals_come_from_what_code_writes_and_are_shown_so() {
    let owned = "text".to_owned();
    let table = [
        (Literal::from(&owned), "\"text\""),
        (Literal::from("a\"b"), r#""a\"b""#),
        (Literal::from(5_u8), "5"),
        (Literal::from(u64::MAX), "18446744073709551615"),
        (Literal::from(1.0), "1.0"),
        (Literal::from(false), "false"),
    ];

    for (literal, expected) in table {
        assert_eq!(literal.to_string(), expected);
    }
    assert_eq!(Literal::from(7_u64), Literal::Int(7));
}

#[test]
fn two_fields_are_equal_when_both_hold_the_same() {
    let change = row(r#"{"a":1,"b":1.0,"c":{"x":[1,2],"y":null},"d":{"y":null,"x":[1.0,2]},"e":"1"}"#);

    assert!(change.after("a") == change.after("b") && change.after("c") == change.after("d"));
    assert!(change.after("a") != change.after("e") && change.after("a") != change.after("missing"));
}
