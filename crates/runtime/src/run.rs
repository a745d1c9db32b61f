//! How do a runtime's sources and what its ledger holds run until they end or somebody says stop?

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout};

use crate::guard::Guarded;
use crate::intake::Intake;
use crate::job_threads::lock;
use crate::plugin::Hook;
use crate::runtime::Runtime;
use crate::source::{NotTaken, Rejected, SourceEnd, Sources};
use crate::timer::after;
use crate::work::{Counts, Summary, Work};

/// The name under which the ledger's own failures are told.
const LEDGER: &str = "ledger";

impl Runtime {
    /// Takes the changes of all `sources` until they end or `stop` comes, and handles every change taken to its end.
    ///
    /// With a ledger, the work that a former process left goes on first, and jobs that wait there are taken up when their time has come;
    /// those whose time has not come when all sources have ended stay there for the next run. Without a source, this handles what is
    /// due, and ends.
    ///
    /// After `stop` no change is taken; those in flight have [`Config::drain`](crate::Config::drain) to settle, then what is left of
    /// them is cut, and this runtime starts no job any more. In the end the plugins are flushed and shut down, and the ledger is
    /// closed. `on_reject` is told of what is not a change. Dropping the future cuts the sources and the changes in flight.
    pub async fn run(
        &self,
        sources: Sources,
        stop: impl Future<Output = ()>,
        on_reject: impl Fn(&Rejected) + Send + Sync + 'static,
    ) -> Summary {
        let (stopper, stopping) = watch::channel(None);
        let tasks = Mutex::new(Some(JoinSet::new()));
        let work = Arc::new(Work { tasks, counts: Counts::default(), on_reject: Box::new(on_reject) });
        let names = Mutex::new(HashMap::new());
        let mut all = Box::pin(self.run_all(sources, &work, &names, &stopping));
        let stopped = tokio::select! {
            biased;
            () = &mut all => false,
            () = stop => true,
        };
        if stopped {
            work.counts.lock().in_flight_at_stop = self.admitted();
            stopper.send_replace(Some(after(Instant::now(), self.inner.config.drain)));
            self.drain(&mut all).await;
        }
        // What has not ended by now is cut.
        drop(all);
        drop(lock(&work.tasks).take());
        for name in lock(&names).drain().map(|(_, name)| name) {
            work.counts.lock().source_errors.push((name, "it did not stop in time".to_owned()));
        }
        let limit = self.inner.config.plugin_timeout;
        self.inner.plugins.tell(Hook::Flush, limit).await;
        self.inner.plugins.tell(Hook::Shutdown, limit).await;
        self.close_ledger(&work).await;
        std::mem::take(&mut *work.counts.lock())
    }

    /// Goes on with what was left, and runs the sources until all have ended and every change has settled.
    async fn run_all(
        &self,
        sources: Sources,
        work: &Arc<Work>,
        names: &Mutex<HashMap<Id, String>>,
        stopping: &watch::Receiver<Option<Instant>>,
    ) {
        if let Some(ledger) = &self.inner.ledger
            && let Err(error) = self.recover(ledger, work).await
        {
            work.source_failed(LEDGER, error.to_string());
            return;
        }
        let mut running = JoinSet::new();
        for (name, start) in sources.sources {
            let intake = Intake {
                runtime: self.clone(),
                source: name.as_str().into(),
                stopping: stopping.clone(),
                work: Arc::clone(work),
                broken: Arc::default(),
            };
            let task = running.spawn(Guarded::run(move || start(intake)));
            lock(names).insert(task.id(), name);
        }
        let mut taking_up = pin!(self.take_up_until(stopping.clone(), work));
        loop {
            let ended = tokio::select! {
                biased;
                ended = running.join_next_with_id() => ended,
                () = &mut taking_up => continue,
            };
            // A source's panic is caught inside its task, and nobody aborts it.
            let Some(Ok((id, ended))) = ended else {
                if ended.is_none() {
                    break;
                }
                continue;
            };
            let name = lock(names).remove(&id).unwrap_or_default();
            match ended {
                Ok(Ok(SourceEnd::Exhausted)) => {}
                Ok(Ok(SourceEnd::Stopped { left })) => work.counts.lock().left.push((name, left)),
                Ok(Err(error)) if matches!(error.downcast_ref(), Some(NotTaken::Stopping)) => {
                    work.counts.lock().left.push((name, "what it had not yet handed over".to_owned()));
                }
                Ok(Err(error)) => work.source_failed(&name, error.to_string()),
                Err(panic) => work.source_failed(&name, format!("it {panic}")),
            }
        }
        work.settle().await;
        // What has become due meanwhile is this run's too.
        while stopping.borrow().is_none()
            && let Some(ledger) = &self.inner.ledger
        {
            match self.take_up_once(ledger, work).await {
                Ok(0) => break,
                Ok(_) => work.settle().await,
                Err(error) => {
                    work.source_failed(LEDGER, error.to_string());
                    break;
                }
            }
        }
        // Nothing is taken any more.
        lock(&work.tasks).take();
    }

    /// Takes up jobs whose time has come until the stop, and then waits forever.
    async fn take_up_until(&self, mut stopping: watch::Receiver<Option<Instant>>, work: &Arc<Work>) {
        if let Some(ledger) = &self.inner.ledger {
            tokio::select! {
                _ = stopping.wait_for(Option::is_some) => {}
                () = self.take_up(ledger, work) => {}
            }
        }
        std::future::pending().await
    }

    /// Waits until what happened is on disk, at most as long as a hook may take.
    async fn close_ledger(&self, work: &Work) {
        let Some(ledger) = &self.inner.ledger else { return };
        let error = match timeout(self.inner.config.plugin_timeout, ledger.close()).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_late) => "it did not close in time; what was not written by then is taken up by the next run".to_owned(),
        };
        work.source_failed(LEDGER, error);
    }

    /// Waits for `all`, cuts the jobs that have not settled by the end of the drain, and gives a cut one moment more to be reported.
    async fn drain(&self, all: &mut (impl Future<Output = ()> + Unpin)) {
        const MOMENT: Duration = Duration::from_secs(1);
        if timeout(self.inner.config.drain, &mut *all).await.is_err() {
            self.cancel();
            if timeout(MOMENT, all).await.is_err() {
                tracing::error!(changes = self.admitted(), "a source, detector or plugin did not end; it is left behind");
            }
        }
    }
}
