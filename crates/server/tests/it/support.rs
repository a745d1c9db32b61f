//! What the tests have in common: a payload, events with jobs, a request and its answer, a server and its client.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use event_detector::{Change, Detector, Job, JobContext, Registry, State};
use event_detector_runtime::{Builder, Config, Runtime, Sources, Summary};
use event_detector_server::hasura::{self, Hasura};
use event_detector_server::{Server, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

/// A limit that a test waits for, where nothing has to happen before it.
pub(crate) const SOON: Duration = Duration::from_millis(60);

pub(crate) const ID: &str = "6f1c1c52-9d3c-4f0e-8a51-0d6f3c8b7e10";

/// The update of a move, as Hasura posts it.
pub(crate) fn payload() -> Value {
    json!({
        "id": ID,
        "created_at": "2026-05-04T08:15:30.12345Z",
        "delivery_info": { "current_retry": 0, "max_retries": 3 },
        "trigger": { "name": "moves" },
        "table": { "schema": "public", "name": "moves" },
        "event": {
            "op": "UPDATE",
            "session_variables": { "x-hasura-role": "admin" },
            "trace_context": { "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331" },
            "data": { "old": { "id": 13107, "status": "new" }, "new": { "id": 13107, "status": "done" } },
        },
    })
}

/// The payload with another event id, of another row.
pub(crate) fn numbered(number: u64) -> Value {
    let mut payload = payload();
    payload["id"] = json!(format!("00000000-0000-4000-8000-{number:012}"));
    for image in ["old", "new"] {
        payload["event"]["data"][image]["id"] = json!(number);
    }
    payload
}

/// What jobs did, in the order in which they did it, and a place where they wait for the test and the test for them.
pub(crate) struct Meeting {
    log: Mutex<Vec<String>>,
    arrived: Semaphore,
    released: Semaphore,
}

impl Meeting {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { log: Mutex::default(), arrived: Semaphore::new(0), released: Semaphore::new(0) })
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.log.lock().unwrap().push(text.into());
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) async fn until_arrived(&self, count: u32) {
        self.arrived.acquire_many(count).await.unwrap().forget();
    }

    pub(crate) fn release(&self, count: usize) {
        self.released.add_permits(count);
    }
}

/// A job that notes the change's key and waits at the [`Meeting`] in its state.
pub(crate) fn meets(_change: &Change) -> Vec<Job> {
    vec![Job::new("meets", async |cx: JobContext| {
        let meeting = cx.state::<Arc<Meeting>>()?;
        meeting.note(format!("{} begins", cx.change().key()));
        meeting.arrived.add_permits(1);
        meeting.released.acquire().await?.forget();
        meeting.note(format!("{} ends", cx.change().key()));
        Ok::<_, anyhow::Error>(cx.change().key().to_string())
    })]
}

/// A job that notes the change's key in the [`Meeting`] in its state.
pub(crate) fn notes(_change: &Change) -> Vec<Job> {
    vec![Job::new("notes", async |cx: JobContext| {
        cx.state::<Arc<Meeting>>()?.note(cx.change().key().to_string());
        Ok::<_, anyhow::Error>(cx.change().key().to_string())
    })]
}

/// Two events that every change of a row of `moves` is, and one of another table.
pub(crate) fn builder(jobs: fn(&Change) -> Vec<Job>, meeting: &Arc<Meeting>) -> Builder {
    let mut state = State::default();
    state.insert(Arc::clone(meeting));
    let is_move = |change: &Change| change.collection() == "moves";
    let detectors = [
        Detector::new("move.changed", is_move).with_jobs(jobs),
        Detector::new("move.pickup.done", is_move),
        Detector::new("order.placed", |change| change.collection() == "orders"),
    ];
    Runtime::builder(Registry::try_new(detectors).unwrap()).state(state).config(patient())
}

/// Jobs may take as long as a test wants.
pub(crate) fn patient() -> Config {
    Config { job_timeout: Duration::MAX, ..Config::default() }
}

