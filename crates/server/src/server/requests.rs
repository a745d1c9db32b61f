//! Which connections owe an answer, and since when do the others owe a request?

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A request is being answered.
const ANSWERING: u64 = u64::MAX;

/// The answer is made, and on its way to the client.
const ANSWERED: u64 = u64::MAX - 1;

/// The connections of a server whose requests are being answered, up to the last byte of the answer.
#[derive(Debug)]
pub(super) struct Active {
    start: Instant,
    count: AtomicUsize,
    is_none: Notify,
}

/// The requests of one connection, as its service, its stream and its server see them. Clones are one.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    /// [`ANSWERING`], [`ANSWERED`], or since when it is quiet: in milliseconds from the start of the server.
    state: Arc<AtomicU64>,
    active: Arc<Active>,
}

impl Active {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), count: AtomicUsize::new(0), is_none: Notify::new() })
    }

    /// Waits until no request is being answered.
    pub(super) async fn none(&self) {
        loop {
            let mut none = pin!(self.is_none.notified());
            // Before the count is looked at, so that the last one to end is not missed.
            none.as_mut().enable();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            none.await;
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).map_or(0, |now| now.min(ANSWERED - 1))
    }
}

impl Requests {
    /// Those of a connection that is opened now.
    pub(super) fn new(active: &Arc<Active>) -> Self {
        Self { state: Arc::new(active.now().into()), active: Arc::clone(active) }
    }

    /// A request came.
    pub(super) fn begin(&self) {
        if self.state.swap(ANSWERING, Ordering::AcqRel) < ANSWERED {
            self.active.count.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The answer to the request is made.
    pub(super) fn answered(&self) {
        self.state.store(ANSWERED, Ordering::Release);
    }

    /// All that there is to write was written; returns whether an answer was among it, so that the connection is quiet from now on.
    pub(super) fn written(&self) -> bool {
        let is_answered = self.state.load(Ordering::Acquire) == ANSWERED;
        if is_answered {
            self.end();
        }
        is_answered
    }

    /// The connection is closed, or quiet.
    pub(super) fn end(&self) {
        let was_active = self.state.swap(self.active.now(), Ordering::AcqRel) >= ANSWERED;
        if was_active && self.active.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.active.is_none.notify_waiters();
        }
    }

    /// Whether no request is being answered.
    pub(super) fn is_quiet(&self) -> bool {
        self.state.load(Ordering::Acquire) < ANSWERED
    }

    /// For how long no request was being answered; `None` while one is.
    pub(super) fn quiet_for(&self) -> Option<Duration> {
        let since = self.state.load(Ordering::Acquire);
        (since < ANSWERED).then(|| Duration::from_millis(self.active.now().saturating_sub(since)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::{Active, Requests};

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_busy_from_its_request_to_the_last_byte_of_its_answer() {
        let active = Active::new();
        let requests = Requests::new(&active);
        tokio::time::advance(Duration::from_millis(7)).await;
        assert_eq!(requests.quiet_for(), Some(Duration::from_millis(7)));

        requests.begin();
        assert!(!requests.written() && requests.quiet_for().is_none() && active.none().now_or_never().is_none());
        requests.answered();
        assert!(requests.quiet_for().is_none() && active.none().now_or_never().is_none());

        assert!(requests.written() && !requests.written());
        assert_eq!((requests.quiet_for(), active.none().now_or_never()), (Some(Duration::ZERO), Some(())));
    }

    #[tokio::test]
    async fn a_connection_that_ends_owes_nothing_and_a_request_behind_an_answer_is_counted_once() {
        let active = Active::new();
        let (first, second) = (Requests::new(&active), Requests::new(&active));
        first.begin();
        first.answered();
        first.begin();
        second.begin();

        first.end();
        assert!(active.none().now_or_never().is_none());
        second.end();

        assert!(active.none().now_or_never().is_some());
    }
}
