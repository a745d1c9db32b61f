//! Are the events put down as they are, and compared with how they were?

use super::Start;

#[test]
fn the_page_has_every_event_with_its_rule_and_its_jobs() {
    let ended = Start::detector(["catalogue"]).ended().expect(0);

    for words in [
        "| [move.pickup.successful](#movepickupsuccessful) | The vehicle was handed over to the driver. |",
        "- it is about `moves`: `change.collection() == \"moves\"`",
        "- `rerun_ar`: Runs accounts receivable for one move again.",
        "**Declared** in `events/src/move_pickup.rs`",
    ] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    assert_eq!(ended.out.matches("\n## ").count(), 8);
}

#[test]
fn a_kept_catalogue_is_the_same_the_next_time_and_tells_what_was_changed() {
    let arguments = ["catalogue", "--format", "json", "--out", "events.json"];
    let (ended, folder) = Start::detector(arguments).ended_in();
    assert!(ended.expect(0).err.contains("Wrote 8 events into events.json."));
    let start = |arguments: &[&str]| {
        let mut start = Start::detector(arguments);
        start.command.current_dir(folder.path());
        start.ended()
    };
    let kept = std::fs::read_to_string(folder.path().join("events.json")).unwrap();

    let same = start(&["catalogue", "diff", "events.json", "--fail-on", "added,removed,changed"]).expect(0);
    // As it was before somebody gave the event another status, and before one came and one went.
    let older = kept.replace("cancel pending", "cancelled").replace("\"user.activated\"", "\"user.gone\"");
    std::fs::write(folder.path().join("events.json"), older).unwrap();
    let changed = start(&["catalogue", "diff", "events.json", "--fail-on", "changed"]).expect(1);
    let json = start(&["catalogue", "diff", "events.json", "--json"]).expect(0);
    start(&["catalogue", "diff", "events.json", "--fail-on", "removed"]).expect(1);

    assert_eq!(start(&["catalogue", "--format", "json"]).expect(0).out, kept);
    assert_eq!(same.out, "0 added, 0 removed, 0 changed, 8 as they were.\n");
    for line in [
        "+ user.activated  The account can be used from now on.",
        "- user.gone",
        "~ move.cancel.pending",
        "   - change.after(\"status\") == \"cancelled\"",
        "   + change.after(\"status\") == \"cancel pending\"",
        "1 added, 1 removed, 1 changed, 6 as they were.",
    ] {
        assert!(changed.out.lines().any(|other| other.starts_with(line)), "{line}: {}", changed.out);
    }
    let json = &json.json()[0];
    assert_eq!(
        (&json["added"][0], &json["removed"][0], &json["unchanged"]),
        (&"user.activated".into(), &"user.gone".into(), &6.into())
    );
    assert_eq!(json["changed"][0]["clauses_removed"][0], "change.after(\"status\") == \"cancelled\"");
}

#[test]
fn what_is_no_catalogue_is_refused_with_its_cure() {
    for (arguments, code, words) in [
        (vec!["catalogue", "diff", "none.json"], 66, "`none.json` cannot be read"),
        (vec!["catalogue", "diff", "other.json"], 65, "`other.json` is no catalogue"),
        (vec!["catalogue", "diff"], 2, "<OLD>"),
        (vec!["catalogue", "--format", "html"], 2, "markdown, json"),
        (vec!["catalogue", "--out", "no/such/file"], 73, "`no/such/file` cannot be written"),
    ] {
        let ended = Start::detector(arguments).file("other.json", "{\"events\": []}").ended().expect(code);

        assert!(ended.err.contains(words) && ended.out.is_empty(), "{words}: {}", ended.err);
    }
}
