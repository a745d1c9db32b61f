//! Is this change being handled already?

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use axum::body::Bytes;
use event_detector::Change;
use tokio::sync::watch;

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

/// The report of a change as JSON, as soon as there is one.
#[derive(Clone)]
pub(super) struct Answer(watch::Receiver<Option<Bytes>>);

/// The work on a change was cut, or not begun.
#[derive(Debug)]
pub(super) struct Cut;

/// What is to be done with a change that came in.
pub(super) enum Place {
    /// It is not being handled: handle it, and give the report to the first.
    New(Working, Answer),
    /// It is being handled: wait with the others.
    Same(Answer),
    /// Another change is being handled under its id, since then.
    Other(SystemTime),
}

/// Keeps a change in flight until it is dropped.
pub(super) struct Working {
    id: Arc<str>,
    report: watch::Sender<Option<Bytes>>,
    in_flight: InFlight,
}

impl InFlight {
    /// Joins the change in flight that `change` repeats, or puts it in flight.
    pub(super) fn enter(&self, change: &Change, trigger: Option<&Arc<str>>) -> Place {
        let first = match self.lock().entry(change.id().into()) {
            Entry::Occupied(entry) => entry.get().clone(),
            Entry::Vacant(entry) => {
                let (report, answer) = watch::channel(None);
                let answer = Answer(answer);
                let working = Working { id: Arc::clone(entry.key()), report, in_flight: self.clone() };
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
            Ok(before) if is_same(&before, change) => Place::Same(first.answer),
            _ => Place::Other(first.since),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, First>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two changes say the same of the same row; how often one was sent, when, and by which trace does not matter.
fn is_same(one: &Change, other: &Change) -> bool {
    let images = |change: &Change| {
        let json = change.to_json()?;
        Some([json.get("before").cloned(), json.get("after").cloned()])
    };
    (one.operation(), one.database(), one.collection()) == (other.operation(), other.database(), other.collection())
        && images(one).is_some_and(|one| images(other) == Some(one))
}

impl Answer {
    /// Waits for the report.
    pub(super) async fn report(mut self) -> Result<Bytes, Cut> {
        let report = self.0.wait_for(Option::is_some).await.map_err(|_| Cut)?;
        report.clone().ok_or(Cut)
    }
}

impl Working {
    /// Gives the report to all who wait for it.
    pub(super) fn finish(self, report: Bytes) {
        self.report.send_replace(Some(report));
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.id);
    }
}
