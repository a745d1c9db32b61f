use super::{JsonFaultKind, Key, Scanner, Span, Visitor, elements, members, unescape};

/// Wants the members of every object.
#[derive(Default)]
struct Every<'t>(Vec<&'t str>);

impl<'t> Visitor<'t> for Every<'t> {
    type Place = ();

    fn enter(&self, (): (), _key: Key<'t>) -> Option<()> {
        Some(())
    }

    fn member(&mut self, (): (), key: Key<'t>, _value: Span) {
        self.0.push(key.text());
    }
}

fn keys(text: &str) -> Result<Vec<&str>, super::JsonFault> {
    let mut every = Every::default();
    Scanner::new(text, &mut every).object_text(()).map(|()| every.0)
}

#[test]
fn members_are_told_from_the_inside_out() {
    assert_eq!(keys(r#" {"a": {"b": [1, {"c": 2}]}, "d": null} "#).unwrap(), ["b", "a", "d"]);
}

#[test]
fn what_serde_json_accepts_is_accepted_and_the_rest_is_refused() {
    let texts = [
        r#"{}"#,
        r#"{"a":1}"#,
        r#"{"a":-0.5e+10}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":+1}"#,
        r#"{"a":-}"#,
        r#"{"a":1e}"#,
        r#"{"a":"\u00e9\n"}"#,
        r#"{"a":"\x"}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":tru}"#,
        r#"{"a":truex}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{"a" 1}"#,
        r#"{"a":1} x"#,
        r#"{"a":"#,
        r#"{"a":"b"#,
        r#"{"a":"\ud83d\ude00"}"#,
        r#"{"a":[[],{}, [ ] , { }]}"#,
        r#"{"a":nul}"#,
        "{\"a\":1}\u{feff}",
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u00é"}"#,
    ];

    for text in texts {
        let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert_eq!(keys(text).is_ok(), expected, "{text}");
    }
}

#[test]
fn a_duplicate_key_is_refused_with_its_pointer_also_in_a_large_object() {
    let small = keys(r#"{"a":{"b/c":{"x":1,"y":2,"x":3}}}"#).unwrap_err();
    let many: Vec<String> = (0..1_000).chain([7]).map(|key| format!("\"{key}\":0")).collect();
    let large = format!("{{\"rows\":{{{}}}}}", many.join(","));

    assert_eq!((small.pointer(), small.kind), ("/a/b~1c".to_owned(), JsonFaultKind::DuplicateKey("x".to_owned())));
    assert_eq!(keys(&large).unwrap_err().kind, JsonFaultKind::DuplicateKey("7".to_owned()));
}

#[test]
fn one_key_may_stand_in_several_objects() {
    assert!(keys(r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#).is_ok());
}

#[test]
fn a_lone_surrogate_names_its_place() {
    let lone = keys(r#"{"a":[0,"\ud800"]}"#).unwrap_err();

    assert_eq!((lone.pointer(), lone.kind), ("/a/1".to_owned(), JsonFaultKind::LoneSurrogate));
    assert!(keys(r#"{"a":"\u0000"}"#).is_ok());
}

#[test]
fn depth_ends_at_the_limit_without_a_stack_overflow() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));

    assert!(keys(&nested(128)).is_ok());
    assert_eq!(keys(&nested(129)).unwrap_err().kind, JsonFaultKind::TooDeep);
    assert_eq!(keys(&nested(100_000)).unwrap_err().kind, JsonFaultKind::TooDeep);
}

#[test]
fn checked_text_is_walked_again_member_by_member() {
    let object = r#"{ "a" : "x\"}," , "b":[1, {"c":2}] ,"":null}"#;

    let walked: Vec<(&str, &str)> = members(object).map(|(key, value)| (key.text(), value)).collect();

    assert_eq!(walked, [("a", r#""x\"},""#), ("b", r#"[1, {"c":2}]"#), ("", "null")]);
    assert_eq!(elements(r#"[1, {"c":2} ,[],"]"]"#).collect::<Vec<_>>(), ["1", r#"{"c":2}"#, "[]", r#""]""#]);
    assert_eq!(members("{}").count() + elements("[ ]").count(), 0);
}

#[test]
fn escapes_are_resolved() {
    assert_eq!(unescape(r"caf\u00e9 \ud83d\ude00\n"), "café 😀\n");
    assert_eq!(unescape("plain"), "plain");
}

#[test]
fn a_text_of_any_length_ends_where_its_quote_is() {
    let parts = ["", "a", "é", "漢", "😀", "\u{7f}", " !#[]", "\\n", "\\\"", "\\u00e9"];
    let texts = (0..12).flat_map(|len| parts.map(|part| format!("{}{part}{}", "x".repeat(len), "y".repeat(len % 5))));

    for text in texts {
        assert_eq!(keys(&format!("{{\"{text}\":\"{text}\"}}")).unwrap(), [text.as_str()]);
        assert!(keys(&format!("{{\"{text}\":1,\"{text}z\" : 2, \"-{text}\": \"{text}\" }}")).is_ok(), "{text}");
        let twice = keys(&format!("{{\"{text}\":1,\"z\":\"{text}\",\"{text}\":2}}")).unwrap_err();
        assert_eq!(twice.kind, JsonFaultKind::DuplicateKey(unescape(&text).into_owned()));
    }
}

#[test]
fn a_fault_is_where_the_first_wrong_byte_is() {
    let table = [
        ("{\"a\":1", 6, "`,` or `}`"),
        ("{\"a\":1\0", 6, "`,` or `}`"),
        ("{\"a\" \n", 6, "`:`"),
        ("{\"a\" 1}", 5, "`:`"),
        ("{\"a\": ", 6, "a value"),
        ("{\"a\":\0}", 5, "a value"),
        ("{\"a\":trux}", 5, "a value"),
        ("{\"a\":-x}", 6, "a digit"),
        ("{\"a\":1.}", 7, "a digit"),
        ("{\"a\":1e+}", 8, "a digit"),
        ("{\"a\":1,}", 7, "a key in double quotes"),
        ("{\"a\":[1 2]}", 8, "`,` or `]`"),
        ("{\"a\":\"bcd", 9, "the end of the string"),
        ("{\"é\u{1}", 4, "an escape instead of a control character"),
        ("{} x", 3, "the end of the text"),
        ("[]", 0, "an object"),
    ];

    for (text, at, expected) in table {
        let fault = keys(text).unwrap_err();
        assert_eq!((fault.at, fault.kind), (at, JsonFaultKind::Expected(expected)), "{text:?}");
    }
}
