//! What do the helpers answer for everything that a server was seen to send for an update?
//!
//! One row for each operation that was tried on a mongod 6.0.27. An update that changes nothing (`$set` to the identical
//! value, `$inc` by 0, `$pull` that matches nothing) sends no event and so has no row.

use bson::{Bson, Document, doc};

use super::Ask::{After, Became, Before, Changed, Columns, FromTo};
use super::{Ask, answer, assert_answers, event, forms, update};
use crate::change::{AfterImage, Change};
use crate::value::Literal::{Int, Text};

/// What was done, the document before and after, the description, and each read with its answer with both images, with
/// neither, and with the one from before alone.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) before: Document,
    pub(super) after: Document,
    pub(super) description: Document,
    pub(super) reads: Vec<(Ask, &'static str, &'static str, &'static str)>,
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            what: "$set a.b",
            before: doc! { "a": { "b": 1, "c": 2 } },
            after: doc! { "a": { "b": 5, "c": 2 } },
            description: doc! { "updatedFields": { "a.b": 5 } },
            reads: vec![
                (Changed("a.b"), "yes", "unknown", "yes"),
                (Changed("a"), "yes", "unknown", "unknown"),
                (Changed("a.c"), "no", "no", "no"),
                (Changed("a.b.c"), "no", "unknown", "no"),
                (Changed("ab"), "no", "no", "no"),
                (Changed("a.bc"), "no", "no", "no"),
                (Changed("_id"), "no", "no", "no"),
                (Became("a.b", Int(5)), "yes", "unknown", "yes"),
                (Became("a.b", Int(4)), "no", "no", "no"),
                (Became("a.c", Int(2)), "no", "no", "no"),
                (FromTo("a.b", Int(1), Int(5)), "yes", "unknown", "yes"),
                (FromTo("a.b", Int(1), Int(6)), "no", "no", "no"),
                (FromTo("a.c", Int(2), Int(2)), "no", "no", "no"),
                (After("a.b"), "5", "5", "5"),
                (After("a.c"), "2", "unknown", "unknown"),
                (After("a"), r#"{"b":5,"c":2}"#, "unknown", "unknown"),
                (Before("a.b"), "1", "unknown", "1"),
                (Columns, "a", "a and unknown", "a and unknown"),
            ],
        },
        Row {
            what: "$set a.b to a text",
            before: doc! { "a": { "b": "old" } },
            after: doc! { "a": { "b": "new" } },
            description: doc! { "updatedFields": { "a.b": "new" } },
            reads: vec![
                (Changed("a.b"), "yes", "yes", "yes"),
                (Changed("a"), "yes", "yes", "yes"),
                (Became("a.b", Text("new")), "yes", "yes", "yes"),
                (Became("a.b", Text("old")), "no", "no", "no"),
                (FromTo("a.b", Text("old"), Text("new")), "yes", "unknown", "yes"),
                (FromTo("a.b", Text("other"), Text("new")), "no", "unknown", "no"),
                (Columns, "a", "a", "a"),
            ],
        },
        Row {
            what: "$set a to a whole document in which only b differs",
            before: doc! { "a": { "b": 1, "c": 2 } },
            after: doc! { "a": { "b": 5, "c": 2 } },
            description: doc! { "updatedFields": { "a": { "b": 5, "c": 2 } } },
            reads: vec![
                (Changed("a.b"), "yes", "unknown", "yes"),
                (Changed("a.c"), "no", "unknown", "no"),
                (Changed("a.d"), "no", "unknown", "no"),
                (Changed("a"), "yes", "unknown", "yes"),
                (Became("a.b", Int(5)), "yes", "unknown", "yes"),
                (Became("a.c", Int(2)), "no", "unknown", "no"),
                (Became("a.c", Int(3)), "no", "no", "no"),
                (After("a.c"), "2", "2", "2"),
                (After("a.d"), "missing", "missing", "missing"),
                (Columns, "a", "a and unknown", "a"),
            ],
        },
        Row {
            what: "$set a from 1 to 1.0",
            before: doc! { "a": 1 },
            after: doc! { "a": 1.0 },
            description: doc! { "updatedFields": { "a": 1.0 } },
            reads: vec![
                (Changed("a"), "no", "unknown", "no"),
                (Became("a", Int(1)), "no", "unknown", "no"),
                (FromTo("a", Int(1), Int(1)), "no", "unknown", "no"),
                (After("a"), "1.0", "1.0", "1.0"),
                (Columns, "", "a and unknown", ""),
            ],
        },
        Row {
            what: "$set a to the same number of another BSON type",
            before: doc! { "a": 1_i32, "b": 2_i64 },
            after: doc! { "a": 1_i64, "b": "2".parse::<bson::Decimal128>().unwrap() },
            description: doc! { "updatedFields": { "a": 1_i64, "b": "2".parse::<bson::Decimal128>().unwrap() } },
            reads: vec![
                (Changed("a"), "no", "unknown", "no"),
                (Changed("b"), "no", "unknown", "no"),
                (After("b"), r#"{"$numberDecimal":"2"}"#, r#"{"$numberDecimal":"2"}"#, r#"{"$numberDecimal":"2"}"#),
                (Columns, "", "a b and unknown", ""),
            ],
        },
        Row {
            what: "$unset a subdocument",
            before: doc! { "a": { "b": 1 } },
            after: doc! {},
            description: doc! { "removedFields": ["a"] },
            reads: vec![
                (Changed("a"), "yes", "yes", "yes"),
                (Changed("a.b"), "yes", "unknown", "yes"),
                (Changed("a.x"), "no", "unknown", "no"),
                (After("a"), "missing", "missing", "missing"),
                (After("a.b"), "missing", "missing", "missing"),
                (Became("a.b", Int(1)), "no", "no", "no"),
                (Columns, "a", "a", "a"),
            ],
        },
        Row {
            what: "$rename a.b to a.c",
            before: doc! { "a": { "b": 1 } },
            after: doc! { "a": { "c": 1 } },
            description: doc! { "updatedFields": { "a.c": 1 }, "removedFields": ["a.b"] },
            reads: vec![
                (Changed("a.b"), "yes", "yes", "yes"),
                (Changed("a.c"), "yes", "unknown", "yes"),
                (Changed("a"), "yes", "yes", "yes"),
                (After("a.b"), "missing", "missing", "missing"),
                (Became("a.c", Int(1)), "yes", "unknown", "yes"),
                (Columns, "a", "a", "a"),
            ],
        },
        Row {
            what: "$set arr.1 of an array",
            before: doc! { "arr": [1, 2] },
            after: doc! { "arr": [1, 99] },
            description: doc! { "updatedFields": { "arr.1": 99 } },
            reads: vec![
                (Changed("arr.1"), "yes", "unknown", "yes"),
                (Changed("arr.0"), "no", "no", "no"),
                (Changed("arr.10"), "no", "no", "no"),
                (Changed("arr"), "yes", "unknown", "unknown"),
                (After("arr.1"), "99", "99", "99"),
                (Columns, "arr", "arr and unknown", "arr and unknown"),
            ],
        },
        Row {
            what: "$set arr.1 of a document with the key 1",
            before: doc! { "arr": { "1": "a" } },
            after: doc! { "arr": { "1": "b" } },
            description: doc! { "updatedFields": { "arr.1": "b" } },
            reads: vec![
                (Changed("arr.1"), "yes", "yes", "yes"),
                (Changed("arr"), "yes", "yes", "yes"),
                (Became("arr.1", Text("b")), "yes", "yes", "yes"),
                (Columns, "arr", "arr", "arr"),
            ],
        },
        Row {
            what: "$set arr.1.x",
            before: doc! { "arr": [{ "x": 1 }, { "x": 2 }] },
            after: doc! { "arr": [{ "x": 1 }, { "x": 99 }] },
            description: doc! { "updatedFields": { "arr.1.x": 99 } },
            reads: vec![
                (Changed("arr.1.x"), "yes", "unknown", "yes"),
                (Changed("arr.1"), "yes", "unknown", "unknown"),
                (Changed("arr.0.x"), "no", "no", "no"),
                (Changed("arr.0"), "no", "no", "no"),
            ],
        },
        Row {
            what: "$inc arr.$[].x",
            before: doc! { "arr": [{ "x": 1, "y": 1 }, { "x": 2, "y": 1 }] },
            after: doc! { "arr": [{ "x": 2, "y": 1 }, { "x": 3, "y": 1 }] },
            description: doc! { "updatedFields": { "arr": [{ "x": 2, "y": 1 }, { "x": 3, "y": 1 }] } },
            reads: vec![
                (Changed("arr"), "yes", "unknown", "yes"),
                (Changed("arr.0.x"), "yes", "unknown", "yes"),
                (Changed("arr.0.y"), "no", "unknown", "no"),
                (After("arr.1.x"), "3", "3", "3"),
            ],
        },
        Row {
            what: "$push at the end",
            before: doc! { "arr": [1, 2, 3] },
            after: doc! { "arr": [1, 2, 3, 4] },
            description: doc! { "updatedFields": { "arr.3": 4 } },
            reads: vec![
                (Changed("arr"), "yes", "unknown", "unknown"),
                (Changed("arr.3"), "yes", "unknown", "yes"),
                (Changed("arr.2"), "no", "no", "no"),
                (Became("arr.3", Int(4)), "yes", "unknown", "yes"),
            ],
        },
        Row {
            what: "$push in front",
            before: doc! { "arr": [2, 3] },
            after: doc! { "arr": [1, 2, 3] },
            description: doc! { "updatedFields": { "arr": [1, 2, 3] } },
            reads: vec![(Changed("arr"), "yes", "unknown", "yes"), (Changed("arr.0"), "yes", "unknown", "yes")],
        },
        Row {
            what: "$push to a missing array",
            before: doc! {},
            after: doc! { "arr": [4] },
            description: doc! { "updatedFields": { "arr": [4] } },
            reads: vec![(Changed("arr"), "yes", "unknown", "yes"), (Columns, "arr", "arr and unknown", "arr")],
        },
        Row {
            what: "pipeline that makes a long array shorter and changes an element",
            before: doc! { "arr": ["a", "b", "c", "d"] },
            after: doc! { "arr": ["a", "CHG"] },
            description: doc! {
                "updatedFields": { "arr.1": "CHG" }, "truncatedArrays": [{ "field": "arr", "newSize": 2 }],
            },
            reads: vec![
                (Changed("arr"), "yes", "yes", "yes"),
                (Changed("arr.1"), "yes", "yes", "yes"),
                (Changed("arr.0"), "no", "unknown", "unknown"),
                (Changed("arr.2"), "yes", "unknown", "unknown"),
                (After("arr.1"), r#""CHG""#, r#""CHG""#, r#""CHG""#),
                (Columns, "arr", "arr", "arr"),
            ],
        },
        Row {
            what: "$setField on a field that is named a.b",
            before: doc! { "a.b": "x" },
            after: doc! { "a.b": "y" },
            description: doc! { "updatedFields": { "a.b": "y" } },
            // The description cannot be told from the nested path's. A path always means the nested one.
            reads: vec![
                (Changed("a.b"), "no", "yes", "yes"),
                (After("a.b"), "missing", r#""y""#, r#""y""#),
                (Columns, "a.b", "a", "a"),
            ],
        },
        Row {
            what: "set to null",
            before: doc! { "a": 1 },
            after: doc! { "a": Bson::Null },
            description: doc! { "updatedFields": { "a": Bson::Null } },
            reads: vec![
                (Changed("a"), "yes", "yes", "yes"),
                (After("a"), "null", "null", "null"),
                (Became("a", Int(0)), "no", "no", "no"),
            ],
        },
        Row {
            what: "$unset of null",
            before: doc! { "a": Bson::Null },
            after: doc! {},
            description: doc! { "removedFields": ["a"] },
            reads: vec![
                (Changed("a"), "yes", "yes", "yes"),
                (Before("a"), "null", "unknown", "null"),
                (After("a"), "missing", "missing", "missing"),
            ],
        },
    ]
}

#[test]
fn every_kind_of_update_is_read_by_its_images_when_both_are_there() {
    for Row { what, before, after, description, reads } in rows() {
        let table: Vec<_> = reads.iter().map(|(ask, both, _, _)| (*ask, *both)).collect();

        assert_answers(what, &update(before, after, description), &table);
    }
}

#[test]
fn every_kind_of_update_is_read_by_its_description_when_images_are_null() {
    for Row { what, description, reads, .. } in rows() {
        let table: Vec<_> = reads.iter().map(|(ask, _, none, _)| (*ask, *none)).collect();

        assert_answers(what, &update(Bson::Null, Bson::Null, description), &table);
    }
}

#[test]
fn what_an_update_wrote_is_compared_with_the_image_from_before_when_that_is_all_there_is() {
    for Row { what, before, description, reads, .. } in rows() {
        let table: Vec<_> = reads.iter().map(|(ask, _, _, before)| (*ask, *before)).collect();

        assert_answers(what, &update(before, Bson::Null, description), &table);
    }
}

#[test]
fn images_that_are_not_mentioned_are_as_unknown_as_null_ones() {
    for Row { what, description, reads, .. } in rows() {
        let mut event = update(Bson::Null, Bson::Null, description);
        event.remove("fullDocument");
        event.remove("fullDocumentBeforeChange");
        let table: Vec<_> = reads.iter().map(|(ask, _, none, _)| (*ask, *none)).collect();

        assert_answers(what, &event, &table);
    }
}

#[test]
fn an_update_by_pipeline_that_came_as_a_replacement_is_compared_by_value() {
    let images = |before: Bson| doc! { "fullDocument": { "_id": 1, "a": 2, "b": "x" }, "fullDocumentBeforeChange": before };
    let known = event("replace", images(doc! { "_id": 1, "a": 1, "b": "x" }.into()));
    let unknown = event("replace", images(Bson::Null));

    for (_, change) in forms(&known) {
        assert!(change.is_update() && change.is_replacement());
    }
    assert_answers(
        "replace",
        &known,
        &[
            (Changed("a"), "yes"),
            (Changed("b"), "no"),
            (Became("a", Int(2)), "yes"),
            (Became("b", Text("x")), "no"),
            (Columns, "a"),
        ],
    );
    assert_answers(
        "replace without an image from before",
        &unknown,
        &[
            (Changed("a"), "unknown"),
            (After("a"), "2"),
            (Became("a", Int(2)), "unknown"),
            (Became("a", Int(3)), "no"),
            (Columns, " and unknown"),
        ],
    );
}

#[test]
fn a_replacement_by_an_identical_document_changes_nothing() {
    let document = doc! { "_id": 1, "a": { "b": [1, 2] } };
    let event = event("replace", doc! { "fullDocument": document.clone(), "fullDocumentBeforeChange": document });

    let table = [(Changed("a"), "no"), (Changed("a.b"), "no"), (Changed("a.b.1"), "no"), (Columns, "")];

    assert_answers("identical", &event, &table);
}

#[test]
fn a_document_that_was_looked_up_is_trusted_only_where_the_description_agrees() {
    let before = doc! { "_id": 1, "status": "new", "price": 1, "tags": ["a"], "note": "x" };
    // Looked up after later changes had set the status, the note and the tags anew.
    let looked_up = doc! { "_id": 1, "status": "done", "price": 2, "tags": ["a", "b", "c"], "note": "y" };
    let description = doc! { "updatedFields": { "status": "paid", "tags.1": "b" } };
    let lookup = |before: Bson| {
        forms(&update(before, looked_up.clone(), description.clone()))
            .map(|(form, change)| (form, change.with_after_image(AfterImage::Lookup)))
    };
    let table = [
        (After("status"), r#""paid""#, r#""paid""#),
        (After("note"), r#""y""#, r#""y""#),
        (Changed("status"), "yes", "yes"),
        (Changed("note"), "no", "no"),
        (Changed("price"), "no", "no"),
        (Changed("tags"), "yes", "yes"),
        (Became("status", Text("paid")), "yes", "yes"),
        (Became("status", Text("done")), "no", "no"),
        (Became("note", Text("y")), "no", "no"),
        (FromTo("status", Text("new"), Text("paid")), "yes", "unknown"),
        (FromTo("note", Text("x"), Text("y")), "no", "no"),
        (Columns, "status tags", "status tags"),
    ];

    for ((form, change), (_, blind)) in lookup(before.into()).into_iter().zip(lookup(Bson::Null)) {
        let again = Change::from_json(change.to_json().unwrap().to_string()).unwrap();
        assert_eq!((change.after_image(), again.after_image()), (AfterImage::Lookup, AfterImage::Lookup));
        for (ask, known, unknown) in table {
            assert_eq!(answer(&change, ask), known, "{ask:?} of {form}");
            assert_eq!(answer(&again, ask), known, "{ask:?} of {form}, recorded");
            assert_eq!(answer(&blind, ask), unknown, "{ask:?} of {form} without an image from before");
        }
    }
}

#[test]
fn what_is_not_an_update_of_an_existing_document_cannot_have_been_looked_up() {
    let document = doc! { "_id": 1, "status": "new" };
    let insert = event("insert", doc! { "fullDocument": document.clone() });
    let replace = event("replace", doc! { "fullDocument": document });
    let gone = update(Bson::Null, Bson::Null, doc! {});

    for (event, expected) in [(insert, AfterImage::Exact), (replace, AfterImage::Exact), (gone, AfterImage::None)] {
        for (form, change) in forms(&event) {
            assert_eq!(change.with_after_image(AfterImage::Lookup).after_image(), expected, "{form}");
        }
    }
}
