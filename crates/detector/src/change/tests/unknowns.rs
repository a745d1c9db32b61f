//! When is a verdict undecided, and what is said then?

use bson::{Bson, doc};
use serde_json::json;

use super::{event, forms, update, with_broken_text};
use crate::change::{AfterImage, Change};
use crate::detector::{Detector, Verdict};
use crate::undecided::Unknown;

type Detect = fn(&Change) -> bool;

fn unknowns(detect: Detect, change: &Change) -> Vec<Unknown> {
    match Detector::new("x", detect).evaluate(change) {
        Verdict::Undecided(unknowns) => unknowns,
        verdict => panic!("{verdict:?}"),
    }
}

fn reads(detect: Detect, change: &Change) -> Vec<String> {
    unknowns(detect, change).into_iter().map(|unknown| unknown.read).collect()
}

/// An update without images that wrote the number `a`, the document `o` and the text `s`.
fn blind() -> bson::Document {
    update(Bson::Null, Bson::Null, doc! { "updatedFields": { "a": 1, "o": { "x": 1 }, "s": "text" } })
}

#[test]
fn a_detector_is_undecided_where_an_unknown_could_turn_its_answer() {
    let table: [(&str, Detect, &[&str]); 20] = [
        ("changed", |c| c.column_changed("a"), &["column_changed(\"a\")"]),
        ("not changed", |c| !c.column_changed("a"), &["column_changed(\"a\")"]),
        (
            "one but not the other",
            |c| c.column_changed("a") && !c.column_changed("o"),
            &["column_changed(\"a\")", "column_changed(\"o\")"],
        ),
        ("after a certain yes", |c| c.column_changed("s") && c.column_changed("a"), &["column_changed(\"a\")"]),
        ("became", |c| c.became("a", 1), &["became(\"a\", 1)"]),
        ("from to", |c| c.changed_from_to("s", "b", "text"), &["changed_from_to(\"s\", \"b\", \"text\")"]),
        ("before ==", |c| c.before("s") == "b", &["before(\"s\") == \"b\""]),
        ("before !=", |c| c.before("s") != "b", &["before(\"s\") == \"b\""]),
        ("after >", |c| c.after("n") > 5, &["after(\"n\") > 5"]),
        ("exists", |c| c.after("n").exists(), &["after(\"n\").exists()"]),
        ("missing", |c| c.after("n").is_missing(), &["after(\"n\").exists()"]),
        ("null", |c| c.after("n").is_null(), &["after(\"n\").is_null()"]),
        ("one of", |c| c.before("s").is_in(["b"]), &["before(\"s\") == \"b\""]),
        ("both sides", |c| c.before("s") == c.after("n"), &["before(\"s\") == after(\"n\")"]),
        ("a part", |c| c.after("n").get("x") == 1, &["after(\"n\").get(…) == 1"]),
        ("as_i64", |c| c.after("n").as_i64().is_some_and(|n| n > 5), &["after(\"n\").as_i64()"]),
        ("as_str", |c| c.before("s").as_str().is_some(), &["before(\"s\").as_str()"]),
        ("items", |c| c.before("s").items().is_empty(), &["before(\"s\").items()"]),
        ("changed_columns", |c| c.changed_columns().contains(&"a".to_owned()), &["changed_columns()"]),
        ("query", |c| !c.query("$.after.n").is_empty(), &["query(\"$.after.n\")"]),
    ];

    for (form, change) in forms(&blind()) {
        for (what, detect, expected) in table {
            assert_eq!(reads(detect, &change), expected, "{what} of {form}");
        }
    }
}

#[test]
fn a_detector_is_decided_where_no_unknown_could_turn_its_answer() {
    let table: [(&str, Detect, bool); 9] = [
        ("another collection", |c| c.collection() == "other" && c.column_changed("a"), false),
        ("a certain yes first", |c| c.column_changed("s") || c.column_changed("a"), true),
        ("a certain no afterwards", |c| c.column_changed("a") && c.collection() == "other", false),
        ("either way", |c| c.column_changed("a") || !c.column_changed("a"), true),
        ("a contradiction", |c| c.column_changed("a") && !c.column_changed("a"), false),
        ("not named, so not changed", |c| c.column_changed("n"), false),
        ("not changed, so it became nothing", |c| c.became("n", 5), false),
        ("another value now", |c| c.became("s", "other"), false),
        ("written whole", |c| c.after("o.x") == 1 && c.after("o.y").is_missing(), true),
    ];

    for (form, change) in forms(&blind()) {
        for (what, detect, expected) in table {
            let expected = if expected { Verdict::Detected } else { Verdict::No };
            assert_eq!(Detector::new("x", detect).evaluate(&change), expected, "{what} of {form}");
        }
    }
}

