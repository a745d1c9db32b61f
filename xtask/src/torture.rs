//! What does `cargo xtask torture` do?

use std::process::ExitCode;

use xtask::Failure;

use crate::run;
use crate::source::{self, Consent};

/// What kills, and compares.
const HARNESS: &str = "event-detector-torture";

/// What is killed. Only with its feature there is a program.
const PROGRAM: [&str; 4] = ["-p", "event-detector-torture-program", "--features", "torture"];

/// Builds the program under torture and what tortures it, and hands `args` to that.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    if cfg!(not(unix)) {
        return Err(Failure::unavailable("a program is killed and told to stop on Unix only"));
    }
    if run::run(run::command("cargo").args(["build", "--quiet"]).args(PROGRAM))? != ExitCode::SUCCESS {
        return Err(Failure::failed("the program under torture cannot be built"));
    }
    let mut harness = run::command("cargo");
    harness.args(["run", "--quiet", "-p", HARNESS, "--"]).args(args);
    if !run::has_mongodb_uri() {
        match source::file(Consent::Given) {
            Ok(program) => program.hand_on(&mut harness),
            Err(why) if run::is_ci() => {
                let why = format!("no MongoDB, and with CI=true nothing may be skipped: {why}. {}", source::HOW_TO_GET_A_FILE);
                return Err(Failure::unavailable(why));
            }
            // It says itself what it skips then.
            Err(_) => {}
        }
    }
    run::run(&mut harness)
}
