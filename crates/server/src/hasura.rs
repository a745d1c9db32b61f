//! How does what Hasura's event triggers post become a change, and what is answered?

mod answer;
mod body;
mod hand_over;
mod in_flight;
mod passphrases;
mod refusals;
mod settings;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{self, HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use event_detector::{Change, nearest};
use event_detector_runtime::{self as runtime, Intake, Report, Runtime};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};
use tower::ServiceExt;

use crate::refusal::{Refusal, not_found, wrong_method};
use crate::request_id::{REQUEST_ID, request_id};
use answer::Remarks;
use hand_over::HandOver;
use in_flight::{Answer, First, InFlight, NotTaken, Place, Settled};
pub use passphrases::Passphrase;
use passphrases::Passphrases;
pub(crate) use refusals::unauthorized;
use refusals::{from_a_browser, full, id_reused, interrupted, not_recorded, not_recorded_yet};
pub use settings::{Settings, SettingsError};

/// How long a sender waits for a place that others took first, before it is told to come again.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Nobody waits this long; longer times cannot be added to the clock.
pub(crate) const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The receiving end of Hasura's event triggers. Cheap to clone; all clones are one.
///
/// `POST /hasura` is watched for every event, `POST /hasura/{trigger}` for those that the trigger names. The answer is 200 with
/// the [`Report`] when all jobs have settled, failed ones included. After [`Settings::answer_within`] it is 202 and the work goes
/// on, with `?wait=false` at once. A change that is in flight already is joined, never started twice. A sender that leaves does
/// not cut what was handed over.
///
/// Where the runtime has a ledger, success says that the change is on disk, if any event wants it. One that is there already is
/// answered with 200 and `duplicate`, another one under its id with 409; a job that waits for its next attempt makes it 202 with
/// the report as far as it goes. A full disk is 507, a ledger that cannot be used 503: send it again.
///
/// ```no_run
/// use event_detector::Registry;
/// use event_detector_runtime::Runtime;
/// use event_detector_server::hasura::{Hasura, Settings};
///
/// # async fn mount() -> Result<axum::Router, Box<dyn std::error::Error>> {
/// let runtime = Runtime::builder(Registry::from_linked()?).build()?;
/// let settings = Settings {
///     passphrases: vec![std::env::var("PASSPHRASE")?.into()],
///     triggers: [("moves".to_owned(), vec!["move.*".to_owned()])].into(),
///     ..Settings::default()
/// };
/// let app = axum::Router::new().merge(Hasura::try_new(runtime, settings)?.router());
/// # Ok(app)
/// # }
/// ```
#[derive(Clone)]
pub struct Hasura {
    receiver: Arc<Receiver>,
    router: Router,
}

struct Receiver {
    passphrases: Passphrases,
    settings: Settings,
    /// Where `/hasura` leads, and any trigger while none is configured.
    everything: Route,
    triggers: HashMap<String, Route>,
    refused_while_stopping: AtomicU64,
}

/// Where changes of one trigger go. Ids are unique in a route: another one is watched for other events.
struct Route {
    to: HandOver,
    in_flight: InFlight,
}

/// The router of [`Hasura::new`], to be merged into any axum application.
pub fn router(runtime: Runtime) -> Router {
    Hasura::new(runtime).router()
}

impl Hasura {
    /// Hands over to `runtime`, with the default settings: nobody needs a passphrase, any trigger is watched for every event.
    pub fn new(runtime: Runtime) -> Self {
        let settings = Settings::default();
        let passphrases = Passphrases::try_new(&settings.passphrase_header, &[]).expect("the default header has a good name");
        Self::build(HandOver::Runtime(runtime, Arc::default()), settings, passphrases)
    }

    /// Hands over to `runtime`. The work belongs to the clones of this value and its routers, and is cut when all are dropped.
    ///
    /// A runtime with a ledger is better run: it is [`Runtime::run`] that goes on with what a former process left, so its sources hand
    /// over the changes ([`Server`](crate::Server) is one, and any of yours with [`from_intake`](Self::from_intake)).
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings cannot be used.
    pub fn try_new(runtime: Runtime, settings: Settings) -> Result<Self, SettingsError> {
        Self::over(HandOver::Runtime(runtime, Arc::default()), settings)
    }

    /// Hands over to the intake of a source, whose run counts the changes and drains them; once it is stopping, requests are
    /// answered with 503.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings cannot be used.
    pub fn from_intake(intake: Intake, settings: Settings) -> Result<Self, SettingsError> {
        Self::over(HandOver::Intake(intake), settings)
    }

