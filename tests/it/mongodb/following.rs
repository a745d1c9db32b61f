//! Is a source still there after everything that can happen to what it watches?

use ::mongodb::bson::{Document, RawDocumentBuf, doc, rawdoc};
use ::mongodb::{Client, Database};
use event_detector::{AfterImage, Change, Operation};
use event_detector_sources::Images;

use tokio::task::block_in_place;
use xtask::mongod::Options;

use super::{Watching, after, database, deployment, scope, uri, with_images};

/// What changes did, to which collection.
fn told(change: &Change) -> (Operation, &str) {
    (change.operation(), change.collection())
}

#[tokio::test]
async fn a_collection_that_is_dropped_and_made_again_is_followed() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let scope = scope(database.name(), &["moves"]);
    let mut watching = Watching::start(&uri().unwrap(), scope, Images::Computed).await;

    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    moves.drop().await.unwrap();
    database.collection::<Document>("other").insert_one(doc! { "_id": 7 }).await.unwrap();
    moves.insert_one(doc! { "_id": 2 }).await.unwrap();

    assert_eq!(told(&*watching.next().await), (Operation::Insert, "moves"));
    assert_eq!(told(&*watching.next().await), (Operation::Drop, "moves"));
    let change = watching.next_of_documents().await;
    assert_eq!((told(&change), change.key().as_i64()), ((Operation::Insert, "moves"), Some(2)));
    database.drop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_dropped_and_made_again_is_followed() {
    for filtered in [false, true] {
        let Some(database) = database().await else { return };
        let moves = database.collection::<Document>("moves");
        let scope = scope(database.name(), if filtered { &["moves"] } else { &[] });
        let mut watching = Watching::start(&uri().unwrap(), scope, Images::Computed).await;

        for round in 0..3 {
            moves.insert_one(doc! { "_id": round }).await.unwrap();
            database.drop().await.unwrap();
        }
        moves.insert_one(doc! { "_id": 99 }).await.unwrap();

        let mut seen = Vec::new();
        while seen.last() != Some(&99) {
            let change = watching.next().await;
            if change.is_insert() {
                seen.push(change.key().as_i64().unwrap());
            }
        }
        assert_eq!(seen, [0, 1, 2, 99], "filtered: {filtered}");
        assert!(watching.stopped().await.source_errors.is_empty());
        database.drop().await.unwrap();
    }
}

#[tokio::test]
async fn renames_and_what_is_written_over_a_collection_are_told() {
    let Some(database) = database().await else { return };
    let from = database.collection::<Document>("draft");
    from.insert_one(doc! { "_id": 1 }).await.unwrap();
    with_images(&database, "moves").await;
    let scope = scope(database.name(), &["moves"]);
    let mut watching = Watching::start(&uri().unwrap(), scope, Images::Computed).await;
    let name = |collection: &str| format!("{}.{collection}", database.name());

    let admin = database.client().database("admin");
    admin.run_command(doc! { "renameCollection": name("draft"), "to": name("moves"), "dropTarget": true }).await.unwrap();
    database.collection::<Document>("moves").insert_one(doc! { "_id": 2 }).await.unwrap();
    let source = database.collection::<Document>("source");
    source.insert_one(doc! { "_id": 3 }).await.unwrap();
    source.aggregate([doc! { "$out": "moves" }]).await.unwrap();
    database.collection::<Document>("moves").insert_one(doc! { "_id": 4 }).await.unwrap();

    assert_eq!(told(&*watching.next().await), (Operation::Rename, "draft"));
    assert_eq!(watching.next().await.key().as_i64(), Some(2));
    let replaced = watching.next().await;
    assert_eq!(replaced.operation(), Operation::Rename);
    assert!(replaced.collection().starts_with("tmp.agg_out."), "{}", replaced.collection());
    assert_eq!(watching.next().await.key().as_i64(), Some(4));
    database.drop().await.unwrap();
}

