//! What does a change say, of everything that can be done to a document, with images and without?

use ::mongodb::bson::{Bson, Document, doc};
use ::mongodb::options::UpdateModifications;
use event_detector::{AfterImage, Change, Detector, Verdict};
use event_detector_sources::Images;

use super::{Watching, after, database, with_images};

/// What was asked of a change.
#[derive(Clone, Copy)]
enum Ask {
    Changed(&'static str),
    Became(&'static str, i64),
}

/// What a change answers to a detector: `yes`, `no` or `unknown`.
fn answer(change: &Change, ask: Ask) -> &'static str {
    use std::cell::Cell;
    thread_local!(static ASKED: Cell<Ask> = const { Cell::new(Ask::Changed("")) });
    ASKED.set(ask);
    let detector = Detector::new("asked", |change| match ASKED.get() {
        Ask::Changed(path) => change.column_changed(path),
        Ask::Became(path, value) => change.became(path, value),
    });
    match detector.evaluate(change) {
        Verdict::Detected => "yes",
        Verdict::No => "no",
        Verdict::Undecided(_) => "unknown",
        Verdict::Failed(panic) => panic!("{panic}"),
    }
}

struct Row {
    what: &'static str,
    before: Document,
    update: UpdateModifications,
    /// Each read with its answer where images are stored, and where they are not.
    reads: Vec<(Ask, &'static str, &'static str)>,
}

fn row(
    what: &'static str,
    before: Document,
    update: impl Into<UpdateModifications>,
    reads: Vec<(Ask, &'static str, &'static str)>,
) -> Row {
    Row { what, before, update: update.into(), reads }
}

/// Every kind of update that a server was seen to describe in a way of its own.
fn rows() -> Vec<Row> {
    use Ask::{Became, Changed};
    let long: Vec<i32> = (0..40).collect();
    vec![
        row(
            "$set a.b",
            doc! { "a": { "b": 1, "c": 2 } },
            doc! { "$set": { "a.b": 5 } },
            vec![(Changed("a.b"), "yes", "unknown"), (Changed("a.c"), "no", "no"), (Became("a.b", 5), "yes", "unknown")],
        ),
        row(
            "$set a whole, in which only b differs",
            doc! { "a": { "b": 1, "c": 2 } },
            doc! { "$set": { "a": { "b": 5, "c": 2 } } },
            vec![(Changed("a.b"), "yes", "unknown"), (Changed("a.c"), "no", "unknown"), (Changed("a"), "yes", "unknown")],
        ),
        row("$set a from 1 to 1.0", doc! { "a": 1 }, doc! { "$set": { "a": 1.0 } }, vec![(Changed("a"), "no", "unknown")]),
        row(
            "$unset a subdocument",
            doc! { "a": { "b": 1 } },
            doc! { "$unset": { "a": 1 } },
            vec![(Changed("a"), "yes", "yes"), (Changed("a.b"), "yes", "unknown")],
        ),
        row(
            "$rename",
            doc! { "a": { "b": 1 } },
            doc! { "$rename": { "a.b": "a.c" } },
            vec![(Changed("a.b"), "yes", "yes"), (Changed("a.c"), "yes", "unknown")],
        ),
        row(
            "$set arr.1",
            doc! { "arr": [1, 2] },
            doc! { "$set": { "arr.1": 99 } },
            vec![(Changed("arr.1"), "yes", "unknown"), (Changed("arr.0"), "no", "no")],
        ),
        row(
            "$set a key 1",
            doc! { "arr": { "1": "a" } },
            doc! { "$set": { "arr.1": "b" } },
            vec![(Changed("arr.1"), "yes", "yes")],
        ),
        row(
            "$set arr.1.x",
            doc! { "arr": [1, { "x": 1 }] },
            doc! { "$set": { "arr.1.x": 9 } },
            vec![(Changed("arr"), "yes", "unknown")],
        ),
        row(
            "$set beyond the end",
            doc! { "arr": [1] },
            doc! { "$set": { "arr.4": 9 } },
            vec![(Changed("arr.4"), "yes", "unknown")],
        ),
        row(
            "$inc arr.$[].x",
            doc! { "arr": [{ "x": 1 }, { "x": 2 }] },
            doc! { "$inc": { "arr.$[].x": 1 } },
            vec![(Changed("arr.0.x"), "yes", "unknown")],
        ),
        row(
            "$push at the end",
            doc! { "arr": [1, 2, 3] },
            doc! { "$push": { "arr": 4 } },
            vec![(Changed("arr.3"), "yes", "unknown"), (Changed("arr.0"), "no", "no")],
        ),
        row(
            "$push in front",
            doc! { "arr": [1, 2] },
            doc! { "$push": { "arr": { "$each": [0], "$position": 0 } } },
            vec![(Changed("arr.0"), "yes", "unknown")],
        ),
        row(
            "$pop",
            doc! { "arr": [1, 2, 3] },
            doc! { "$pop": { "arr": 1 } },
            vec![(Changed("arr.2"), "yes", "unknown"), (Changed("arr.0"), "no", "unknown")],
        ),
        row("$pull", doc! { "arr": [1, 2, 1] }, doc! { "$pull": { "arr": 1 } }, vec![(Changed("arr.0"), "yes", "unknown")]),
        row(
            "$push to what is missing",
            doc! { "x": 1 },
            doc! { "$push": { "arr": 4 } },
            vec![(Changed("arr.0"), "yes", "unknown")],
        ),
        row(
            "a pipeline that shortens a long array and changes an element",
            doc! { "arr": long, "pad": "x".repeat(100) },
            vec![doc! { "$set": { "arr": { "$concatArrays": [[0], ["CHG"], { "$slice": ["$arr", 2, 30] }] } } }],
            vec![(Changed("arr.1"), "yes", "yes"), (Changed("arr.39"), "yes", "unknown"), (Changed("pad"), "no", "no")],
        ),
        row(
            "a pipeline that a small document is replaced by",
            doc! { "a": 1, "b": 2 },
            vec![doc! { "$set": { "a": 2 } }],
            vec![(Changed("a"), "yes", "unknown"), (Changed("b"), "no", "unknown"), (Became("a", 2), "yes", "unknown")],
        ),
        row("$set to null", doc! { "a": 1 }, doc! { "$set": { "a": Bson::Null } }, vec![(Changed("a"), "yes", "yes")]),
        row("$unset of a null", doc! { "a": Bson::Null }, doc! { "$unset": { "a": 1 } }, vec![(Changed("a"), "yes", "yes")]),
    ]
}

#[tokio::test]
async fn every_update_says_what_changed_as_far_as_images_are_stored() {
    let Some(database) = database().await else { return };
    let rich = with_images(&database, "rich").await;
    let poor = database.collection::<Document>("poor");
    poor.insert_one(doc! { "_id": "first" }).await.unwrap();
    let mut watching = Watching::all(&database, Images::Computed).await;

    for (id, Row { what, before, update, reads }) in (1_i64..).zip(rows()) {
        for (collection, has_images) in [(&rich, true), (&poor, false)] {
            let mut before = before.clone();
            before.insert("_id", id);
            collection.insert_one(before).await.unwrap();
            collection.update_one(doc! { "_id": id }, update.clone()).await.unwrap();
            let now = collection.find_one(doc! { "_id": id }).await.unwrap().unwrap();

            assert!(watching.next_of_documents().await.is_insert(), "{what}");
            let change = watching.next_of_documents().await;

            assert!(change.is_update(), "{what}");
            for (ask, with, without) in &reads {
                assert_eq!(answer(&change, *ask), if has_images { *with } else { *without }, "{what}, images: {has_images}");
            }
            if has_images {
                let expected = if change.is_replacement() { AfterImage::Exact } else { AfterImage::Computed };
                assert_eq!(change.after_image(), expected, "{what}");
                assert_eq!(after(&change), now, "{what}");
            }
        }
    }
    database.drop().await.unwrap();
}

#[tokio::test]
async fn what_changes_nothing_fires_nothing() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    moves.insert_one(doc! { "_id": 1, "status": "done", "note": "x" }).await.unwrap();
    let mut watching = Watching::all(&database, Images::Computed).await;

