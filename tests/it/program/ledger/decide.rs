//! How does a person decide on jobs that failed?

use super::{Place, deletion, large_order};

/// Two deletions whose job cannot write its log, and so is a dead letter.
fn place() -> Place {
    Place::with("changes.jsonl", &[deletion(1, "logs/log.jsonl"), deletion(2, "logs/log.jsonl")])
}

/// Takes away why the jobs failed.
fn mend(place: &Place) {
    std::fs::create_dir(place.path().join("logs")).unwrap();
}

/// How many lines the jobs have written.
fn written(place: &Place) -> usize {
    std::fs::read_to_string(place.path().join("logs/log.jsonl")).map_or(0, |log| log.lines().count())
}

#[test]
fn a_dead_letter_is_tried_again_once_its_cause_is_gone() {
    let place = place();
    let listed = place.run(&["dead-letters", "list"], 0).out;
    assert!(listed.contains("move.deleted  publish_event_log of change 1: cannot append"), "{listed}");
    mend(&place);

    let retried = place.run(&["dead-letters", "retry", "1"], 0);

    assert!(retried.err.contains("1 job: 1 succeeded."), "{}", retried.err);
    assert_eq!(written(&place), 1);
    let all = place.json(&["dead-letters", "list", "--all"], 0);
    assert_eq!((all.len(), &all[0]["resolution"]), (2, &"retried".into()));
    assert!(place.run(&["dead-letters", "retry", "1"], 2).err.contains("was retried already"));
    assert!(place.run(&["dead-letters", "show", "9"], 66).err.contains("no dead letter 9"));
    place.run(&["dead-letters", "retry", "--all"], 0);
    assert_eq!(written(&place), 2);
    assert!(place.run(&["dead-letters", "list"], 0).err.contains("no such dead letters"));
}

#[test]
fn a_retry_takes_what_is_asked_for_and_shows_it_before() {
    let place = place();
    place.handle("order.jsonl", &[large_order(7)]);
    mend(&place);

    let dry = place.run(&["retry", "--event", "move.*", "--since", "1h", "--dry-run"], 0);
    assert!(dry.err.contains("2 jobs would be tried again. This was a dry run"), "{}", dry.err);
    assert_eq!(dry.out.matches("dead letter; cannot append").count(), 2, "{}", dry.out);
    assert_eq!(written(&place), 0);
    let one = place.json(&["retry", "1"], 0);
    assert_eq!((one.len(), &one[0]["events"][0]["jobs"][0]["status"]), (1, &"succeeded".into()), "{one:?}");
    place.run(&["retry", "--status", "failed", "--event", "move.*"], 0);
    assert_eq!(written(&place), 2);
    let nothing = place.run(&["retry", "1"], 0).err;
    assert!(nothing.contains("No job of 1 such change waits or is dead"), "{nothing}");
    let again = place.run(&["retry", "--status", "dead"], 1);
    assert!(again.err.contains("1 job: 0 succeeded, 1 dead."), "{}", again.err);
}

#[test]
fn what_was_missing_in_the_settings_is_there_when_a_job_is_tried_again() {
    let place = Place::with("order.jsonl", &[large_order(7)]);

    // Nobody listens there, so it fails in another way.
    let context = ["--context", "webhook_url=http://127.0.0.1:9/"];
    place.run(&[&["retry", "1"][..], &context].concat(), 1);

    let letter = place.json(&["dead-letters", "list"], 0).remove(0);
    assert!(!letter["reason"].as_str().unwrap().contains("has no URL"), "{letter}");
}

#[test]
fn dropping_asks_and_is_refused_where_nobody_can_answer() {
    let place = place();

    let refused = place.run(&["dead-letters", "drop", "--all"], 2);
    assert!(refused.err.contains("standard input is no terminal") && refused.err.contains("`--yes`"), "{}", refused.err);
    assert_eq!(place.json(&["dead-letters", "list"], 0).len(), 2);

    let dropped = place.run(&["dead-letters", "drop", "1", "--yes"], 0);
    assert!(dropped.err.contains("Dropped 1 job"), "{}", dropped.err);
    assert_eq!(place.json(&["dead-letters", "list"], 0).len(), 1);
    assert!(place.run(&["events"], 0).out.contains("jobs: 1 dropped"));
    assert!(place.run(&["dead-letters", "drop", "--event", "move.*", "--all"], 2).err.contains("cannot be used with"));
    // Somebody who was wrong may take it back.
    mend(&place);
    place.run(&["dead-letters", "retry", "1"], 0);
    assert_eq!(written(&place), 1);
}

#[test]
fn jobs_that_could_not_be_taken_up_are_told_and_in_the_exit_code() {
    let place = place();
    mend(&place);
    // Jobs can be put up, and not be taken up.
    let refuse =
        "CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN NEW.stage = 'queued' BEGIN SELECT RAISE(ABORT, 'not now'); END";
    let connection = rusqlite::Connection::open(place.path().join("d/ledger.db")).unwrap();
    connection.execute_batch(refuse).unwrap();
    drop(connection);

    for arguments in [["retry", "1"], ["replay", "1"]] {
        let ended = place.run(&arguments, 69);

        assert!(ended.err.contains("error: the source ledger ended: the ledger cannot be used: not now"), "{}", ended.err);
    }

    assert_eq!(written(&place), 0);
}

#[test]
fn the_programs_own_context_is_that_of_the_attempt_and_is_not_stored() {
    let place = Place::new();
    std::fs::write(place.path().join("changes.jsonl"), format!("{}\n", large_order(7))).unwrap();
    let first = "webhook_url=http://canary@127.0.0.1:9/";
    place.run(&["run", "--file", "changes.jsonl", "--context", first], 1);

    place.run(&["retry", "1", "--context", "webhook_url=http://127.0.0.1:11/"], 1);

    let shown = place.json(&["show", "1"], 0).remove(0).to_string();
    assert!(shown.contains("127.0.0.1:9)") && shown.contains("127.0.0.1:11)"), "{shown}");
    for file in std::fs::read_dir(place.path().join("d")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
}
