//! How is time taken, so that other programs do not count?

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

/// Long beside the steps in which a system counts a thread's time.
const LONG_ENOUGH: Duration = Duration::from_millis(150);

/// The time that this thread has worked; where the system does not tell, the time that has passed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    Worked(Duration),
    Passed(Instant),
}

impl Clock {
    pub(crate) fn start() -> Self {
        worked().map_or_else(|| Self::Passed(Instant::now()), Self::Worked)
    }

    pub(crate) fn elapsed(self) -> Duration {
        match self {
            Self::Worked(start) => worked().unwrap_or_default().saturating_sub(start),
            Self::Passed(start) => start.elapsed(),
        }
    }
}

fn worked() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The nanoseconds that one change takes, of a pass over `count` of them that is repeated often enough.
pub(crate) fn per_change(count: usize, mut pass: impl FnMut() -> usize) -> f64 {
    let mut passes = 0_u32;
    let start = Clock::start();
    loop {
        std::hint::black_box(pass());
        passes += 1;
        let elapsed = start.elapsed();
        if elapsed >= LONG_ENOUGH {
            return elapsed.as_secs_f64() * 1e9 / f64::from(passes) / count as f64;
        }
    }
}

/// What several rounds come to.
pub(crate) struct Summary {
    least: f64,
    pub(crate) median: f64,
    most: f64,
}

impl Summary {
    pub(crate) fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self { least: times[0], median: times[times.len() / 2], most: times[times.len() - 1] }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, median, most] = [self.least, self.median, self.most].map(shown);
        write!(out, "{median} | {least} to {most}")
    }
}

pub(crate) fn shown(nanos: f64) -> String {
    match nanos {
        nanos if nanos < 1_000.0 => format!("{nanos:.0} ns"),
        nanos if nanos < 1_000_000.0 => format!("{:.2} µs", nanos / 1e3),
        nanos => format!("{:.2} ms", nanos / 1e6),
    }
}
