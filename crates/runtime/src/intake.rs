//! How are the changes of a source taken until somebody says stop?

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use event_detector::{Change, Registry, catch_panic};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::admitted::{Admitted, Taken};
use crate::job_threads::lock;
use crate::ledger::{Gap, LedgerError};
use crate::metrics::Metrics;
use crate::report::Report;
use crate::runtime::Runtime;
use crate::source::{NotTaken, Rejected};
use crate::work::Work;

/// Takes the changes of one source. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    pub(crate) runtime: Runtime,
    pub(crate) source: Arc<str>,
    /// The end of the drain, once the run is told to stop.
    pub(crate) stopping: watch::Receiver<Option<Instant>>,
    pub(crate) work: Arc<Work>,
    /// Why the ledger did not record a change of this source that had its position with it.
    pub(crate) broken: Arc<OnceLock<LedgerError>>,
}

impl Intake {
    /// Takes a change: waits for a place, and returns while it is handled. With a ledger, what a detector wants is on disk then.
    ///
    /// The order of the calls is the order in which the changes of one document are handled. A call whose future is dropped
    /// before it returned has not taken the change, or has it on its way to the ledger.
    ///
    /// # Errors
    ///
    /// [`NotTaken`]; no job of it runs.
    pub async fn submit(&self, change: Change) -> Result<Taken, NotTaken> {
        self.submit_then(change, drop).await
    }

    /// As [`submit`](Self::submit), and gives the change's report to `done`, for a source that must answer somebody.
    ///
    /// `done` is called when the report is counted, on a thread that timers and sources need, so it should be short. Where the
    /// change is not taken, was there before, or is cut, it is dropped instead.
    ///
    /// # Errors
    ///
    /// [`NotTaken`]; no job of it runs.
    pub fn submit_then(
        &self,
        change: Change,
        done: impl FnOnce(Report) + Send + 'static,
    ) -> impl Future<Output = Result<Taken, NotTaken>> + Send {
        let (tell, told) = oneshot::channel();
        let has_place = self.submit_telling(change, |taken| drop(tell.send(taken)), done);
        async move {
            has_place.await?;
            told.await.map_err(|_cut| NotTaken::Stopping)?
        }
    }

    /// As [`submit_then`](Self::submit_then), but returns as soon as the change has its place, and tells `taken` what comes of it then,
    /// whether or not the caller is still there.
    ///
    /// `taken` is called when the change is on disk, if it has to be, and before any of its jobs starts; it should be short. Where the
    /// work is cut before that is known, it is dropped instead.
    ///
    /// # Errors
    ///
    /// [`NotTaken`]: there was no place, so nothing is told and no job runs.
    pub fn submit_telling(
        &self,
        change: Change,
        taken: impl FnOnce(Result<Taken, NotTaken>) + Send + 'static,
        done: impl FnOnce(Report) + Send + 'static,
    ) -> impl Future<Output = Result<(), NotTaken>> + Send {
        let admission = self.admit(change, None::<fn() -> Vec<u8>>);
        async move {
            let mut admitted = admission.await?;
            if !admitted.is_asked() {
                self.work.handle(admitted, done)?;
                taken(Ok(Taken::New));
                return Ok(());
            }
            // What is on its way to the ledger goes on, whether or not the caller waits for it.
            let counts = self.work.counts.clone();
            let is_taken = self.work.spawn(async move {
                let recorded = admitted.recorded().await;
                let is_new = matches!(recorded, Ok(Taken::New));
                if matches!(recorded, Ok(Taken::Duplicate { .. })) {
                    counts.add_duplicate();
                }
                if let Err(panic) = catch_panic(|| taken(recorded.map_err(NotTaken::from))) {
                    tracing::error!(%panic, "a source could not be told whether its change was taken");
                }
                if is_new {
                    counts.add(admitted.settle().await, done);
                }
            });
            if is_taken { Ok(()) } else { Err(NotTaken::Stopping) }
        }
    }

    /// Takes a change of a source that can be read again from a position: `position` is behind this change, and is asked for only where
    /// the change is recorded, both in one transaction.
    ///
    /// It returns when the change is on its way to the ledger, behind those of earlier calls; there it waits out a full disk. One that
    /// is there already is counted as a duplicate.
    ///
    /// # Errors
    ///
    /// [`NotTaken`]: the change is not taken, or an earlier one could not be recorded, so that the source must not go on.
    pub fn submit_at(
        &self,
        change: Change,
        position: impl FnOnce() -> Vec<u8> + Send,
    ) -> impl Future<Output = Result<(), NotTaken>> + Send {
        let admission = self.admit(change, Some(position));
        async move {
            let mut admitted = admission.await?;
            let broken = Arc::clone(&self.broken);
            if !admitted.is_asked() {
                return self.work.handle(admitted, drop);
            }
            let counts = self.work.counts.clone();
            self.work.spawn(async move {
                match admitted.recorded().await {
                    Ok(Taken::New) => counts.add(admitted.settle().await, drop),
                    Ok(Taken::Duplicate { .. }) => counts.add_duplicate(),
                    Err(error) => {
                        tracing::error!(%error, "a change is not recorded, so its source must not go on");
                        let _first_stays = broken.set(error);
                    }
                }
            });
            Ok(())
        }
    }

