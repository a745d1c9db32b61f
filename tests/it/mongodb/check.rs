//! Is what is missing said, with its cure, before anything is watched?

use ::mongodb::Client;
use ::mongodb::bson::doc;
use event_detector_sources::{Images, Inspection, Level, MongoDbError, Scope, Server};
use tokio::task::block_in_place;
use xtask::mongod::{Options, Topology};

use super::{Watching, database, deployment, scope, uri, with_images};

#[tokio::test]
async fn what_collections_lack_is_told_and_enabling_images_mends_it() {
    let Some(database) = database().await else { return };
    with_images(&database, "rich").await;
    database.create_collection("poor").await.unwrap();
    database.run_command(doc! { "create": "view", "viewOn": "poor", "pipeline": [] }).await.unwrap();
    let server = Server::connect(&uri().unwrap()).await.unwrap();
    let scope = scope(database.name(), &["poor", "rich", "missing"]);
    let level = |inspection: &Inspection, name: &str| {
        let subject = format!("{}.{name}", database.name());
        let finding = inspection.findings.iter().find(|finding| finding.subject == subject).unwrap();
        (finding.level, finding.cure.clone().unwrap_or_default())
    };

    let before = Inspection::of(&server, &scope, Images::Computed).await.unwrap();
    let enabled = server.enable_images(&scope).await.unwrap();
    let after = Inspection::of(&server, &scope, Images::Computed).await.unwrap();

    assert_eq!((level(&before, "rich").0, before.level()), (Level::Good, Level::Warning));
    assert!(level(&before, "poor").1.contains("collMod: \"poor\", changeStreamPreAndPostImages"), "{before:?}");
    assert!(level(&before, "missing").1.contains("createCollection(\"missing\""), "{before:?}");
    assert_eq!(enabled, ["missing", "poor"].map(|name| format!("{}.{name}", database.name())));
    assert!(after.findings.iter().all(|finding| finding.level == Level::Good), "{after:?}");
    assert!(server.enable_images(&scope).await.unwrap().is_empty(), "it is on already");
    database.drop().await.unwrap();
}

#[tokio::test]
async fn a_view_that_is_named_cannot_be_watched_and_one_that_is_not_is_passed_over() {
    let Some(database) = database().await else { return };
    database.create_collection("moves").await.unwrap();
    database.run_command(doc! { "create": "view", "viewOn": "moves", "pipeline": [] }).await.unwrap();
    let server = Server::connect(&uri().unwrap()).await.unwrap();

    let named = Inspection::of(&server, &scope(database.name(), &["view"]), Images::None).await.unwrap();
    let all = Inspection::of(&server, &scope(database.name(), &[]), Images::None).await.unwrap();
    let oplog = all.findings.iter().find(|finding| finding.subject == "oplog").unwrap();

    assert!(oplog.message.starts_with("reaches back ") && oplog.cure.is_none(), "{oplog:?}");
    assert_eq!((named.level(), all.level()), (Level::Error, Level::Good), "{named:?} {all:?}");
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_alone_is_refused_with_the_way_to_make_it_a_replica_set() {
    let options = Options { topology: Topology::Standalone, ..Options::default() };
    let Some(alone) = block_in_place(|| deployment(&options)) else { return };

    let error = Server::connect(alone.uri()).await.unwrap_err();

    assert!(matches!(error, MongoDbError::Standalone { .. }), "{error}");
    assert!(error.to_string().contains("40573") && error.to_string().contains("rs.initiate()"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_that_is_documented_is_enough_and_less_is_refused_with_it() {
    let options = Options { auth: true, ..Options::default() };
    let Some(guarded) = block_in_place(|| deployment(&options)) else { return };
    let root = Client::with_uri_str(guarded.uri()).await.unwrap();
    let app = root.database("app");
    let moves = with_images(&app, "moves").await;
    let watches = doc! { "resource": { "db": "app", "collection": "" }, "actions": ["changeStream", "find", "listCollections"] };
    root.database("admin").run_command(doc! { "createRole": "watcher", "privileges": [watches], "roles": [] }).await.unwrap();
    let grant = |database: &str, role: &str| doc! { "db": database, "role": role };
    for (user, roles) in [
        ("reader", vec![grant("app", "read")]),
        ("minimal", vec![grant("admin", "watcher")]),
        ("stranger", vec![grant("other", "read")]),
    ] {
        let create = doc! { "createUser": user, "pwd": "S3CR3T", "roles": roles };
        root.database("admin").run_command(create).await.unwrap();
    }
    let port = guarded.nodes()[0].port();
    let uri = |user: &str, password: &str| {
        format!("mongodb://{user}:{password}@127.0.0.1:{port}/?replicaSet=rs0&directConnection=true&authSource=admin")
    };

    for user in ["reader", "minimal"] {
        let server = Server::connect(&uri(user, "S3CR3T")).await.unwrap();
        let inspection = Inspection::of(&server, &scope("app", &["moves"]), Images::Computed).await.unwrap();
        assert_eq!(inspection.level(), Level::Good, "{user}: {inspection:?}");
        let oplog = inspection.findings.iter().find(|finding| finding.subject == "oplog").unwrap();
        assert!(oplog.cure.as_ref().unwrap().contains("grant the role `read` on the database `local`"), "{oplog:?}");
        let refused = server.enable_images(&scope("app", &["new"])).await.unwrap_err();
        assert!(matches!(refused, MongoDbError::Denied { code: 13, .. }), "{user}: {refused}");
    }
    let mut watching = Watching::start(&uri("minimal", "S3CR3T"), scope("app", &["moves"]), Images::Computed).await;
    moves.insert_one(doc! { "_id": 1, "n": 1 }).await.unwrap();
    moves.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": 2 } }).await.unwrap();
    assert!(watching.next().await.is_insert() && watching.next().await.became("n", 2));

    let stranger = Server::connect(&uri("stranger", "S3CR3T")).await.unwrap();
    let denied = Inspection::of(&stranger, &scope("app", &[]), Images::Computed).await.unwrap_err();
    let everywhere = Scope::try_new(vec!["app".to_owned(), "more".to_owned()], vec![]).unwrap();
    let reader = Server::connect(&uri("reader", "S3CR3T")).await.unwrap();
    let wide = Inspection::of(&reader, &everywhere, Images::Computed).await.unwrap_err();
    let wrong = Server::connect(&uri("reader", "S3CR3T-wrong")).await.unwrap_err();

    for (error, code) in [(denied, 13), (wide, 13), (wrong, 18)] {
        assert!(matches!(&error, MongoDbError::Denied { code: told, .. } if *told == code), "{error}");
        let text = error.to_string();
        assert!(text.contains("`changeStream` and `find`") && !text.contains("S3CR3T"), "{text}");
    }
    assert!(watching.stopped().await.source_errors.is_empty());
}
