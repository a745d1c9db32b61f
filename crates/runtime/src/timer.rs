//! How do all jobs of one change share one timer?
//!
//! A timer of its own for each job costs more than a small job. Here every wait notes when it must be looked at again, and
//! whoever polls the waits sleeps until the earliest of those times.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use event_detector::Cancellation;
use futures::future::{MaybeDone, maybe_done};
use tokio::time::{Instant, Sleep, sleep_until};

/// The waits of one change.
#[derive(Debug)]
pub(crate) struct Timer {
    start: Instant,
    /// Nanoseconds after `start`; the time of the current look.
    now: AtomicU64,
    /// Nanoseconds after `start`; the earliest time to look again.
    next: AtomicU64,
    cancelled: AtomicBool,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    Done(T),
    TimeIsOver,
    Cancelled,
}

impl Timer {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, now: AtomicU64::new(0), next: AtomicU64::new(u64::MAX), cancelled: AtomicBool::new(false) }
    }

    /// The time of the current look, cheaper than asking the clock.
    pub(crate) fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.now.load(Ordering::Relaxed))
    }

    /// Asks the clock again, for the rest of the current look.
    pub(crate) fn look(&self) {
        self.now.store(self.nanos(Instant::now()), Ordering::Relaxed);
    }

    /// Whether the change's cancellation has come.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Waits for `work`, until `deadline` or the cancellation of the change.
    pub(crate) async fn wait<F: Future + Unpin>(&self, deadline: Instant, work: &mut F) -> Waited<F::Output> {
        poll_fn(|cx| {
            if let Poll::Ready(output) = Pin::new(&mut *work).poll(cx) {
                return Poll::Ready(Waited::Done(output));
            }
            if self.is_cancelled() {
                return Poll::Ready(Waited::Cancelled);
            }
            let at = self.nanos(deadline);
            if at <= self.now.load(Ordering::Relaxed) {
                return Poll::Ready(Waited::TimeIsOver);
            }
            self.next.fetch_min(at, Ordering::Relaxed);
            Poll::Pending
        })
        .await
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX - 1)
    }

    /// Polls all `waits` together until each is done, waking them at the times they noted.
    ///
    /// The results are in the order of the waits. When `cancellation` comes, every wait of the timer is cancelled.
    pub(crate) async fn join<F: Future>(&self, waits: impl IntoIterator<Item = F>, cancellation: &Cancellation) -> Vec<F::Output> {
        // `join_all` polls only the woken ones when they are many, but the timer wakes all.
        let mut waits: Vec<Pin<Box<MaybeDone<F>>>> = waits.into_iter().map(|wait| Box::pin(maybe_done(wait))).collect();
        let mut alarm: Option<Pin<Box<Sleep>>> = None;
        let mut cancelled = pin!(cancellation.cancelled());
        poll_fn(|cx| {
            loop {
                self.look();
                if !self.is_cancelled() && cancelled.as_mut().poll(cx).is_ready() {
                    self.cancelled.store(true, Ordering::Relaxed);
                }
                self.next.store(u64::MAX, Ordering::Relaxed);
                let mut pending = false;
                for wait in &mut waits {
                    pending |= wait.as_mut().poll(cx).is_pending();
                }
                if !pending {
                    return Poll::Ready(());
                }
                let next = self.next.load(Ordering::Relaxed);
                if next == u64::MAX {
                    return Poll::Pending;
                }
                let at = self.start + Duration::from_nanos(next);
                let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
                if alarm.deadline() != at {
                    alarm.as_mut().reset(at);
                }
                if alarm.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
        waits.iter_mut().filter_map(|wait| wait.as_mut().take_output()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use event_detector::Cancellation;
    use futures::FutureExt;
    use tokio::time::{Instant, sleep};

    use super::{Timer, Waited};

    async fn waits(timer: &Timer, start: Instant, limits: &[u64]) -> Vec<u64> {
        let (_canceller, cancellation) = Cancellation::new();
        let all = limits.iter().map(|limit| async move {
            let waited = timer.wait(start + Duration::from_millis(*limit), &mut pending::<()>()).await;
            assert!(matches!(waited, Waited::TimeIsOver));
            u64::try_from((Instant::now() - start).as_millis()).unwrap()
        });
        timer.join(all, &cancellation).await
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_time_and_keeps_its_place() {
        let start = Instant::now();

        assert_eq!(waits(&Timer::new(start), start, &[300, 100, 200]).await, [300, 100, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_waits_share_the_timer() {
        let start = Instant::now();
        let limits: Vec<u64> = (1..=100).rev().collect();

        assert_eq!(waits(&Timer::new(start), start, &limits).await, limits);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_ends_in_time_gives_its_output() {
        let timer = Timer::new(Instant::now());
        let (_canceller, cancellation) = Cancellation::new();
        let deadline = Instant::now() + Duration::from_secs(1);
        let work = async { timer.wait(deadline, &mut sleep(Duration::from_millis(10)).map(|()| 7).boxed()).await };

        let waited = timer.join(vec![work], &cancellation).await;

        assert!(matches!(waited[..], [Waited::Done(7)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancellation_ends_every_wait_but_not_finished_work() {
        let timer = Timer::new(Instant::now());
        let (canceller, cancellation) = Cancellation::new();
        let deadline = Instant::now() + Duration::from_secs(1);
        canceller.cancel();

        let stuck = timer.join(vec![Box::pin(async { timer.wait(deadline, &mut pending::<u8>()).await })], &cancellation).await;
        let done = timer.join(vec![Box::pin(async { timer.wait(deadline, &mut ready(7)).await })], &cancellation).await;

        assert!(matches!(stuck[..], [Waited::Cancelled]));
        assert!(matches!(done[..], [Waited::Done(7)]));
    }
}
