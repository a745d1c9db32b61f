//! How does a job tell the receiver what it does?

use std::env;

use anyhow::{Context, ensure};
use event_detector::JobContext;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// Names the receiver's address.
pub(crate) const ADDRESS: &str = "TORTURE_RECEIVER";

/// The one connection to the receiver, so that what is told arrives in the order of telling.
#[derive(Default)]
pub(crate) struct Receiver {
    connection: Mutex<Option<BufStream<TcpStream>>>,
}

/// How an attempt ends, decided before its effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Will {
    Succeed,
    Fail,
}

impl Receiver {
    /// Has the effect of an attempt: it has happened when this returns, and may have happened where this fails.
    pub(crate) async fn tell(&self, cx: &JobContext, will: Will) -> anyhow::Result<()> {
        let change = cx.change();
        let document = change.key().as_str().context("the change has no key")?.into_owned();
        let version = change.after("version").as_i64().context("the document has no version")?;
        let will = if will == Will::Succeed { "succeed" } else { "fail" };
        let (key, event, job, attempt) = (cx.idempotency_key(), cx.event(), cx.job(), cx.attempt());
        let line = format!("{key}\t{document}\t{version}\t{event}\t{job}\t{attempt}\t{will}\n");
        let mut connection = self.connection.lock().await;
        // An attempt that is cut takes its connection along, so that no answer is taken for another's.
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => BufStream::new(TcpStream::connect(env::var(ADDRESS).context(ADDRESS)?).await?),
        };
        stream.write_all(line.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = String::new();
        ensure!(stream.read_line(&mut answer).await? > 0, "the receiver has gone");
        *connection = Some(stream);
        Ok(())
    }
}
