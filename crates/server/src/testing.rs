//! How does Hasura send what its event triggers note? For tests and examples, without Hasura.
//!
//! A delivery is tried until it is answered with 2xx, or its retries are used up. Each try repeats the id and counts
//! `delivery_info.current_retry` up. An answer other than 2xx with `Retry-After` says when to try again, and grants that try even
//! where none is left. Events come at least once and in no order.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How often and how long a sender tries, as `retry_conf` of an event trigger says it. The defaults are Hasura's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryConf {
    /// Tries after the first: 0.
    pub num_retries: u32,
    /// The wait between tries: 10 seconds.
    pub interval: Duration,
    /// How long an answer is waited for: 60 seconds.
    pub timeout: Duration,
}

impl Default for RetryConf {
    fn default() -> Self {
        Self { num_retries: 0, interval: Duration::from_secs(10), timeout: Duration::from_secs(60) }
    }
}

/// Sends payloads as Hasura does.
#[derive(Debug, Clone)]
pub struct Sender {
    address: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
    retry: RetryConf,
}

/// What came of one event.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event's id.
    pub id: Value,
    /// The tries, in their order.
    pub tries: Vec<Try>,
}

/// What came of one try.
#[derive(Debug, Clone)]
pub enum Try {
    /// It was answered.
    Answered {
        /// The status.
        status: u16,
        /// The body; null where it is not JSON.
        body: Value,
    },
    /// It was not, and why.
    Failed(String),
}

impl Delivery {
    /// The answer that ended the tries, if that was a success.
    pub fn answer(&self) -> Option<(u16, &Value)> {
        match self.tries.last()? {
            Try::Answered { status, body } if (200..300).contains(status) => Some((*status, body)),
            _ => None,
        }
    }
}

/// A connection that is kept for the next try.
struct Connection {
    send: SendRequest<Full<Bytes>>,
    /// Drives the connection, and ends with it.
    _driver: JoinSet<()>,
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Sender {
    /// A sender to a path such as `/hasura/moves` at `address`, which tries once.
    pub fn new(address: SocketAddr, path: impl Into<String>) -> Self {
        Self { address, path: path.into(), headers: Vec::new(), retry: RetryConf::default() }
    }

    /// Sends a header with every payload.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Replaces how often and how long it tries.
    #[must_use]
    pub fn retry(mut self, retry: RetryConf) -> Self {
        self.retry = retry;
        self
    }

    /// Delivers one event: tries until it is taken or the retries are used up.
    pub async fn deliver(&self, payload: Value) -> Delivery {
        self.deliver_over(&mut None, payload).await
    }

    /// Delivers events by `workers` at a time and in no order; every `repeat`-th event (none if 0) is delivered twice, as after a
    /// crash of the sender. The deliveries are in the order in which they ended.
    pub async fn deliver_all(&self, payloads: Vec<Value>, workers: usize, repeat: usize) -> Vec<Delivery> {
        let repeated = payloads.iter().enumerate().filter(|(at, _)| repeat > 0 && at % repeat == 0).map(|(_, payload)| payload);
        let mut queue: Vec<Value> = repeated.chain(&payloads).cloned().collect();
        shuffle(&mut queue);
        let queue = Arc::new(Mutex::new(queue));
        let mut running = JoinSet::new();
        for _ in 0..workers {
            let (sender, queue) = (self.clone(), Arc::clone(&queue));
            running.spawn(async move {
                let (mut connection, mut deliveries) = (None, Vec::new());
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(payload) = next() {
                    deliveries.push(sender.deliver_over(&mut connection, payload).await);
                }
                deliveries
            });
        }
        running.join_all().await.into_iter().flatten().collect()
    }

    async fn deliver_over(&self, connection: &mut Option<Connection>, mut payload: Value) -> Delivery {
        let mut delivery = Delivery { id: payload["id"].clone(), tries: Vec::new() };
        for retry in 0.. {
            payload["delivery_info"] = json!({ "current_retry": retry, "max_retries": self.retry.num_retries });
            let answered = timeout(self.retry.timeout, self.post(connection, &payload)).await;
            let answered = answered.unwrap_or_else(|_| Err("no answer came in time".to_owned()));
            let mut wait = None;
            let is_taken = match answered {
                Ok(Answered { status, headers, body }) => {
                    let after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                    wait = after.map(Duration::from_secs);
                    let body = serde_json::from_slice(&body).unwrap_or_default();
                    delivery.tries.push(Try::Answered { status: status.as_u16(), body });
                    status.is_success()
                }
                Err(problem) => {
                    *connection = None;
                    delivery.tries.push(Try::Failed(problem));
                    false
                }
            };
            if is_taken || (retry >= self.retry.num_retries && wait.is_none()) {
                break;
            }
            sleep(wait.unwrap_or(self.retry.interval)).await;
        }
        delivery
    }

    async fn post(&self, connection: &mut Option<Connection>, payload: &Value) -> Result<Answered, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let is_open = match connection {
            Some(open) => open.send.ready().await.is_ok(),
            None => false,
        };
        if !is_open {
            let stream = TcpStream::connect(self.address).await.map_err(|error| text(&error))?;
            let (send, driven) = handshake(TokioIo::new(stream)).await.map_err(|error| text(&error))?;
            let mut driver = JoinSet::new();
            driver.spawn(async move {
                // What breaks a connection is told to whoever waits for an answer.
                let _told = driven.await;
            });
            *connection = Some(Connection { send, _driver: driver });
        }
        let Some(Connection { send, .. }) = connection else { return Err("there is no connection".to_owned()) };
        let mut request = Request::post(&self.path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "hasura-graphql-engine/test");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(payload.to_string())).map_err(|error| text(&error))?;
        let (head, body) = send.send_request(request).await.map_err(|error| text(&error))?.into_parts();
        let body = body.collect().await.map_err(|error| text(&error))?.to_bytes();
        Ok(Answered { status: head.status, headers: head.headers, body })
    }
}

/// Another order, the same in every run.
fn shuffle<T>(items: &mut [T]) {
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    for at in (1..items.len()).rev() {
        // xorshift: enough to mix, and no dependency.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is an index")]
        items.swap(at, (state % (at as u64 + 1)) as usize);
    }
}