    moves.replace_one(doc! { "_id": 1 }, doc! { "_id": 1, "note": "x", "status": "done" }).await.unwrap();
    moves.update_one(doc! { "_id": 1 }, doc! { "$set": { "status": "done" } }).await.unwrap();
    moves.insert_one(doc! { "_id": 2 }).await.unwrap();

    let replaced = watching.next().await;
    assert!(replaced.is_replacement() && !replaced.column_changed("status") && !replaced.became("status", "done"));
    assert!(replaced.changed_columns().is_empty());
    assert_eq!(watching.next().await.key().as_i64(), Some(2), "an update that writes what was there is no change");
    database.drop().await.unwrap();
}

#[tokio::test]
async fn inserts_and_deletes_carry_their_documents() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let mut watching = Watching::all(&database, Images::Computed).await;

    moves.insert_one(doc! { "_id": 1, "a": { "b": 2 } }).await.unwrap();
    moves.delete_one(doc! { "_id": 1 }).await.unwrap();

    let insert = watching.next().await;
    let delete = watching.next().await;
    assert_eq!((insert.is_insert(), insert.after("a.b").as_i64(), insert.after_image()), (true, Some(2), AfterImage::Exact));
    assert_eq!((delete.is_delete(), delete.before("a.b").as_i64(), delete.key().as_i64()), (true, Some(2), Some(1)));
    assert_eq!((insert.database(), insert.collection(), insert.source()), (database.name(), "moves", "mongodb"));
    assert!(insert.id() < delete.id() && insert.has_own_id());
    database.drop().await.unwrap();
}

