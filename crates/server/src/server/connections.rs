//! How are connections accepted, bounded, and closed in good order?

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::Settings;
use super::patient::{Patience, Patient, Requests};
use crate::hasura::A_YEAR;

/// How long connections may take to close once all requests are answered. A runtime gives its sources one second in all after it
/// cut the jobs.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// After an error of `accept`, such as too many open files, another try at once would only fail again.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// Answers requests until `stopping` and until those in flight are answered, then closes the connections.
pub(super) async fn serve(listener: TcpListener, app: Router, settings: &Settings, stopping: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(settings.connections));
    let active = Arc::new(Active::default());
    let connection = Connection { app, active: Arc::clone(&active), http: http(settings), settings };
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut done = pin!(async {
        stopping.await;
        active.none().await;
    });
    loop {
        let (stream, place) = tokio::select! {
            biased;
            () = &mut done => break,
            accepted = accept(&listener, &places) => accepted,
        };
        connections.spawn(connection.serve(stream, place, &graceful));
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _cut = timeout(CLOSE_WITHIN, graceful.shutdown()).await;
}

/// The next connection, as soon as there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

fn http(settings: &Settings) -> http1::Builder {
    let mut http = http1::Builder::new();
    // The connection itself keeps the time, see `patient`.
    http.header_read_timeout(None).max_header_size(settings.header_limit);
    http
}

/// What all connections have in common.
struct Connection<'s> {
    app: Router,
    active: Arc<Active>,
    http: http1::Builder,
    settings: &'s Settings,
}

/// The requests that are being answered.
#[derive(Default)]
struct Active {
    count: AtomicUsize,
    is_none: Notify,
}

impl Active {
    /// Waits until no request is being answered.
    async fn none(&self) {
        loop {
            let mut none = pin!(self.is_none.notified());
            // Before the count is looked at, so that the last one to end is not missed.
            none.as_mut().enable();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            none.await;
        }
    }
}

/// Counts a request as long as it is answered.
struct Answering {
    active: Arc<Active>,
    requests: Requests,
}

impl Answering {
    fn new(active: Arc<Active>, requests: Requests) -> Self {
        active.count.fetch_add(1, Ordering::AcqRel);
        requests.begin_or_end();
        Self { active, requests }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.requests.begin_or_end();
        if self.active.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.active.is_none.notify_waiters();
        }
    }
}

impl Connection<'_> {
    fn serve(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        graceful: &GracefulShutdown,
    ) -> impl Future<Output = ()> + Send + use<> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers on this connection may be late");
        }
        let requests = Requests::default();
        let patience = Patience { head: self.settings.header_timeout.min(A_YEAR), idle: self.settings.idle_timeout.min(A_YEAR) };
        let stream = Patient::new(stream, requests.clone(), patience);
        let (app, active) = (self.app.clone(), Arc::clone(&self.active));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let answering = Answering::new(Arc::clone(&active), requests.clone());
            let app = app.clone();
            async move {
                let response = app.oneshot(request.map(Body::new)).await;
                drop(answering);
                response
            }
        });
        let connection = graceful.watch(self.http.serve_connection(TokioIo::new(stream), service));
        async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        }
    }
}
