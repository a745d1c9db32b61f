//! What does `cargo xtask fuzz` do?

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::Failure;

use crate::run;

const PACKAGE: &str = "event-detector-fuzz";

/// Where everything is built and kept that nobody commits.
const FOLDER: &str = "target/fuzz";

/// What a run starts from.
const CORPORA: [&str; 2] = ["tests/fuzz/corpus", "tests/payloads"];

/// Long enough that every key and every form fits several times.
const LONGEST_INPUT: u32 = 4096;

const SECONDS: u32 = 120;

/// The same each time, so that a run can be repeated; what comes of another seed is for somebody who looks for it.
const SEED: u32 = 1;

/// What a reader can do about a missing compiler.
const HOW_TO_GET_IT: &str = "Install one (Debian: apt-get install g++; macOS: xcode-select --install), or name it in CXX";

/// What libFuzzer needs to see which bytes lead where. The stable compiler has it without a sanitizer, whose checks of memory
/// would find nothing in code without `unsafe`.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// To look for new inputs, with the choices that follow from a seed.
    Search { seconds: u32, seed: u32 },
    /// To try these inputs once.
    Try(Vec<String>),
}

/// Builds the fuzzer and runs it over the kept corpus, or over the files that `args` name.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let asked = asked(args)?;
    if let Err(why) = find_compiler() {
        if run::is_ci() {
            return Err(Failure::unavailable(format!("{why}, and with CI=true nothing may be skipped. {HOW_TO_GET_IT}")));
        }
        eprintln!("xtask: SKIPPED: the fuzzer ({why}). {HOW_TO_GET_IT}");
        return Ok(ExitCode::SUCCESS);
    }
    let program = build()?;
    match asked {
        Asked::Try(files) => run::run(run::command(&program).args(absolute(&files)?)),
        Asked::Search { seconds, seed } => search(&program, seconds, seed),
    }
}

fn asked(args: &[String]) -> Result<Asked, Failure> {
    if !args.is_empty() && args.iter().all(|arg| !arg.starts_with('-')) {
        return Ok(Asked::Try(args.to_vec()));
    }
    let (mut seconds, mut seed) = (SECONDS, SEED);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (option, text) = match arg.split_once('=') {
            Some((option, text)) => (option, Some(text)),
            None => (arg.as_str(), rest.next().map(String::as_str)),
        };
        match (option, text.and_then(|text| text.parse().ok())) {
            // Of libFuzzer, 0 would ask to run for ever.
            ("--seconds", Some(number @ 1..)) => seconds = number,
            ("--seconds", _) => return Err(Failure::usage("`--seconds` takes a whole number from 1")),
            ("--seed", Some(number)) => seed = number,
            ("--seed", None) => return Err(Failure::usage("`--seed` takes a whole number; 0 makes other choices each time")),
            _ => return Err(Failure::usage("`fuzz` takes `--seconds N` and `--seed N`, or the files to try")),
        }
    }
    Ok(Asked::Search { seconds, seed })
}

/// libFuzzer comes as source in C++; what compiles it is what the crate `cc` takes.
fn find_compiler() -> Result<(), String> {
    if cfg!(not(unix)) {
        return Err("the fuzzer is built on Unix only".to_owned());
    }
    let name = env::var("CXX").ok().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "c++".to_owned());
    let program = name.split_whitespace().next().unwrap_or_default();
    if run::succeeds(run::command(program).arg("--version")) {
        Ok(())
    } else {
        Err(format!("libFuzzer is C++, and there is no compiler `{program}`"))
    }
}

/// Builds the fuzzer and says where it is.
fn build() -> Result<String, Failure> {
    let host = host()?;
    let mut cargo = run::command("cargo");
    // With a target named, what is built for this machine to run (macros, build scripts) goes without the coverage.
    cargo.args(["build", "--release", "-p", PACKAGE, "--features", "libfuzzer", "--bin", PACKAGE]);
    cargo.args(["--target", &host, "--target-dir", FOLDER]);
    cargo.env("RUSTFLAGS", COVERAGE.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true").env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only").env("CARGO_PROFILE_RELEASE_LTO", "off");
    if run::run(&mut cargo)? != ExitCode::SUCCESS {
        return Err(Failure::failed("the fuzzer cannot be built"));
    }
    // The program is started in the root of the workspace, yet looked for from wherever the caller is.
    let program = run::root().join(FOLDER).join(host).join("release").join(PACKAGE);
    program.into_os_string().into_string().map_err(|path| Failure::failed(format!("{path:?} is no text")))
}

