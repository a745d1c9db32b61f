//! What must hold when bytes that somebody posted, or that a database sent, are read as a change?
//!
//! Every rule is an assertion, so that a test and a fuzzer can hold the reader to it with any bytes.

mod index;

use event_detector::{AfterImage, Change, DecodeError, Detector};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// More than the longest message, however much of what was sent it shows.
const MESSAGE_BYTES: usize = 16 * 1024;

/// The name given to scheduled triggers that have none.
const TRIGGER: &str = "the trigger of the route";

/// Paths that lead somewhere in one form or another, and some that are easily got wrong.
const PATHS: [&str; 12] = ["", ".", "id", "_id", "a", "a.b", "a.0", "payload", "status", "$oid", "current_retry", "é"];

/// Reads the bytes in every way that text may come in, asks all that can be asked of what they are, and checks what must hold.
///
/// # Panics
///
/// When something does not hold; the message says what.
pub fn check(bytes: &[u8]) {
    let posted = Change::from_hasura(bytes.to_vec(), None);
    let written = Change::from_json_bytes(bytes.to_vec());
    for error in [posted.as_ref().err(), written.as_ref().err()].into_iter().flatten() {
        check_error(error, bytes);
    }
    check_syntax(bytes, &written);
    check_strictness(&posted, &written);
    check_trigger(bytes, &posted);
    for change in [posted.ok(), written.ok()].into_iter().flatten() {
        ask_everything(&change);
        check_record(&change);
        ask_everything(&change.with_after_image(AfterImage::Lookup).with_context("current_retry", 1));
    }
    check_bson(bytes);
}

/// Reads the bytes as BSON: as they are, and as a document of their length, since most changes of bytes spoil only that.
fn check_bson(bytes: &[u8]) {
    let mut framed = bytes.to_vec();
    if let (Ok(size), Some(length)) = (i32::try_from(bytes.len()), framed.first_chunk_mut()) {
        *length = size.to_le_bytes();
    }
    if let Some(end) = framed.last_mut() {
        *end = 0;
    }
    for bytes in [bytes, &framed] {
        let read = || Change::from_bson(bytes.to_vec());
        match read() {
            Ok(change) => {
                ask_everything(&change);
                ask_everything(&change.with_computed_after());
                if let Ok(change) = read() {
                    ask_everything(&change.with_after_image(AfterImage::Lookup));
                }
            }
            Err(error) => assert!(!error.to_string().is_empty() && !error.code().is_empty()),
        }
    }
}

fn check_error(error: &DecodeError, bytes: &[u8]) {
    let message = error.to_string();
    assert!(!message.is_empty() && message.len() < MESSAGE_BYTES, "a message of {} bytes", message.len());
    assert!(!error.code().is_empty());
    if let Some(pointer) = error.pointer() {
        assert!(pointer.is_empty() || pointer.starts_with('/'), "no pointer: {pointer}");
    }
    if let (Some(line), Some(column)) = (error.line(), error.column()) {
        let found = bytes.split(|byte| *byte == b'\n').nth(line - 1).expect("the line is there");
        assert!((1..=String::from_utf8_lossy(found).chars().count() + 1).contains(&column), "line {line} has no column {column}");
    }
}

/// What is JSON is a matter of RFC 8259 alone: `serde_json` knows it too.
fn check_syntax(bytes: &[u8], change: &Result<Change, DecodeError>) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(matches!(change, Err(DecodeError::NotUtf8 { .. })), "{change:?}");
        return;
    };
    let start = text.trim_start_matches([' ', '\n', '\r', '\t']);
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let code = change.as_ref().err().map(DecodeError::code);
    let is_right = match (start.chars().next(), is_json) {
        (None, _) => code == Some("empty_body"),
        (Some('{'), true) => !matches!(code, Some("empty_body" | "invalid_json" | "not_an_object")),
        // What is refused for another reason may stand before what is not JSON.
        (Some('{'), false) => matches!(code, Some("invalid_json" | "unacceptable_json")),
        (Some(_), true) => code == Some("not_an_object"),
        (Some(_), false) => code == Some("invalid_json"),
    };
    assert!(is_right, "serde_json says {is_json}, the reader {code:?}");
}

/// What is read of a request is read of a file, and is the same change.
fn check_strictness(posted: &Result<Change, DecodeError>, written: &Result<Change, DecodeError>) {
    match (posted, written) {
        (Ok(posted), Ok(written)) => {
            assert_eq!(posted.to_json(), written.to_json());
            assert_eq!(
                (posted.is_unwrapped(), posted.traceparent(), posted.lane()),
                (written.is_unwrapped(), written.traceparent(), written.lane())
            );
        }
        (Ok(posted), Err(error)) => panic!("{posted:?} was posted, but cannot be read of a file: {error}"),
        (Err(error), Ok(_)) => {
            assert!(
                matches!(error.code(), "bad_id" | "unacceptable_json" | "unknown_form"),
                "only a request is refused: {error}"
            );
        }
        (Err(_), Err(_)) => {}
    }
}