#[test]
fn parts_of_an_unknown_value_are_not_assumed_to_be_equal() {
    let detect: Detect = |c| c.after("n").get("x") == 1 && c.after("n").get("y") != 1;

    for (form, change) in forms(&blind()) {
        assert_eq!(reads(detect, &change), ["after(\"n\").get(…) == 1"], "{form}");
    }
}

#[test]
fn an_insert_and_a_delete_are_decided_without_images() {
    let insert = event("insert", doc! { "fullDocument": { "_id": 1, "s": "text" } });
    let delete = event("delete", doc! { "fullDocumentBeforeChange": Bson::Null });
    let table: [(&str, Detect, Verdict, Verdict); 7] = [
        ("changed", |c| c.column_changed("s"), Verdict::No, Verdict::No),
        ("columns", |c| !c.changed_columns().is_empty(), Verdict::No, Verdict::No),
        ("became", |c| c.became("s", "text"), Verdict::Detected, Verdict::No),
        ("became another", |c| c.became("s", "other"), Verdict::No, Verdict::No),
        ("from to", |c| c.changed_from_to("s", "text", "text"), Verdict::No, Verdict::No),
        ("after", |c| c.after("s") == "text", Verdict::Detected, Verdict::No),
        ("missing after", |c| c.after("s").is_missing(), Verdict::No, Verdict::Detected),
    ];

    for (what, detect, of_insert, of_delete) in table {
        for (form, change) in forms(&insert) {
            assert_eq!(Detector::new("x", detect).evaluate(&change), of_insert, "{what} of an insert in {form}");
        }
        for (form, change) in forms(&delete) {
            assert_eq!(Detector::new("x", detect).evaluate(&change), of_delete, "{what} of a delete in {form}");
        }
    }
    for (form, change) in forms(&delete) {
        assert_eq!(reads(|c| c.before("s") == "text", &change), ["before(\"s\") == \"text\""], "{form}");
    }
}

#[test]
fn became_does_not_hold_for_a_manual_change() {
    let change: Change = Change::manual("docs").after(json!({ "s": "text" })).into();

    assert_eq!(Detector::new("x", |c| c.became("s", "text")).evaluate(&change), Verdict::No);
}

