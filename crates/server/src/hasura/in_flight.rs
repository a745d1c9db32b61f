//! Is this change being handled already?

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use axum::body::Bytes;
use event_detector::Change;
use event_detector_runtime as runtime;
use tokio::sync::Notify;

/// The changes that are being handled, by their ids. Cheap to clone; the clones are one.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<Arc<str>, Known>>>);

/// What came first under an id.
#[derive(Clone)]
struct Known {
    body: Arc<[u8]>,
    trigger: Option<Arc<str>>,
    since: SystemTime,
    answer: Answer,
}

/// What comes of a change: whether it was taken, and its report as JSON. Clones are one.
#[derive(Clone)]
pub(super) struct Answer(Arc<Progress>);

/// (What a channel of tokio does costs more: it is made for many who wait and many messages.)
struct Progress {
    stage: Mutex<Stage>,
    moved: Notify,
}

/// How far a change has come.
enum Stage {
    /// It waits for a place, and for the disk.
    Waiting,
    /// As before, and nobody works on it any more: why, its first sender will know.
    Given,
    Taken,
    Settled(Settled),
    /// It was recorded before.
    Duplicate(SystemTime),
    NotTaken(NotTaken),
    /// It was cut after it was taken.
    Cut,
}

/// What came of a change.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    /// The report as JSON.
    pub(super) report: Bytes,
    /// Whether each job has come to its end, and none is left to the ledger.
    pub(super) is_final: bool,
}

/// Why a change was not taken.
#[derive(Debug, Clone)]
pub(super) enum NotTaken {
    /// There was no place, or its sender left before there was one.
    NoPlace,
    Refused(runtime::NotTaken),
}

/// The work on a change was cut.
#[derive(Debug)]
pub(super) struct Cut;

/// What is to be done with a change that came in.
pub(super) enum Place {
    /// It is not being handled: hand it over, say what came of that, and give the report to all who wait.
    New(Working, First),
    /// It is being handled: wait with the others.
    Same(Answer),
    /// Another change is being handled under its id, since then.
    Other(SystemTime),
}

/// Keeps a change in flight until it is dropped.
pub(super) struct Working {
    id: Arc<str>,
    in_flight: InFlight,
    undecided: Arc<Undecided>,
}

/// Says whether a change was taken. Belongs to the work on it, so that it is said whether or not the first sender is still there.
#[derive(Clone)]
pub(super) struct First(Arc<Undecided>);

/// Dropped when nobody is left who could say whether a change was taken.
struct Undecided(Answer);

impl InFlight {
    /// Joins the change in flight that `change` repeats, or puts it in flight.
    pub(super) fn enter(&self, change: &Change, trigger: Option<&Arc<str>>) -> Place {
        let known = match lock(&self.0).entry(key(change.id())) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => {
                let answer = Answer(Arc::new(Progress { stage: Mutex::new(Stage::Waiting), moved: Notify::new() }));
                let undecided = Arc::new(Undecided(answer.clone()));
                let first = First(Arc::clone(&undecided));
                let working = Working { id: Arc::clone(entry.key()), in_flight: self.clone(), undecided };
                entry.insert(Known { body: change.bytes().into(), trigger: trigger.cloned(), since: SystemTime::now(), answer });
                return Place::New(working, first);
            }
        };
        // Reading the first one again is work, so it is done where it holds up nobody, and only when an id repeats.
        match Change::from_hasura(known.body.to_vec(), known.trigger.as_deref()) {
            // A scheduled trigger without a name has that of its route.
            Ok(before) if before.says_the_same_as(change) => Place::Same(known.answer),
            _ => Place::Other(known.since),
        }
    }
}

/// An id as it is compared: a UUID is the same in either case.
fn key(id: &str) -> Arc<str> {
    if id.bytes().any(|byte| byte.is_ascii_uppercase()) { id.to_ascii_lowercase().into() } else { id.into() }
}

impl Answer {
    /// Waits until the change was taken; when it was recorded, where it was before.
    pub(super) async fn taken(&self) -> Result<Option<SystemTime>, NotTaken> {
        self.when(|stage| match stage {
            Stage::Waiting | Stage::Given => None,
            Stage::Duplicate(recorded_at) => Some(Ok(Some(*recorded_at))),
            Stage::NotTaken(why) => Some(Err(why.clone())),
            Stage::Taken | Stage::Settled(_) | Stage::Cut => Some(Ok(None)),
        })
        .await
    }

    /// Waits for the report.
    pub(super) async fn settled(&self) -> Result<Settled, Cut> {
        self.when(|stage| match stage {
            Stage::Waiting | Stage::Given | Stage::Taken => None,
            Stage::Settled(settled) => Some(Ok(settled.clone())),
            Stage::Duplicate(_) | Stage::NotTaken(_) | Stage::Cut => Some(Err(Cut)),
        })
        .await
    }

    async fn when<T>(&self, look: impl Fn(&Stage) -> Option<T>) -> T {
        loop {
            let mut moved = pin!(self.0.moved.notified());
            // Before the stage is looked at, so that no move is missed.
            moved.as_mut().enable();
            if let Some(seen) = look(&lock(&self.0.stage)) {
                return seen;
            }
            moved.await;
        }
    }

    fn move_on(&self, to: impl FnOnce(Stage) -> Stage) {
        let mut stage = lock(&self.0.stage);
        *stage = to(mem::replace(&mut *stage, Stage::Cut));
        drop(stage);
        self.0.moved.notify_waiters();
    }
}

impl First {
    /// What the others wait for.
    pub(super) fn answer(&self) -> Answer {
        self.0.0.clone()
    }

    /// Tells all who wait whether the change was taken.
    pub(super) fn tell(self, taken: Result<runtime::Taken, runtime::NotTaken>) {
        self.0.0.move_on(|stage| match (stage, taken) {
            (Stage::Waiting, Ok(runtime::Taken::New)) => Stage::Taken,
            (Stage::Given, Ok(runtime::Taken::New)) => Stage::Cut,
            (Stage::Waiting | Stage::Given, Ok(runtime::Taken::Duplicate { recorded_at })) => Stage::Duplicate(recorded_at),
            (Stage::Waiting | Stage::Given, Err(why)) => Stage::NotTaken(NotTaken::Refused(why)),
            // It has settled already.
            (further, _) => further,
        });
    }
}

impl Working {
    /// Gives what came of it to all who wait for it.
    pub(super) fn finish(self, settled: Settled) {
        self.undecided.0.move_on(|_| Stage::Settled(settled));
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        lock(&self.in_flight.0).remove(&self.id);
        self.undecided.0.move_on(|stage| match stage {
            Stage::Waiting => Stage::Given,
            Stage::Taken => Stage::Cut,
            ended => ended,
        });
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        self.0.move_on(|stage| match stage {
            Stage::Waiting | Stage::Given => Stage::NotTaken(NotTaken::NoPlace),
            ended => ended,
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
