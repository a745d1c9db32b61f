//! What does it cost to take a change over HTTP?
//!
//! One request is one update of a row in about 900 bytes. The whole path checks and reads it, asks 100 detectors (ten tables of
//! ten events each), runs one small job on a job thread, and answers with the report. The floor is an axum handler that only parses the same body into a
//! `serde_json::Value`. Both are served by the same loop over hyper and asked by the same client over kept connections; the last
//! one is the whole path again behind [`Server`], with its limits and health routes.

use std::convert::Infallible;
use std::future::pending;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event_detector::{Change, Detector, Job, JobContext, Registry};
use event_detector_runtime::{Runtime, Sources};
use event_detector_server::hasura::Hasura;
use event_detector_server::{Server, Settings};
use futures::future::join_all;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const CONNECTIONS: usize = 32;
const DETECTORS: usize = 100;

const TABLES: [&str; 10] =
    ["moves", "orders", "drivers", "vehicles", "lanes", "invoices", "payments", "plans", "locations", "messages"];

fn event<const TABLE: usize>(change: &Change) -> bool {
    change.collection() == TABLES[TABLE] && change.is_update() && change.became("driver_name", "nobody")
}

/// One predicate a table.
const EVENTS: [fn(&Change) -> bool; 10] =
    [event::<0>, event::<1>, event::<2>, event::<3>, event::<4>, event::<5>, event::<6>, event::<7>, event::<8>, event::<9>];

async fn ready(_cx: JobContext) -> anyhow::Result<u32> {
    Ok(black_box(7))
}

fn one_job(_change: &Change) -> Vec<Job> {
    vec![Job::new("rerun_ar", ready)]
}

/// A hundred events over ten tables, of which the first happens.
fn registry() -> Registry {
    let first = Detector::new("move.done", |change| change.is_update() && change.became("status", "done")).with_jobs(one_job);
    let others = (1..DETECTORS).map(|number| {
        let name: &'static str = format!("table{}.event{number}", number % TABLES.len()).leak();
        Detector::new(name, EVENTS[number % TABLES.len()])
    });
    Registry::try_new(others.chain([first])).expect("their names differ")
}

/// The request of one connection, whose id and row are its own.
fn request(number: usize) -> Vec<u8> {
    let row = |status: &str| {
        json!({
            "id": number, "status": status, "driver_name": "Ada", "cancel_status": null, "pickup_time": "2026-05-04T08:00:00+00:00",
            "delivery_time": null, "lane_id": 42, "price": 129.5, "note": "call before arrival", "vehicle": { "make": "VW", "year": 2019 },
        })
    };
    let payload = json!({
        "id": format!("00000000-0000-4000-8000-{number:012}"),
        "created_at": "2026-05-04T08:15:30.12345Z",
        "delivery_info": { "current_retry": 0, "max_retries": 3 },
        "trigger": { "name": "moves" },
        "table": { "schema": "public", "name": "moves" },
        "event": {
            "op": "UPDATE",
            "session_variables": { "x-hasura-role": "admin", "x-hasura-user-id": "12" },
            "trace_context": { "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331" },
            "data": { "old": row("new"), "new": row("done") },
        },
    });
    let body = payload.to_string();
    let length = body.len();
    format!("POST /hasura HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The floor: the body is parsed, and that is all.
async fn parse(body: Bytes) -> &'static str {
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) => {
            black_box(value);
            "{\"parsed\":true}"
        }
        Err(_) => "{\"parsed\":false}",
    }
}

/// The same loop over hyper for whatever is measured.
async fn serve(listener: TcpListener, app: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a socket");
        let app = app.clone();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let app = app.clone();
            async move { Ok::<_, Infallible>(app.oneshot(request.map(Body::new)).await.expect("it answers everything")) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn listen(tokio: &tokio::runtime::Runtime, app: Router) -> SocketAddr {
    let listener = tokio.block_on(TcpListener::bind("127.0.0.1:0")).expect("the loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio.spawn(serve(listener, app));
    address
}

fn server(tokio: &tokio::runtime::Runtime, runtime: Runtime) -> SocketAddr {
    let server = tokio.block_on(Server::bind("127.0.0.1:0", Settings::default(), runtime.registry())).expect("the loopback");
    let address = server.local_addr();
    let mut sources = Sources::default();
    sources.add(server);
    tokio.spawn(async move { runtime.run(sources, pending(), |_| ()).await });
    address
}

/// A connection that writes one request and reads its answer, again and again.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr, number: usize) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server is there");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, request: request(number), answer: Vec::with_capacity(4_096) }
    }

    async fn ask(&mut self, times: usize) {
        for _ in 0..times {
            self.stream.write_all(&self.request).await.expect("the server is there");
            self.answer.clear();
            while !is_whole(&self.answer) {
                let read = self.stream.read_buf(&mut self.answer).await.expect("the server is there");
                assert!(read > 0, "the server closed the connection");
            }
            assert!(self.answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.answer));
        }
    }
}

/// Whether an answer has come to its end.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&answer[..end]).expect("heads are ASCII");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("answers have a length");
    answer.len() >= end + 4 + length.parse::<usize>().expect("a length is a number")
}

/// The time that `times` requests take over 32 connections.
async fn ask(connections: &mut [Connection], times: usize) -> Duration {
    let each = times.div_ceil(connections.len());
    let start = Instant::now();
    join_all(connections.iter_mut().map(|connection| connection.ask(each))).await;
    #[expect(clippy::cast_precision_loss, reason = "a share of a time")]
    start.elapsed().mul_f64(times as f64 / (each * connections.len()) as f64)
}

fn ingest(criterion: &mut Criterion) {
    let tokio =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("sockets can be used");
    let runtime = {
        let _context = tokio.enter();
        Runtime::builder(registry()).build().expect("inside tokio")
    };
    let bare = listen(&tokio, Router::new().route("/hasura", post(parse)));
    let whole = listen(&tokio, Hasura::new(runtime.clone()).router());
    let served = server(&tokio, runtime);
    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Elements(1));
    for (name, address) in [("floor: axum and serde_json", bare), ("whole path", whole), ("whole path, served", served)] {
        let mut connections = client.block_on(join_all((0..CONNECTIONS).map(|number| Connection::open(address, number))));
        group.bench_function(name, |bench| {
            bench.iter_custom(|times| {
                client.block_on(ask(&mut connections, usize::try_from(times).expect("a count of iterations")))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
