//! Does the README say what is there?

use std::fs;

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
fn the_event_and_the_job_of_the_readme_are_those_of_the_reference_application() {
    let readme = text("README.md");
    let event = text("events/src/move_pickup.rs");
    let job = text("jobs/src/rerun_ar.rs");

    for line in [
        "#[event(\"move.pickup.successful\")]",
        "    fn detect(change: &Change) -> bool {",
        "&& change.column_changed(\"status\")",
    ] {
        assert!(readme.contains(line) && event.contains(line), "{line}");
    }
    for line in [
        "#[job(timeout = \"30s\", retries = 3)]",
        "pub async fn rerun_ar(cx: JobContext, move_id: Option<i64>) -> anyhow::Result<String> {",
    ] {
        assert!(readme.contains(line) && job.contains(line), "{line}");
    }
}
