//! What does it cost to decode one change and read what a detector reads of it?
//!
//! One update of about 600 bytes, with both images, as MongoDB's BSON and as Hasura's JSON. Side by side: this crate, and
//! the same reads by hand over a wholly decoded `bson::Document` and `serde_json::Value`.

use std::hint::black_box;

use bson::raw::RawDocumentBuf;
use bson::{Document, rawdoc};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use event_detector::Change;
use serde_json::json;

fn mongodb_update() -> Vec<u8> {
    let before = rawdoc! {
        "_id": bson::oid::ObjectId::from_bytes([7; 12]), "status": "en route", "driver": "Ada L", "city": "Richmond",
        "amount": 1250_i32, "active": true,
    };
    let after = rawdoc! {
        "_id": bson::oid::ObjectId::from_bytes([7; 12]), "status": "pickup successful", "driver": "Ada L", "city": "Richmond",
        "amount": 1300_i32, "active": true,
    };
    rawdoc! {
        "_id": { "_data": "826B011AAE000000022B022C0100296E5A1004D3F1B6A09C2E4F7F8A1B46645F69640064" },
        "operationType": "update",
        "clusterTime": bson::Timestamp { time: 1_795_234_057, increment: 7 },
        "wallTime": bson::DateTime::from_millis(1_795_234_057_000),
        "fullDocument": after,
        "ns": { "db": "shop", "coll": "moves" },
        "documentKey": { "_id": bson::oid::ObjectId::from_bytes([7; 12]) },
        "updateDescription": {
            "updatedFields": { "status": "pickup successful", "amount": 1300_i32 }, "removedFields": [], "truncatedArrays": [],
        },
        "fullDocumentBeforeChange": before,
    }
    .into_bytes()
}

fn hasura_update() -> String {
    json!({
        "created_at": "2026-11-21T10:00:00.30702Z",
        "delivery_info": { "current_retry": 0, "max_retries": 3 },
        "event": {
            "data": {
                "new": { "id": 13107, "status": "pickup successful", "driver": "Ada L", "city": "Richmond", "amount": 1300, "active": true },
                "old": { "id": 13107, "status": "en route", "driver": "Ada L", "city": "Richmond", "amount": 1250, "active": true }
            },
            "op": "UPDATE",
            "session_variables": { "x-hasura-role": "dispatcher" },
            "trace_context": { "span_id": "6e1ee2d5b4d6f1a2", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736" }
        },
        "id": "0b2b4f1e-7c8f-4a53-9d6f-2f0e6a1c9b7d",
        "table": { "name": "moves", "schema": "public" },
        "trigger": { "name": "moves_changed" }
    })
    .to_string()
}

fn ours(change: &Change) -> bool {
    change.collection() == "moves"
        && change.is_update()
        && change.column_changed("status")
        && change.after("status") == "pickup successful"
}

fn by_hand_in_a_document(event: &Document) -> Option<bool> {
    let (before, after) = (event.get_document("fullDocumentBeforeChange").ok()?, event.get_document("fullDocument").ok()?);
    let holds = event.get_document("ns").ok()?.get_str("coll").ok()? == "moves"
        && event.get_str("operationType").ok()? == "update"
        && before.get("status") != after.get("status")
        && after.get_str("status").ok()? == "pickup successful";
    Some(holds)
}

fn by_hand_in_a_value(payload: &serde_json::Value) -> bool {
    let data = &payload["event"]["data"];
    payload["table"]["name"] == "moves"
        && payload["event"]["op"] == "UPDATE"
        && data["old"]["status"] != data["new"]["status"]
        && data["new"]["status"] == "pickup successful"
}

fn decode_and_read(criterion: &mut Criterion) {
    let (bytes, text) = (mongodb_update(), hasura_update());
    for (form, size) in [("BSON", bytes.len()), ("JSON", text.len())] {
        assert!((590..=620).contains(&size), "{form} is {size} bytes");
        println!("{form}: {size} bytes");
    }
    assert!(RawDocumentBuf::from_bytes(bytes.clone()).is_ok());
    let mut group = criterion.benchmark_group("decode and read");

    group.bench_function("event-detector, raw BSON", |bencher| {
        let run = |bytes| {
            let change = Change::from_bson(bytes).expect("it is a change event");
            ours(&change)
        };
        bencher.iter_batched(|| bytes.clone(), run, BatchSize::SmallInput);
    });
    group.bench_function("event-detector, JSON", |bencher| {
        let run = |text: String| {
            let change = Change::from_json(text).expect("it is a payload");
            ours(&change)
        };
        bencher.iter_batched(|| text.clone(), run, BatchSize::SmallInput);
    });
    group.bench_function("bson::Document", |bencher| {
        let run = |bytes: Vec<u8>| {
            let event = Document::from_reader(bytes.as_slice()).expect("it is BSON");
            by_hand_in_a_document(&event)
        };
        bencher.iter_batched(|| bytes.clone(), run, BatchSize::SmallInput);
    });
    group.bench_function("serde_json::Value", |bencher| {
        let run = |text: String| {
            let payload: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            by_hand_in_a_value(&payload)
        };
        bencher.iter_batched(|| text.clone(), run, BatchSize::SmallInput);
    });
    group.finish();
}

fn read_again(criterion: &mut Criterion) {
    let (bytes, text) = (mongodb_update(), hasura_update());
    let (from_bson, from_json) = (Change::from_bson(bytes.clone()), Change::from_json(text.as_str()));
    let (from_bson, from_json) = (from_bson.expect("it is a change event"), from_json.expect("it is a payload"));
    let document = Document::from_reader(bytes.as_slice()).expect("it is BSON");
    let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let mut group = criterion.benchmark_group("read three times");

    group.bench_function("event-detector, raw BSON", |bencher| {
        bencher.iter(|| (0..3).all(|_| ours(black_box(&from_bson))));
    });
    group.bench_function("event-detector, JSON", |bencher| {
        bencher.iter(|| (0..3).all(|_| ours(black_box(&from_json))));
    });
    group.bench_function("bson::Document", |bencher| {
        bencher.iter(|| (0..3).all(|_| by_hand_in_a_document(black_box(&document)) == Some(true)));
    });
    group.bench_function("serde_json::Value", |bencher| {
        bencher.iter(|| (0..3).all(|_| by_hand_in_a_value(black_box(&value))));
    });
    group.finish();
}

criterion_group!(benches, decode_and_read, read_again);
criterion_main!(benches);