/// A receiver with these settings, and the meeting of its jobs.
pub(crate) fn hasura_with(jobs: fn(&Change) -> Vec<Job>, settings: hasura::Settings) -> (Hasura, Arc<Meeting>) {
    let meeting = Meeting::new();
    (Hasura::try_new(builder(jobs, &meeting).build().unwrap(), settings).unwrap(), meeting)
}

pub(crate) fn hasura(jobs: fn(&Change) -> Vec<Job>) -> (Hasura, Arc<Meeting>) {
    hasura_with(jobs, hasura::Settings::default())
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(path).header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{} with {body:?}", head.status));
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn text(&self) -> String {
        self.body.to_string()
    }
}

pub(crate) async fn send(hasura: &Hasura, request: Request<Bytes>) -> Answer {
    hasura.handle_http(request).await.into()
}

pub(crate) fn send_payload<'h>(hasura: &'h Hasura, payload: &Value) -> impl Future<Output = Answer> + Send + use<'h> {
    send(hasura, post("/hasura", payload.to_string()))
}

/// The names of the events in a report.
pub(crate) fn events(report: &Value) -> Vec<&str> {
    report["events"].as_array().unwrap().iter().map(|event| event["name"].as_str().unwrap()).collect()
}

/// A server that runs until it is told to stop.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) meeting: Arc<Meeting>,
    pub(crate) runtime: Runtime,
    stop: Arc<Notify>,
    run: JoinHandle<Summary>,
}

impl Running {
    pub(crate) async fn start(jobs: fn(&Change) -> Vec<Job>, config: Config, settings: Settings) -> Self {
        let meeting = Meeting::new();
        let runtime = builder(jobs, &meeting).config(config).build().unwrap();
        let server = Server::bind("127.0.0.1:0", settings, runtime.registry()).await.unwrap();
        let address = server.local_addr();
        let mut sources = Sources::default();
        sources.add(server);
        let stop = Arc::new(Notify::new());
        let (stopped, runs) = (Arc::clone(&stop), runtime.clone());
        let run = tokio::spawn(async move { runs.run(sources, async move { stopped.notified().await }, |_| ()).await });
        Self { address, meeting, runtime, stop, run }
    }

    /// Drops the future of the run where it stands.
    pub(crate) fn abort(&self) {
        self.run.abort();
    }

    pub(crate) fn tell_to_stop(&self) {
        self.stop.notify_one();
    }

    pub(crate) async fn ended(self) -> Summary {
        self.run.await.unwrap()
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.connect().await.ask(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await
    }

    pub(crate) fn post(&self, payload: &Value) -> impl Future<Output = Answer> + Send + use<> {
        let (address, text) = (self.address, head_and_body(&payload.to_string()));
        async move { Client(TcpStream::connect(address).await.unwrap()).ask(&text).await }
    }
}

/// A request as it goes over the wire.
pub(crate) fn head_and_body(body: &str) -> String {
    format!(
        "POST /hasura HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection whose bytes a test writes by hand.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Writes a request and reads its answer.
    pub(crate) async fn ask(&mut self, text: &str) -> Answer {
        self.write(text).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let mut text = Vec::new();
        let head = loop {
            if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            let read = self.0.read_buf(&mut text).await.unwrap();
            assert!(read > 0, "the connection ended before an answer: {}", String::from_utf8_lossy(&text));
        };
        let (lines, mut body) = (String::from_utf8(text[..head].to_vec()).unwrap(), text[head..].to_vec());
        let mut lines = lines.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse::<StatusCode>().unwrap();
        let mut response = Response::builder().status(status);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            response = response.header(name, value);
        }
        let response = response.body(()).unwrap();
        let length: usize = response.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
        while body.len() < length {
            assert!(self.0.read_buf(&mut body).await.unwrap() > 0, "the connection ended inside an answer");
        }
        response.map(|()| Bytes::from(body)).into()
    }

    /// Reads until the other side closes; what it sent.
    pub(crate) async fn until_closed(&mut self) -> String {
        let mut text = Vec::new();
        // A reset is an end too.
        let _ended = self.0.read_to_end(&mut text).await;
        String::from_utf8(text).unwrap()
    }
}
