//! What is different in two documents?

use serde_json::Value;

/// A field that is not the same in both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Difference<'v> {
    /// It has another value.
    Changed(&'v Value, &'v Value),
    /// It is only in the second one.
    Added(&'v Value),
    /// It is only in the first one.
    Removed(&'v Value),
}

/// The fields that are not the same, each with its path, and how many are.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Differences<'v> {
    pub(super) fields: Vec<(String, Difference<'v>)>,
    pub(super) same: usize,
}

/// Compares two documents field by field, down to the values that are no documents or lists.
pub(super) fn differences<'v>(before: &'v Value, after: &'v Value) -> Differences<'v> {
    let mut found = Differences::default();
    compare(&mut found, String::new(), before, after);
    found
}

fn compare<'v>(found: &mut Differences<'v>, path: String, before: &'v Value, after: &'v Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) if !is_scalar(before) && !is_scalar(after) => {
            for (name, value) in before {
                pair(found, below(&path, name), Some(value), after.get(name));
            }
            for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                pair(found, below(&path, name), None, Some(value));
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for at in 0..before.len().max(after.len()) {
                pair(found, below(&path, &at.to_string()), before.get(at), after.get(at));
            }
        }
        (before, after) if before == after => found.same += 1,
        (before, after) => found.fields.push((path, Difference::Changed(before, after))),
    }
}

fn pair<'v>(found: &mut Differences<'v>, path: String, before: Option<&'v Value>, after: Option<&'v Value>) {
    match (before, after) {
        (Some(before), Some(after)) => compare(found, path, before, after),
        (Some(before), None) => found.fields.push((path, Difference::Removed(before))),
        (None, Some(after)) => found.fields.push((path, Difference::Added(after))),
        (None, None) => {}
    }
}

/// Whether an object is a value that JSON lacks: `{"$date": …}`.
fn is_scalar(object: &serde_json::Map<String, Value>) -> bool {
    !object.is_empty() && object.keys().all(|name| name.starts_with('$'))
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Difference, differences};

    fn shown(before: &Value, after: &Value) -> (Vec<String>, usize) {
        let found = differences(before, after);
        let fields = found.fields.iter().map(|(path, difference)| match difference {
            Difference::Changed(before, after) => format!("{path} {before} {after}"),
            Difference::Added(value) => format!("+{path} {value}"),
            Difference::Removed(value) => format!("-{path} {value}"),
        });
        (fields.collect(), found.same)
    }

    #[test]
    fn fields_are_compared_down_to_their_values() {
        let before =
            json!({ "a": 1, "gone": null, "same": "x", "deep": { "b": [1, { "c": 2 }], "d": true }, "at": { "$date": "1" } });
        let after =
            json!({ "a": 2, "same": "x", "deep": { "b": [1, { "c": 3 }, 4], "d": true }, "at": { "$date": "2" }, "new": {} });

        let (fields, same) = shown(&before, &after);

        let expected = ["a 1 2", r#"at {"$date":"1"} {"$date":"2"}"#, "deep.b.1.c 2 3", "+deep.b.2 4", "-gone null", "+new {}"];
        assert_eq!(fields, expected);
        assert_eq!(same, 3);
    }

    #[test]
    fn what_becomes_a_document_or_stops_being_one_is_one_field() {
        assert_eq!(shown(&json!({ "a": { "b": 1 } }), &json!({ "a": [1] })).0, [r#"a {"b":1} [1]"#]);
        assert_eq!(shown(&json!({ "a": {} }), &json!({ "a": null })).0, ["a {} null"]);
        assert_eq!(shown(&json!({}), &json!({})), (vec![], 0));
    }
}
