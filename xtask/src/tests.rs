//! What does `cargo xtask test` do?

use std::process::{Command, ExitCode};

use xtask::Failure;
use xtask::mongod::{Deployment, Options, Program};

use crate::run;
use crate::source::{self, Consent};

/// What the tests are told of MongoDB.
#[derive(Default)]
struct Servers {
    /// Started here, and stopped when this is dropped.
    shared: Option<Deployment>,
    /// What tests start servers of their own with.
    program: Option<Program>,
    /// Which tests do not have what they need, why, and what can be done.
    missing: Option<String>,
}

/// Runs the tests of the workspace.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let servers = servers()?;
    if let Some(missing) = &servers.missing {
        say_skipped(missing);
    }

    let code = run_tests(args, &servers);

    if let Some(missing) = &servers.missing {
        say_skipped(missing);
    }
    code
}

fn servers() -> Result<Servers, Failure> {
    if run::has_mongodb_uri() {
        eprintln!("xtask: the tests use the MongoDB of MONGODB_URI");
        return with_program(None);
    }
    let program = match source::find(Consent::Given) {
        Ok(program) => program,
        Err(why) if run::is_ci() => return Err(none_may_be_skipped(&why, source::HOW_TO_GET_IT)),
        Err(why) => {
            let missing = Some(format!("the tests that need MongoDB ({why}). {}", source::HOW_TO_GET_IT));
            return Ok(Servers { missing, ..Servers::default() });
        }
    };
    let shared = Deployment::start(&program, &Options::default())?;
    eprintln!("xtask: the tests use {program} at {}", shared.uri());
    if program.is_file() {
        return Ok(Servers { shared: Some(shared), program: Some(program), missing: None });
    }
    with_program(Some(shared))
}

/// Adds a program for the tests that start servers of their own; only where nothing may be skipped it is fetched for them.
fn with_program(shared: Option<Deployment>) -> Result<Servers, Failure> {
    let found = if run::is_ci() { source::file(Consent::Given) } else { source::on_this_machine() };
    match found {
        Ok(program) => Ok(Servers { shared, program: Some(program), missing: None }),
        Err(why) if run::is_ci() => Err(none_may_be_skipped(&why, source::HOW_TO_GET_A_FILE)),
        Err(why) => {
            let missing = Some(format!("the tests that start a MongoDB of their own ({why}). {}", source::HOW_TO_GET_A_FILE));
            Ok(Servers { shared, program: None, missing })
        }
    }
}

fn none_may_be_skipped(why: &str, how: &str) -> Failure {
    Failure::unavailable(format!("no MongoDB, and with CI=true no test may be skipped: {why}. {how}"))
}

/// Runs the doc tests, which nextest leaves out, and then all others; with arguments, what they choose.
fn run_tests(args: &[String], servers: &Servers) -> Result<ExitCode, Failure> {
    let has_nextest = run::succeeds(run::command("cargo").args(["nextest", "--version"]));
    let mut tests = run::command("cargo");
    match (has_nextest, args.is_empty()) {
        (true, true) => tests.args(["nextest", "run", "--no-fail-fast"]),
        (true, false) => tests.args(["nextest", "run"]),
        (false, true) => tests.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]),
        (false, false) => tests.arg("test"),
    };
    if !chooses_packages(args) {
        tests.arg("--workspace");
    }
    let mut code = ExitCode::SUCCESS;
    if args.is_empty() {
        // The few doc tests come first: what the others came to then stands at the end.
        code = run::run(with_servers(run::command("cargo").args(["test", "--quiet", "--doc", "--workspace"]), servers))?;
    }
    let others = run::run(with_servers(tests.args(args), servers))?;
    Ok(if code == ExitCode::SUCCESS { others } else { code })
}

fn with_servers<'command>(command: &'command mut Command, servers: &Servers) -> &'command mut Command {
    if let Some(program) = &servers.program {
        program.hand_on(command);
    }
    command.envs(servers.shared.iter().map(|shared| ("MONGODB_URI", shared.uri())))
}

/// Whether the caller names packages; cargo would ignore them beside `--workspace`.
fn chooses_packages(args: &[String]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| {
        (arg.starts_with("-p") && !arg.starts_with("--"))
            || arg == "--package"
            || arg.starts_with("--package=")
            || arg == "--workspace"
    })
}

fn say_skipped(missing: &str) {
    eprintln!("xtask: SKIPPED: {missing}");
}

#[cfg(test)]
mod cases {
    use super::*;

    fn args(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn named_packages_replace_the_workspace() {
        for chosen in ["-p xtask", "-pxtask", "--package xtask a_name", "--package=xtask", "--workspace"] {
            assert!(chooses_packages(&args(chosen)), "{chosen}");
        }
        for not_chosen in ["", "a_name", "--profile ci", "-- -p"] {
            assert!(!chooses_packages(&args(not_chosen)), "{not_chosen}");
        }
    }
}
