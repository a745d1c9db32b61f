//! How is the next batch asked for while the one before it is handled?

use std::time::Duration;

use futures::StreamExt;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fault::Fault;
use super::watch::MAX_AWAIT;

/// Batches that wait for their handling: one that is next, and one that keeps the reader from waiting.
const AHEAD: usize = 2;
/// A server that has not answered for so long beyond the time it may wait itself is taken for gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a change stream in a task of its own, which ends when this is dropped.
pub(super) struct Reader {
    said: mpsc::Receiver<Said>,
    _task: JoinSet<()>,
}

/// What a reader brings.
pub(super) enum Said {
    /// What the server answered, be it that nothing happened.
    Batch(RawBatch),
    /// The server closed the stream.
    Closed,
    Broken(Fault),
}

impl Reader {
    pub(super) fn start(mut stream: RawBatchCursor) -> Self {
        let (tell, said) = mpsc::channel(AHEAD);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let limit = MAX_AWAIT + PATIENCE;
            loop {
                let answer = match timeout(limit, stream.next()).await {
                    Ok(Some(Ok(batch))) => Said::Batch(batch),
                    Ok(Some(Err(error))) => Said::Broken(error.into()),
                    Ok(None) => Said::Closed,
                    Err(_) => Said::Broken(Fault::Stalled(limit)),
                };
                let is_last = !matches!(answer, Said::Batch(_));
                // Whoever no longer listens wants to hear of nothing.
                if tell.send(answer).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self { said, _task: task }
    }

    /// What comes next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Said {
        self.said.recv().await.unwrap_or(Said::Closed)
    }
}
