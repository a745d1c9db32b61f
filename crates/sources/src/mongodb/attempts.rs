//! How often, and after how long, is a broken change stream opened again?

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::fault::Class;

/// The first wait is at least this long, and the next ones longer.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait, jitter aside: who repairs a server does not want to wait for us.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Where access is denied, asking more often only fills the server's log.
const DENIED_WAIT: Duration = Duration::from_secs(30);
/// So many errors of an unknown kind …
const UNKNOWN: usize = 5;
/// … within this time end the source.
const UNKNOWN_WITHIN: Duration = Duration::from_secs(5 * 60);

/// What was tried since the stream was last alive.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    was_alive: bool,
    broken_since: Option<Instant>,
    waits: Option<ExponentialBackoff>,
    /// When errors of an unknown kind came.
    unknown: Vec<Instant>,
}

impl Attempts {
    /// Notes that the stream is alive; returns how long it was not.
    pub(super) fn succeeded(&mut self) -> Option<Duration> {
        self.was_alive = true;
        self.waits = None;
        self.broken_since.take().map(|since| since.elapsed())
    }

    /// Notes that the stream broke; returns how long to wait before it is opened again, or `None` when it is not.
    pub(super) fn failed(&mut self, class: Class, now: Instant) -> Option<Duration> {
        self.broken_since.get_or_insert(now);
        match class {
            Class::Resume => Some(self.next_wait()),
            Class::Denied => self.was_alive.then_some(DENIED_WAIT),
            Class::Lost | Class::Elsewhere | Class::Config => None,
            Class::Oversize | Class::Unknown => {
                self.unknown.retain(|when| now.duration_since(*when) < UNKNOWN_WITHIN);
                self.unknown.push(now);
                (self.unknown.len() < UNKNOWN).then(|| self.next_wait())
            }
        }
    }

    fn next_wait(&mut self) -> Duration {
        let builder = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_delay(LONGEST_WAIT).with_jitter();
        let waits = self.waits.get_or_insert_with(|| builder.without_max_times().build());
        waits.next().unwrap_or(LONGEST_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Attempts, DENIED_WAIT, LONGEST_WAIT, UNKNOWN_WITHIN};
    use crate::mongodb::fault::Class;

    #[test]
    fn what_can_be_resumed_is_tried_for_ever_with_growing_waits() {
        let mut attempts = Attempts::default();
        let now = Instant::now();

        let waits: Vec<Duration> = (0..100).map(|_| attempts.failed(Class::Resume, now).unwrap()).collect();

        assert!(waits[0] < Duration::from_millis(200) && waits[99] >= LONGEST_WAIT, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT * 2), "{waits:?}");
        assert!(attempts.succeeded().is_some() && attempts.succeeded().is_none());
        assert!(attempts.failed(Class::Resume, now).unwrap() < Duration::from_millis(200), "it begins anew");
    }

    #[test]
    fn an_unknown_error_is_tried_a_few_times_in_a_while() {
        let mut attempts = Attempts::default();
        let start = Instant::now();

        let tried = (0..5).map(|_| attempts.failed(Class::Unknown, start).is_some()).collect::<Vec<_>>();

        assert_eq!(tried, [true, true, true, true, false]);
        assert!(attempts.failed(Class::Unknown, start + UNKNOWN_WITHIN).is_some(), "the others are long ago");
    }

    #[test]
    fn what_was_never_allowed_is_an_error_and_what_no_longer_is_may_be_allowed_again() {
        let mut attempts = Attempts::default();
        let now = Instant::now();

        assert_eq!(attempts.failed(Class::Denied, now), None);
        attempts.succeeded();
        assert_eq!(attempts.failed(Class::Denied, now), Some(DENIED_WAIT));
    }

    #[test]
    fn lost_history_and_a_wrong_configuration_are_never_tried_again() {
        let mut attempts = Attempts::default();
        attempts.succeeded();

        assert_eq!(attempts.failed(Class::Lost, Instant::now()), None);
        assert_eq!(attempts.failed(Class::Config, Instant::now()), None);
    }
}
