//! What is logged of a request, and what is not.

use std::io;
use std::sync::{Mutex, Once};

use event_detector::{Change, Job, JobContext};
use tracing_subscriber::filter::LevelFilter;

use crate::access::{guarded, shown};
use crate::support::{hasura, hasura_with, notes, payload, send, send_payload};

/// All that was logged by any test of this process.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false).with_writer(|| Log).init();
    });
}

fn logged() -> String {
    String::from_utf8(LOGGED.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn no_answer_and_no_log_tells_a_secret() {
    capture();
    let (hasura, _) = hasura_with(notes, guarded());
    let mut bodies = ["{\"a\": CANARY-body}", "\"CANARY-body\""].map(|body| shown("/hasura", "CANARY-new").map(|_| body.into()));
    let id = "known-by-this-id";
    bodies[0].headers_mut().insert("x-request-id", id.parse().unwrap());

    let mut told = Vec::new();
    for request in [shown("/hasura", "CANARY-wrong"), shown("/hasura/nowhere", "CANARY-old"), shown("/hasura", "CANARY-new")] {
        told.push(send(&hasura, request).await.text());
    }
    let [first, second] = bodies;
    send(&hasura, first).await;
    send(&hasura, second).await;

    told.push(logged());
    assert!(told.iter().all(|told| !told.contains("CANARY")), "{told:?}");
    let line = told[3].lines().find(|line| line.contains(id)).expect("the refused request is logged");
    assert!(line.contains("WARN") && line.contains("invalid_json") && line.contains("request refused"), "{line}");
}

#[tokio::test]
async fn what_jobs_log_stands_in_the_trace_of_the_payload() {
    capture();
    let logs = |_: &Change| {
        vec![Job::new("logs", async |_: JobContext| {
            tracing::info!("the work of one trace");
            Ok::<_, anyhow::Error>(())
        })]
    };
    let (hasura, _) = hasura(logs);

    send_payload(&hasura, &payload()).await;

    let logged = logged();
    let line = logged.lines().find(|line| line.contains("the work of one trace")).expect("it is logged");
    assert!(line.contains("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), "{line}");
}
