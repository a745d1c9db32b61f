//! In which order are changes handled?

use std::pin::Pin;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::config::Config;

/// Documents share this many lanes, far more than changes in flight, so strangers rarely wait for each other.
const LANES: usize = 1_024;

/// Changes of one document go in order, changes of different documents side by side, a bounded number at a time.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Arc<Mutex<()>>>,
    /// One caller at a time waits for a place, so that nobody overtakes those who called before.
    gate: Mutex<()>,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// The place of one change in its lane.
pub(crate) struct Ticket {
    turn: Turn,
    running: Arc<Semaphore>,
    admitted: OwnedSemaphorePermit,
}

enum Turn {
    /// The change has no document key, so it has no order.
    Free,
    Here(OwnedMutexGuard<()>),
    Waiting(BoxFuture<'static, OwnedMutexGuard<()>>),
}

/// The right to run now; the next change of the document waits until it is dropped.
pub(crate) struct Running {
    _turn: Option<OwnedMutexGuard<()>>,
    running: Option<OwnedSemaphorePermit>,
    places: Arc<Semaphore>,
    admitted: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            lanes: (0..LANES).map(|_| Arc::default()).collect(),
            gate: Mutex::default(),
            admitted: Arc::new(Semaphore::new(config.admitted.max(1))),
            running: Arc::new(Semaphore::new(config.in_flight.max(1))),
        }
    }

    /// Waits for a place, and takes the next turn in the lane `lane`.
    ///
    /// Places and turns are in the order in which the futures were first polled. Dropping one gives up its place.
    pub(crate) async fn admit(&self, lane: Option<u64>) -> Ticket {
        let _gate = self.gate.lock().await;
        let admitted = permit(&self.admitted).await.expect("the semaphore is never closed");
        let turn = match lane {
            None => Turn::Free,
            Some(lane) => {
                #[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
                let lane = Arc::clone(&self.lanes[(lane % LANES as u64) as usize]);
                match Arc::clone(&lane).try_lock_owned() {
                    Ok(turn) => Turn::Here(turn),
                    Err(_) => {
                        let mut waiting: BoxFuture<'static, _> = Box::pin(lane.lock_owned());
                        // The first poll joins the queue; tokio's mutex is first come, first served.
                        match futures::poll!(Pin::new(&mut waiting)) {
                            std::task::Poll::Ready(turn) => Turn::Here(turn),
                            std::task::Poll::Pending => Turn::Waiting(waiting),
                        }
                    }
                }
            }
        };
        Ticket { turn, running: Arc::clone(&self.running), admitted }
    }

    /// How many changes are admitted and have not settled.
    pub(crate) fn admitted(&self, config: &Config) -> usize {
        config.admitted.max(1) - self.admitted.available_permits()
    }
}

impl Ticket {
    /// The right to run, if it is there at once; else the ticket again.
    pub(crate) fn try_start(self) -> Result<Running, Self> {
        let Self { turn, running, admitted } = self;
        match (turn, Arc::clone(&running).try_acquire_owned()) {
            (Turn::Free, Ok(permit)) => {
                Ok(Running { _turn: None, running: Some(permit), places: running, admitted: Some(admitted) })
            }
            (Turn::Here(turn), Ok(permit)) => {
                Ok(Running { _turn: Some(turn), running: Some(permit), places: running, admitted: Some(admitted) })
            }
            (turn, _) => Err(Self { turn, running, admitted }),
        }
    }

    /// Waits for the turn, and then for a free place among the running.
    pub(crate) async fn start(self) -> Running {
        let turn = match self.turn {
            Turn::Free => None,
            Turn::Here(turn) => Some(turn),
            Turn::Waiting(turn) => Some(turn.await),
        };
        let running = permit(&self.running).await;
        Running { _turn: turn, running, places: self.running, admitted: Some(self.admitted) }
    }
}

impl Running {
    /// Gives up the place among the admitted: what is left to do is to tell of the change, still in its turn.
    pub(crate) fn settled(&mut self) {
        self.admitted = None;
    }

    /// Gives up the place among the running, and keeps the turn: nothing is done for a while.
    pub(crate) fn rest(&mut self) {
        self.running = None;
    }

    /// Whether the place was given up.
    pub(crate) fn is_resting(&self) -> bool {
        self.running.is_none()
    }

    /// A place among the running, for [`go_on`](Self::go_on).
    pub(crate) fn wait_for_place(&self) -> BoxFuture<'static, Option<OwnedSemaphorePermit>> {
        let places = Arc::clone(&self.places);
        Box::pin(async move { permit(&places).await })
    }

    /// Takes the place.
    pub(crate) fn go_on(&mut self, place: Option<OwnedSemaphorePermit>) {
        self.running = place;
    }
}

async fn permit(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    match Arc::clone(semaphore).try_acquire_owned() {
        Ok(permit) => Some(permit),
        Err(_) => Arc::clone(semaphore).acquire_owned().await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::Lanes;
    use crate::config::Config;

    #[tokio::test]
    async fn changes_of_one_document_take_turns_in_the_order_of_admission() {
        let lanes = Lanes::new(&Config::default());
        let (first, second, third) = (lanes.admit(Some(7)).await, lanes.admit(Some(7)).await, lanes.admit(Some(7)).await);
        let mut second = Box::pin(second.start());
        let mut third = Box::pin(third.start());

        let running = first.start().await;
        assert!((&mut third).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(running);

        assert!((&mut third).now_or_never().is_none());
        let running = second.now_or_never().expect("its turn has come");
        drop(running);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test]
    async fn changes_of_different_documents_and_without_one_go_side_by_side() {
        let lanes = Lanes::new(&Config::default());

        let running: Vec<_> =
            [Some(1), Some(2), None, None].map(|lane| lanes.admit(lane).now_or_never().unwrap().start().now_or_never()).into();

        assert!(running.iter().all(Option::is_some));
    }

    #[tokio::test]
    async fn beyond_the_bounds_changes_wait_to_run_and_sources_wait_to_admit() {
        let config = Config { in_flight: 1, admitted: 2, ..Config::default() };
        let lanes = Lanes::new(&config);
        let running = lanes.admit(Some(1)).await.start().await;
        let mut waiting = Box::pin(lanes.admit(Some(2)).await.start());

        assert!((&mut waiting).now_or_never().is_none(), "one runs at a time");
        assert!(lanes.admit(Some(3)).now_or_never().is_none(), "two are admitted at a time");
        assert_eq!(lanes.admitted(&config), 2);
        drop(running);

        assert!(waiting.now_or_never().is_some());
        assert!(lanes.admit(Some(3)).now_or_never().is_some());
    }
}
