//! To whom are changes handed, and who owns the work that then goes on?

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use event_detector::{Change, Registry};
use event_detector_runtime::{Intake, NotTaken, Report, Runtime, Taken};
use tokio::task::JoinSet;

/// Where changes go. Cheap to clone; the clones own their work together.
#[derive(Clone)]
pub(super) enum HandOver {
    /// To a runtime that nobody runs: the work is cut when the last clone is dropped.
    Runtime(Runtime, Arc<Mutex<JoinSet<()>>>),
    /// To the intake of a source: the run owns the work, counts it and drains it.
    Intake(Intake),
}

impl HandOver {
    pub(super) fn registry(&self) -> &Registry {
        match self {
            Self::Runtime(runtime, _) => runtime.registry(),
            Self::Intake(intake) => intake.registry(),
        }
    }

    pub(super) fn narrowed(&self, keep: impl Fn(&str) -> bool) -> Self {
        match self {
            Self::Runtime(runtime, tasks) => Self::Runtime(runtime.narrowed(keep), Arc::clone(tasks)),
            Self::Intake(intake) => Self::Intake(intake.narrowed(keep)),
        }
    }

    pub(super) fn admitted(&self) -> usize {
        match self {
            Self::Runtime(runtime, _) => runtime.admitted(),
            Self::Intake(intake) => intake.admitted(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Runtime(runtime, _) => runtime.is_full(),
            Self::Intake(intake) => intake.is_full(),
        }
    }

    /// Whether no more changes are taken.
    pub(super) fn is_stopping(&self) -> bool {
        match self {
            Self::Runtime(runtime, _) => runtime.is_cancelled(),
            Self::Intake(intake) => intake.is_stopping(),
        }
    }

    /// Waits for the stop of whoever runs this; a runtime that nobody runs is asked when a change is handed over.
    pub(super) async fn stopping(&self) {
        match self {
            Self::Runtime(..) => std::future::pending().await,
            Self::Intake(intake) => intake.stopping().await,
        }
    }

    /// Whether what was taken is on disk.
    pub(super) fn has_ledger(&self) -> bool {
        match self {
            Self::Runtime(runtime, _) => runtime.has_ledger(),
            Self::Intake(intake) => intake.has_ledger(),
        }
    }

    /// Waits for a place, and hands the change over. What comes of it is told to `taken` then: it is on disk where there is a ledger, was
    /// there before, or cannot be recorded. Its report goes to `done`, which is dropped where nothing of it is run, or that is cut.
    ///
    /// Dropping the future before there was a place hands nothing over; afterwards the work no longer depends on the caller. `taken`
    /// and `done` belong to the work, so they must hold nothing that owns the work.
    #[expect(clippy::manual_async_fn, reason = "an async function would hold the change, which is large, twice")]
    pub(super) fn take(
        &self,
        change: Change,
        taken: impl FnOnce(Result<Taken, NotTaken>) + Send + 'static,
        done: impl FnOnce(Report) + Send + 'static,
    ) -> impl Future<Output = Result<(), NotTaken>> + Send {
        async move {
            match self {
                Self::Intake(intake) => intake.submit_telling(change, taken, done).await,
                Self::Runtime(runtime, tasks) => {
                    let mut admitted = runtime.admit(change).await;
                    if runtime.is_cancelled() {
                        return Err(NotTaken::Stopping);
                    }
                    if !runtime.has_ledger() {
                        taken(Ok(Taken::New));
                        let mut settling = Box::pin(async move { done(admitted.settle().await) });
                        // The jobs begin here and now; a task of its own only waits for them.
                        if settling.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                            own(tasks, settling);
                        }
                        return Ok(());
                    }
                    own(tasks, async move {
                        let recorded = admitted.recorded().await;
                        let is_new = recorded == Ok(Taken::New);
                        taken(recorded.map_err(NotTaken::from));
                        if is_new {
                            done(admitted.settle().await);
                        }
                    });
                    Ok(())
                }
            }
        }
    }
}

/// Adds to the work that goes on without its sender.
fn own(tasks: &Mutex<JoinSet<()>>, work: impl Future<Output = ()> + Send + 'static) {
    let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
    tasks.spawn(work);
    while let Some(ended) = tasks.try_join_next() {
        // Nothing of users runs unguarded in there, so this is a defect of ours, and must not pass in silence.
        if let Err(error) = ended {
            tracing::error!(%error, "a change was not handled to its end");
        }
    }
}
