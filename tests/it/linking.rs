//! Which events does a program know, and what is it told about those that it forgot?
//!
//! The programs stand in `tests/linking`; a listed crate that is never named must not compile, so they are built here.

use std::env;
use std::process::{Command, Output};

use crate::files::root;

/// Runs cargo on the workspace. The build that made this test has ended, so that its folder is free.
pub(crate) fn cargo(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(args).args(["--quiet", "--offline"]).current_dir(root());
    // What cargo tells a test about itself would make build scripts run again that watch it.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command.output().expect("cargo runs the tests, so it is there")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).replace('\r', "")
}

/// Builds the program of two crates without the lines that the features take away; it must be refused.
fn refused(features: &str) -> String {
    let output = cargo(&["build", "--package", "linking-two-crates", "--features", features]);

    let stderr = stderr(&output);
    assert!(!output.status.success(), "a forgotten crate compiled: {stderr}");
    assert!(stderr.contains("unused_crate_dependencies"), "{stderr}");
    stderr
}

#[test]
fn a_program_that_names_two_crates_has_the_events_of_both_and_their_shared_job_once() {
    let output = cargo(&["run", "--package", "linking-two-crates"]);

    assert_eq!(stdout(&output), "event linking.invoice.paid\nevent linking.order.placed\njob charge\n", "{}", stderr(&output));
    assert!(output.status.success());
}

#[test]
fn one_of_two_crates_forgotten_does_not_compile() {
    let stderr = refused("forget-billing");

    assert!(stderr.contains("`billing_events`"), "{stderr}");
    assert!(!stderr.contains("`orders_events`"), "{stderr}");
}

#[test]
fn both_crates_forgotten_do_not_compile() {
    let stderr = refused("forget-billing,forget-orders");

    assert!(stderr.contains("`billing_events`") && stderr.contains("`orders_events`"), "{stderr}");
}

#[test]
fn a_name_declared_twice_stops_the_program_and_both_places_are_named() {
    let output = cargo(&["run", "--package", "linking-same-name-twice"]);

    let stderr = stderr(&output).replace('\\', "/");
    assert!(!output.status.success(), "{stderr}");
    assert!(stderr.contains("`linking.order.placed` is declared twice"), "{stderr}");
    assert!(stderr.contains("tests/linking/orders-events/src/lib.rs:6"), "{stderr}");
    assert!(stderr.contains("tests/linking/copied-events/src/lib.rs:6"), "{stderr}");
}
