//! Does the job that logs events use the database that is registered?

use std::sync::Arc;

use ::mongodb::bson::{Document, doc};
use event_detector::{Cancellation, Change, JobContext, JobEnvironment, JobRun, JobScope, State};
use serde_json::json;

use super::database;

#[tokio::test]
async fn the_server_of_the_tests_is_a_replica_set_that_takes_writes() {
    let Some(database) = database().await else { return };

    let hello = database.run_command(doc! { "hello": 1 }).await.unwrap();

    assert!(hello.get_str("setName").is_ok(), "change streams need a replica set: {hello}");
    assert!(hello.get_bool("isWritablePrimary").unwrap(), "{hello}");
}

#[tokio::test]
async fn a_registered_database_gets_the_event_log_and_a_second_run_adds_nothing() {
    let Some(database) = database().await else { return };
    let job = jobs::publish_event_log(Some("driver-7".to_owned()));
    let mut state = State::default();
    state.insert(database.clone());
    let (_canceller, cancellation) = Cancellation::new();
    let scope = Arc::new(JobScope {
        change: Arc::new(Change::insert("orders").after(json!({ "_id": 1, "amount": 20 })).into()),
        environment: Arc::new(JobEnvironment { state, cancellation }),
    });
    let run = JobRun { event: "order.created", job: job.shared_name(), nth: 0 };

    let first = JobContext::new(Arc::clone(&scope), run.clone(), 1, None);
    let key = first.idempotency_key();
    job.start(first).await.unwrap();
    job.start(JobContext::new(scope, run, 2, None)).await.unwrap();

    let log = database.collection::<Document>("event_log");
    assert_eq!(log.count_documents(doc! {}).await.unwrap(), 1);
    let entry = log.find_one(doc! { "_id": key }).await.unwrap().expect("the entry is found by the job's idempotency key");
    assert_eq!(entry.get_str("event").unwrap(), "order.created");
    assert_eq!(entry.get_str("user").unwrap(), "driver-7");
    database.drop().await.unwrap();
}