#[tokio::test]
async fn a_transaction_comes_together_and_an_aborted_one_never() {
    let Some(database) = database().await else { return };
    let (moves, orders) = (with_images(&database, "moves").await, with_images(&database, "orders").await);
    let mut watching = Watching::all(&database, Images::Computed).await;
    let mut session = database.client().start_session().await.unwrap();

    session.start_transaction().await.unwrap();
    moves.insert_one(doc! { "_id": "aborted" }).session(&mut session).await.unwrap();
    session.abort_transaction().await.unwrap();
    session.start_transaction().await.unwrap();
    moves.insert_one(doc! { "_id": 1, "n": 0 }).session(&mut session).await.unwrap();
    moves.insert_one(doc! { "_id": "outside" }).await.unwrap();
    for n in 1..=3 {
        moves.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": n } }).session(&mut session).await.unwrap();
    }
    orders.insert_one(doc! { "_id": 2 }).session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();

    let outside = watching.next().await;
    assert_eq!((outside.key().as_str().as_deref(), outside.transaction()), (Some("outside"), None));
    let inside = [(); 5];
    let mut together = Vec::new();
    for () in inside {
        together.push(watching.next().await);
    }
    let keys: Vec<_> = together.iter().map(|change| (change.collection(), change.after("n").as_i64())).collect();
    assert_eq!(keys, [("moves", Some(0)), ("moves", Some(1)), ("moves", Some(2)), ("moves", Some(3)), ("orders", None)]);
    assert_eq!(together[2].before("n").as_i64(), Some(1), "each has the document as it was before it");
    let transactions: Vec<_> = together.iter().map(|change| change.transaction()).collect();
    assert!(transactions[0].is_some() && transactions.iter().all(|one| *one == transactions[0]));
    database.drop().await.unwrap();
}

// On a server of their own: others would wait for one that writes so much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_nine_megabytes_come_whole_with_their_images() {
    let Some(deployment) = block_in_place(|| deployment(&Options::default())) else { return };
    let client = Client::with_uri_str(deployment.uri()).await.unwrap();
    for (images, expected) in [(Images::Stored, AfterImage::Exact), (Images::Computed, AfterImage::Computed)] {
        let database = client.database(if images == Images::Stored { "stored" } else { "computed" });
        let big = with_images(&database, "big").await;
        let mut watching = Watching::start(deployment.uri(), scope(database.name(), &[]), images).await;
        let pad = "x".repeat(9 * 1024 * 1024);

        big.insert_one(doc! { "_id": 0 }).await.unwrap();
        big.insert_one(doc! { "_id": 1, "pad": &pad, "n": 0 }).await.unwrap();
        for n in 1..=3 {
            // The whole document is written anew, so that the description is as large as the images.
            let update = doc! { "$set": { "n": n, "pad": format!("{n}{}", &pad[1..]) } };
            big.update_one(doc! { "_id": 1 }, update).await.unwrap();
            big.update_one(doc! { "_id": 0 }, doc! { "$set": { "n": n } }).await.unwrap();
        }
        big.insert_one(doc! { "_id": 2 }).await.unwrap();

        assert!(watching.next().await.is_insert() && watching.next().await.is_insert());
        for n in 1..=3 {
            let change = watching.next().await;
            assert_eq!((change.after_image(), change.key().as_i64(), change.became("n", n)), (expected, Some(1), true));
            assert!(after(&change).get_str("pad").unwrap().starts_with(&format!("{n}x")));
            let small = watching.next().await;
            assert_eq!((small.after_image(), small.key().as_i64(), small.became("n", n)), (expected, Some(0), true));
        }
        assert_eq!(watching.next().await.key().as_i64(), Some(2));
        assert_eq!(watching.stopped().await.changes, 9, "none comes twice");
    }
    block_in_place(|| drop(deployment));
}

#[tokio::test]
async fn text_that_is_not_utf8_stops_nothing_and_is_undecided() {
    let Some(database) = database().await else { return };
    with_images(&database, "moves").await;
    let raw = database.collection::<RawDocumentBuf>("moves");
    let mut watching = Watching::all(&database, Images::Computed).await;

    let mut bytes = rawdoc! { "_id": 1, "status": "broken", "n": 1 }.into_bytes();
    let at = bytes.windows(6).position(|part| part == b"broken").unwrap();
    bytes[at] = 0xFF;
    let broken = RawDocumentBuf::from_bytes(bytes).unwrap();
    let insert = doc! { "insert": "moves", "documents": [] };
    insert_raw(&database, &insert, &broken).await;
    raw.insert_one(rawdoc! { "_id": 2, "status": "whole" }).await.unwrap();

    let change = watching.next_of_documents().await;
    assert_eq!((change.key().as_i64(), change.after("n").as_i64(), change.after("status").as_str()), (Some(1), Some(1), None));
    assert!(change.to_json().is_none(), "it cannot be written as JSON");
    assert_eq!(watching.next_of_documents().await.after("status").as_str().as_deref(), Some("whole"));
    database.drop().await.unwrap();
}

