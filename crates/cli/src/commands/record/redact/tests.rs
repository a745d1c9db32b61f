//! Is what was redacted gone, and does the change still say what changed?

use event_detector::Change;
use serde_json::{Value, json};

use super::Redaction;

const SECRET: &str = "ana@example.com";

fn redacted(paths: &[&str], key: u8, record: &Value) -> (Value, Vec<u64>) {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    let mut redaction = Redaction::new(&paths, [key; 32]);
    let mut record = record.clone();
    redaction.apply(&mut record);
    let replaced = redaction.replaced().map(|(_, number)| number).collect();
    (record, replaced)
}

/// An update that says the secret in every place where one can say it.
fn update() -> Value {
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let document = |city: &str| {
        json!({
            "_id": SECRET, "email": SECRET, "city": city, "at": { "$date": "2026-11-20T09:05:38.25Z" },
            "people": [{ "email": SECRET, "age": 5 }, { "email": "b" }], "deep": { "email": { "work": SECRET } },
            "a.email": SECRET,
        })
    };
    json!({
        "id": format!("8269{hex}04"), "collection": "users", "operation": "update", "key": SECRET,
        "before": document("Bonn"), "after": document("Köln"), "after_image": "computed",
        "updateDescription": { "updatedFields": {
            "email": SECRET, "people.0.email": SECRET, "deep": { "email": { "work": SECRET } }, "deep.email.work": SECRET,
            "people": [{ "email": SECRET }], "city": "Köln",
        }, "removedFields": ["x"] },
    })
}

