//! What do supervisors and load balancers ask?

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use event_detector_runtime::Intake;

use crate::refusal::{JSON, wrong_method};
use crate::request_id::{REQUEST_ID, request_id};

const VERSION: &str = concat!("{\"name\":\"event-detector\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}");

/// `/healthz`: the process is there. `/readyz`: it takes changes. `/version`: which one it is.
pub(super) fn router(intake: Intake) -> Router {
    let ready = move || {
        if intake.is_stopping() {
            (StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"draining\"}")
        } else {
            (StatusCode::OK, "{\"status\":\"ready\"}")
        }
    };
    Router::new()
        .route("/healthz", any(async |request| answer(&request, (StatusCode::OK, "{\"status\":\"ok\"}"))))
        .route("/readyz", any(async move |request| answer(&request, ready())))
        .route("/version", any(async |request| answer(&request, (StatusCode::OK, VERSION))))
}

fn answer(request: &Request, (status, text): (StatusCode, &'static str)) -> Response {
    let id = request_id(request.headers());
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        response
    } else {
        wrong_method(request.method().as_str(), "GET, HEAD").answer(&id, request.uri().path())
    };
    response.headers_mut().insert(REQUEST_ID, id);
    response
}
