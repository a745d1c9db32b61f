//! Do two deliveries say the same?

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, Change};

impl Change {
    /// Whether another delivery of this change's id says the same as this one.
    ///
    /// JSON is compared by what it says: whatever the order of its keys, its spaces and escapes, and how often it was delivered. BSON comes
    /// from a change stream, where an id is of one change only; what was looked up for it may be newer.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.collection() == other.collection()
            && match (&self.body, &other.body) {
                (Body::Json(one), Body::Json(other)) => is_same(one.as_bytes(), other.as_bytes()),
                (Body::Bson { .. }, Body::Bson { .. }) => true,
                _ => false,
            }
    }
}

type Members<'t> = BTreeMap<String, &'t RawValue>;

/// Whether two payloads of one id say the same, but for how often they were sent.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    fn compared(body: &[u8]) -> Option<Members<'_>> {
        let mut members: Members = serde_json::from_slice(body).ok()?;
        members.retain(|name, _| name != "delivery_info" && name != "id");
        Some(members)
    }
    compared(one).zip(compared(other)).is_some_and(|(one, other)| are_same(&one, &other))
}

fn are_same(one: &Members<'_>, other: &Members<'_>) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|((name, one), (other_name, other))| name == other_name && is_equal(one, other))
}

/// Whether two values are the same whatever the order of their keys, their spaces and escapes; a number is as it is written.
fn is_equal(one: &RawValue, other: &RawValue) -> bool {
    fn read<'t, T: Deserialize<'t>>(value: &'t RawValue) -> Option<T> {
        serde_json::from_str(value.get()).ok()
    }
    if one.get() == other.get() {
        return true;
    }
    match (one.get().as_bytes().first(), other.get().as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => read(one).zip(read(other)).is_some_and(|(one, other)| are_same(&one, &other)),
        (Some(b'['), Some(b'[')) => read::<Vec<&RawValue>>(one).zip(read::<Vec<&RawValue>>(other)).is_some_and(|(one, other)| {
            one.len() == other.len() && one.into_iter().zip(other).all(|(one, other)| is_equal(one, other))
        }),
        (Some(b'"'), Some(b'"')) => read::<String>(one).is_some_and(|one| read(other) == Some(one)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn payloads_are_the_same_whatever_the_order_of_their_keys_and_how_often_they_were_sent() {
        let first = r#"{"id":"ab","delivery_info":{"current_retry":0},"a":{"b":[1,{"c":"\u00e9"}],"d":null}}"#;
        for same in [
            first,
            r#"{"a":{"d":null,"b":[1,{"c":"é"}]},"id":"AB"}"#,
            r#" { "id":"ab", "a" : { "b" : [ 1 , { "c" : "é" } ] , "d" : null }, "delivery_info": {"current_retry":1} } "#,
        ] {
            assert!(is_same(first.as_bytes(), same.as_bytes()), "{same}");
        }
    }

    #[test]
    fn whatever_else_differs_makes_them_different() {
        let with = |value: &str| format!(r#"{{"id":"ab","a":{value}}}"#);
        for (one, other) in [
            ("1", "2"),
            ("1", "1.0"),
            ("9223372036854775808", "9223372036854775809"),
            ("1e400", "1e401"),
            (r#""1""#, "1"),
            (r#""a""#, r#""b""#),
            ("null", "false"),
            ("[]", "{}"),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"b":1}"#, r#"{"c":1}"#),
            (r#"{"b":1}"#, r#"{"b":1,"c":2}"#),
            (r#"{"b":{"c":[0]}}"#, r#"{"b":{"c":[1]}}"#),
        ] {
            assert!(!is_same(with(one).as_bytes(), with(other).as_bytes()), "{one} {other}");
        }
        assert!(!is_same(with("1").as_bytes(), br#"{"id":"ab","a":1,"more":true}"#));
    }
}
