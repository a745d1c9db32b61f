//! What is said of a change that was taken?

use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::in_flight::Settled;
use crate::refusal::JSON;

/// The report of one event with one job is about this long.
const USUAL_LENGTH: usize = 512;

const UNWRAPPED: &str = "the body was wrapped, as invocation logs show it, and the event was read from inside `payload`; \
                         send what stands in there";

/// What is said of this request, beside what came of its change.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Remarks {
    /// The change was in flight already, or recorded.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<[&'static str; 1]>,
}

#[derive(Serialize)]
struct Taken<'i> {
    id: &'i str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<String>,
    #[serde(flatten)]
    remarks: Remarks,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Remarks {
    pub(super) fn new(duplicate: bool, unwrapped: bool) -> Self {
        Self { duplicate, warnings: unwrapped.then_some([UNWRAPPED]) }
    }

    /// These, of a change that was recorded before.
    pub(super) fn of_a_duplicate(self) -> Self {
        Self { duplicate: true, ..self }
    }

    fn is_empty(self) -> bool {
        !self.duplicate && self.warnings.is_none()
    }
}

/// The report, which is an object, with the remarks among its members. Where a job is left to the ledger, it is not the last word.
pub(super) fn settled(settled: Settled, remarks: Remarks) -> Response {
    let Settled { report, is_final } = settled;
    let body = match report.strip_suffix(b"}") {
        Some(open) if !remarks.is_empty() => {
            let remarks = json(&remarks);
            // `{"a":1` and `{"b":2}` become `{"a":1,"b":2}`.
            Bytes::from([open, b",", &remarks[1..]].concat())
        }
        _ => report,
    };
    response(if is_final { StatusCode::OK } else { StatusCode::ACCEPTED }, body)
}

/// The work goes on.
pub(super) fn running(id: &str, remarks: Remarks) -> Response {
    response(StatusCode::ACCEPTED, json(&Taken { id, status: "running", recorded_at: None, remarks }).into())
}

/// The change is on disk, and the next run of the program goes on with it.
pub(super) fn left_to_the_ledger(id: &str, remarks: Remarks) -> Response {
    response(StatusCode::ACCEPTED, json(&Taken { id, status: "recorded", recorded_at: None, remarks }).into())
}

/// The change was recorded before.
pub(super) fn recorded(id: &str, recorded_at: SystemTime, remarks: Remarks) -> Response {
    let recorded_at = Some(humantime::format_rfc3339_millis(recorded_at).to_string());
    response(StatusCode::OK, json(&Taken { id, status: "recorded", recorded_at, remarks }).into())
}

/// A value of ours as JSON.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::with_capacity(USUAL_LENGTH);
    serde_json::to_writer(&mut json, value).expect("keys are texts and nothing in it fails");
    json
}

fn response(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
