//! How does what is asked for come to the writer?

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_detector_runtime::LedgerError;
use futures::channel::oneshot;

use crate::fault::Fault;
use crate::store::Store;

/// Something that the writer is asked for.
pub(crate) enum Request {
    /// To do something in a transaction, and to answer when it is on disk.
    Work(Box<dyn Work>),
    /// To keep a position.
    Keep {
        /// Of this source.
        source: String,
        /// The position.
        position: Vec<u8>,
    },
    /// To say when a job may be due.
    WaitForDue(oneshot::Sender<()>),
    /// To end.
    Close(oneshot::Sender<Result<(), LedgerError>>),
}

impl Request {
    /// Answers that the ledger is closed.
    pub(crate) fn refuse(self) {
        match self {
            Self::Work(work) => work.refuse(LedgerError::Closed),
            Self::Close(reply) => {
                let _nobody_waits = reply.send(Err(LedgerError::Closed));
            }
            Self::Keep { .. } | Self::WaitForDue(_) => {}
        }
    }
}

/// Something to do in a transaction, perhaps more than once until one is on disk.
pub(crate) trait Work: Send {
    /// Does it.
    fn attempt(&mut self, store: &mut Store) -> Result<(), Fault>;

    /// Answers what came of the last attempt.
    fn answer(self: Box<Self>);

    /// Answers that it was not done.
    fn refuse(self: Box<Self>, error: LedgerError);

    /// What becomes of it while there is no space.
    fn when_full(&self) -> WhenFull;

    /// The position that comes with it, and its source.
    fn position(&self) -> Option<(&str, &[u8])>;
}

/// What becomes of work while there is no space on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// It waits.
    Wait,
    /// It is refused.
    Refuse,
    /// It only reads, and so is done at once.
    Read,
}

/// The position that comes with an input, and its source.
pub(crate) type PositionOf<I> = fn(&I) -> Option<(&str, &[u8])>;

/// Work as a function over the store and an input.
pub(crate) struct Task<I, T> {
    pub(crate) input: I,
    pub(crate) run: fn(&mut Store, &I) -> Result<T, Fault>,
    pub(crate) position: PositionOf<I>,
    pub(crate) when_full: WhenFull,
    pub(crate) outcome: Option<Result<T, LedgerError>>,
    pub(crate) reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<I: Send, T: Send> Work for Task<I, T> {
    fn attempt(&mut self, store: &mut Store) -> Result<(), Fault> {
        self.outcome = Some(match (self.run)(store, &self.input) {
            Ok(done) => Ok(done),
            Err(Fault::Refused(error)) => Err(error),
            Err(fault) => return Err(fault),
        });
        Ok(())
    }

    fn answer(self: Box<Self>) {
        let Self { outcome, reply, .. } = *self;
        if let Some(outcome) = outcome {
            let _nobody_waits = reply.send(outcome);
        }
    }

    fn refuse(self: Box<Self>, error: LedgerError) {
        let _nobody_waits = self.reply.send(Err(error));
    }

    fn when_full(&self) -> WhenFull {
        self.when_full
    }

    fn position(&self) -> Option<(&str, &[u8])> {
        (self.position)(&self.input)
    }
}

/// What waits for the writer, in the order in which it was asked for. Its length is bounded by what its callers have in flight.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    /// Nothing more is taken.
    is_closed: bool,
    /// The writer sleeps until something arrives.
    is_awaited: bool,
}

impl Queue {
    /// Takes a request, or gives it back where the ledger is closed.
    pub(crate) fn push(&self, request: Request) -> Result<(), Request> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(request);
        }
        waiting.is_closed = matches!(request, Request::Close(_));
        waiting.requests.push_back(request);
        self.wake(waiting);
        Ok(())
    }

    /// Takes a position, in the place of those of the source that nothing came behind. The writer is not woken for it.
    pub(crate) fn keep(&self, source: &str, position: Vec<u8>) {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return;
        }
        for request in waiting.requests.iter_mut().rev() {
            match request {
                Request::Keep { source: earlier, position: kept } if earlier == source => {
                    *kept = position;
                    return;
                }
                Request::Keep { .. } => {}
                _ => break,
            }
        }
        waiting.requests.push_back(Request::Keep { source: source.to_owned(), position });
    }

    /// Takes nothing more from here on.
    pub(crate) fn end(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        self.wake(waiting);
    }

    /// Takes nothing more, and gives up what waits: whoever asked for it is told that the ledger is closed.
    pub(crate) fn give_up(&self) {
        let left = {
            let mut waiting = self.lock();
            waiting.is_closed = true;
            std::mem::take(&mut waiting.requests)
        };
        left.into_iter().for_each(Request::refuse);
    }

    /// Moves what waits into `backlog`; waits up to `patience` where there is nothing. Says whether nothing more will come.
    pub(crate) fn take(&self, backlog: &mut VecDeque<Request>, patience: Duration) -> bool {
        let mut waiting = self.lock();
        if waiting.requests.is_empty() && !waiting.is_closed && !patience.is_zero() {
            waiting.is_awaited = true;
            let woken = self.arrived.wait_timeout_while(waiting, patience, |waiting| waiting.is_awaited);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
            waiting.is_awaited = false;
        }
        backlog.append(&mut waiting.requests);
        waiting.is_closed
    }

    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        self.lock().requests.len()
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if std::mem::take(&mut waiting.is_awaited) {
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
