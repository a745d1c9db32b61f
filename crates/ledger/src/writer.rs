//! When is what written?
//!
//! One thread owns the connection. It takes everything that was asked for into one transaction, as much as fits, and answers when that
//! is on disk. It never waits for more.

mod chores;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use event_detector_runtime::{LedgerError, crash_point, spoiled};

use crate::fault::Fault;
use crate::lock::Owner;
use crate::mark::Mark;
use crate::queue::{Queue, Request, WhenFull, Work};
use crate::sqlite::Options;
use crate::stats::Counters;
use crate::store::Store;

use chores::Chores;

/// So much is written in one transaction, so that the first does not wait long for the last.
const GROUP: usize = 500;
/// So long a transaction takes in more.
const GROUP_TIME: Duration = Duration::from_millis(5);
/// So long after a full disk was met, it is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// So long a position that nothing came behind waits for something, once the writer has seen it; with the time until it wakes up, a
/// second.
const KEEP: Duration = Duration::from_millis(750);
/// So often an idle writer looks whether another process wrote.
const POLL: Duration = Duration::from_millis(250);

/// The thread that writes.
pub(crate) struct Writer {
    pub(crate) store: Store,
    mark: Mark,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    /// What was taken from the queue and is not done.
    backlog: VecDeque<Request>,
    /// Positions that are in no transaction yet, each later than what was done of its source; and since when the first waits.
    kept: Vec<(String, Vec<u8>)>,
    kept_since: Option<Instant>,
    /// Sources of which a change with its position could not be recorded: a later position would cover it, so none is taken.
    broken: HashMap<String, LedgerError>,
    /// So many of the next are done each in a transaction of its own, since a transaction of them all failed.
    singly: usize,
    /// While the disk is full, when it is tried again.
    full_until: Option<Instant>,
    chores: Chores,
    owner: Owner,
}

/// What became of an attempt to write.
enum Went {
    Well,
    /// There is no space.
    Full,
}

impl Writer {
    pub(crate) fn new(store: Store, mark: Mark, owner: Owner, options: &Options, shared: (Arc<Queue>, Arc<Counters>)) -> Self {
        let (queue, counters) = shared;
        counters.set(store.counts());
        Self {
            store,
            mark,
            queue,
            counters,
            backlog: VecDeque::new(),
            kept: Vec::new(),
            kept_since: None,
            broken: HashMap::new(),
            singly: 0,
            full_until: None,
            chores: Chores::new(options),
            owner,
        }
    }

    /// Writes until the ledger is closed, or dropped and everything is done.
    pub(crate) fn run(mut self) {
        loop {
            let patience = self.patience();
            let is_ending = self.queue.take(&mut self.backlog, patience);
            self.counters.backlog.store(self.backlog.len() as u64, Relaxed);
            if self.full_until.is_some_and(|until| Instant::now() < until) && !is_ending {
                self.triage();
            } else {
                let went = self.write(is_ending);
                if is_ending && self.is_over(&went) {
                    break self.end(went);
                }
            }
            self.chores();
        }
    }

    /// How long the writer may sleep.
    fn patience(&self) -> Duration {
        let now = Instant::now();
        if let Some(until) = self.full_until {
            return until.saturating_duration_since(now);
        }
        if !self.backlog.is_empty() || self.chores.is_at_it() {
            return Duration::ZERO;
        }
        let kept = self.kept_since.map_or(POLL, |since| (since + KEEP).saturating_duration_since(now));
        POLL.min(kept).min(self.chores.until_due())
    }

    /// Whether nothing is left to do, or nothing can be done.
    fn is_over(&self, went: &Went) -> bool {
        let is_work = |request: &Request| matches!(request, Request::Work(_) | Request::Keep { .. });
        matches!(went, Went::Full) || (self.kept.is_empty() && !self.backlog.iter().any(is_work))
    }