/// Inserts a document as it is; the driver's own insert would look into it.
async fn insert_raw(database: &Database, command: &Document, document: &RawDocumentBuf) {
    let mut documents = ::mongodb::bson::RawArrayBuf::new();
    documents.push(document.clone());
    let mut raw = RawDocumentBuf::new();
    raw.append(::mongodb::bson::cstr!("insert"), command.get_str("insert").unwrap());
    raw.append(::mongodb::bson::cstr!("documents"), documents);
    database.run_raw_command(raw).await.unwrap();
}

#[tokio::test]
async fn a_killed_cursor_is_opened_again_and_nothing_is_missed() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let mut watching = Watching::all(&database, Images::Computed).await;
    let other = Client::with_uri_str(uri().unwrap()).await.unwrap();

    let mut killed = 0;
    for number in 0..5 {
        moves.insert_one(doc! { "_id": number }).await.unwrap();
        assert_eq!(watching.next().await.key().as_i64(), Some(number));
        killed += kill_cursors(&other, database.name()).await;
    }

    moves.insert_one(doc! { "_id": 5 }).await.unwrap();
    assert_eq!(watching.next().await.key().as_i64(), Some(5));
    assert!(killed > 0, "there was a cursor to kill");
    assert!(watching.stopped().await.source_errors.is_empty());
    database.drop().await.unwrap();
}

/// Kills the cursors of change streams on a database; returns how many there were.
async fn kill_cursors(client: &Client, database: &str) -> usize {
    let admin = client.database("admin");
    let operations = [
        doc! { "$currentOp": { "allUsers": true, "idleCursors": true } },
        doc! { "$match": { "ns": { "$regex": format!("^{database}\\.") }, "cursor.cursorId": { "$exists": true } } },
    ];
    let mut found = admin.aggregate(operations).await.unwrap();
    let mut killed = 0;
    while found.advance().await.unwrap() {
        let operation: Document = found.current().try_into().unwrap();
        let cursor = operation.get_document("cursor").unwrap().get_i64("cursorId").unwrap();
        let kill = doc! { "killCursors": "$cmd.aggregate", "cursors": [cursor] };
        client.database(database).run_command(kill).await.unwrap();
        killed += 1;
    }
    killed
}

#[tokio::test]
async fn a_stop_says_where_the_source_was() {
    let Some(database) = database().await else { return };
    let moves = with_images(&database, "moves").await;
    let mut watching = Watching::all(&database, Images::Computed).await;
    moves.insert_one(doc! { "_id": 1 }).await.unwrap();
    watching.next().await;

    let summary = watching.stopped().await;

    assert_eq!(summary.changes, 1);
    assert!(summary.left[0].1.starts_with("everything after 20"), "{:?}", summary.left);
    database.drop().await.unwrap();
}

#[tokio::test]
async fn several_databases_share_one_stream() {
    let (Some(one), Some(other)) = (database().await, database().await) else { return };
    let names = vec![one.name().to_owned(), other.name().to_owned()];
    let scope = event_detector_sources::Scope::try_new(names, vec!["moves".to_owned()]).unwrap();
    let mut watching = Watching::start(&uri().unwrap(), scope, Images::Computed).await;

    for database in [&one, &other] {
        database.collection::<Document>("other").insert_one(doc! { "_id": 1 }).await.unwrap();
        database.collection::<Document>("moves").insert_one(doc! { "_id": 1 }).await.unwrap();
    }

    for database in [&one, &other] {
        let change = watching.next_of_documents().await;
        assert_eq!((change.database(), change.collection()), (database.name(), "moves"));
        database.drop().await.unwrap();
    }
}