    fn over(to: HandOver, settings: Settings) -> Result<Self, SettingsError> {
        settings.check(to.registry())?;
        let passphrases = Passphrases::try_new(&settings.passphrase_header, &settings.passphrases)?;
        Ok(Self::build(to, settings, passphrases))
    }

    fn build(to: HandOver, settings: Settings, passphrases: Passphrases) -> Self {
        if let HandOver::Runtime(runtime, _) = &to
            && runtime.has_ledger()
        {
            tracing::warn!(
                "changes are recorded that nobody goes on with after a crash, because the runtime is not run; hand them over with `Server` \
                 or `Hasura::from_intake`"
            );
        }
        let route = |to| Route { to, in_flight: InFlight::default() };
        let triggers = settings
            .triggers
            .iter()
            .map(|(trigger, globs)| (trigger.clone(), route(to.narrowed(|event| settings::watches(globs, event)))));
        let receiver = Receiver {
            passphrases,
            triggers: triggers.collect(),
            everything: route(to),
            settings,
            refused_while_stopping: AtomicU64::new(0),
        };
        let receiver = Arc::new(receiver);
        let router = Router::new()
            .route("/hasura", any(receive))
            .route("/hasura/{trigger}", any(receive_trigger))
            .with_state(Arc::clone(&receiver));
        Self { receiver, router }
    }

    /// The routes `/hasura` and `/hasura/{trigger}`, to be merged into any axum application.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Answers one request, where there is no server: in a function of a cloud, or in a test.
    ///
    /// What is answered with 202 goes on as long as this value lives and its tokio runtime runs.
    pub async fn handle_http(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let Ok(response) = self.router().fallback(nothing_here).oneshot(request.map(Body::from)).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        http::Response::from_parts(head, body)
    }

    /// Whether the request shows a passphrase; anybody does where there is none.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        self.receiver.passphrases.admit(headers)
    }

    /// The requests that were refused because no more changes are taken.
    pub(crate) fn refused_while_stopping(&self) -> u64 {
        self.receiver.refused_while_stopping.load(Ordering::Relaxed)
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    receiver.receive(None, request).await
}

async fn receive_trigger(
    State(receiver): State<Arc<Receiver>>,
    trigger: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    // What is not UTF-8 names no trigger, as the empty name does not.
    let trigger = trigger.map_or_else(|_| String::new(), |Path(trigger)| trigger);
    receiver.receive(Some(trigger.into()), request).await
}

/// The answer where there is no route.
pub(crate) async fn nothing_here(request: Request) -> Response {
    let id = request_id(request.headers());
    let mut response = not_found(request.uri().path()).answer(&id, request.uri().path());
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

impl Receiver {
    async fn receive(&self, trigger: Option<Arc<str>>, request: Request) -> Response {
        let id = request_id(request.headers());
        let uri = request.uri().clone();
        let mut response = match self.take(trigger, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.answer(&id, uri.path()),
        };
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }

    async fn take(&self, trigger: Option<Arc<str>>, request: Request) -> Result<Response, Refusal> {
        let start = Instant::now();
        let (head, body) = request.into_parts();
        let is_known = self.passphrases.admit(&head.headers);
        let route = self.route(trigger.as_deref(), is_known)?;
        if head.method != Method::POST {
            return Err(wrong_method(head.method.as_str(), "POST"));
        }
        if !is_known {
            return Err(unauthorized());
        }
        if self.settings.passphrases.is_empty() && head.headers.contains_key(header::ORIGIN) {
            return Err(from_a_browser());
        }
        if route.to.is_stopping() {
            return Err(self.stopping());
        }
        let packing = body::packing(&head.headers)?;
        let Settings { body_limit, body_timeout, .. } = self.settings;
        let bytes = tokio::select! {
            biased;
            bytes = body::read(body, &head.headers, packing, body_limit, body_timeout) => bytes?,
            () = route.to.stopping() => return Err(self.stopping()),
        };
        let change = Change::from_hasura(bytes, trigger.as_deref()).map_err(|error| Refusal::of_body(&error))?;
        let id: Arc<str> = change.id().into();
        let until = start + self.settings.answer_within.min(A_YEAR);
        let (answer, remarks) = match enter(route, change, trigger.as_ref())? {
            Entered::Repeat(answer, remarks) => (answer, remarks),
            Entered::First(first, remarks, handing_over) => {
                let answer = first.answer();
                match with_place(handing_over, until, &route.to).await? {
                    // What comes of it is told by who works on it.
                    Ok(()) => drop(first),
                    Err(why) => first.tell(Err(why)),
                }
                (answer, remarks)
            }
        };
        // Only what is taken, and on disk, is answered with success; the first sender and its repeats wait for that alike.
        let taken = timeout_at(until, answer.taken()).await.map_err(|_late| not_recorded_yet())?;
        let taken = taken.map_err(|why| self.not_taken(why, &route.to))?;
        if let Some(recorded_at) = taken {
            return Ok(answer::recorded(&id, recorded_at, remarks.of_a_duplicate()));
        }
        if head.uri.query().is_some_and(|query| query.split('&').any(|part| part == "wait=false")) {
            return Ok(answer::running(&id, remarks));
        }
        match timeout_at(until, answer.settled()).await {
            Ok(Ok(settled)) => Ok(answer::settled(settled, remarks)),
            Ok(Err(in_flight::Cut)) if route.to.has_ledger() => Ok(answer::left_to_the_ledger(&id, remarks)),
            Ok(Err(in_flight::Cut)) => Err(interrupted()),
            Err(_late) => Ok(answer::running(&id, remarks)),
        }
    }

    fn route(&self, trigger: Option<&str>, is_known: bool) -> Result<&Route, Refusal> {
        let Some(trigger) = trigger else { return Ok(&self.everything) };
        if self.triggers.is_empty() && settings::is_trigger(trigger) {
            return Ok(&self.everything);
        }
        self.triggers.get(trigger).ok_or_else(|| {
            let refusal = Refusal::new(StatusCode::NOT_FOUND, "unknown_source", "no such trigger is configured");
            let names: Vec<&str> = self.settings.triggers.keys().map(String::as_str).collect();
            if !is_known || names.is_empty() {
                return refusal.hint("check the name at the end of the URL");
            }
            let meant =
                nearest(trigger, names.iter().copied()).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
            refusal.hint(format!("{meant}the triggers are `{}`", names.join("`, `")))
        })
    }

    fn not_taken(&self, why: NotTaken, to: &HandOver) -> Refusal {
        match why {
            NotTaken::Refused(runtime::NotTaken::Ledger(error)) => not_recorded(&error),
            NotTaken::Refused(_) => self.stopping(),
            NotTaken::NoPlace if to.is_stopping() => self.stopping(),
            NotTaken::NoPlace => full(to),
        }
    }

    fn stopping(&self) -> Refusal {
        self.refused_while_stopping.fetch_add(1, Ordering::Relaxed);
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "draining",
            "the receiver is draining before it stops, and takes no more changes",
        )
        .header(header::RETRY_AFTER, "10")
        .hint("send it again")
    }
}

