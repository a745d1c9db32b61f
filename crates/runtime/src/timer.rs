//! How do all jobs of one change share one clock and one timer?
//!
//! A timer of its own for each job costs more than a small job. Here whoever waits says at each look until when, and the change
//! sleeps until the earliest of those times.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The clock of one change. Between two looks it stands still.
#[derive(Debug)]
pub(crate) struct Timer<'a> {
    now: Instant,
    /// The earliest time to look again, as far as somebody said during this look.
    next: Option<Instant>,
    alarm: Pin<&'a mut Option<Sleep>>,
}

impl<'a> Timer<'a> {
    /// A clock that stands at `now` until the first look; `alarm` is where its alarm has its place.
    pub(crate) fn new(now: Instant, alarm: Pin<&'a mut Option<Sleep>>) -> Self {
        Self { now, next: None, alarm }
    }

    /// Begins a look.
    pub(crate) fn look(&mut self) {
        self.now = Instant::now();
        self.next = None;
    }

    /// Asks the clock again, in a look that took longer than no time.
    pub(crate) fn look_again(&mut self) {
        self.now = Instant::now();
    }

    /// The time of the look, cheaper than asking the clock.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Whether `end` has come; if not, there will be a look when it has.
    pub(crate) fn is_over(&mut self, end: Instant) -> bool {
        if end <= self.now {
            return true;
        }
        self.next = Some(self.next.map_or(end, |next| next.min(end)));
        false
    }

    /// Ends a look: ready when it is time for another, else the caller is woken then.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.next else { return Poll::Pending };
        if self.alarm.is_none() {
            self.alarm.set(Some(sleep_until(next)));
        }
        let Some(mut alarm) = self.alarm.as_mut().as_pin_mut() else { return Poll::Pending };
        if alarm.deadline() != next {
            alarm.as_mut().reset(next);
        }
        alarm.poll(cx)
    }
}

/// The time `wait` after `at`; where no clock can express it, a time nobody lives to see.
pub(crate) fn after(at: Instant, wait: Duration) -> Instant {
    const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    at.checked_add(wait).unwrap_or_else(|| at + AGES)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Timer, after};

    /// When each of `limits`, in milliseconds, was seen to be over.
    async fn seen_over(limits: &[u64]) -> Vec<u64> {
        let start = Instant::now();
        let alarm = pin!(None);
        let mut timer = Timer::new(Instant::now(), alarm);
        let mut seen = vec![None; limits.len()];
        poll_fn(|cx| {
            loop {
                timer.look();
                for (limit, seen) in limits.iter().zip(&mut seen) {
                    if seen.is_none() && timer.is_over(start + Duration::from_millis(*limit)) {
                        *seen = Some(u64::try_from((timer.now() - start).as_millis()).unwrap());
                    }
                }
                if seen.iter().all(Option::is_some) {
                    return Poll::Ready(());
                }
                if timer.poll_next(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
        seen.into_iter().flatten().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_is_over_at_its_own_time() {
        assert_eq!(seen_over(&[300, 100, 200, 0, 100]).await, [300, 100, 200, 0, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_waits_share_the_timer() {
        let limits: Vec<u64> = (1..=100).rev().collect();

        assert_eq!(seen_over(&limits).await, limits);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_of_centuries_is_not_over() {
        let alarm = pin!(None);
        let mut timer = Timer::new(Instant::now(), alarm);

        assert!(!timer.is_over(after(timer.now(), Duration::MAX)));
        poll_fn(|cx| {
            assert!(timer.poll_next(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
}