/// A trigger names what has no name, and changes nothing else.
fn check_trigger(bytes: &[u8], posted: &Result<Change, DecodeError>) {
    let lacks_name = |error: &DecodeError| {
        error.code() == "missing_field"
            && error.pointer().is_some_and(|pointer| pointer.ends_with("/name") && !pointer.ends_with("/table/name"))
    };
    match (posted, Change::from_hasura(bytes.to_vec(), Some(TRIGGER))) {
        (Ok(posted), Ok(named)) => assert_eq!(posted.to_json(), named.to_json()),
        (Err(error), Ok(named)) => {
            assert!(lacks_name(error), "{error}");
            assert!(named.is_manual() && named.collection() == TRIGGER);
        }
        (Ok(posted), Err(error)) => panic!("{posted:?} cannot be read for a trigger: {error}"),
        (Err(_), Err(error)) => assert!(!lacks_name(&error), "{error}"),
    }
}

/// What a change is written down as can be read again, and says the same.
fn check_record(change: &Change) {
    let first = change.to_json().expect("JSON that was read can be written");
    let again = Change::from_json(first.to_string()).unwrap_or_else(|error| panic!("{error} in {first}"));
    let second = again.to_json().expect("what was written can be read");
    let third = Change::from_json(second.to_string()).unwrap_or_else(|error| panic!("{error} in {second}"));
    assert_eq!(third.to_json(), Some(second), "a record changes whenever it is read");
    assert_eq!((again.operation(), again.is_replacement()), (change.operation(), change.is_replacement()));
    assert_eq!((again.id(), again.source()), (change.id(), change.source()));
    assert_eq!((again.database(), again.collection()), (change.database(), change.collection()));
    assert_eq!(again.after_image(), change.after_image());
    assert_eq!((again.role(), again.user()), (change.role(), change.user()));
    assert!(!again.is_unwrapped() && again.traceparent().is_none());
    // A Hasura row may have an object that looks like extended JSON, which a record cannot say.
    if !first.to_string().contains("\"$") {
        assert_eq!(without_found_key(second, first), *first);
        assert_eq!(again.committed_at(), change.committed_at());
        if change.key().exists() {
            assert_eq!(again.lane(), change.lane());
        }
    }
}

/// The record without the key, where it was taken from the document because the change gave none.
fn without_found_key(record: &Value, original: &Value) -> Value {
    let mut record = record.as_object().cloned().unwrap_or_else(Map::new);
    if original.get("key").is_none() {
        record.remove("key");
    }
    Value::Object(record)
}

/// Asks all that a detector or a job may ask; the answers are whatever they are.
fn ask_everything(change: &Change) {
    let mut paths: Vec<String> = PATHS.map(str::to_owned).to_vec();
    paths.extend(change.changed_columns());
    // BSON that is no text where it says so cannot be written down.
    let record = change.to_json().unwrap_or_default();
    for image in ["before", "after"] {
        paths.extend(record.get(image).and_then(Value::as_object).into_iter().flat_map(Map::keys).take(8).cloned());
    }
    for path in &paths {
        for value in [change.before(path), change.after(path), change.key(), change.context(path), change.after("a").get(path)] {
            let _shown = (value.to_string(), format!("{value:?}"), value.to_json(), value.as_str(), value.items().len());
            let _typed = (value.as_i64(), value.as_f64(), value.as_bool(), value.as_datetime(), value.as_decimal());
            let _compared = (value == 1, value == "x", value > 1.5, value == change.before(path), value.is_null());
            assert_ne!(value.exists(), value.is_missing());
        }
        let _told = (change.column_changed(path), change.became(path, "x"), change.changed_from_to(path, 1, "x"));
    }
    for query in ["$..a", "$.after.*", "$.after[?@.a > 1]", "$.before", "$.session['x-hasura-role']"] {
        let _selected = change.query(query).len();
    }
    if let Some(trace) = change.traceparent() {
        let parts: Vec<usize> = trace.split('-').map(str::len).collect();
        assert!(parts == [2, 32, 16, 2] && trace == trace.to_ascii_lowercase(), "{trace}");
    }
    assert!(!change.id().is_empty() && !change.id().chars().any(char::is_control), "{:?}", change.id());
    assert!(!change.correlation_id().is_empty() && !format!("{change:?}").is_empty());
    check_detectors(change);
}

/// A detector gives the same verdict whenever it is asked.
fn check_detectors(change: &Change) {
    let detectors = [
        Detector::new("fuzz.status", |c| c.is_update() && c.column_changed("status") && c.after("status") == "done"),
        Detector::new("fuzz.many", |c| (0..9).any(|at| c.column_changed(PATHS[at]) && c.became("a", 1))),
        Detector::new("fuzz.query", |c| c.query("$.after.a").is_empty() && !c.changed_columns().is_empty()),
    ];
    for detector in detectors {
        let (first, second) = (detector.evaluate(change), detector.evaluate(change));
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "{}", detector.name());
    }
    index::check(change);
}
