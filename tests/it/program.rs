//! Does the program `detector` do what its help says? Here it is started as people start it; the tests stand in the modules.

mod backtest;
mod catalogue;
mod demo;
mod deploy;
mod detect;
mod ledger;
mod listen;
mod load;
mod new;
mod record;
mod run;
mod settings;
mod stop;
#[cfg(unix)]
mod watch;
mod why;

use std::ffi::OsStr;
#[cfg(unix)]
use std::io::BufRead;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::linking::cargo;

/// The path of a program of this workspace, built when the first test asks for it.
fn built(package: &str) -> PathBuf {
    let output = cargo(&["build", "--package", package, "--message-format", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let artifacts = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables = artifacts.filter_map(|artifact| Some(PathBuf::from(artifact["executable"].as_str()?)));
    executables.next_back().unwrap_or_else(|| panic!("`{package}` has no program"))
}

/// The program of the reference application.
fn detector() -> &'static Path {
    static DETECTOR: OnceLock<PathBuf> = OnceLock::new();
    DETECTOR.get_or_init(|| built("event-detector-app"))
}

/// A program that is about to be started, in a folder of its own and without what the environment says about output.
struct Start {
    command: Command,
    folder: TempDir,
    input: Vec<u8>,
}

/// What a program did.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Start {
    fn detector<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::of(detector(), arguments)
    }

    fn of<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path());
        for (name, _) in std::env::vars_os() {
            let says_something = name.to_str().is_some_and(|name| name.starts_with("DETECTOR_") || name.starts_with("CLICOLOR"));
            if says_something || ["CARGO", "NO_COLOR", "COLUMNS"].iter().any(|other| name == *other) {
                command.env_remove(name);
            }
        }
        Self { command, folder, input: Vec::new() }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Writes a file into the folder in which the program starts.
    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = text.into();
        self
    }

    fn spawn(&mut self) -> Child {
        let command = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn ended(self) -> Ended {
        self.ended_in().0
    }

    /// What it did, and the folder in which it ran.
    fn ended_in(mut self) -> (Ended, TempDir) {
        let mut child = self.spawn();
        let mut stdin = child.stdin.take().unwrap();
        let input = std::mem::take(&mut self.input);
        // A program that ends before it has read everything is no failure of the test.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        (Ended::new(output), self.folder)
    }
}

impl Ended {
    fn new(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Fails with all that was printed unless the exit code is `code`.
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Every line of standard output as JSON; nothing else may stand there.
    #[track_caller]
    fn json(&self) -> Vec<Value> {
        parsed(&self.out)
    }
}

/// Tells a program to stop, by the name of the signal.
#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Reads what a program says until a line has `words`, and returns that line.
#[cfg(unix)]
#[track_caller]
fn said(from: &mut impl BufRead, words: &str) -> String {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(from.read_line(&mut line).unwrap() > 0, "the program ended without saying `{words}`");
    }
    line
}

/// What a process has in memory now, in KiB.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Every line as JSON.
#[track_caller]
fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A deletion in `moves`, which is the event `move.deleted`; its job appends to `log`.
fn deletion(key: u32, log: &Path) -> String {
    serde_json::json!({ "operation": "delete", "collection": "moves", "key": key, "before": { "id": key }, "context": { "event_log": log } })
        .to_string()
}