    /// Waits for a place; a stop ends the wait.
    fn admit(
        &self,
        change: Change,
        position: Option<impl FnOnce() -> Vec<u8> + Send>,
    ) -> impl Future<Output = Result<Admitted, NotTaken>> + Send {
        let change = if change.source().is_empty() { change.with_source(Arc::clone(&self.source)) } else { change };
        async move {
            if self.is_stopping() {
                return Err(NotTaken::Stopping);
            }
            if let Some(error) = self.broken.get() {
                return Err(NotTaken::Ledger(error.clone()));
            }
            let mut place = pin!(self.runtime.admit_at(change, position));
            // To wait for the stop costs more than to ask for it, and mostly there is a place.
            let admitted = match futures::poll!(&mut place) {
                Poll::Ready(admitted) => admitted,
                Poll::Pending => tokio::select! {
                    biased;
                    () = self.stopping() => return Err(NotTaken::Stopping),
                    admitted = place => admitted,
                },
            };
            if lock(&self.work.tasks).is_none() {
                return Err(NotTaken::Stopping);
            }
            Ok(admitted)
        }
    }

    /// Whether a ledger keeps what is taken.
    pub fn has_ledger(&self) -> bool {
        self.runtime.has_ledger()
    }

    /// The position that the source had last; `None` without a ledger, and for a source that is new to it.
    ///
    /// # Errors
    ///
    /// What keeps it from being read; the source cannot start.
    pub async fn position(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        match &self.runtime.inner.ledger {
            Some(ledger) => ledger.position(&self.source).await,
            None => Ok(None),
        }
    }

    /// Keeps a position of the source, behind changes that nobody wanted. It costs little: it is on disk with the next change that is
    /// recorded, or about a second later. Without a ledger it is forgotten.
    pub fn keep(&self, position: Vec<u8>) {
        if let Some(ledger) = self.runtime.inner.ledger.as_ref().filter(|_| self.broken.get().is_none()) {
            ledger.keep(&self.source, position);
        }
    }

    /// As [`keep`](Self::keep), and waits until the position is on disk, however long a full disk makes that.
    ///
    /// # Errors
    ///
    /// What keeps it from being kept; the source cannot go on.
    pub async fn keep_now(&self, position: Vec<u8>) -> Result<(), LedgerError> {
        let Some(ledger) = &self.runtime.inner.ledger else { return Ok(()) };
        if let Some(error) = self.broken.get() {
            return Err(error.clone());
        }
        ledger.keep(&self.source, position);
        // A position has no receipt of its own, and is on disk when a later one comes. A note is not answered while there is no space.
        ledger.note(Vec::new()).await
    }

    /// Records that a part of the source's history was lost: between `from` and `to`, in the words of the source.
    ///
    /// # Errors
    ///
    /// What keeps it from being recorded.
    pub async fn gap(
        &self,
        from: impl Into<String>,
        to: impl Into<String>,
        reason: impl Into<String>,
    ) -> Result<(), LedgerError> {
        match &self.runtime.inner.ledger {
            Some(ledger) => {
                let source = self.source.to_string();
                ledger.gap(Gap { source, from: from.into(), to: to.into(), reason: reason.into() }).await
            }
            None => Ok(()),
        }
    }

    /// This intake, whose changes are watched only for the events that `keep` says yes to.
    #[must_use]
    pub fn narrowed(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self { runtime: self.runtime.narrowed(keep), ..self.clone() }
    }

    /// The events that are watched for.
    pub fn registry(&self) -> &Registry {
        self.runtime.registry()
    }

    /// What the runtime has done since it started, in numbers.
    pub fn metrics(&self) -> &Metrics {
        self.runtime.metrics()
    }

    /// The changes that were admitted, from all sources, and have not settled.
    pub fn admitted(&self) -> usize {
        self.runtime.admitted()
    }

    /// Whether every place was taken a moment ago, so that [`submit`](Self::submit) would have waited.
    pub fn is_full(&self) -> bool {
        self.runtime.is_full()
    }

    /// Notes something that is not a change; it is counted and shown, and the source decides whether to go on.
    pub fn reject(&self, place: impl Into<String>, error: impl fmt::Display) {
        let rejected = Rejected { source: self.source.to_string(), place: place.into(), error: error.to_string() };
        self.work.counts.lock().rejected += 1;
        if let Err(panic) = catch_panic(|| (self.work.on_reject)(&rejected)) {
            tracing::error!(%panic, "what was rejected could not be shown");
        }
    }

    /// Whether the intake takes no more changes.
    pub fn is_stopping(&self) -> bool {
        self.drain_end().is_some()
    }

    /// When the changes in flight are cut; `None` as long as changes are taken.
    pub fn drain_end(&self) -> Option<Instant> {
        *self.stopping.borrow()
    }

    /// Waits until the intake takes no more changes.
    pub async fn stopping(&self) {
        // The sender lives as long as the run; without it there is nobody left to hand changes to.
        let mut stopping = self.stopping.clone();
        let _gone = stopping.wait_for(Option::is_some).await;
    }
}
