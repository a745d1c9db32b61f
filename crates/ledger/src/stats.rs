//! What do operators see of a ledger?

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::store::Counts;

/// What a ledger did since it was opened, and what waits in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// What was asked for and is not on disk.
    pub queued: u64,
    /// Transactions.
    pub commits: u64,
    /// Rows that were inserted.
    pub rows: u64,
    /// How long the last transaction took from its begin to the disk.
    pub last_commit: Duration,
    /// How long all transactions took.
    pub commit_time: Duration,
    /// Jobs that wait for their time.
    pub waiting_jobs: u64,
    /// Dead letters that nobody has decided on.
    pub open_dead_letters: u64,
    /// Whether the disk is full, so that everything waits.
    pub is_full: bool,
}

/// The same, where it is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) backlog: AtomicU64,
    commits: AtomicU64,
    rows: AtomicU64,
    last_commit: AtomicU64,
    commit_time: AtomicU64,
    waiting: AtomicU64,
    open_letters: AtomicU64,
    pub(crate) full: AtomicU64,
}

impl Counters {
    /// Counts a transaction.
    pub(crate) fn committed(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.last_commit.store(nanos, Relaxed);
        self.commit_time.fetch_add(nanos, Relaxed);
    }

    /// Takes over what the store counts.
    pub(crate) fn set(&self, counts: Counts) {
        self.rows.store(counts.rows, Relaxed);
        self.waiting.store(counts.waiting.try_into().unwrap_or_default(), Relaxed);
        self.open_letters.store(counts.open_letters.try_into().unwrap_or_default(), Relaxed);
    }

    pub(crate) fn read(&self, queued: usize) -> Stats {
        Stats {
            queued: self.backlog.load(Relaxed) + queued as u64,
            commits: self.commits.load(Relaxed),
            rows: self.rows.load(Relaxed),
            last_commit: Duration::from_nanos(self.last_commit.load(Relaxed)),
            commit_time: Duration::from_nanos(self.commit_time.load(Relaxed)),
            waiting_jobs: self.waiting.load(Relaxed),
            open_dead_letters: self.open_letters.load(Relaxed),
            is_full: self.full.load(Relaxed) > 0,
        }
    }
}
