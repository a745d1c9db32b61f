//! How do a runtime's sources and what its ledger holds run until they end or somebody says stop?

use std::collections::HashMap;
use std::future::Future;
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

/// So long after the ledger could not say what is due, it is asked again.
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);

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
            work.source_failed(&name, "it did not stop in time".to_owned());
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
        let mut stopped = stopping.clone();
        if let Some(ledger) = &self.inner.ledger {
            if let Some(name) = sources.name_of_two() {
                work.source_failed(
                    name,
                    "another source has this name, and the ledger keeps one position for each name".to_owned(),
                );
                return;
            }
            tokio::select! {
                biased;
                recovered = self.recover(ledger, work) => if let Err(error) = recovered {
                    work.source_failed(LEDGER, error.to_string());
                    return;
                },
                _ = stopped.wait_for(Option::is_some) => {}
            }
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
        let (end, ended) = watch::channel(false);
        let sources_end = async {
            while let Some(ended) = running.join_next_with_id().await {
                // A source's panic is caught inside its task, and nobody aborts it.
                let Ok((id, ended)) = ended else { continue };
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
            end.send_replace(true);
        };
        futures::join!(sources_end, self.take_up_until(stopping, ended, work));
        work.settle().await;
        // What has become due meanwhile is this run's too.
        while stopping.borrow().is_none()
            && let Some(ledger) = &self.inner.ledger
        {
            match self.take_up(ledger, work).await {
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

    /// Takes up jobs when their time has come, until the sources have ended or the run is to stop. What it has in hand when the sources
    /// end it takes up to the end; at a stop the ledger gives it to the next run.
    async fn take_up_until(
        &self,
        stopping: &watch::Receiver<Option<Instant>>,
        mut ended: watch::Receiver<bool>,
        work: &Arc<Work>,
    ) {
        let Some(ledger) = &self.inner.ledger else { return };
        let mut stopping = stopping.clone();
        let stopped = async { drop(stopping.wait_for(Option::is_some).await) };
        let taking_up = async {
            loop {
                tokio::select! {
                    biased;
                    _ = ended.wait_for(|ended| *ended) => return,
                    () = ledger.wait_for_due() => {}
                }
                if let Err(error) = self.take_up(ledger, work).await {
                    tracing::error!(%error, "jobs that are due cannot be taken up; it is tried again in {AFTER_AN_ERROR:?}");
                    tokio::select! {
                        _ = ended.wait_for(|ended| *ended) => return,
                        () = tokio::time::sleep(AFTER_AN_ERROR) => {}
                    }
                }
                if self.is_cancelled() {
                    return;
                }
            }
        };
        tokio::select! {
            () = stopped => {}
            () = taking_up => {}
        }
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
