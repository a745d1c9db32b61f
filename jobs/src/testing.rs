//! What do the tests of jobs stand on: a context, and a server that answers as told?

use std::sync::Arc;

use event_detector::{Cancellation, Change, JobContext, JobEnvironment, JobRun, JobScope, State};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The first attempt of the job `job` of the event `test.event`.
pub(crate) fn context(change: impl Into<Change>) -> JobContext {
    context_with(change, State::default())
}

/// As [`context`], in a program that registered `state`.
pub(crate) fn context_with(change: impl Into<Change>, state: State) -> JobContext {
    let (_canceller, cancellation) = Cancellation::new();
    let (change, environment) = (Arc::new(change.into()), Arc::new(JobEnvironment { state, cancellation }));
    let run = JobRun { event: "test.event", job: "job".into(), nth: 0 };
    JobContext::new(Arc::new(JobScope { change, environment }), run, 1, None)
}

/// A server on a free port of the loopback.
pub(crate) struct Server {
    port: u16,
    requests: tokio::sync::Mutex<mpsc::UnboundedReceiver<Request>>,
}

/// What a client sent.
#[derive(Debug)]
pub(crate) struct Request {
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Server {
    /// A server that answers every request with `status` (and further headers, if there are any behind it) and `body`.
    pub(crate) async fn answering(status: &str, body: &str) -> Self {
        Self::start(format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await
    }

    /// A server that reads every request and closes the connection.
    pub(crate) async fn hanging_up() -> Self {
        Self::start(String::new()).await
    }

    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = mpsc::unbounded_channel();
        // The test's runtime ends it.
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _test_is_over = sender.send(read(&mut stream).await);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { port, requests: requests.into() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next request that came.
    pub(crate) async fn request(&self) -> Request {
        self.requests.lock().await.recv().await.unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).await.unwrap();
    }
    let mut request = Request { head, body: String::new() };
    let length: u64 = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    reader.take(length).read_to_string(&mut request.body).await.unwrap();
    request
}
