//! Does the README say what is there?

use std::fs;

use event_detector_runtime::Config;

use crate::files::root;

/// The text of a file of the repository.
fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_first_program_of_the_readme_is_the_quickstart_that_the_tests_run() {
    let readme = text("README.md");
    let (_, block) = readme.split_once("```rust\n").expect("the README shows a program");
    let (program, _) = block.split_once("```").unwrap();

    assert_eq!(program, text("examples/quickstart.rs"));
}

#[test]
fn the_event_and_the_job_of_the_readme_stand_in_the_reference_application() {
    let readme = text("README.md");
    let blocks: Vec<&str> = readme.split("```rust,ignore\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let block = |start: &str| *blocks.iter().find(|block| block.contains(start)).expect(start);

    assert!(text("events/src/move_pickup.rs").contains(block("#[event(")));
    let (signature, _) = block("#[job(").split_once(" { … }").unwrap();
    assert!(text("jobs/src/rerun_ar.rs").contains(signature.split_once("again.\n").unwrap().1), "{signature}");
}

#[test]
fn the_defaults_of_the_readme_are_those_of_the_runtime() {
    let readme = text("README.md");
    let row = |name: &str| readme.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap_or_default().to_owned();
    let default = Config::default();

    assert!(row("job_timeout").ends_with(&format!("| {} s |", default.job_timeout.as_secs())));
    assert!(row("job_retries").ends_with(&format!("| {} |", default.job_retries)));
    assert!(row("job_retries").contains(&format!(
        "from {} ms to {} s",
        default.backoff_base.as_millis(),
        default.backoff_cap.as_secs()
    )));
    assert!(row("in_flight").ends_with(&format!("| {} |", default.in_flight)));
    assert!(row("change_deadline").ends_with("| none |") && default.change_deadline.is_none());
    assert!(row("drain").ends_with(&format!("| {} s |", default.drain.as_secs())));
}