/// The triple of the machine that this runs on.
fn host() -> Result<String, Failure> {
    let output = run::command("rustc").arg("-vV").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::failed("`rustc -vV` does not tell its host"))
}

fn search(program: &str, seconds: u32, seed: u32) -> Result<ExitCode, Failure> {
    let (found, crashes) = (format!("{FOLDER}/found"), format!("{FOLDER}/crashes"));
    for folder in [&found, &crashes] {
        fs::create_dir_all(run::root().join(folder))
            .map_err(|error| Failure::failed(format!("cannot make the folder {folder}: {error}")))?;
    }
    let known = files(&crashes);
    let mut fuzzer = run::command(program);
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={LONGEST_INPUT}"));
    fuzzer.arg(format!("-seed={seed}"));
    fuzzer.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", "-dict=tests/fuzz/json.dict"]);
    // The first folder is the one that new inputs are written to.
    fuzzer.arg(format!("-artifact_prefix={crashes}/")).arg(&found).args(CORPORA);
    let code = run::run(&mut fuzzer)?;
    let new: Vec<String> = files(&crashes).difference(&known).map(|name| format!("{crashes}/{name}")).collect();
    if code == ExitCode::SUCCESS && new.is_empty() {
        let count = files(&found).len();
        eprintln!("xtask: everything held for {seconds} s with seed {seed}; {count} inputs of its own are in {found}");
        return Ok(code);
    }
    Err(Failure::failed(broken(&new)))
}

/// Says which inputs break something, how to see it again, and where they go in the end.
fn broken(new: &[String]) -> String {
    match new {
        [] => "the fuzzer ended with an error before it could keep an input; its last lines say why".to_owned(),
        new => format!(
            "something does not hold for {0}; see it again with `cargo xtask fuzz {0}`, and once it is mended, keep the input: \
             `mv {0} {1}/`",
            new.join(" "),
            CORPORA[0]
        ),
    }
}

/// The names of the files in a folder of the workspace.
fn files(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(run::root().join(folder)).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The files as the caller means them, or as they are named from the root of the workspace.
fn absolute(files: &[String]) -> Result<Vec<OsString>, Failure> {
    let place = |file: &String| {
        let places = [PathBuf::from(file), run::root().join(file)];
        let found = places.iter().find_map(|path| fs::canonicalize(path).ok()).filter(|path| Path::is_file(path));
        found.map(PathBuf::into_os_string).ok_or_else(|| Failure::usage(format!("there is no file `{file}`")))
    };
    files.iter().map(place).collect()
}

#[cfg(test)]
mod cases {
    use super::*;

    fn asked_by(words: &str) -> Result<Asked, String> {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        asked(&args).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_command_line_asks_for_a_search_or_for_files() {
        assert_eq!(asked_by(""), Ok(Asked::Search { seconds: 120, seed: 1 }));
        assert_eq!(asked_by("--seconds 5"), Ok(Asked::Search { seconds: 5, seed: 1 }));
        assert_eq!(asked_by("--seconds=5"), Ok(Asked::Search { seconds: 5, seed: 1 }));
        assert_eq!(asked_by("--seed 0 --seconds 5"), Ok(Asked::Search { seconds: 5, seed: 0 }));
        assert_eq!(asked_by("--seed=7"), Ok(Asked::Search { seconds: 120, seed: 7 }));
        assert_eq!(asked_by("a b"), Ok(Asked::Try(vec!["a".to_owned(), "b".to_owned()])));
        for wrong in ["--seconds", "--seconds 0", "--seconds=x", "--seconds -1", "--runs 5", "a --seconds 5", "--seconds 5 a"] {
            assert!(asked_by(wrong).is_err_and(|message| message.contains("--seconds")), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let failure = absolute(&["nowhere/crash-1".to_owned()]).unwrap_err();

        assert_eq!(failure.to_string(), "there is no file `nowhere/crash-1`");
        assert!(absolute(&["tests/fuzz/Cargo.toml".to_owned()]).is_ok());
    }

    #[test]
    fn what_breaks_is_named_with_the_way_to_see_it_again() {
        let message = broken(&["target/fuzz/crashes/crash-1".to_owned()]);

        assert!(message.contains("`cargo xtask fuzz target/fuzz/crashes/crash-1`"), "{message}");
        assert!(broken(&[]).contains("before it could keep an input"));
    }

    #[test]
    fn the_corpora_and_the_dictionary_are_there() {
        for folder in CORPORA {
            assert!(files(folder).len() > 10, "{folder}");
        }
        assert!(files("tests/fuzz").contains("json.dict"));
    }
}