    /// Gives the ledger up, and tells whoever closes it.
    fn end(self, went: Went) {
        let Self { mut store, mut mark, owner, backlog, .. } = self;
        match store.transact(Store::give_back) {
            Ok(()) => mark.write(store.promised()),
            Err(fault) => {
                let error = fault.into_error();
                tracing::debug!(%error, "jobs that did not begin could not be given back; the next start takes them back");
            }
        }
        let mut closing = Vec::new();
        for request in backlog {
            match request {
                Request::Work(work) => work.refuse(LedgerError::Full),
                Request::Close(reply) => closing.push(reply),
                Request::Keep { .. } | Request::WaitForDue(_) => {}
            }
        }
        // Whoever reads is not waited for: the next start finds the log.
        if let Err(error) = store.connection().busy_timeout(Duration::ZERO) {
            tracing::debug!(%error, "the ledger is closed with patience");
        }
        chores::checkpoint(&store, "TRUNCATE");
        mark.sync();
        drop((store, mark, owner));
        for reply in closing {
            let _nobody_waits = reply.send(if matches!(went, Went::Full) { Err(LedgerError::Full) } else { Ok(()) });
        }
    }

    /// Writes one group of what waits, or the positions that waited for long.
    fn write(&mut self, is_ending: bool) -> Went {
        self.take_in();
        let is_kept_due = self.kept_since.is_some_and(|since| is_ending || since.elapsed() >= KEEP);
        let has_work = self.backlog.iter().any(|request| matches!(request, Request::Work(_)));
        if !has_work && !is_kept_due {
            return Went::Well;
        }
        if self.full_until.is_some() {
            // What is moved into the database makes room in the log.
            chores::checkpoint(&self.store, "PASSIVE");
        }
        let begun = Instant::now();
        let mut group = Vec::new();
        match self.transact(&mut group) {
            Ok(()) => {
                self.counters.committed(begun.elapsed());
                self.counters.backlog.store(self.backlog.len() as u64, Relaxed);
                self.counters.set(self.store.counts());
                self.forget_kept();
                self.singly = self.singly.saturating_sub(group.len());
                // First, so that whoever is answered sees it.
                self.note_space();
                group.into_iter().for_each(answer);
                Went::Well
            }
            Err(fault) => self.fail(fault, group),
        }
    }

    /// Takes what needs no transaction of its own from the front of the backlog.
    fn take_in(&mut self) {
        loop {
            match self.backlog.pop_front() {
                Some(Request::Keep { source, position }) => self.keep(source, position),
                Some(Request::WaitForDue(reply)) => self.chores.wait_for_due(reply),
                Some(request) => {
                    self.backlog.push_front(request);
                    return;
                }
                None => return,
            }
        }
    }

    fn keep(&mut self, source: String, position: Vec<u8>) {
        if self.broken.contains_key(&source) {
            return;
        }
        self.kept_since.get_or_insert_with(Instant::now);
        match self.kept.iter_mut().find(|(name, _)| *name == source) {
            Some((_, kept)) => *kept = position,
            None => self.kept.push((source, position)),
        }
    }

    /// Does what waits in one transaction, as much as fits, and moves it to `group`.
    fn transact(&mut self, group: &mut Vec<Request>) -> Result<(), Fault> {
        if spoiled("position-with-rows") {
            self.spoil_positions()?;
        }
        let begun = Instant::now();
        if self.store.begin()? {
            self.chores.somebody_wrote();
        }
        for (source, position) in &self.kept {
            self.store.keep(source, position)?;
        }
        let most = if self.singly > 0 { 1 } else { GROUP };
        while group.len() < most {
            if self.backlog.is_empty() {
                self.queue.take(&mut self.backlog, Duration::ZERO);
            }
            match self.backlog.pop_front() {
                Some(Request::Work(work)) if self.refusal(work.position()).is_some() => self.refuse(work),
                Some(Request::Work(mut work)) => {
                    let attempted = work.attempt(&mut self.store);
                    group.push(Request::Work(work));
                    attempted?;
                }
                Some(Request::Keep { source, .. }) if self.broken.contains_key(&source) => {}
                Some(Request::Keep { source, position }) => {
                    let kept = self.store.keep(&source, &position);
                    group.push(Request::Keep { source, position });
                    kept?;
                }
                Some(Request::WaitForDue(reply)) => self.chores.wait_for_due(reply),
                Some(close) => {
                    self.backlog.push_front(close);
                    break;
                }
                None => break,
            }
            if begun.elapsed() >= GROUP_TIME {
                break;
            }
        }
        if spoiled("commit-before-receipt") {
            group.drain(..).for_each(answer);
        }
        self.store.commit()?;
        self.mark.write(self.store.promised());
        crash_point("after_ledger_commit");
        Ok(())
    }

