//! How does a program keep its ledger in SQLite?

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use event_detector_runtime::{Entry, Gap, JobRow, Ledger, LedgerError, Receipt, Recorded, Recording, Recovered, Unfinished};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::fault::Fault;
use crate::files::Files;
use crate::open_error::OpenError;
use crate::opening::open;
use crate::queue::{PositionOf, Queue, Request, Task, WhenFull};
use crate::stats::{Counters, Stats};
use crate::store::{Prepared, Store};
use crate::writer::Writer;

/// How a ledger is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// For how long changes are kept, with all that came of them. One with a job that has not ended or with a dead letter that nobody
    /// has decided on is kept for longer.
    pub retention: Duration,
    /// How many bytes the database may hold; where it holds more, the oldest changes go first. The file does not become smaller by
    /// that: the space is used again.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { retention: Duration::from_secs(30 * 24 * 60 * 60), max_bytes: None }
    }
}

/// A ledger in a folder: the database `ledger.db`, and beside it its log, the owner's `lock` and the high-water `mark`.
///
/// What waits when it is dropped is still written; [`close`](Ledger::close) says when that is done.
#[derive(Clone)]
pub struct Sqlite {
    queue: Arc<Door>,
    counters: Arc<Counters>,
}

/// The way to the writer; when nobody has it any more, the writer ends.
struct Door(Arc<Queue>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The end of the writer, however it comes: nobody waits for a thread that is gone.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Sqlite {
    /// Opens the ledger in `dir`, and makes both where they are missing. Blocks for as long as that takes.
    ///
    /// Where the end of the ledger was lost, that is logged, a gap is recorded for every source, and the ledger goes on with what is
    /// left.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] while another process has it, [`OpenError::Newer`] and [`OpenError::Damaged`] for what stands in the
    /// folder, others where its files cannot be used.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let (store, mark, owner) = open(&Files::new(dir))?;
        let (queue, counters) = (Arc::new(Queue::default()), Arc::new(Counters::default()));
        let writer = Writer::new(store, mark, owner, &options, (Arc::clone(&queue), Arc::clone(&counters)));
        let end = End(Arc::clone(&queue));
        thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                let _end = end;
                writer.run();
            })
            .map_err(|error| OpenError::Failed(format!("no thread can be started: {error}")))?;
        Ok(Self { queue: Arc::new(Door(queue)), counters })
    }

    /// What it did since it was opened, and what waits in it; cheap to ask for.
    pub fn stats(&self) -> Stats {
        self.counters.read(self.queue.0.len())
    }

    /// Asks the writer to do `run` in a transaction.
    fn ask<I: Send + 'static, T: Send + 'static>(
        &self,
        input: I,
        when_full: WhenFull,
        run: fn(&mut Store, &I) -> Result<T, Fault>,
    ) -> Receipt<T> {
        self.ask_with_position(input, when_full, run, |_| None)
    }

    fn ask_with_position<I: Send + 'static, T: Send + 'static>(
        &self,
        input: I,
        when_full: WhenFull,
        run: fn(&mut Store, &I) -> Result<T, Fault>,
        position: PositionOf<I>,
    ) -> Receipt<T> {
        let (reply, answer) = oneshot::channel();
        let task = Task { input, run, position, when_full, outcome: None, reply };
        self.push(Request::Work(Box::new(task)));
        answer.map(|answered| answered.unwrap_or(Err(LedgerError::Closed))).boxed()
    }

    fn push(&self, request: Request) {
        if let Err(request) = self.queue.0.push(request) {
            request.refuse();
        }
    }
}

impl Ledger for Sqlite {
    fn record(&self, recording: Recording) -> Receipt<Recorded> {
        let when_full = if recording.position.is_some() { WhenFull::Wait } else { WhenFull::Refuse };
        self.ask_with_position(Prepared::new(recording), when_full, Store::record, |prepared| {
            Some((prepared.recording.change.source(), prepared.recording.position.as_deref()?))
        })
    }

    fn note(&self, entries: Vec<(JobRow, Entry)>) -> Receipt<()> {
        self.ask(entries, WhenFull::Wait, |store, entries| store.note(entries))
    }

    fn keep(&self, source: &str, position: Vec<u8>) {
        self.queue.0.keep(source, position);
    }

    fn position(&self, source: &str) -> Receipt<Option<Vec<u8>>> {
        self.ask(source.to_owned(), WhenFull::Read, |store, source| store.position(source))
    }

    fn gap(&self, gap: Gap) -> Receipt<()> {
        self.ask(gap, WhenFull::Wait, Store::gap)
    }

    fn recover(&self) -> Receipt<Recovered> {
        self.ask((), WhenFull::Wait, |store, ()| store.recover())
    }

    fn take_due(&self, limit: usize) -> Receipt<Vec<Unfinished>> {
        self.ask(limit, WhenFull::Wait, |store, limit| store.take_due(*limit))
    }

    fn wait_for_due(&self) -> BoxFuture<'static, ()> {
        let (reply, answer) = oneshot::channel();
        self.push(Request::WaitForDue(reply));
        answer.map(|_told| ()).boxed()
    }

    fn close(&self) -> Receipt<()> {
        let (reply, answer) = oneshot::channel();
        self.push(Request::Close(reply));
        answer.map(|answered| answered.unwrap_or(Err(LedgerError::Closed))).boxed()
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Sqlite").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
