//! How are payloads sent? As by Hasura: each again until it is answered with 2xx.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use fastrand::Rng;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::Gate;
use crate::history::{Event, Written};

/// How long an answer is waited for.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Where the program listens.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    address: SocketAddr,
    refused: Arc<AtomicUsize>,
}

impl Http {
    /// An address that nobody else has.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub(crate) async fn find() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok(Self::at(listener.local_addr()?))
    }

    fn at(address: SocketAddr) -> Self {
        Self { address, refused: Arc::default() }
    }

    /// How often a payload was answered, and to be sent again.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        vec!["--listen".to_owned(), self.address.to_string()]
    }

    pub(super) async fn is_listening(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }

    /// Sends each change until it is acknowledged, and a few once more.
    pub(super) async fn send(self, changes: Vec<Written>, gate: Arc<Gate>, mut rng: Rng) -> anyhow::Result<()> {
        let mut sender = Sender { http: self, connection: None, tasks: JoinSet::new() };
        for change in changes {
            gate.pass().await?;
            let body = Bytes::from(payload(&change).to_string());
            let times = if rng.u8(..50) == 0 { 2 } else { 1 };
            for _ in 0..times {
                // Half of them wait for the jobs, the others for the disk alone.
                let path = if rng.bool() { "/hasura" } else { "/hasura?wait=false" };
                while !sender.is_acknowledged(path, body.clone()).await? {
                    sleep(Duration::from_millis(rng.u64(5..50))).await;
                }
            }
        }
        Ok(())
    }
}

/// A sender that keeps its connection as long as that holds.
struct Sender {
    http: Http,
    connection: Option<SendRequest<Full<Bytes>>>,
    tasks: JoinSet<()>,
}

impl Sender {
    /// Whether a payload was taken; where nobody says so, it is to be sent again.
    async fn is_acknowledged(&mut self, path: &str, body: Bytes) -> anyhow::Result<bool> {
        let Ok(Ok((status, answer))) = timeout(ANSWERED_WITHIN, self.post(path, body)).await else {
            self.connection = None;
            return Ok(false);
        };
        match status {
            status if status.is_success() => Ok(true),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                self.http.refused.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
            status => bail!("a payload was answered with {status}: {}", String::from_utf8_lossy(&answer)),
        }
    }

    async fn post(&mut self, path: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => {
                let stream = TcpStream::connect(self.http.address).await?;
                stream.set_nodelay(true)?;
                let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
                self.tasks.abort_all();
                self.tasks.spawn(async {
                    let _the_request_tells_it = driver.await;
                });
                connection
            }
        };
        connection.ready().await?;
        let request = Request::post(path)
            .header("host", self.http.address.to_string())
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok((status, answer))
    }
}

/// A payload as Hasura posts it; its id is the same whenever it is sent.
fn payload(change: &Written) -> Value {
    let version = &change.version;
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{version}").as_bytes());
    let is_new = change.events.contains(&Event::Built);
    let row = |number: i64, is_changed: bool| {
        let mut row = Map::new();
        row.insert("id".to_owned(), version.document.as_str().into());
        row.insert("version".to_owned(), number.into());
        for event in Event::ALL {
            let Some(field) = event.field() else { continue };
            let value = if is_changed && change.events.contains(&event) { format!("{field} {number}") } else { field.to_owned() };
            row.insert(field.to_owned(), value.into());
        }
        Value::Object(row)
    };
    json!({
        "id": id.to_string(),
        "created_at": "2026-11-21T10:00:07.302418Z",
        "trigger": { "name": "walls_changed" },
        "table": { "schema": "public", "name": "walls" },
        "event": {
            "session_variables": { "x-hasura-role": "mason" },
            "op": if is_new { "INSERT" } else { "UPDATE" },
            "data": {
                "old": if is_new { Value::Null } else { row(version.number - 1, false) },
                "new": row(version.number, true),
            },
        },
        "delivery_info": { "max_retries": 1000, "current_retry": 0 },
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::history::Version;

    /// Answers one request on each of as many connections, and returns the ids that were sent.
    async fn answer(listener: TcpListener, answers: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            let body = loop {
                let mut bytes = [0; 4096];
                let length = stream.read(&mut bytes).await.unwrap();
                request += std::str::from_utf8(&bytes[..length]).unwrap();
                let body = request.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
                if let Some(body) = body {
                    break body;
                }
            };
            ids.push(body["id"].as_str().unwrap().to_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        ids
    }

    #[tokio::test]
    async fn a_payload_is_sent_again_with_its_id_until_it_is_acknowledged() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let http = Http::at(listener.local_addr().unwrap());
        let change = Written { version: Version { document: "w1".to_owned(), number: 1 }, events: [Event::Built].into() };
        let gate = Arc::new(Gate::new());
        gate.open(1);
        let answers = [
            "",
            "HTTP/1.1 503 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 507 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ];

        let refused = Arc::clone(&http.refused);

        // With this seed nothing is sent once more than it must be.
        let sending = http.send(vec![change.clone()], gate, Rng::with_seed(1));
        let (sent, ids) = tokio::join!(sending, answer(listener, &answers));

        sent.unwrap();
        assert_eq!(refused.load(Ordering::Relaxed), 2);
        assert_eq!(ids, vec![payload(&change)["id"].as_str().unwrap(); 4]);
    }

    #[tokio::test]
    async fn a_payload_that_is_refused_ends_the_run() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let http = Http::at(listener.local_addr().unwrap());
        let change = Written { version: Version { document: "w1".to_owned(), number: 1 }, events: [Event::Built].into() };
        let gate = Arc::new(Gate::new());
        gate.open(1);
        let answers = ["HTTP/1.1 409 x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nother"];

        let sending = http.send(vec![change], gate, Rng::with_seed(1));
        let (sent, _) = tokio::join!(sending, answer(listener, &answers));

        assert!(sent.unwrap_err().to_string().contains("409"));
    }

    #[test]
    fn a_payload_changes_the_columns_of_its_events_alone() {
        let version = Version { document: "w1".to_owned(), number: 3 };

        let payload = payload(&Written { version, events: [Event::Painted].into() });

        let data = &payload["event"]["data"];
        assert_eq!(data["old"], json!({ "id": "w1", "version": 2, "paint": "paint", "number": "number", "bill": "bill" }));
        assert_eq!(data["new"], json!({ "id": "w1", "version": 3, "paint": "paint 3", "number": "number", "bill": "bill" }));
    }

    #[test]
    fn a_version_has_the_same_id_whenever_it_is_sent() {
        let of = |number| {
            let version = Version { document: "w1".to_owned(), number };
            payload(&Written { version, events: [Event::Built].into() })["id"].clone()
        };

        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
