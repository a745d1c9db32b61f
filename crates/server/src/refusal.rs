//! What is said to somebody whose request is refused?

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use event_detector::DecodeError;
use serde::Serialize;

/// Why a request is refused: what was wrong, where, what was expected, and the cure.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    problem: Box<Problem>,
}

/// The body of a refusal, without the request's id.
#[derive(Debug, Serialize)]
struct Problem {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
struct Told<'p> {
    #[serde(flatten)]
    problem: &'p Problem,
    request_id: &'p str,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let problem = Problem { code, message: message.into(), pointer: None, line: None, column: None, hint: None };
        Self { status, headers: Vec::new(), problem: Box::new(problem) }
    }

    /// The body is not a change.
    pub(crate) fn of_body(error: &DecodeError) -> Self {
        let status = match error.code() {
            "empty_body" | "invalid_json" | "not_an_object" => StatusCode::BAD_REQUEST,
            "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let mut refusal = Self::new(status, error.code(), error.to_string());
        refusal.problem.pointer = error.pointer().map(str::to_owned);
        refusal.problem.line = error.line();
        refusal.problem.column = error.column();
        refusal.problem.hint = error.hint().or_else(|| cure(error.code())).map(Cow::from);
        refusal
    }

    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.problem.hint = Some(hint.into());
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// Logs it under `request_id`, without anything of the body, and makes the answer.
    pub(crate) fn answer(self, request_id: &HeaderValue, path: &str) -> Response {
        let id = request_id.to_str().unwrap_or_default();
        let Problem { code, pointer, line, column, .. } = &*self.problem;
        let status = self.status.as_u16();
        let pointer = pointer.as_deref();
        // A refusal that the sender cures by itself, or that strangers cause, is no news.
        match self.status {
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE => {
                tracing::debug!(status, code, request_id = id, ?path, pointer, line, column, "request refused");
            }
            _ => tracing::warn!(status, code, request_id = id, ?path, pointer, line, column, "request refused"),
        }
        let told = Told { problem: &self.problem, request_id: id };
        let mut response = Response::new(Body::from(serde_json::to_vec(&told).expect("texts and numbers are JSON")));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        response.headers_mut().extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}

/// What to do about a body that is refused, by the code of what is wrong with it.
fn cure(code: &str) -> Option<&'static str> {
    Some(match code {
        "empty_body" => "send as body what Hasura posts: the payload of an event trigger or of a scheduled trigger",
        "invalid_json" => "write the body with a JSON library, in UTF-8",
        "not_an_object" => "send each payload by itself, as one object",
        "unacceptable_json" => {
            "change what stands at `pointer`: other readers of JSON, or databases, would take it for something else"
        }
        "unknown_form" => "send what stands under `payload` as Hasura posts it",
        "missing_field" => {
            "send the payload whole: an event trigger's has `id`, `table` and `event`, a scheduled trigger's has `id` and \
             `scheduled_time`"
        }
        "unknown_op" => "send the operation as Hasura names it, in capitals",
        "inconsistent_event" => {
            "send `event.data` as Hasura does: `new` for what is there after the operation, `old` for what was before"
        }
        "bad_id" => "send the id that Hasura gave the event",
        _ => return None,
    })
}

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// No such path.
pub(crate) fn not_found(path: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "unknown_source", format!("there is nothing at `{}`", path.escape_debug()))
        .hint("POST event trigger payloads to /hasura or /hasura/{trigger}")
}

/// A path without this method.
pub(crate) fn wrong_method(method: &str, allowed: &'static str) -> Refusal {
    let message = format!("this path does not take {}; expected {allowed}", method.escape_debug());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
        .header(header::ALLOW, allowed)
        .hint("use a method that the header `allow` names")
}
