//! How long, how often, how many: the numbers of a runtime.

use std::time::Duration;

/// The limits of a runtime. The defaults are the fields' documented values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Cuts each attempt of a job that sets no timeout of its own: 30 seconds. `Duration::MAX` is no limit.
    pub job_timeout: Duration,
    /// Retries of a job that sets none of its own: 0.
    pub job_retries: u32,
    /// The upper end of the wait before the first retry; it doubles with each: 200 milliseconds.
    pub backoff_base: Duration,
    /// The longest upper end of a wait before a retry: 30 seconds.
    pub backoff_cap: Duration,
    /// Changes handled at a time: 64.
    pub in_flight: usize,
    /// Changes admitted at a time, those that wait for their document's turn included: 1,024. A source waits beyond that.
    pub admitted: usize,
    /// Cuts what is unfinished of a change this long after its detection began: never.
    pub change_deadline: Option<Duration>,
    /// How long a shutdown waits for the changes in flight before it cuts them: 25 seconds.
    pub drain: Duration,
    /// Cuts a hook of a plugin: 5 seconds.
    pub plugin_timeout: Duration,
    /// Whether the ledger records every change, and not only those that a detector wants: no.
    pub record_all: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            job_timeout: Duration::from_secs(30),
            job_retries: 0,
            backoff_base: Duration::from_millis(200),
            backoff_cap: Duration::from_secs(30),
            in_flight: 64,
            admitted: 1_024,
            change_deadline: None,
            drain: Duration::from_secs(25),
            plugin_timeout: Duration::from_secs(5),
            record_all: false,
        }
    }
}
