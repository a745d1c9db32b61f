//! Does what is opened and closed in the owner's process take SQLite's locks from it?
#![cfg(target_os = "linux")]

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use event_detector_ledger::{Desk, Reader, check};

use crate::support::open;

/// The first of the bytes that SQLite locks to say that somebody uses the database (`SHARED_FIRST` of its file format).
const SHARED: &str = " 1073741826 ";

/// Whether this process holds the lock that keeps others from taking themselves for the last, who removes the log.
fn is_in_use(dir: &Path) -> bool {
    let (process, file) = (format!(" {} ", std::process::id()), std::fs::metadata(dir.join("ledger.db")).unwrap().ino());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|lock| lock.contains(&process) && lock.contains(&format!(":{file}{SHARED}")))
}

#[test]
fn whoever_looks_in_the_owners_process_takes_no_lock_from_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let before = Reader::open(dir.path()).unwrap();
    let _owner = open(dir.path());
    assert!(is_in_use(dir.path()));

    drop(Reader::open(dir.path()).unwrap());
    assert!(is_in_use(dir.path()), "a reader was closed");
    drop(Desk::open(dir.path()).unwrap());
    assert!(is_in_use(dir.path()), "a desk was closed");
    check(dir.path()).unwrap();
    assert!(is_in_use(dir.path()), "it was checked");
    drop(before);
    assert!(is_in_use(dir.path()), "the first reader was closed");
}
