//! How does the program end before its input does?
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use super::{Start, deletion, said, signal};

/// A change whose job takes three seconds.
fn slow(key: u32) -> String {
    format!(
        r#"{{"operation":"update","collection":"moves","key":{key},"before":{{"address":{{"city":"a"}}}},"after":{{"address":{{"city":"b"}}}}}}"#
    )
}

/// `detector run --file -` with three slow changes in flight, and one more that is done.
struct Running {
    child: Child,
    /// Kept open: the program waits for more.
    stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
    _start: Start,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut start = Start::detector(["run", "--file", "-", "--quiet"].iter().chain(arguments));
        let mut child = start.spawn();
        let mut stdin = child.stdin.take().unwrap();
        for change in [slow(1), slow(2), slow(3), deletion(4, Path::new("log.jsonl"))] {
            writeln!(stdin, "{change}").unwrap();
        }
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        // Changes are taken in their order, so that the slow ones have been when this one is done.
        let mut done = String::new();
        out.read_line(&mut done).unwrap();
        assert!(done.contains("move.deleted"), "{done}");
        Self { child, stdin: Some(stdin), out, err, _start: start }
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    fn said(&mut self, words: &str) {
        said(&mut self.err, words);
    }

    /// The exit code, and what is left of its output.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.err.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

#[test]
fn a_stop_finishes_what_is_in_flight_and_says_what_was_left() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(&[]);

        running.signal(signal);
        running.said("Stopping: no more changes are taken; those in flight have 25s.");

        let (code, out, err) = running.ended();
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(out.matches("move.address.changed; jobs: 1 ok").count(), 3, "{out}");
        assert!(err.contains("3 changes in flight were finished; stdin: everything from line 5 on was not taken."), "{err}");
        assert!(err.contains("Handled 4 changes"), "{err}");
    }
}

#[test]
fn what_is_not_done_when_the_drain_is_over_is_cut_and_reported() {
    let mut running = Running::start(&["--drain", "100ms"]);

    running.signal("TERM");
    running.said("Stopping");

    let (code, out, err) = running.ended();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.matches("move.address.changed; jobs: 0 ok, 1 failed").count(), 3, "{out}");
    assert!(err.contains("3 cut") && err.contains("were finished or cut"), "{err}");
}

#[test]
fn every_change_is_handled_or_said_to_be_left() {
    let mut running = Running::start(&["--drain", "100ms"]);
    // Changes of one document wait for each other, so that most of these fill up what may wait, and then the pipe.
    let mut stdin = running.stdin.take().unwrap();
    let writer = std::thread::spawn(move || (0..5_000).try_for_each(|_| writeln!(stdin, "{}", slow(9))));

    running.signal("TERM");
    running.said("Stopping");

    let (code, out, err) = running.ended();
    assert_eq!(code, Some(0), "{err}");
    assert!(writer.join().unwrap().is_err(), "the rest was read");
    let number = |before: &str, after: &str| {
        let (_, rest) = err.split_once(before).unwrap_or_else(|| panic!("{before}: {err}"));
        rest.split_once(after).unwrap().0.replace(',', "").parse::<usize>().unwrap()
    };
    let (handled, left) = (number("Handled ", " changes"), number("everything from line ", " on"));
    assert_eq!(handled, left - 1, "{err}");
    assert_eq!(out.lines().count(), handled - 1, "one line was read before");
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let mut running = Running::start(&[]);

        running.signal("TERM");
        running.said("Stopping");
        let start = Instant::now();
        running.signal(signal);

        let (code, out, err) = running.ended();
        assert_eq!(code, Some(expected), "{err}");
        assert_eq!(out, "");
        assert!(err.contains("Stopped at once"), "{err}");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn a_stop_as_json_is_json() {
    let mut running = Running::start_json();

    running.signal("TERM");
    running.said("{\"stopping\":");

    let (code, _, err) = running.ended();
    assert_eq!(code, Some(0), "{err}");
    let ended = super::parsed(&err).pop().unwrap();
    assert_eq!(ended["ended"]["left"], serde_json::json!([{ "source": "stdin", "left": "everything from line 1 on" }]));
}

impl Running {
    /// `detector run --file - --json` that waits for its input.
    fn start_json() -> Self {
        let mut start = Start::detector(["run", "--file", "-", "--json"]);
        let mut child = start.spawn();
        let stdin = child.stdin.take().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self { child, stdin: Some(stdin), out, err, _start: start };
        running.said("{\"started\":");
        running
    }
}

#[test]
fn output_that_nobody_reads_any_more_ends_the_program_quietly() {
    let mut start = Start::detector(["run", "--file", "-", "--quiet"]);
    let mut child = start.spawn();
    let mut stdin = child.stdin.take().unwrap();
    let lines: String = (0..20_000).map(|key| deletion(key, Path::new("/dev/null")) + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));

    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);

    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    assert_eq!(err.lines().count(), 1, "the banner and nothing else: {err}");
    assert!(writer.join().unwrap().is_err(), "it ended before it read everything");
}

#[test]
fn errors_that_nobody_reads_end_nothing() {
    let mut start = Start::detector(["run", "--file", "-", "--quiet", "--log", "trace"]);
    let mut child = start.spawn();
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().unwrap();

    writeln!(stdin, "nonsense\n{}", deletion(1, Path::new("log.jsonl"))).unwrap();
    drop(stdin);

    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(65));
    assert!(out.contains("move.deleted; jobs: 1 ok"), "{out}");
}

#[test]
fn help_that_nobody_reads_is_no_failure() {
    let mut start = Start::detector(["--help"]);
    let mut child = start.spawn();
    drop(child.stdout.take());

    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}