#[tokio::test]
async fn what_is_looked_up_may_be_newer_and_says_so_and_what_is_not_asked_for_is_not_there() {
    let Some(database) = database().await else { return };
    let moves = database.collection::<Document>("moves");
    moves.insert_one(doc! { "_id": 1, "status": "new", "n": 0 }).await.unwrap();
    let mut looking_up = Watching::all(&database, Images::Lookup).await;
    let mut without = Watching::all(&database, Images::None).await;

    moves.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": 1 } }).await.unwrap();

    let looked_up = looking_up.next().await;
    let bare = without.next().await;
    assert_eq!((looked_up.after_image(), looked_up.after("status").as_str().as_deref()), (AfterImage::Lookup, Some("new")));
    assert_eq!((bare.after_image(), bare.after("n").as_i64(), bare.after("status").as_str()), (AfterImage::None, Some(1), None));
    database.drop().await.unwrap();
}

#[tokio::test]
async fn a_dotted_name_turns_the_source_to_the_servers_own_images() {
    let Some(database) = database().await else { return };
    let odd = with_images(&database, "odd").await;
    odd.insert_one(doc! { "_id": 1, "a": { "c": 1 } }).await.unwrap();
    let mut watching = Watching::all(&database, Images::Computed).await;

    odd.update_one(doc! { "_id": 1 }, doc! { "$set": { "a.c": 2 } }).await.unwrap();
    odd.insert_one(doc! { "_id": 2, "x.y": 1 }).await.unwrap();
    let set_field = doc! { "$replaceWith": { "$setField": { "field": "a.c", "input": "$$ROOT", "value": 7 } } };
    odd.update_one(doc! { "_id": 1 }, vec![doc! { "$set": { "pad": "x".repeat(200) } }]).await.unwrap();
    odd.update_one(doc! { "_id": 1 }, vec![set_field]).await.unwrap();

    assert_eq!(watching.next_of_documents().await.after_image(), AfterImage::Computed);
    assert!(watching.next_of_documents().await.is_insert(), "it comes once, although it turned the source");
    assert_eq!(watching.next_of_documents().await.after_image(), AfterImage::Exact);
    let change = watching.next_of_documents().await;
    assert_eq!(change.after_image(), AfterImage::Exact);
    assert_eq!(after(&change), odd.find_one(doc! { "_id": 1 }).await.unwrap().unwrap());
    assert_eq!(change.after("a.c").as_i64(), Some(2), "the path, and not the name");
    database.drop().await.unwrap();
}