#[test]
fn the_id_is_known_without_images() {
    let blind = update(Bson::Null, Bson::Null, doc! { "updatedFields": { "s": "text" } });
    let mut sharded = blind.clone();
    sharded.insert("documentKey", doc! { "region": "eu", "_id": { "n": 1 } });
    let change = |event: &bson::Document| Change::from_bson(event.to_vec().unwrap()).unwrap();

    let (blind, sharded) = (change(&blind), change(&sharded));

    assert_eq!(Detector::new("x", |c| c.before("_id") == 1 && c.after("_id") == 1).evaluate(&blind), Verdict::Detected);
    assert_eq!(Detector::new("x", |c| c.after("_id.n") == 1 && !c.column_changed("_id.n")).evaluate(&sharded), Verdict::Detected);
    assert_eq!(format!("{:?}", sharded.after("_id")), r#"{"n":1}"#);
}

#[test]
fn an_update_without_a_usable_description_or_images_is_undecided() {
    let without = event("update", doc! {});
    let null = event("update", doc! { "updateDescription": Bson::Null });
    let cut = event("update", doc! { "updateDescription": { "removedFields": [] } });

    for event in [without, null, cut] {
        for (form, change) in forms(&event) {
            assert_eq!(reads(|c| c.column_changed("a"), &change), ["column_changed(\"a\")"], "{form}");
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_undecided_and_never_a_no() {
    let images = update(
        doc! { "_id": 1, "s": "fine", "list": ["fine", "fine"], "o": { "t": "fine" } },
        doc! { "_id": 1, "s": "broken", "list": ["broken", "broken"], "o": { "t": "broken" } },
        doc! { "updatedFields": { "s": "broken" } },
    );
    let change = with_broken_text(&images);
    let table: [(&str, Detect); 15] = [
        ("changed", |c| c.column_changed("s")),
        ("changed inside", |c| c.column_changed("o")),
        ("became", |c| c.became("s", "x")),
        ("==", |c| c.after("s") == "x"),
        (">", |c| c.after("s") > "x"),
        ("both sides", |c| c.before("s") == c.after("s")),
        ("both documents", |c| c.before("o") == c.after("o")),
        ("is_null", |c| c.after("s").is_null()),
        ("as_str", |c| c.after("s").as_str().is_some()),
        ("as_i64", |c| c.after("s").as_i64().is_some()),
        ("part", |c| c.after("o").get("t") == "x"),
        ("items", |c| c.after("list").items().iter().any(|item| *item == "x")),
        ("to_json of the whole", |c| c.after("o").to_json().is_some()),
        ("columns", |c| c.changed_columns().is_empty()),
        ("query", |c| c.query("$.after.s").is_empty()),
    ];

    for (what, detect) in table {
        let unknowns = unknowns(detect, &change);
        assert!(unknowns[0].cure.contains("UTF-8"), "{what}: {unknowns:?}");
    }
    assert!(change.after("s").exists());
    assert_eq!(format!("{:?} {}", change.after("s"), change.after("o")), "unknown unknown");
    assert_eq!(change.to_json(), None);
    assert_eq!(Detector::new("x", |c| c.after("_id") == 1).evaluate(&change), Verdict::Detected);
}

#[test]
fn every_unknown_names_the_cure() {
    let both = update(Bson::Null, Bson::Null, doc! { "updatedFields": { "a": 1 } });
    let bson = |event: &bson::Document| Change::from_bson(event.to_vec().unwrap()).unwrap();
    let looked_up = bson(&update(Bson::Null, doc! { "_id": 1, "s": "x" }, doc! { "updatedFields": { "s.t": "x" } }))
        .with_after_image(AfterImage::Lookup);
    let hasura = |old: serde_json::Value| {
        let row = json!({ "id": 1, "status": "done", "city": "Bonn" });
        let event = json!({ "op": "UPDATE", "data": { "old": old, "new": row }, "session_variables": null });
        let payload = json!({ "id": "1", "table": { "schema": "public", "name": "moves" }, "event": event });
        Change::from_json(payload.to_string()).unwrap()
    };
    let recorded: Change = Change::update("moves").after(json!({ "s": 1 })).into();
    let images = "`db.runCommand({ collMod: \"docs\", changeStreamPreAndPostImages: { enabled: true } })`";
    let typo: Detect = |c| c.column_changed("statsu");
    let table: [(&str, Detect, &Change, &[&str]); 9] = [
        ("written whole", |c| c.column_changed("a"), &bson(&both), &["`a`", "`db.docs`", images]),
        ("no image before", |c| c.before("a") == 1, &bson(&both), &["no image of `db.docs` from before", images]),
        ("no image after", |c| c.after("n") == 1, &bson(&both), &["no image of `db.docs` from after", images]),
        ("looked up", |c| c.became("s", "x"), &looked_up, &["`db.docs` was looked up", "updateLookup", images]),
        ("no old row", |c| c.column_changed("status"), &hasura(json!(null)), &["no old row of `public.moves`", "`after`"]),
        ("a typo", typo, &hasura(json!({})), &["no column `statsu`; did you mean `status`?", "city, id, status"]),
        ("a typo in a query", |c| c.query("$.after.statsu").is_empty(), &hasura(json!({})), &["did you mean `status`?"]),
        ("unlike any column", |c| c.after("zzz").is_null(), &hasura(json!({})), &["no column `zzz`; its columns are: city"]),
        ("recorded", |c| c.column_changed("s"), &recorded, &["no `before`"]),
    ];

    for (what, detect, change, wanted) in table {
        let cure = &unknowns(detect, change)[0].cure;
        assert!(wanted.iter().all(|part| cure.contains(part)), "{what}: {cure}");
    }
}