    /// Breaks a promise, for the torture to notice: positions are on disk before the rows that they cover.
    fn spoil_positions(&mut self) -> Result<(), Fault> {
        let positions = self.backlog.iter().filter_map(|request| match request {
            Request::Work(work) => work.position(),
            _ => None,
        });
        let positions: Vec<_> = positions.collect();
        if positions.is_empty() {
            return Ok(());
        }
        self.store.transact(|store| positions.iter().try_for_each(|(source, position)| store.keep(source, position)))
    }

    /// Takes a group back that could not be written, and sees to what becomes of it.
    fn fail(&mut self, fault: Fault, mut group: Vec<Request>) -> Went {
        self.store.roll_back();
        self.counters.set(self.store.counts());
        match fault {
            Fault::Full(why) => {
                self.give_back(group);
                self.note_no_space(&why);
                self.triage();
                Went::Full
            }
            Fault::Busy => {
                tracing::warn!("another process has been writing to the ledger for some seconds; what waits here is tried again");
                self.give_back(group);
                Went::Well
            }
            // The one that failed is found by trying each alone.
            _ if group.len() > 1 => {
                self.singly = group.len();
                self.give_back(group);
                Went::Well
            }
            fault => {
                let error = fault.into_error();
                tracing::error!(%error, "something could not be written to the ledger");
                self.singly = self.singly.saturating_sub(1);
                // With nothing in its group, it failed at the positions that waited, or before anything was done.
                let failed = match group.pop() {
                    None if self.kept.is_empty() => self.backlog.pop_front(),
                    None => {
                        self.forget_kept();
                        None
                    }
                    alone => alone,
                };
                match failed {
                    Some(Request::Work(work)) => {
                        if let Some((source, _)) = work.position() {
                            self.broken.insert(source.to_owned(), error.clone());
                        }
                        work.refuse(error);
                    }
                    Some(Request::Close(reply)) => {
                        let _nobody_waits = reply.send(Err(error));
                    }
                    // A later position takes its place.
                    Some(Request::Keep { .. } | Request::WaitForDue(_)) | None => {}
                }
                Went::Well
            }
        }
    }

    /// Why nothing more is taken of the source whose position this is.
    fn refusal(&self, position: Option<(&str, &[u8])>) -> Option<&LedgerError> {
        self.broken.get(position?.0)
    }

    fn refuse(&self, work: Box<dyn Work>) {
        if let Some(error) = self.refusal(work.position()).cloned() {
            work.refuse(error);
        }
    }

    fn forget_kept(&mut self) {
        self.kept.clear();
        self.kept_since = None;
    }

    fn give_back(&mut self, group: Vec<Request>) {
        for request in group.into_iter().rev() {
            self.backlog.push_front(request);
        }
    }

    /// While the disk is full: refuses what does not wait, and answers what only reads.
    fn triage(&mut self) {
        for request in std::mem::take(&mut self.backlog) {
            let Request::Work(mut work) = request else {
                match request {
                    Request::WaitForDue(reply) => self.chores.wait_for_due(reply),
                    Request::Keep { source, position } => self.put_back(source, position),
                    close => self.backlog.push_back(close),
                }
                continue;
            };
            match work.when_full() {
                WhenFull::Wait => self.backlog.push_back(Request::Work(work)),
                WhenFull::Refuse => work.refuse(LedgerError::Full),
                WhenFull::Read => match work.attempt(&mut self.store) {
                    Ok(()) => work.answer(),
                    Err(fault) => work.refuse(fault.into_error()),
                },
            }
        }
    }

    /// Puts a position back, in the place of an earlier one of the source that nothing came behind.
    fn put_back(&mut self, source: String, position: Vec<u8>) {
        for request in self.backlog.iter_mut().rev() {
            match request {
                Request::Keep { source: earlier, position: kept } if *earlier == source => {
                    *kept = position;
                    return;
                }
                Request::Keep { .. } => {}
                _ => break,
            }
        }
        self.backlog.push_back(Request::Keep { source, position });
    }

    fn note_no_space(&mut self, why: &str) {
        if self.full_until.is_none() {
            tracing::error!(why, "the ledger's disk is full or does not write; what waits is tried again until it does");
        }
        self.full_until = Some(Instant::now() + RETRY);
        self.counters.full.store(1, Relaxed);
    }

    fn note_space(&mut self) {
        if self.full_until.take().is_some() {
            tracing::warn!("the ledger's disk writes again");
            self.counters.full.store(0, Relaxed);
        }
    }
}

fn answer(request: Request) {
    if let Request::Work(work) = request {
        work.answer();
    }
}