#[test]
fn nothing_of_what_was_redacted_is_left_in_any_form() {
    let paths = ["after.email", "people.email", "deep.email", "a.email", "_id"];

    let (record, replaced) = redacted(&paths, 7, &update());

    let text = record.to_string();
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!text.contains(SECRET) && !text.contains("ana") && !text.contains(&hex), "{text}");
    assert!(text.contains("Köln") && text.contains(r#""age":5"#), "{text}");
    assert_eq!(replaced, [3, 6, 4, 2, 3]);
    let change = Change::from_json(&text).unwrap();
    assert!(!change.column_changed("email") && change.column_changed("city"));
    assert!(change.id().starts_with("redacted-"));
    assert_eq!(change.after("email").as_str(), change.before("people.0.email").as_str());
}

#[test]
fn what_changed_still_changes_and_equal_values_stay_equal_in_every_type() {
    let types = json!([
        ["a", "b"], [1, 2], [1.5, 2.5], [true, false], [{ "$oid": "66f0aa00bb11cc22dd33ee44" }, { "$oid": "66f0aa00bb11cc22dd33ee45" }],
        [{ "$date": "2026-11-20T09:05:38Z" }, { "$date": "2026-11-20T09:05:39Z" }], [{ "$numberDecimal": "1.5" }, { "$numberDecimal": "2" }],
        [{ "$timestamp": { "t": 1, "i": 1 } }, { "$timestamp": { "t": 1, "i": 2 } }], [["a"], ["a", "b"]], [{ "x": 1 }, { "x": 2 }],
        [{ "$binary": { "base64": "AAAA", "subType": "00" } }, { "$binary": { "base64": "AAAB", "subType": "00" } }], ["", "a"],
        [{ "$numberDouble": "NaN" }, 1], [null, 1],
    ]);
    for pair in types.as_array().unwrap() {
        let record = |before: &Value, after: &Value| {
            let record = json!({ "id": "i", "collection": "c", "operation": "update", "before": { "f": before }, "after": { "f": after } });
            redacted(&["f"], 3, &record).0
        };
        for (before, after, changes) in [(0, 1, true), (0, 0, false), (1, 1, false)] {
            let record = record(&pair[before], &pair[after]);
            let change = Change::from_json(record.to_string()).unwrap();

            assert_eq!(change.column_changed("f"), changes, "{record}");
            assert_eq!(change.after("f").is_null(), pair[after].is_null());
            let kind = |value: &Value| value.as_object().and_then(|object| object.keys().next().cloned());
            assert_eq!(kind(&record["after"]["f"]), kind(&pair[after]), "of the same type");
        }
    }
}

#[test]
fn numbers_that_are_equal_stay_equal_however_they_are_written() {
    let record = json!({
        "id": "i", "collection": "c", "operation": "update",
        "before": { "f": 1, "g": { "$numberDecimal": "2.50" } }, "after": { "f": 1.0, "g": 2.5 },
    });

    let (record, _) = redacted(&["f", "g"], 3, &record);

    let change = Change::from_json(record.to_string()).unwrap();
    assert!(!change.column_changed("f") && !change.column_changed("g"), "{record}");
}

#[test]
fn another_run_replaces_by_something_else() {
    let (one, _) = redacted(&["email"], 1, &update());
    let (again, _) = redacted(&["email"], 1, &update());
    let (other, _) = redacted(&["email"], 2, &update());

    assert_eq!(one, again);
    assert_ne!(one["after"]["email"], other["after"]["email"]);
}

#[test]
fn the_key_of_a_sharded_collection_and_an_id_that_is_a_document_are_looked_into() {
    let record = |key: Value| json!({ "id": "82ab", "collection": "c", "operation": "delete", "key": key });

    let (sharded, _) = redacted(&["email"], 1, &record(json!({ "_id": 1, "email": SECRET })));
    let (embedded, _) = redacted(&["_id.email"], 1, &record(json!({ "email": SECRET, "n": 2 })));
    let (other, replaced) = redacted(&["email"], 1, &record(json!({ "$oid": "66f0aa00bb11cc22dd33ee44" })));

    for (record, kept) in [(&sharded, "_id"), (&embedded, "n")] {
        assert!(!record.to_string().contains(SECRET) && record["key"][kept].is_number(), "{record}");
        assert_ne!(record["id"], "82ab", "{record}");
    }
    assert_eq!((other["id"].as_str(), replaced), (Some("82ab"), vec![0]));
}

#[test]
fn a_path_that_is_not_there_replaces_nothing_and_names_only_whole_names() {
    let (record, replaced) = redacted(&["mail", "emai", "email.home.x", "people.age.x"], 1, &update());

    assert_eq!(record, update());
    assert_eq!(replaced, [0; 4]);
}

#[test]
fn an_id_that_is_a_document_with_an_id_in_it_is_no_key_of_a_sharded_collection() {
    let id = json!({ "_id": 1, "email": SECRET });
    let record = |after: Option<Value>| {
        let mut record = json!({ "id": "82ab", "collection": "c", "operation": "insert", "key": id });
        record.as_object_mut().unwrap().extend(after.map(|id| ("after".to_owned(), json!({ "_id": id }))));
        record
    };

    for path in ["_id", "_id.email"] {
        for after in [None, Some(id.clone())] {
            let (redacted, _) = redacted(&[path], 1, &record(after.clone()));

            assert!(!redacted.to_string().contains(SECRET) && redacted["id"] != "82ab", "{path}: {redacted}");
            assert!(after.is_none() || redacted["key"] == redacted["after"]["_id"], "{redacted}");
        }
    }
    let (sharded, _) = redacted(&["_id"], 1, &record(Some(json!(1))));
    assert_eq!((&sharded["key"]["email"], &sharded["key"]["_id"]), (&json!(SECRET), &sharded["after"]["_id"]));
}

#[test]
fn a_document_whose_fields_begin_with_a_dollar_sign_is_looked_into() {
    let reference = json!({ "$ref": "users", "$id": SECRET });
    let record = json!({ "id": "82ab", "collection": "c", "operation": "insert", "key": 1, "after": { "owner": reference } });

    for path in ["owner.$id", "owner"] {
        let (redacted, replaced) = redacted(&[path], 1, &record);

        assert!(!redacted.to_string().contains(SECRET), "{redacted}");
        assert_eq!((replaced, redacted["after"]["owner"]["$id"].is_string()), (vec![1], true), "{redacted}");
    }
}

#[test]
fn a_key_that_two_paths_name_stays_the_one_of_its_document() {
    let record =
        json!({ "id": "82ab", "collection": "c", "operation": "insert", "key": SECRET, "after": { "_id": SECRET, "id": 5 } });

    let (redacted, _) = redacted(&["_id", "id"], 1, &record);

    assert_eq!(redacted["key"], redacted["after"]["_id"]);
}
