//! Is the document after an update that is computed the one that the server has?

use bson::{Bson, Document, doc};

use super::updates::rows;
use super::{answer, update};
use crate::change::{AfterImage, Change};

fn computed(before: impl Into<Bson>, description: Document) -> Change {
    Change::from_bson(update(before, Bson::Null, description).to_vec().unwrap()).unwrap().with_computed_after()
}

/// The document after the change, its fields in their order.
fn after(change: &Change) -> Document {
    change.after_document().unwrap().try_into().unwrap()
}

#[test]
fn everything_a_server_was_seen_to_send_is_answered_as_if_it_had_sent_both_images() {
    for row in rows() {
        let change = computed(row.before.clone(), row.description.clone());
        let is_ambiguous = row.before.keys().any(|name| name.contains('.'));

        assert_eq!(change.after_image() == AfterImage::Ambiguous, is_ambiguous, "{}", row.what);
        for (ask, with_both, _, with_before) in row.reads {
            assert_eq!(answer(&change, ask), if is_ambiguous { with_before } else { with_both }, "{}: {ask:?}", row.what);
        }
        assert!(is_ambiguous || after(&change) == row.after, "{}", row.what);
    }
}

#[test]
fn fields_stay_where_they_are_and_new_ones_come_last_in_the_order_of_the_description() {
    let before = doc! { "_id": 1, "b": { "y": 1, "x": 2 }, "a": 1, "list": [1, { "k": 1 }, 3] };
    let description = doc! {
        "updatedFields": { "a": 2, "z": 1, "d": 2, "b.w": 0, "b.x": 3, "list.1.k": 2, "list.5": "end" },
        "removedFields": ["b.y"],
    };

    let after = after(&computed(before, description));

    let list: Bson = vec![1.into(), doc! { "k": 2 }.into(), 3.into(), Bson::Null, Bson::Null, Bson::from("end")].into();
    let expected = doc! { "_id": 1, "b": { "x": 3, "w": 0 }, "a": 2, "list": list, "z": 1, "d": 2 };
    assert_eq!(after.to_string(), expected.to_string());
}

#[test]
fn an_array_is_cut_before_its_elements_are_changed() {
    let before = doc! { "a": { "list": [1, 2, 3, 4] } };
    let description = doc! { "updatedFields": { "a.list.1": "CHG" }, "truncatedArrays": [{ "field": "a.list", "newSize": 2 }] };

    assert_eq!(after(&computed(before, description)), doc! { "a": { "list": [1, "CHG"] } });
}

#[test]
fn what_came_is_kept_apart_from_what_was_computed_and_is_recorded_with_it() {
    let event = update(doc! { "_id": 1, "a": 1 }, Bson::Null, doc! { "updatedFields": { "a": 2 } }).to_vec().unwrap();

    let change = Change::from_bson(event.clone()).unwrap().with_computed_after();
    let again = Change::from_json(change.to_json().unwrap().to_string()).unwrap();

    assert_eq!(change.bytes(), event);
    assert_eq!((change.after_image(), again.after_image()), (AfterImage::Computed, AfterImage::Computed));
    assert!(change.became("a", 2) && again.became("a", 2));
}

