//! What is said of a change that was taken?

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::refusal::JSON;

/// The report of one event with one job is about this long.
const USUAL_LENGTH: usize = 512;

const UNWRAPPED: &str = "the body was wrapped, as invocation logs show it, and the event was read from inside `payload`; \
                         send what stands in there";

/// What is said of this request, beside what came of its change.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Remarks {
    /// The change was in flight already.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<[&'static str; 1]>,
}

#[derive(Serialize)]
struct Running<'i> {
    id: &'i str,
    status: &'static str,
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

    fn is_empty(self) -> bool {
        !self.duplicate && self.warnings.is_none()
    }
}

/// All jobs have settled: the report, which is an object, with the remarks among its members.
pub(super) fn settled(report: Bytes, remarks: Remarks) -> Response {
    let body = match report.strip_suffix(b"}") {
        Some(open) if !remarks.is_empty() => {
            let remarks = json(&remarks);
            // `{"a":1` and `{"b":2}` become `{"a":1,"b":2}`.
            Bytes::from([open, b",", &remarks[1..]].concat())
        }
        _ => report,
    };
    response(StatusCode::OK, body)
}

/// The work goes on.
pub(super) fn running(id: &str, remarks: Remarks) -> Response {
    response(StatusCode::ACCEPTED, json(&Running { id, status: "running", remarks }).into())
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
