//! How do recorded changes go through the events again?

#[cfg(unix)]
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::parsed;
#[cfg(unix)]
use super::super::{said, signal};
use super::{Place, deletion, large_order};

/// A deletion whose job succeeded, and a large order, one of whose jobs is a dead letter.
fn place() -> Place {
    Place::with("changes.jsonl", &[deletion(1, "log.jsonl"), large_order(7)])
}

#[test]
fn a_dry_run_says_what_would_run_and_what_is_left_out_and_runs_nothing() {
    let place = place();

    let dry = place.run(&["replay", "--dry-run"], 0);

    assert!(
        dry.out.contains("left out   publish_event_log: it has succeeded (--include-succeeded runs it again)"),
        "{}",
        dry.out
    );
    assert!(dry.out.contains("would run  post_webhook"), "{}", dry.out);
    assert!(dry.err.contains("2 changes: 3 events would fire, 1 job would run, 3 left out. This was a dry run"), "{}", dry.err);
    let objects = place.json(&["replay", "--dry-run", "--event", "move.deleted", "--include-succeeded"], 0);
    assert_eq!(objects[0]["events"][0]["jobs"][0]["runs"], true);
    assert_eq!(objects[1]["events"].as_array().unwrap().len(), 0, "the other events are not asked");
    assert_eq!(place.json(&["show", "1"], 0)[0]["runs"].as_array().unwrap().len(), 0);
}

#[test]
fn a_run_adds_its_verdicts_and_jobs_and_leaves_what_was_recorded() {
    let place = place();

    let replayed = place.run(&["replay", "--event", "move.*", "--include-succeeded", "--rate", "1000/s"], 0);

    assert!(replayed.err.contains("Run 1: 2 recorded changes."), "{}", replayed.err);
    assert!(replayed.err.contains("2 changes: 1 event fired with 1 job."), "{}", replayed.err);
    assert!(replayed.err.contains("1 job: 1 succeeded."), "{}", replayed.err);
    assert_eq!(std::fs::read_to_string(place.path().join("log.jsonl")).unwrap().lines().count(), 2);
    let shown = place.json(&["show", "1"], 0).remove(0);
    let runs: Vec<_> = shown["jobs"].as_array().unwrap().iter().map(|job| (job["run"].clone(), job["stage"].clone())).collect();
    assert_eq!(runs, [(0.into(), "succeeded".into()), (1.into(), "succeeded".into())]);
    assert!(shown["runs"][0]["finished_at"].is_string(), "{shown}");
    assert!(place.run(&["replay", "--resume", "1"], 2).err.contains("run 1 has come to all of its changes"));
    assert!(place.run(&["replay", "--resume", "7"], 66).err.contains("the ledger has no run 7"));
}

#[test]
fn what_was_recorded_before_an_event_was_written_is_found_by_it() {
    let place = Place::new();
    // While the program watched for something else, the ledger kept everything.
    std::fs::write(place.path().join("detector.toml"), "[ledger]\nrecord = \"all\"\n").unwrap();
    let before = place.start(&["run", "--file", "-", "--only", "user.activated", "--data", "d"]);
    before.input(deletion(1, "log.jsonl").to_string()).ended().expect(0);
    assert!(place.run(&["events"], 0).out.contains("no event"));

    place.run(&["replay", "1"], 0);

    assert!(place.run(&["events"], 0).out.contains("move.deleted; jobs: 1 ok"));
    assert_eq!(std::fs::read_to_string(place.path().join("log.jsonl")).unwrap().lines().count(), 1);
}

#[test]
fn a_dead_letter_that_is_replayed_is_not_tried_again_as_well() {
    let place = Place::with("changes.jsonl", &[deletion(1, "logs/log.jsonl")]);
    // Its cause is still there, so it dies again.
    place.run(&["replay", "1"], 1);
    let letters = place.json(&["dead-letters", "list", "--all"], 0);
    assert_eq!(letters.iter().map(|letter| &letter["resolution"]).collect::<Vec<_>>(), [&"replayed".into(), &Value::Null]);
    std::fs::create_dir(place.path().join("logs")).unwrap();

    let replayed = place.run(&["replay", "1"], 0).err;

    assert!(replayed.contains("1 job: 1 succeeded."), "{replayed}");
    assert!(place.run(&["retry", "1"], 0).err.contains("No job of 1 such change waits or is dead"));
    assert!(place.run(&["dead-letters", "retry", "--all"], 0).err.contains("no such dead letters"));
    assert!(place.run(&["dead-letters", "retry", "1"], 2).err.contains("was replayed already"));
    assert_eq!(std::fs::read_to_string(place.path().join("logs/log.jsonl")).unwrap().lines().count(), 1);
    assert!(place.run(&["ledger", "check"], 0).out.contains("is whole"));
}

#[test]
fn everything_is_replayed_only_when_that_is_said() {
    let place = place();

    let refused = place.run(&["replay"], 2);
    assert!(refused.err.contains("nothing says which changes") && refused.err.contains("`--all`"), "{}", refused.err);
    let nothing = place.run(&["replay", "--collection", "nothing"], 0);
    assert!(nothing.err.contains("No recorded change matches"), "{}", nothing.err);
    assert!(place.run(&["replay", "--event", "mvoe.deleted"], 2).err.contains("did you mean `move.deleted`?"));
    assert!(place.run(&["replay", "99"], 66).err.contains("the ledger has no change `99`"));

    let all = place.start(&["replay", "--all", "--json", "--log", "off", "--data", "d"]).ended().expect(1);
    let said = parsed(&all.err);
    assert_eq!(said[0]["run"]["changes"], 2);
    assert_eq!((&said[1]["replayed"]["jobs"], &said[1]["replayed"]["left_out"]), (&1.into(), &3.into()), "{said:?}");
    assert_eq!(all.json().len(), 1, "one report, of the job that ran");
}

#[test]
#[cfg(unix)]
fn a_run_that_was_cut_off_goes_on_where_it_was() {
    let changes: Vec<_> = (1..=4).map(|key| deletion(key, "log.jsonl")).collect();
    let place = Place::with("changes.jsonl", &changes);
    // Whoever stops it does not wait for the next one.
    let arguments = ["replay", "--all", "--include-succeeded", "--rate", "1/h", "--quiet", "--data", "d"];
    let mut child = place.start(&arguments).spawn();
    let mut shown = BufReader::new(child.stdout.take().unwrap());
    let err = BufReader::new(child.stderr.take().unwrap());

    said(&mut shown, "move.deleted");
    let stopped = Instant::now();
    signal(&child, "INT");
    let told: Vec<String> = err.lines().map(Result::unwrap).collect();
    child.wait().unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(10), "{told:?}");
    let rest = place.run(&["replay", "--resume", "1"], 0).err;

    assert!(told.iter().any(|line| line.contains("It was cut off; `replay --resume 1` goes on from there.")), "{told:?}");
    assert!(rest.contains("Run 1: ") && rest.contains(" succeeded."), "{rest}");
    assert_eq!(std::fs::read_to_string(place.path().join("log.jsonl")).unwrap().lines().count(), 8, "each once, and once again");
    assert!(place.json(&["show", "4"], 0)[0]["runs"][0]["finished_at"].is_string());
}
