//! What the tests have in common: a change, an event with jobs, and things that jobs share with their test.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use event_detector::{Change, Detector, Job, JobContext, Registry, State};
use event_detector_runtime::{Builder, Config, JobReport, JobStatus, Report, Runtime};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// A limit that a test waits for, where nothing has to happen before it.
pub(crate) const SOON: Duration = Duration::from_millis(40);
/// A limit before which a thread of a busy machine gets round to something.
pub(crate) const LATER: Duration = Duration::from_millis(400);

pub(crate) fn change() -> Change {
    numbered(13107)
}

/// An insert of the document `number`.
pub(crate) fn numbered(number: u64) -> Change {
    Change::insert("moves").after(json!({ "id": number, "status": "new" })).into()
}

/// An event that happens with every change.
pub(crate) fn event(name: &'static str, jobs: fn(&Change) -> Vec<Job>) -> Detector {
    Detector::new(name, |_| true).with_jobs(jobs)
}

pub(crate) fn builder(detectors: impl IntoIterator<Item = Detector>) -> Builder {
    Runtime::builder(Registry::try_new(detectors).unwrap())
}

/// A runtime with one event, whose jobs find `state`.
pub(crate) fn runtime<T: Send + Sync + 'static>(jobs: fn(&Change) -> Vec<Job>, config: Config, state: T) -> Runtime {
    builder([event("move.created", jobs)]).config(config).state(state_of(state)).build().unwrap()
}

pub(crate) fn state_of<T: Send + Sync + 'static>(value: T) -> State {
    let mut state = State::default();
    state.insert(value);
    state
}

/// What the jobs of one change with default limits come to.
pub(crate) async fn settle(jobs: fn(&Change) -> Vec<Job>) -> Vec<JobReport> {
    jobs_of(runtime(jobs, Config::default(), ()).handle(change()).await)
}

pub(crate) fn jobs_of(report: Report) -> Vec<JobReport> {
    report.events.into_iter().flat_map(|event| event.jobs).collect()
}

/// Names and statuses, in order.
pub(crate) fn statuses(jobs: &[JobReport]) -> Vec<(&str, JobStatus)> {
    jobs.iter().map(|job| (&*job.name, job.status)).collect()
}

pub(crate) fn error(job: &JobReport) -> &str {
    job.error.as_deref().unwrap_or_default()
}

/// A job that returns `value` at once.
pub(crate) fn gives(name: &'static str, value: impl Into<Value>) -> Job {
    let value = value.into();
    Job::new(name, async move |_cx| Ok::<_, anyhow::Error>(value))
}

/// A job that waits for ever, and can be cut.
pub(crate) fn hangs(name: &'static str) -> Job {
    Job::new(name, async |_cx: JobContext| {
        std::future::pending::<()>().await;
        Ok::<_, anyhow::Error>(())
    })
}

/// A job that blocks its thread until the [`Blocker`] in its state is released.
pub(crate) fn blocks(name: &'static str) -> Job {
    Job::new(name, async |cx: JobContext| {
        cx.state::<Blocker>()?.block();
        Ok::<_, anyhow::Error>("released")
    })
}

/// Blocks threads until its other end is dropped.
pub(crate) struct Blocker(Mutex<mpsc::Receiver<()>>);

impl Blocker {
    pub(crate) fn new() -> (mpsc::Sender<()>, Self) {
        let (release, blocked) = mpsc::channel();
        (release, Self(Mutex::new(blocked)))
    }

    pub(crate) fn block(&self) {
        let _released = self.0.lock().unwrap().recv();
    }
}

/// What jobs did, in the order in which they did it, and a place where they wait for the test and the test for them.
pub(crate) struct Meeting {
    log: Mutex<Vec<String>>,
    /// A permit for each arrival.
    pub(crate) arrived: Semaphore,
    /// A permit for each that may go on.
    pub(crate) released: Semaphore,
}

impl Meeting {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { log: Mutex::default(), arrived: Semaphore::new(0), released: Semaphore::new(0) })
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.log.lock().unwrap().push(text.into());
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Says that somebody came, and waits to be released.
    pub(crate) async fn wait(&self) {
        self.arrived.add_permits(1);
        self.released.acquire().await.unwrap().forget();
    }

    /// Waits until `count` came.
    pub(crate) async fn until_arrived(&self, count: u32) {
        self.arrived.acquire_many(count).await.unwrap().forget();
    }

    pub(crate) fn release(&self, count: usize) {
        self.released.add_permits(count);
    }
}

/// A job that waits at the [`Meeting`] in its state.
pub(crate) fn meets(name: &'static str) -> Job {
    Job::new(name, async |cx: JobContext| {
        let meeting = cx.state::<Arc<Meeting>>()?;
        meeting.note(format!("{} begins", cx.change().key()));
        meeting.wait().await;
        meeting.note(format!("{} ends", cx.change().key()));
        Ok::<_, anyhow::Error>(())
    })
}
