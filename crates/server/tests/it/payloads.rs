//! What Hasura posts, in every shape it was seen in, becomes the events it should.

use std::fs;

use event_detector::{Change, Detector, Registry};
use event_detector_runtime::Runtime;
use event_detector_server::hasura::Hasura;

use crate::support::{events, post, send};

const PAYLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/payloads");

/// Per file its event, its collection, and whether it is wrapped.
const EXPECTED: [(&str, &str, &str, bool); 18] = [
    ("01-oldest-insert", "row.inserted", "drivers", false),
    ("02-current-update", "row.updated", "moves", false),
    ("03-insert-without-trace", "row.inserted", "bookings", false),
    ("04-delete", "row.deleted", "hubs", false),
    ("04-insert", "row.inserted", "hubs", false),
    ("04-manual", "asked.by_hand", "hubs", false),
    ("04-update", "row.updated", "hubs", false),
    ("05-insert-in-another-schema", "row.inserted", "vehicles", false),
    ("06-invocation-log", "row.updated", "lessons", true),
    ("07-sampled-delete", "row.deleted", "keys", false),
    ("08-sql-server-insert", "row.inserted", "plates", false),
    ("08-sql-server-update-of-the-primary-key", "row.updated", "plates", false),
    ("09-cron", "asked.by_hand", "nightly_settlement", false),
    ("09-cron-with-a-text", "asked.by_hand", "hourly_report", false),
    ("09-cron-without-payload", "asked.by_hand", "hourly_report", false),
    ("09-one-off-without-a-name", "asked.by_hand", "closing", false),
    ("10-wrapped-cron", "asked.by_hand", "nightly_settlement", true),
    ("10-wrapped-insert", "row.inserted", "moves", true),
];

fn hasura() -> Hasura {
    let detectors = [
        Detector::new("row.inserted", Change::is_insert),
        Detector::new("row.updated", Change::is_update),
        Detector::new("row.deleted", Change::is_delete),
        Detector::new("asked.by_hand", Change::is_manual),
    ];
    Hasura::new(Runtime::builder(Registry::try_new(detectors).unwrap()).build().unwrap())
}

#[tokio::test]
async fn every_shape_of_a_payload_is_the_event_that_it_tells_of() {
    let hasura = hasura();

    for (file, event, collection, is_wrapped) in EXPECTED {
        let body = fs::read(format!("{PAYLOADS}/{file}.json")).unwrap();
        let answer = send(&hasura, post("/hasura/closing", body)).await;

        assert_eq!((answer.status, events(&answer.body)), (200, vec![event]), "{file}: {answer:?}");
        assert_eq!(answer.body["change"]["collection"], collection, "{file}");
        assert_eq!(answer.body.get("warnings").is_some(), is_wrapped, "{file}");
    }
}

#[test]
fn no_shape_is_forgotten() {
    let mut files: Vec<String> = fs::read_dir(PAYLOADS)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    files.sort();

    assert_eq!(files, EXPECTED.map(|(file, ..)| file));
}
