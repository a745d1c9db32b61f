//! The threads of a runtime end with it.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use event_detector_runtime::Config;

use crate::support::{Blocker, LATER, blocks, change, gives, runtime};

/// The threads of this process that belong to a runtime; `None` where the system does not list them.
fn job_threads() -> Option<usize> {
    let tasks = Path::new("/proc/self/task").read_dir().ok()?;
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    Some(names.filter(|name| name.starts_with("detector-job")).count())
}

fn wait_for_threads(wanted: usize) {
    let start = Instant::now();
    while job_threads() != Some(wanted) {
        assert!(start.elapsed() < Duration::from_secs(5), "{:?} threads instead of {wanted}", job_threads());
        thread::yield_now();
    }
}

/// The test itself, in a process in which no other test has threads.
const ALONE: &str = "EVENT_DETECTOR_TEST_ALONE";

#[test]
fn dropping_a_runtime_ends_its_threads_and_a_blocked_one_ends_when_its_job_returns() {
    if job_threads().is_none() {
        eprintln!("skipped: /proc/self/task does not list the threads here");
        return;
    }
    if std::env::var_os(ALONE).is_none() {
        let name = "threads::dropping_a_runtime_ends_its_threads_and_a_blocked_one_ends_when_its_job_returns";
        let alone = Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(ALONE, "1").output().unwrap();
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
        return;
    }
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (release, blocker) = Blocker::new();
    let blocked = tokio.block_on(async {
        let runtime = runtime(|_| vec![gives("one", 1), blocks("blocks").timeout(LATER)], Config::default(), blocker);
        let blocked = runtime.handle(change()).await;
        assert!(job_threads() > Some(2));
        blocked
    });
    assert_eq!(blocked.jobs().filter(|job| job.completed()).count(), 1);

    wait_for_threads(1);
    drop(release);
    wait_for_threads(0);
}
