//! What is logged while a job runs stands inside its change, its event and its job.

use std::sync::{Mutex, Once};

use event_detector::{Change, Job};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::support::{SOON, builder, change, event};

/// What was logged by any test of this process: the text, and the spans around it from the outside in.
static LOGGED: Mutex<Vec<(String, Vec<String>)>> = Mutex::new(Vec::new());

struct Capture;

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        self.0 += &format!("{separator}{}={value:?}", field.name());
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut text = Text::default();
        attributes.record(&mut text);
        context.span(id).unwrap().extensions_mut().insert(text);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let named = |span: tracing_subscriber::registry::SpanRef<'_, S>| {
            format!("{} {}", span.name(), span.extensions().get::<Text>().map_or("", |text| &text.0))
        };
        let spans = context.event_scope(event).map(|scope| scope.from_root().map(named).collect()).unwrap_or_default();
        LOGGED.lock().unwrap().push((text.0, spans));
    }
}

fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::registry().with(EnvFilter::new("debug")).with(Capture).init());
}

fn logged(text: &str) -> Vec<(String, Vec<String>)> {
    LOGGED.lock().unwrap().iter().filter(|(logged, _)| logged.contains(text)).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_logs_inside_its_change_event_and_job_on_whatever_thread() {
    capture();
    let jobs = |_: &Change| {
        let logs = async |_| {
            tracing::info!("span test: before");
            tokio::time::timeout(SOON / 10, std::future::pending::<()>()).await.unwrap_err();
            tracing::info!("span test: after");
            Ok::<_, anyhow::Error>(())
        };
        vec![Job::new("logs", logs)]
    };
    let runtime = builder([event("move.created", jobs)]).build().unwrap();

    runtime.handle(change().with_id("span-test")).await;

    for text in ["span test: before", "span test: after"] {
        let logged = logged(text);
        let spans =
            ["change id=\"span-test\" collection=\"moves\" operation=insert", "event name=\"move.created\"", "job name=\"logs\""];
        assert_eq!(logged.len(), 1);
        assert_eq!(logged[0].1, spans);
    }
}

#[tokio::test]
async fn an_unknown_is_warned_of_once_with_its_cure() {
    capture();
    let detector = event_detector::Detector::new("warned.once", |change| change.became("warned_column", "done"));
    let runtime = builder([detector]).build().unwrap();
    let update = || Change::update("moves").after(serde_json::json!({ "id": 1, "warned_column": "done" }));

    runtime.handle(update()).await;
    runtime.handle(update()).await;

    let logged = logged("warned_column");
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].0.contains("cure="), "{logged:?}");
}

#[tokio::test]
async fn a_plugin_that_fails_is_logged_with_its_name_its_hook_and_why() {
    capture();
    struct LoudPlugin;
    impl event_detector_runtime::Plugin for LoudPlugin {
        async fn report(&self, _: &event_detector_runtime::Report) -> event_detector_runtime::PluginResult {
            panic!("a loud plugin")
        }
    }
    let runtime = builder([event("a", |_| Vec::new())]).plugin(LoudPlugin).build().unwrap();

    runtime.handle(change()).await;

    let logged = logged("a loud plugin");
    assert_eq!(logged.len(), 1, "{logged:?}");
    let text = &logged[0].0;
    assert!(text.contains("LoudPlugin") && text.contains("hook=\"report\"") && text.contains("spans.rs:"), "{text}");
}
