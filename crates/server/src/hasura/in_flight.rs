//! Is this change being handled already?

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use axum::body::Bytes;
use event_detector::Change;
use tokio::sync::Notify;

/// The changes that are being handled, by their ids. Cheap to clone; the clones are one.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<Arc<str>, First>>>);

/// What came first under an id.
#[derive(Clone)]
struct First {
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
    /// It waits for a place.
    Waiting,
    Taken,
    Settled(Bytes),
    /// It was cut while it waited.
    NotTaken,
    /// It was cut after it was taken.
    Cut,
}

/// The change was not taken: there was no place, its sender left before there was one, or the program stops.
#[derive(Debug)]
pub(super) struct NotTaken;

/// The work on a change was cut.
#[derive(Debug)]
pub(super) struct Cut;

/// What is to be done with a change that came in.
pub(super) enum Place {
    /// It is not being handled: hand it over, say so, and give the report to all who wait.
    New(Working, Answer),
    /// It is being handled: wait with the others.
    Same(Answer),
    /// Another change is being handled under its id, since then.
    Other(SystemTime),
}

/// Keeps a change in flight until it is dropped.
pub(super) struct Working {
    id: Arc<str>,
    answer: Answer,
    in_flight: InFlight,
}

impl InFlight {
    /// Joins the change in flight that `change` repeats, or puts it in flight.
    pub(super) fn enter(&self, change: &Change, trigger: Option<&Arc<str>>) -> Place {
        let first = match lock(&self.0).entry(key(change.id())) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => {
                let answer = Answer(Arc::new(Progress { stage: Mutex::new(Stage::Waiting), moved: Notify::new() }));
                let working = Working { id: Arc::clone(entry.key()), answer: answer.clone(), in_flight: self.clone() };
                entry.insert(First {
                    body: change.bytes().into(),
                    trigger: trigger.cloned(),
                    since: SystemTime::now(),
                    answer: answer.clone(),
                });
                return Place::New(working, answer);
            }
        };
        // Reading the first one again is work, so it is done where it holds up nobody, and only when an id repeats.
        match Change::from_hasura(first.body.to_vec(), first.trigger.as_deref()) {
            // A scheduled trigger without a name has that of its route.
            Ok(before) if before.says_the_same_as(change) => Place::Same(first.answer),
            _ => Place::Other(first.since),
        }
    }
}

/// An id as it is compared: a UUID is the same in either case.
fn key(id: &str) -> Arc<str> {
    if id.bytes().any(|byte| byte.is_ascii_uppercase()) { id.to_ascii_lowercase().into() } else { id.into() }
}

impl Answer {
    /// Tells all who wait that the change was taken.
    pub(super) fn set_taken(&self) {
        // It may have settled already.
        self.move_on(|stage| match stage {
            Stage::Waiting => Stage::Taken,
            further => further,
        });
    }

    /// Waits until the change was taken.
    pub(super) async fn taken(&self) -> Result<(), NotTaken> {
        self.when(|stage| match stage {
            Stage::Waiting => None,
            Stage::NotTaken => Some(Err(NotTaken)),
            Stage::Taken | Stage::Settled(_) | Stage::Cut => Some(Ok(())),
        })
        .await
    }

    /// Waits for the report.
    pub(super) async fn report(&self) -> Result<Bytes, Cut> {
        self.when(|stage| match stage {
            Stage::Waiting | Stage::Taken => None,
            Stage::Settled(report) => Some(Ok(report.clone())),
            Stage::NotTaken | Stage::Cut => Some(Err(Cut)),
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

impl Working {
    /// Gives the report to all who wait for it.
    pub(super) fn finish(self, report: Bytes) {
        self.answer.move_on(|_| Stage::Settled(report));
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        lock(&self.in_flight.0).remove(&self.id);
        self.answer.move_on(|stage| match stage {
            Stage::Waiting => Stage::NotTaken,
            Stage::Taken => Stage::Cut,
            ended => ended,
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