/// A change that came in, among those in flight.
enum Entered<F> {
    /// It is in flight already.
    Repeat(Answer, Remarks),
    /// It is new, and to be handed over.
    First(First, Remarks, F),
}

/// Joins the change in flight that `change` repeats, or puts it in flight.
fn enter<'r>(
    route: &'r Route,
    change: Change,
    trigger: Option<&Arc<str>>,
) -> Result<Entered<impl Future<Output = Result<(), runtime::NotTaken>> + Send + use<'r>>, Refusal> {
    let unwrapped = change.is_unwrapped();
    let (working, first) = match route.in_flight.enter(&change, trigger) {
        Place::New(working, first) => (working, first),
        Place::Same(answer) => return Ok(Entered::Repeat(answer, Remarks::new(true, unwrapped))),
        Place::Other(since) => return Err(id_reused("in flight", since)),
    };
    if route.to.is_full() {
        return Err(full(&route.to));
    }
    let source = trigger.map_or_else(|| "hasura".to_owned(), |trigger| format!("hasura/{trigger}"));
    let has_ledger = route.to.has_ledger();
    let done = move |report: Report| {
        let is_interrupted = report.was_interrupted();
        // What the end of the runtime cut is the sender's to send again, where no ledger has it.
        if has_ledger || !is_interrupted {
            let is_final = !is_interrupted && report.is_settled();
            working.finish(Settled { report: answer::json(&report).into(), is_final });
        }
    };
    let taken = {
        let first = first.clone();
        move |taken| first.tell(taken)
    };
    let handing_over = route.to.take(change.with_source(source), taken, done);
    Ok(Entered::First(first, Remarks::new(false, unwrapped), handing_over))
}

/// Hands a change over that gets its place within a moment.
async fn with_place(
    handing_over: impl Future<Output = Result<(), runtime::NotTaken>>,
    until: Instant,
    to: &HandOver,
) -> Result<Result<(), runtime::NotTaken>, Refusal> {
    let mut handing_over = pin!(handing_over);
    match timeout(A_MOMENT, &mut handing_over).await {
        Ok(handed_over) => Ok(handed_over),
        Err(_late) if to.is_full() || !to.has_ledger() => Err(full(to)),
        // It has its place, and plugins still look at it.
        Err(_late) => timeout_at(until, handing_over).await.map_err(|_late| not_recorded_yet()),
    }
}
