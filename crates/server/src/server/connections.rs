//! How are connections accepted, bounded, and closed in good order?

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use event_detector_runtime::Intake;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::ServiceExt;

use super::Settings;
use super::patient::{Patience, Patient};
use super::requests::{Active, Requests};
use crate::hasura::A_YEAR;

/// How long requests may still be answered once the drain is over: what was cut is answered with 503.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// How long connections may take to close after that. A runtime gives its sources one second in all after it cut the jobs.
const CLOSE_WITHIN: Duration = Duration::from_millis(400);

/// After an error of `accept`, such as too many open files, another try at once would only fail again.
const AFTER_ERROR: Duration = Duration::from_millis(50);

/// A connection that was quiet for less may have a request on its way.
const QUIET: Duration = Duration::from_millis(100);

/// Answers requests until `intake` is stopping and those in flight are answered, then closes the connections.
pub(super) async fn serve(listener: TcpListener, app: Router, settings: &Settings, intake: &Intake) {
    let active = Active::new();
    let connection = Connection { app, http: http(settings), settings };
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let mut open = Vec::new();
    let mut done = pin!(async {
        intake.stopping().await;
        let until = intake.drain_end().unwrap_or_else(Instant::now) + ANSWER_WITHIN;
        let _late = timeout_at(until, active.none()).await;
    });
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut done => break,
            stream = accept(&listener, &mut open, settings.connections) => stream,
        };
        let requests = Requests::new(&active);
        let task = tasks.spawn(connection.serve(stream, requests.clone(), &graceful));
        open.push(Open { requests, task });
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    let _cut = timeout(CLOSE_WITHIN, graceful.shutdown()).await;
}

/// A connection as the server sees it.
struct Open {
    requests: Requests,
    task: AbortHandle,
}

/// The next connection, as soon as there is a place for it among the `limit` that there are.
async fn accept(listener: &TcpListener, open: &mut Vec<Open>, limit: usize) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                make_room(open, limit).await;
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// Waits until fewer than `limit` connections are open, and closes the one that has been quiet for longest if that is needed: who
/// only holds a place must not keep others out.
async fn make_room(open: &mut Vec<Open>, limit: usize) {
    loop {
        open.retain(|connection| !connection.task.is_finished());
        if open.len() < limit {
            return;
        }
        let quiet = open.iter().enumerate().filter_map(|(at, connection)| Some((connection.requests.quiet_for()?, at)));
        match quiet.max().filter(|(time, _)| *time >= QUIET) {
            Some((_, at)) => open.swap_remove(at).task.abort(),
            None => sleep(QUIET / 4).await,
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
    http: http1::Builder,
    settings: &'s Settings,
}

impl Connection<'_> {
    fn serve(
        &self,
        stream: TcpStream,
        requests: Requests,
        graceful: &GracefulShutdown,
    ) -> impl Future<Output = ()> + Send + use<> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers on this connection may be late");
        }
        let patience = Patience { head: self.settings.header_timeout.min(A_YEAR), idle: self.settings.idle_timeout.min(A_YEAR) };
        let stream = Patient::new(stream, requests.clone(), patience);
        let app = self.app.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            requests.begin();
            let (requests, app) = (requests.clone(), app.clone());
            async move {
                let response = app.oneshot(request.map(Body::new)).await;
                requests.answered();
                response
            }
        });
        let connection = graceful.watch(self.http.serve_connection(TokioIo::new(stream), service));
        async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        }
    }
}
