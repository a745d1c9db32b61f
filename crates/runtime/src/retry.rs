//! How long does a failed job wait before it is tried again?

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::config::Config;

/// The waits of one job: exponential, with full jitter.
///
/// Full jitter draws each wait evenly between zero and the exponential's value, which spreads a herd of retries best.
/// `backon` counts up; its own jitter adds to the value instead, so the draw is made here.
#[derive(Debug)]
pub(crate) struct RetrySchedule {
    upper_ends: ExponentialBackoff,
}

impl RetrySchedule {
    pub(crate) fn new(config: &Config, retries: u32) -> Self {
        let upper_ends = ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(config.backoff_base)
            .with_max_delay(config.backoff_cap)
            .with_max_times(retries as usize);
        Self { upper_ends: upper_ends.build() }
    }

    /// Leaves out the waits after `failures` attempts, which a former process had.
    pub(crate) fn skip_past(&mut self, failures: u32) {
        for _ in 0..failures {
            if self.upper_ends.next().is_none() {
                return;
            }
        }
    }
}

impl Iterator for RetrySchedule {
    type Item = Duration;

    /// The wait before the next attempt; `None` when there is none.
    fn next(&mut self) -> Option<Duration> {
        self.upper_ends.next().map(|upper_end| upper_end.mul_f64(fastrand::f64()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RetrySchedule;
    use crate::config::Config;

    #[test]
    fn a_schedule_has_as_many_waits_as_retries() {
        assert_eq!(RetrySchedule::new(&Config::default(), 0).count(), 0);
        assert_eq!(RetrySchedule::new(&Config::default(), 7).count(), 7);
    }

    #[test]
    fn each_wait_is_drawn_below_a_doubling_end_that_stops_at_the_cap() {
        let config =
            Config { backoff_base: Duration::from_millis(100), backoff_cap: Duration::from_millis(400), ..Config::default() };
        let mut longest = [Duration::ZERO; 5];

        for _ in 0..1_000 {
            for (longest, wait) in longest.iter_mut().zip(RetrySchedule::new(&config, 5)) {
                *longest = wait.max(*longest);
            }
        }

        for (longest, end) in longest.iter().zip([100, 200, 400, 400, 400]) {
            let end = Duration::from_millis(end);
            assert!(*longest <= end && *longest > end.mul_f64(0.9), "{longest:?} of {end:?}");
        }
    }
}
