//! How long does a program wait for its ledger: at its start over a million rows, from each commit to the start of a job, and for
//! positions?
//!
//! `cargo bench -p event-detector-ledger --bench start`

use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event_detector::{Change, Detector, Job, JobContext, Registry, State, Verdict};
use event_detector_ledger::{Options, Sqlite};
use event_detector_runtime::{Config, Intake, Ledger, Plugin, PluginResult, Runtime, Source, SourceEnd, SourceError, Sources};
use futures::stream::{FuturesUnordered, StreamExt};

const ROWS: u64 = 1_000_000;
/// As many as are in flight when the process is killed.
const UNFINISHED: u64 = 64;
const A_SECOND: u64 = 1_000;
const SECONDS: u64 = 10;
const UNWANTED: u64 = 5_000_000;

type Times = Arc<Mutex<Vec<Instant>>>;

/// When each change was handed over, was on disk, and had its job started, by its number.
#[derive(Clone, Default)]
struct Seen {
    submitted: Times,
    recorded: Times,
    started: Times,
}

fn note(times: &Times, change: &Change) {
    let number = change.key().as_i64().and_then(|number| usize::try_from(number).ok()).expect("every key is a number");
    times.lock().expect("nobody panics")[number] = Instant::now();
}

fn change(number: u64) -> Change {
    let text = format!(
        r#"{{"operation":"update","collection":"moves","key":{number},"id":"{number}","after":{{"id":{number},"status":"done","note":"{:300}"}}}}"#,
        ""
    );
    Change::from_json(text).expect("it is a change")
}

fn registry() -> Registry {
    let done = Detector::new("move.done", |change| change.after("status") == "done").with_jobs(|_| {
        vec![Job::new("notes", async |cx: JobContext| {
            note(&cx.state::<Seen>()?.started, cx.change());
            Ok::<_, anyhow::Error>(())
        })]
    });
    Registry::try_new([done]).expect("the name is good")
}

struct Watcher(Seen);

impl Plugin for Watcher {
    async fn detection(&self, change: &Change, _event: &str, _verdict: &Verdict) -> PluginResult {
        note(&self.0.recorded, change);
        Ok(())
    }
}

/// Hands over changes of these numbers, so many a second.
struct Steady {
    numbers: std::ops::Range<u64>,
    every: Duration,
    seen: Seen,
}

impl Source for Steady {
    fn name(&self) -> String {
        "steady".to_owned()
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        let start = tokio::time::Instant::now();
        let first = self.numbers.start;
        for number in self.numbers {
            tokio::time::sleep_until(start + self.every * u32::try_from(number - first)?).await;
            let change = change(number);
            note(&self.seen.submitted, &change);
            intake.submit_at(change, || number.to_le_bytes().into()).await?;
        }
        Ok(SourceEnd::Exhausted)
    }
}

fn runtime(ledger: Sqlite, seen: &Seen) -> Runtime {
    let mut state = State::default();
    state.insert(seen.clone());
    let builder =
        Runtime::builder(registry()).config(Config::default()).state(state).ledger(ledger).plugin(Watcher(seen.clone()));
    builder.build().expect("it is inside tokio")
}

/// A ledger with a million changes, as a killed process leaves it.
async fn fill(dir: &Path) {
    let ledger = Sqlite::open(dir, Options::default()).expect("the folder is new");
    let seen = Seen::default();
    for times in [&seen.submitted, &seen.recorded, &seen.started] {
        times.lock().expect("nobody panics").resize(usize::try_from(ROWS).expect("it fits"), Instant::now());
    }
    let start = Instant::now();
    let runtime = runtime(ledger.clone(), &seen);
    let mut handled = FuturesUnordered::new();
    for number in 0..ROWS - UNFINISHED {
        handled.push(runtime.handle(change(number)));
        if handled.len() >= 1_000 {
            handled.next().await;
        }
    }
    while handled.next().await.is_some() {}
    println!("filled with {ROWS} changes in {:.0} s", start.elapsed().as_secs_f64());
    // What is admitted and never settled is what a kill leaves.
    for number in ROWS - UNFINISHED..ROWS {
        let mut admitted = runtime.admit(change(number)).await;
        admitted.recorded().await.expect("there is space");
    }
    ledger.close().await.expect("there is space");
}