#[test]
fn what_could_mean_two_things_is_not_computed() {
    for (what, before, description) in [
        ("a dotted name in the document", doc! { "a.b": 1, "c": 1 }, doc! { "updatedFields": { "c": 2 } }),
        ("a dotted name further inside", doc! { "a": [{ "x.y": 1 }], "c": 1 }, doc! { "updatedFields": { "c": 2 } }),
        ("a path into what is not there", doc! { "c": 1 }, doc! { "updatedFields": { "a.b": 2 } }),
        ("a path with an empty step", doc! { "a": {} }, doc! { "updatedFields": { "a.": 2 } }),
        ("a path into a number", doc! { "a": 1 }, doc! { "updatedFields": { "a.b": 2 } }),
        ("a name of an array", doc! { "a": [1] }, doc! { "updatedFields": { "a.b": 2 } }),
        ("a removal of what is not there", doc! { "a": 1 }, doc! { "removedFields": ["b"] }),
        ("a removal from an array", doc! { "a": [1, 2] }, doc! { "removedFields": ["a.1"] }),
        ("a document that is cut", doc! { "a": {} }, doc! { "truncatedArrays": [{ "field": "a", "newSize": 0 }] }),
        ("written whole and in part", doc! { "a": {} }, doc! { "updatedFields": { "a": {}, "a.b": 2 } }),
        ("written and removed", doc! { "a": {} }, doc! { "updatedFields": { "a": 1 }, "removedFields": ["a"] }),
        ("a cut without size", doc! { "a": [1] }, doc! { "truncatedArrays": [{ "field": "a" }] }),
        ("a removal that is no name", doc! { "a": 1 }, doc! { "removedFields": [1] }),
    ] {
        let change = computed(before, description);

        assert_eq!(change.after_image(), AfterImage::Ambiguous, "{what}");
        assert!(change.after_document().is_none() && change.to_json().unwrap().get("after").is_none(), "{what}");
    }
}

#[test]
fn paths_that_the_server_took_apart_are_no_longer_ambiguous() {
    let before = doc! { "a.b": 1, "a": { "b": 1, "1": "x" }, "list": [{ "c.d": 1 }, 2] };
    let description = doc! {
        "updatedFields": { "a.b": 2, "a.1": "y", "list.0.c.d": 3, "list.1": 4 },
        "disambiguatedPaths": { "a.b": ["a.b"], "a.1": ["a", "1"], "list.0.c.d": ["list", 0, "c.d"], "list.1": ["list", 1] },
    };

    let change = computed(before, description);

    assert_eq!(change.after_image(), AfterImage::Computed);
    assert_eq!(after(&change), doc! { "a.b": 2, "a": { "b": 1, "1": "y" }, "list": [{ "c.d": 3 }, 4] });
}

#[test]
fn nothing_is_computed_where_there_is_nothing_to_compute_from() {
    let document = doc! { "_id": 1, "a": 1 };
    let set = doc! { "updatedFields": { "a": 2 } };
    let both = update(document.clone(), doc! { "_id": 1, "a": 7 }, set.clone());
    let blind = update(Bson::Null, Bson::Null, set);
    let insert = super::event("insert", doc! { "fullDocument": document.clone() });
    let delete = super::event("delete", doc! { "fullDocumentBeforeChange": document });

    for (event, expected) in
        [(both, AfterImage::Exact), (blind, AfterImage::None), (insert, AfterImage::Exact), (delete, AfterImage::None)]
    {
        let change = Change::from_bson(event.to_vec().unwrap()).unwrap().with_computed_after();

        assert_eq!(change.after_image(), expected, "{event}");
    }
    let recorded: Change = Change::update("docs").before(serde_json::json!({ "a": 1 })).into();
    assert_eq!(recorded.with_computed_after().after_image(), AfterImage::None);
}

#[test]
fn dotted_names_are_seen_in_every_image() {
    let change = |document: Document| {
        Change::from_bson(super::event("insert", doc! { "fullDocument": document }).to_vec().unwrap()).unwrap()
    };

    assert!(change(doc! { "a": { "b": [{ "c.d": 1 }] } }).has_dotted_names());
    assert!(!change(doc! { "a": "b.c", "d": ["e.f"] }).has_dotted_names());
}

#[test]
fn bytes_that_are_damaged_are_not_computed_and_harm_nothing() {
    let event = update(doc! { "_id": 1, "a": [1, { "b": 2 }] }, Bson::Null, doc! { "updatedFields": { "a.1.b": 3 } });
    let bytes = event.to_vec().unwrap();

    for at in 0..bytes.len() {
        for value in [0, 1, 0x7F, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(change) = Change::from_bson(damaged) {
                let change = change.with_computed_after();
                let _read = (change.to_json(), change.after("a.1.b").as_i64(), change.has_dotted_names());
            }
        }
    }
}
