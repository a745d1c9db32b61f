//! What do people do beside a program that owns the ledger?
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};

use serde_json::json;

use super::super::{said, signal};
use super::{Place, deletion, large_order};

/// A program that owns the ledger and waits for changes on its standard input.
struct Owner {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Owner {
    fn start(place: &Place) -> Self {
        Self::with(place, &[])
    }

    fn with(place: &Place, arguments: &[&str]) -> Self {
        let mut start = place.start(&[&["run", "--file", "-", "--data", "d", "--quiet"], arguments].concat());
        let mut child = start.spawn();
        said(&mut BufReader::new(child.stderr.take().unwrap()), "Ledger in d.");
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn handle(&mut self, change: &serde_json::Value) {
        writeln!(self.input, "{change}").unwrap();
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn a_second_program_is_refused_and_told_of_the_first() {
    let place = Place::new();
    let owner = Owner::start(&place);

    let refused = place.start(&["run", "--file", "-", "--data", "d"]).ended().expect(75);

    assert!(refused.err.contains(&format!("belongs to process {}", owner.child.id())), "{}", refused.err);
    assert!(refused.err.contains(" since 2") && refused.err.contains("--data DIR"), "{}", refused.err);
    place.start(&["run", "--file", "-", "--no-ledger"]).ended().expect(0);
}

#[test]
fn jobs_that_are_tried_again_or_replayed_are_run_by_the_program_that_owns_the_ledger() {
    let place = Place::new();
    let mut owner = Owner::start(&place);
    owner.handle(&deletion(1, "logs/log.jsonl"));
    owner.handle(&large_order(7));
    assert_eq!(place.json(&["dead-letters", "list"], 0).len(), 2);
    std::fs::create_dir(place.path().join("logs")).unwrap();

    let retried = place.run(&["retry", "1"], 0);
    assert!(retried.err.contains(&format!("(process {}) takes them up", owner.child.id())), "{}", retried.err);
    assert!(retried.out.contains("publish_event_log of change 1: succeeded"), "{}", retried.out);
    assert!(place.run(&["retry", "--status", "dead"], 1).out.contains("post_webhook of change 2: dead letter"));
    let replayed = place.json(&["replay", "1", "--include-succeeded"], 0);
    assert_eq!((&replayed[0]["stage"], &replayed[0]["run"]), (&"succeeded".into(), &1.into()));

    assert_eq!(std::fs::read_to_string(place.path().join("logs/log.jsonl")).unwrap().lines().count(), 2);
    assert!(place.run(&["ledger", "check"], 0).out.contains("is whole"));
    place.run(&["ledger", "backup", "copy"], 0);
}

#[test]
fn each_change_is_followed_once_nothing_of_it_runs() {
    let place = Place::new();
    let mut owner = Owner::start(&place);
    let mut start = place.start(&["events", "--follow", "--data", "d"]);
    start.command.stdin(Stdio::null());
    let mut follower = start.spawn();
    let mut lines = BufReader::new(follower.stdout.take().unwrap());

    owner.handle(&deletion(1, "log.jsonl"));
    owner.handle(&large_order(7));

    // One whose end is not on disk yet may come behind the other.
    let mut shown = [String::new(), String::new()];
    shown.iter_mut().for_each(|line| assert!(lines.read_line(line).unwrap() > 0));
    shown.sort_unstable();
    assert!(shown[0].contains("order.created") && shown[0].contains("jobs: 2 ok, 1 dead"), "{shown:?}");
    assert!(shown[1].contains("move.deleted; jobs: 1 ok"), "{shown:?}");
    signal(&follower, "INT");
    assert!(follower.wait().unwrap().code().is_none(), "Ctrl-C ends it");
}

#[test]
fn what_a_killed_program_left_is_shown_and_goes_on() {
    let place = Place::new();
    let mut owner = Owner::start(&place);
    owner.handle(&deletion(1, "log.jsonl"));
    owner.child.kill().unwrap();
    owner.child.wait().unwrap();

    assert_eq!(place.json(&["events"], 0).len(), 1);
    place.run(&["ledger", "check"], 0);
    let next = place.start(&["run", "--file", "-", "--data", "d"]).input(large_order(7).to_string()).ended().expect(1);
    assert!(next.err.contains("Handled 1 change"), "{}", next.err);
    assert_eq!(place.json(&["events"], 0).len(), 2);
}

#[test]
fn whoever_replays_beside_a_program_may_stop_watching_it() {
    let place = Place::with("changes.jsonl", &[deletion(1, "logs/log.jsonl")]);
    // It does not take the job up.
    let owner = Owner::with(&place, &["--only", "user.activated"]);
    let mut replay = place.start(&["replay", "1", "--data", "d"]).spawn();
    let mut err = BufReader::new(replay.stderr.take().unwrap());
    let warning = said(&mut err, "warning: what the events say is this program's word");
    assert!(warning.contains(&format!("(process {})", owner.child.id())), "{warning}");
    said(&mut err, "Ctrl-C stops watching, not them");

    signal(&replay, "TERM");

    said(&mut err, "1 job: 0 succeeded");
    assert_eq!(replay.wait().unwrap().code(), Some(0));
    // It may be looked at by the program just now, and so be in either state.
    let events = place.json(&["events"], 0);
    assert_eq!(events.len(), 1);
    assert!(["running", "waiting"].contains(&events[0]["status"].as_str().unwrap()), "{events:?}");
}

#[test]
fn jobs_of_a_program_that_is_gone_meanwhile_run_where_they_are_waited_for() {
    let place = Place::with("changes.jsonl", &[deletion(1, "logs/log.jsonl")]);
    std::fs::create_dir(place.path().join("logs")).unwrap();
    let owner = Owner::with(&place, &["--only", "user.activated"]);
    let mut retry = place.start(&["retry", "1", "--data", "d"]).spawn();
    let mut err = BufReader::new(retry.stderr.take().unwrap());
    said(&mut err, "Ctrl-C stops watching, not them");

    drop(owner);

    said(&mut err, "That program is gone, so the jobs run here. This also goes on with what else is due.");
    said(&mut err, "1 job: 1 succeeded");
    assert_eq!(retry.wait().unwrap().code(), Some(0));
}

#[test]
fn whoever_ends_a_program_at_once_is_told_that_the_ledger_keeps_what_is_in_flight() {
    // Its job takes three seconds.
    let slow = json!({
        "operation": "update", "collection": "moves", "key": 1, "before": { "address": { "city": "a" } },
        "after": { "address": { "city": "b" } },
    });
    for (arguments, words) in [(["--data", "d"], "the ledger has the work in flight"), (["--log", "warn"], "is lost")] {
        let place = Place::new();
        let mut program = place.start(&[&["run", "--file", "-", "--quiet"][..], &arguments].concat()).spawn();
        let (mut input, mut err) = (program.stdin.take().unwrap(), BufReader::new(program.stderr.take().unwrap()));
        writeln!(input, "{slow}\n{}", deletion(2, "log.jsonl")).unwrap();
        said(&mut BufReader::new(program.stdout.as_mut().unwrap()), "move.deleted");
        signal(&program, "TERM");
        said(&mut err, "Stopping");

        signal(&program, "TERM");

        said(&mut err, words);
        assert_eq!(program.wait().unwrap().code(), Some(143));
    }
}
