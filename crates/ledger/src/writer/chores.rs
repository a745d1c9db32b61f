//! What does the writer do besides what it is asked for?

use std::time::{Duration, Instant};

use event_detector_runtime::Millis;
use futures::channel::oneshot;

use super::{POLL, Writer};
use crate::fault::Fault;
use crate::files::now;
use crate::sqlite::Options;
use crate::store::{Kept, Reached, Store};

/// So often old changes are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(60 * 60);
/// So many changes are deleted in one transaction: others wait that long.
const RETAIN_AT_ONCE: u32 = 200;
/// So many pages of the write-ahead log are moved into the database when nobody waits, 4 MiB.
const CHECKPOINT_IDLE: i64 = 1_000;
/// So many are moved in any case, 16 MiB.
const CHECKPOINT: i64 = 4_000;

/// What is to be seen to, and when.
pub(super) struct Chores {
    retention: Duration,
    max_bytes: Option<u64>,
    /// Those who wait for a job to be due.
    waiters: Vec<oneshot::Sender<()>>,
    /// When the next job is due; `None` where that is not known.
    next_due: Option<Option<Millis>>,
    polled_at: Instant,
    /// What SQLite said when it was asked last whether another process wrote.
    seen: Option<i64>,
    retain_at: Instant,
    retaining: Option<(Kept, Reached)>,
}

impl Chores {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            retention: options.retention,
            max_bytes: options.max_bytes,
            waiters: Vec::new(),
            next_due: None,
            polled_at: Instant::now(),
            seen: None,
            retain_at: Instant::now(),
            retaining: None,
        }
    }

    /// Whether there is something to do at once.
    pub(super) fn is_at_it(&self) -> bool {
        self.retaining.is_some()
    }

    /// How long there is nothing to do.
    pub(super) fn until_due(&self) -> Duration {
        let until_retention = self.retain_at.saturating_duration_since(Instant::now());
        match self.next_due {
            _ if self.waiters.is_empty() => until_retention,
            Some(Some(due)) => Duration::from_millis((due - now()).max(0).unsigned_abs()).min(until_retention),
            Some(None) => until_retention,
            None => Duration::ZERO,
        }
    }

    pub(super) fn wait_for_due(&mut self, reply: oneshot::Sender<()>) {
        self.waiters.retain(|waiter| !waiter.is_canceled());
        self.waiters.push(reply);
    }

    /// Another process wrote: jobs may be due that this one knows nothing of.
    pub(super) fn somebody_wrote(&mut self) {
        self.next_due = None;
        self.wake();
    }

    fn wake(&mut self) {
        for waiter in self.waiters.drain(..) {
            let _nobody_waits = waiter.send(());
        }
    }
}

impl Writer {
    /// Does what is to be done between two transactions.
    pub(super) fn chores(&mut self) {
        self.mark.sync_now_and_then();
        if let Err(fault) = self.look_for_due() {
            tracing::error!(error = %fault.into_error(), "the ledger cannot say which jobs are due");
            self.chores.wake();
        }
        if self.full_until.is_some() {
            return;
        }
        if let Err(fault) = self.retain() {
            tracing::error!(error = %fault.into_error(), "old changes could not be deleted; it is tried again in an hour");
            self.chores.retaining = None;
        }
        let is_idle = self.backlog.is_empty() && self.queue.len() == 0;
        if unmoved(&self.store).is_ok_and(|pages| pages >= if is_idle { CHECKPOINT_IDLE } else { CHECKPOINT }) {
            checkpoint(&self.store, "PASSIVE");
        }
    }

    /// Wakes those who wait for a job, where one is due or another process wrote.
    fn look_for_due(&mut self) -> Result<(), Fault> {
        let chores = &mut self.chores;
        if self.store.has_due_moved() {
            chores.next_due = None;
        }
        if chores.waiters.is_empty() {
            return Ok(());
        }
        if chores.polled_at.elapsed() >= POLL {
            chores.polled_at = Instant::now();
            let seen = Some(self.store.data_version()?);
            if std::mem::replace(&mut chores.seen, seen) != seen {
                chores.somebody_wrote();
                return Ok(());
            }
        }
        let next = match chores.next_due {
            Some(next) => next,
            None => *chores.next_due.insert(self.store.next_due()?),
        };
        if next.is_some_and(|due| due <= now()) {
            chores.wake();
        }
        Ok(())
    }

    /// Deletes some of the changes that are not to be kept.
    fn retain(&mut self) -> Result<(), Fault> {
        if self.chores.retaining.is_none() && self.chores.retain_at <= Instant::now() {
            self.chores.retain_at = Instant::now() + RETAIN_EVERY;
            let retention = Millis::try_from(self.chores.retention.as_millis()).unwrap_or(Millis::MAX);
            self.chores.retaining = Some((Kept::Since(now().saturating_sub(retention)), Reached::default()));
        }
        let Some((kept, reached)) = self.chores.retaining else { return Ok(()) };
        if self.store.has_candidates(kept, reached)? {
            let reached = self.store.transact(|store| store.retain(kept, reached, RETAIN_AT_ONCE))?;
            self.mark.write(self.store.promised());
            self.counters.set(self.store.counts());
            if let Some(reached) = reached {
                self.chores.retaining = Some((kept, reached));
                return Ok(());
            }
        }
        self.chores.retaining = match (kept, self.chores.max_bytes) {
            (Kept::Since(_), Some(bytes)) => Some((Kept::Within(bytes), Reached::default())),
            _ => None,
        };
        Ok(())
    }
}

/// How many pages of the write-ahead log are not in the database yet.
fn unmoved(store: &Store) -> rusqlite::Result<i64> {
    let mut statement = store.connection().prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    statement.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
}

/// Moves the write-ahead log into the database.
pub(super) fn checkpoint(store: &Store, mode: &str) {
    #[cfg(feature = "torture")]
    let _dies_in_the_middle = std::thread::spawn(|| event_detector_runtime::crash_point("mid_checkpoint"));
    let moved = store.connection().query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
    if let Err(error) = moved {
        tracing::debug!(%error, "the ledger's write-ahead log was not moved into the database; it is tried again");
    }
}
