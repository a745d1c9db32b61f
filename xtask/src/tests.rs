//! What does `cargo xtask test` do?

use std::env;
use std::process::{Command, ExitCode};

use crate::failure::Failure;
use crate::mongod::{self, Server};
use crate::run;

/// The MongoDB that the tests may use.
enum MongoDb {
    /// The caller has one; the variable is passed on as it is.
    Given,
    /// Started here, and stopped when this is dropped.
    Started(Server),
    /// There is none to be had; the text says why.
    Missing(String),
}

/// Runs the tests of the workspace.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let mongodb = mongodb()?;
    if let MongoDb::Missing(why) = &mongodb {
        if run::is_ci() {
            return Err(Failure::unavailable(format!(
                "no MongoDB, and with CI=true no test may be skipped: {why}. {}",
                mongod::HOW_TO_GET_IT
            )));
        }
        say_skipped(why);
    }

    let code = run_tests(args, &mongodb);

    if let MongoDb::Missing(why) = &mongodb {
        say_skipped(why);
    }
    code
}

fn mongodb() -> Result<MongoDb, Failure> {
    if env::var_os("MONGODB_URI").is_some_and(|uri| !uri.is_empty()) {
        eprintln!("xtask: the tests use the MongoDB of MONGODB_URI");
        return Ok(MongoDb::Given);
    }
    match mongod::find() {
        Err(why) => Ok(MongoDb::Missing(why)),
        Ok(program) => {
            let server = Server::start(&program)?;
            eprintln!("xtask: the tests use {} at {}", program.display(), server.uri());
            Ok(MongoDb::Started(server))
        }
    }
}

/// Runs the doc tests, which nextest leaves out, and then all others; with arguments, what they choose.
fn run_tests(args: &[String], mongodb: &MongoDb) -> Result<ExitCode, Failure> {
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
        code = run::run(with_uri(run::command("cargo").args(["test", "--quiet", "--doc", "--workspace"]), mongodb))?;
    }
    let others = run::run(with_uri(tests.args(args), mongodb))?;
    Ok(if code == ExitCode::SUCCESS { others } else { code })
}

fn with_uri<'command>(command: &'command mut Command, mongodb: &MongoDb) -> &'command mut Command {
    match mongodb {
        MongoDb::Started(server) => command.env("MONGODB_URI", server.uri()),
        MongoDb::Given | MongoDb::Missing(_) => command,
    }
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

fn say_skipped(why: &str) {
    eprintln!("xtask: SKIPPED: the tests that need MongoDB ({why}). {}", mongod::HOW_TO_GET_IT);
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
