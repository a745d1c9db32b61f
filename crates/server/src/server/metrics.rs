//! What does Prometheus read?

use std::fmt::{self, Write as _};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use axum::routing::any;
use event_detector::catch_panic;
use event_detector_runtime::{Figure, FigureKind, Intake};

use crate::hasura::{Hasura, unauthorized};
use crate::refusal::{Refusal, wrong_method};
use crate::request_id::{REQUEST_ID, request_id};

const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The figures that others than the runtime have. Cheap to clone.
#[derive(Clone)]
pub(super) struct More(Arc<dyn Fn() -> Vec<Figure> + Send + Sync>);

impl More {
    pub(super) fn new(figures: impl Fn() -> Vec<Figure> + Send + Sync + 'static) -> Self {
        Self(Arc::new(figures))
    }
}

impl Default for More {
    fn default() -> Self {
        Self::new(Vec::new)
    }
}

impl fmt::Debug for More {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("More(…)")
    }
}

/// `/metrics`, for everybody where only this machine reaches it, else for those who know a passphrase.
pub(super) fn router(intake: Intake, more: More, hasura: Hasura, is_exposed: bool) -> Router {
    let answer = move |request: &Request| -> Result<Response, Refusal> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(wrong_method(request.method().as_str(), "GET, HEAD"));
        }
        if is_exposed && !hasura.admits(request.headers()) {
            return Err(unauthorized());
        }
        let mut response = Response::new(Body::from(text(&figures(&intake, &more))));
        response.headers_mut().insert(header::CONTENT_TYPE, FORMAT);
        Ok(response)
    };
    let handle = async move |request: Request| {
        let id = request_id(request.headers());
        let mut response = answer(&request).unwrap_or_else(|refusal| refusal.answer(&id, request.uri().path()));
        response.headers_mut().insert(REQUEST_ID, id);
        response
    };
    Router::new().route("/metrics", any(handle))
}

fn figures(intake: &Intake, More(more): &More) -> Vec<Figure> {
    #[expect(clippy::cast_precision_loss, reason = "it is bounded by the memory of the machine")]
    let in_flight = intake.admitted() as f64;
    let mut figures = intake.metrics().figures();
    figures.push(Figure::gauge("detector_changes_in_flight", "Changes that were taken and have not settled.", in_flight));
    match catch_panic(|| more()) {
        Ok(more) => figures.extend(more),
        Err(panic) => tracing::error!(%panic, "some figures could not be had"),
    }
    figures
}

/// The text format, in which the figures of one name stand together.
fn text(figures: &[Figure]) -> String {
    let mut text = String::new();
    let mut written: Vec<&str> = Vec::new();
    for first in figures {
        if written.contains(&first.name) {
            continue;
        }
        written.push(first.name);
        let kind = match first.kind {
            FigureKind::Counter => "counter",
            FigureKind::Gauge => "gauge",
        };
        line(&mut text, format_args!("# HELP {} {}", first.name, escaped(first.help, false)));
        line(&mut text, format_args!("# TYPE {} {kind}", first.name));
        for figure in figures.iter().filter(|figure| figure.name == first.name) {
            line(&mut text, format_args!("{}{} {}", figure.name, labels(figure), figure.value));
        }
    }
    text
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    // A text takes all that is written to it.
    let _always = writeln!(text, "{line}");
}

fn labels(figure: &Figure) -> String {
    if figure.labels.is_empty() {
        return String::new();
    }
    let labels: Vec<_> = figure.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true))).collect();
    format!("{{{}}}", labels.join(","))
}

fn escaped(text: &str, is_quoted: bool) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\n', "\\n");
    if is_quoted { escaped.replace('"', "\\\"") } else { escaped }
}

#[cfg(test)]
mod tests {
    use event_detector_runtime::Figure;

    use super::text;

    #[test]
    fn figures_of_one_name_stand_together_under_one_heading() {
        let jobs = |outcome, value| Figure::counter("jobs_total", "Jobs.", value).label("outcome", outcome);

        let text = text(&[jobs("failed", 2.0), Figure::gauge("lag_seconds", "How late.", 0.25), jobs("succeeded", 1e9)]);

        assert_eq!(
            text,
            "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{outcome=\"failed\"} 2\n\
             jobs_total{outcome=\"succeeded\"} 1000000000\n# HELP lag_seconds How late.\n# TYPE lag_seconds gauge\n\
             lag_seconds 0.25\n"
        );
    }

    #[test]
    fn what_would_end_a_label_or_a_line_is_escaped() {
        let odd = Figure::gauge("odd", "a\nb \\ \"c\"", 0.0).label("source", "a\"b\\c\nd").label("and", "more");

        assert_eq!(
            text(&[odd]),
            "# HELP odd a\\nb \\\\ \"c\"\n# TYPE odd gauge\nodd{source=\"a\\\"b\\\\c\\nd\",and=\"more\"} 0\n"
        );
    }
}