/// From the opening of the ledger until the job of a new change has started.
async fn start(dir: &Path) {
    let seen = Seen::default();
    for times in [&seen.submitted, &seen.recorded, &seen.started] {
        times.lock().expect("nobody panics").resize(usize::try_from(ROWS).expect("it fits") + 1, Instant::now());
    }
    let begun = Instant::now();
    let runtime = runtime(Sqlite::open(dir, Options::default()).expect("nobody else has it"), &seen);
    let opened = begun.elapsed();
    let mut sources = Sources::default();
    sources.add(Steady { numbers: ROWS..ROWS + 1, every: Duration::ZERO, seen: seen.clone() });
    let summary = runtime.run(sources, pending(), |_| ()).await;
    let new = seen.started.lock().expect("nobody panics")[usize::try_from(ROWS).expect("it fits")];
    println!(
        "start over {ROWS} changes, {} of them unfinished: opened after {:.1} ms, first new change's job started after {:.1} ms",
        summary.resumed,
        opened.as_secs_f64() * 1e3,
        (new - begun).as_secs_f64() * 1e3,
    );
}

/// From hand-over and from commit to the start of the job, at a steady rate.
async fn latency(dir: &Path) {
    let seen = Seen::default();
    let number = A_SECOND * SECONDS;
    for times in [&seen.submitted, &seen.recorded, &seen.started] {
        times.lock().expect("nobody panics").resize(usize::try_from(number).expect("it fits"), Instant::now());
    }
    let runtime = runtime(Sqlite::open(dir, Options::default()).expect("the folder is new"), &seen);
    let mut sources = Sources::default();
    let every = Duration::from_secs(1) / u32::try_from(A_SECOND).expect("it fits");
    sources.add(Steady { numbers: 0..number, every, seen: seen.clone() });
    runtime.run(sources, pending(), |_| ()).await;
    let started = seen.started.lock().expect("nobody panics");
    for (what, from) in [("commit", &seen.recorded), ("hand-over", &seen.submitted)] {
        let from = from.lock().expect("nobody panics");
        let mut waits: Vec<f64> =
            started.iter().zip(&*from).map(|(started, from)| (*started - *from).as_secs_f64() * 1e3).collect();
        waits.sort_by(f64::total_cmp);
        let at = |share: usize| waits[waits.len() * share / 1_000];
        println!("{what} to job start at {A_SECOND} matched changes/s: p50 {:.2} ms, p99 {:.2} ms", at(500), at(990));
    }
}

/// Hands over changes that nobody wants, and keeps the position behind each thousand, as a change stream does.
struct Unwanted;

impl Source for Unwanted {
    fn name(&self) -> String {
        "unwanted".to_owned()
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        for number in 0..UNWANTED {
            let text = format!(
                r#"{{"operation":"update","collection":"orders","key":{number},"id":"{number}","after":{{"id":{number}}}}}"#
            );
            intake.submit_at(Change::from_json(text)?, || number.to_le_bytes().into()).await?;
            if number % 1_000 == 999 {
                intake.keep(number.to_le_bytes().into());
            }
        }
        Ok(SourceEnd::Exhausted)
    }
}

/// How much of a drain goes into keeping positions.
async fn positions(dir: &Path) {
    let ledger = Sqlite::open(dir, Options::default()).expect("the folder is new");
    let runtime = runtime(ledger.clone(), &Seen::default());
    let mut sources = Sources::default();
    sources.add(Unwanted);
    let begun = Instant::now();
    runtime.run(sources, pending(), |_| ()).await;
    let (elapsed, stats) = (begun.elapsed(), ledger.stats());
    println!(
        "a drain of {UNWANTED} changes that nobody wants took {:.2} s, {} commits of positions {:.2} % of it",
        elapsed.as_secs_f64(),
        stats.commits,
        100.0 * stats.commit_time.as_secs_f64() / elapsed.as_secs_f64(),
    );
}

fn main() {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    tokio.block_on(async {
        positions(&dir.path().join("positions")).await;
        latency(&dir.path().join("latency")).await;
        let million = dir.path().join("million");
        fill(&million).await;
        start(&million).await;
    });
}
