//! How is it seen what was recorded?

use super::super::{Start, parsed};
use super::{Place, deletion, large_order, texts};

/// A deletion that succeeds and a large order, one of whose jobs is a dead letter.
fn place() -> Place {
    Place::with("changes.jsonl", &[deletion(13107, "log.jsonl"), large_order(7)])
}

#[test]
fn what_was_recorded_is_listed_by_whatever_is_asked() {
    let place = place();
    let rows = |arguments: &[&str]| -> Vec<i64> {
        let listed = place.json(&[&["events"], arguments].concat(), 0);
        listed.iter().map(|change| change["row"].as_i64().unwrap()).collect()
    };

    let cases: [(&[&str], &[i64]); 16] = [
        (&[], &[1, 2]),
        (&["--limit", "1"], &[2]),
        (&["--event", "move.deleted"], &[1]),
        (&["--event", "order.*,move.deleted"], &[1, 2]),
        (&["--event", "user.activated"], &[]),
        (&["--status", "ok"], &[1]),
        (&["--status", "failed"], &[2]),
        (&["--status", "dead"], &[2]),
        (&["--status", "waiting"], &[]),
        (&["--key", "13107"], &[1]),
        (&["--key", "7", "--collection", "moves"], &[]),
        (&["--collection", "orders"], &[2]),
        (&["--since", "1h"], &[1, 2]),
        (&["--until", "2026-01-01"], &[]),
        (&["--source", "changes.jsonl"], &[1, 2]),
        (&["--correlation-id", "none"], &[]),
    ];
    for (arguments, expected) in cases {
        assert_eq!(rows(arguments), expected, "{arguments:?}");
    }
    let text = place.run(&["events"], 0).out;
    assert!(text.contains("DELETE on moves 13107: move.deleted; jobs: 1 ok"), "{text}");
    assert!(text.contains("INSERT on orders 7: order.created, order.large.approval; jobs: 2 ok, 1 dead"), "{text}");
    let nothing = place.run(&["events", "--status", "running"], 0);
    assert!(nothing.out.is_empty() && nothing.err.contains("No change matches, of 2"), "{}", nothing.err);
}

#[test]
fn a_change_is_shown_with_its_diff_its_jobs_and_why_they_failed() {
    let moved = serde_json::json!({
        "operation": "update", "collection": "moves", "key": 5, "context": { "event_log": "log.jsonl" },
        "before": { "id": 5, "status": "new", "note": "n", "size": { "w": 1, "h": 2 } },
        "after": { "id": 5, "status": "cancel pending", "size": { "w": 1, "h": 3 }, "by": "me" },
    });
    let place = Place::with("changes.jsonl", &[moved, large_order(7)]);

    let text = place.run(&["show", "changes.jsonl:1"], 0).out;
    let words = [
        "Change 1: UPDATE on moves 5",
        "~ size.h  2 → 3",
        "~ status  \"new\" → \"cancel pending\"",
        "- note    \"n\"",
        "+ by      \"me\"",
        "2 fields are the same",
        "* move.cancel.pending  detected",
        "ok       publish_event_log  succeeded",
    ];
    for words in words {
        assert!(text.contains(words), "{words}\n{text}");
    }

    let shown = place.json(&["show", "2"], 0).remove(0);
    let dead = shown["jobs"].as_array().unwrap().iter().find(|job| job["stage"] == "dead").unwrap();
    assert_eq!((&shown["change"]["after"]["amount"], &shown["status"]), (&5000.into(), &"dead".into()));
    assert_eq!((&dead["event"], &dead["attempts_made"][0]["outcome"]), (&"order.large.approval".into(), &"failed".into()));
    assert!(dead["dead_letters"][0]["reason"].as_str().unwrap().contains("has no URL"), "{dead}");

    let several = place.run(&["show", "changes"], 2).err;
    assert!(several.contains("the rows 1, 2"), "{several}");
    assert!(place.run(&["show", "nobody"], 66).err.contains("the ledger has no change `nobody`"));
}

#[test]
fn a_recorded_change_is_explained_by_its_row_with_its_events_and_with_others() {
    let place = place();

    let shown = place.run(&["show", "2", "--explain"], 0).out;
    for words in [
        "* order.large.approval  events/src/order.rs:",
        "\nWhat the events of this program say of it now:\n\n* order.created",
        "It happened: each of its 3 clauses holds.",
        "yes  change.after(\"amount\") > 1000    > 1000    5000",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    assert!(!place.run(&["show", "2"], 0).out.contains("It happened"), "it was not asked for");
    let explained = &place.json(&["show", "2", "--explain"], 0)[0]["explained"];
    assert_eq!((&explained[0]["name"], &explained[1]["rule"]["truth"]), (&"order.created".into(), &"true".into()));

    let why = place.run(&["why", "--change", "2", "--event", "order.item.backordered"], 0).out;
    assert!(why.starts_with("INSERT on orders 7  change 2 of the ledger\n"), "{why}");
    assert!(
        why.contains("It did not happen: `!change.query(\"$.after.items[?@.qty > @.stock]\").is_empty()` does not hold."),
        "{why}"
    );
    // A file of the name comes first.
    let file = place.run(&["why", "--change", "changes.jsonl:1"], 0).out;
    assert!(file.starts_with("DELETE on moves 13107  changes.jsonl:1\n"), "{file}");
    let neither = place.run(&["why", "--change", "nothing"], 66).err;
    assert!(neither.contains("there is no file `nothing`, and the ledger has no change `nothing`"), "{neither}");
}

#[test]
fn without_a_ledger_it_is_said_where_it_was_looked_for() {
    let commands: [&[&str]; 9] = [
        &["events"],
        &["show", "1"],
        &["retry", "1"],
        &["replay", "--all"],
        &["dead-letters", "list"],
        &["gaps"],
        &["ledger", "check"],
        &["ledger", "backup", "copy"],
        &["ledger", "migrate"],
    ];
    for command in commands {
        let (ended, folder) = Start::detector(command.iter().chain(&["--data", "no/such"])).ended_in();
        let ended = ended.expect(66);
        assert!(ended.err.contains("there is no ledger in `no/such`") && ended.err.contains("--data DIR"), "{}", ended.err);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{command:?} makes nothing");
    }
    let ended = Start::detector(["events", "--json"]).ended().expect(66);
    assert_eq!(parsed(&ended.err)[0]["error"]["code"], 66);
    assert!(ended.err.contains("detector-data"), "{}", ended.err);
}

#[test]
fn what_cannot_be_meant_is_answered_with_what_can() {
    let place = place();
    let cases: [(&[&str], &str); 7] = [
        (&["events", "--since", "yesterday"], "expected how long ago, as `1h`"),
        (&["events", "--since", "1h", "--until", "2h"], "`--since` is not before `--until`"),
        (&["events", "--event", "move.deleetd"], "did you mean `move.deleted`?"),
        (&["events", "--status", "done"], "[possible values: ok, failed, running, waiting, dead, undecided]"),
        (&["events", "--limit", "0"], "0 is not in 1.."),
        (&["retry"], "retry 42"),
        (&["replay", "1", "--rate", "5"], "such as `100/s`"),
    ];
    for (arguments, words) in cases {
        let err = place.run(arguments, 2).err;
        assert!(err.contains(words), "{arguments:?}\n{err}");
    }
}

#[test]
fn a_ledger_is_checked_copied_and_found_damaged() {
    let place = place();

    assert!(place.run(&["ledger", "check"], 0).out.contains("The ledger in `d` is whole."));
    assert_eq!(place.json(&["ledger", "check"], 0)[0]["rows"]["changes"], 2);
    assert!(place.run(&["ledger", "migrate"], 0).err.contains("has already the tables"));
    assert!(place.run(&["gaps"], 0).err.contains("No part of a source's history was lost."));
    place.run(&["ledger", "backup", "copy/ledger.db"], 73);
    std::fs::create_dir(place.path().join("copy")).unwrap();
    place.run(&["ledger", "backup", "copy/ledger.db"], 0);
    assert!(place.run(&["ledger", "backup", "copy/ledger.db"], 73).err.contains("`copy/ledger.db` is there already"));
    // What somebody else has there is not touched.
    std::fs::write(place.path().join("copy/ledger.db.new"), "mine").unwrap();
    place.run(&["ledger", "backup", "copy/ledger.db", "--force"], 0);
    assert_eq!(std::fs::read_to_string(place.path().join("copy/ledger.db.new")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(place.path().join("copy")).unwrap().count(), 2, "the copy, and what was there");
    assert_eq!(place.json(&["events", "--data", "copy"], 0).len(), 2, "the copy is a ledger");

    let file = place.path().join("copy/ledger.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(11).position(|window| window == b"Logged move").unwrap();
    bytes[at] = b'l';
    std::fs::write(&file, bytes).unwrap();

    let damaged = place.run(&["ledger", "check", "--data", "copy"], 65);
    assert!(damaged.out.contains("is damaged") && damaged.out.contains("checksum"), "{}", damaged.out);
    assert!(place.run(&["events", "--data", "copy"], 65).err.contains("`ledger check`"));
}

#[test]
fn the_exit_code_says_why_a_ledger_cannot_be_opened() {
    let place = place();
    // Where SQLite keeps the version of the tables.
    let file = place.path().join("d/ledger.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[63] = 99;
    std::fs::write(&file, bytes).unwrap();
    std::fs::write(place.path().join("file"), "").unwrap();
    std::fs::create_dir(place.path().join("nonsense")).unwrap();
    std::fs::write(place.path().join("nonsense/ledger.db"), "this is no database, however long it is ".repeat(20)).unwrap();

    let cases: [(&[&str], i32, &str); 7] = [
        (&["run", "--file", "-"], 78, "version 99, and this program knows up to version 1"),
        (&["events"], 78, "version 99"),
        (&["retry", "1"], 78, "version 99"),
        (&["ledger", "migrate"], 78, "version 99"),
        (&["run", "--file", "-", "--data", "file"], 73, "`file` cannot be used"),
        (&["run", "--file", "-", "--data", "nonsense"], 65, "the ledger is damaged"),
        (&["ledger", "check", "--data", "nonsense"], 65, "damaged"),
    ];
    for (arguments, code, words) in cases {
        let ended = place.run(arguments, code);
        assert!(ended.err.contains(words) || ended.out.contains(words), "{arguments:?}\n{}{}", ended.err, ended.out);
    }
}

#[test]
fn a_file_alone_is_kept_only_where_somebody_says_where() {
    let change = deletion(1, "log.jsonl").to_string();
    let runs = |arguments: &[&str]| Start::detector([&["run", "--file", "-"], arguments].concat()).input(change.clone());
    let kept = |start: Start| -> Vec<String> {
        let (ended, folder) = start.ended_in();
        ended.expect(0);
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".jsonl") && !name.ends_with(".toml")).collect()
    };
    let none: [&str; 0] = [];
    let file = |start: Start| start.file("detector.toml", "[ledger]\ndir = \"of-the-file\"\n");

    assert_eq!(kept(runs(&[])), none);
    assert_eq!(kept(runs(&[]).file("detector.toml", "[ledger]\nretention = \"7d\"\n")), none);
    assert_eq!(kept(runs(&[]).env("DETECTOR_DATA", "")), none);
    assert_eq!(kept(runs(&["--data", "named"])), ["named"]);
    assert_eq!(kept(file(runs(&[]))), ["of-the-file"]);
    assert_eq!(kept(file(runs(&[])).env("DETECTOR_DATA", "of-the-environment")), ["of-the-environment"]);
    assert_eq!(kept(file(runs(&["--no-ledger"]))), none);
}

#[test]
fn a_file_that_is_played_again_is_recorded_once() {
    let place = place();

    let again = place.handle("changes.jsonl", &[deletion(13107, "log.jsonl"), large_order(7)]).expect(0);

    assert!(again.err.contains("2 changes were recorded before, and were not handled again."), "{}", again.err);
    assert_eq!(place.json(&["events"], 0).len(), 2);
    assert_eq!(std::fs::read_to_string(place.path().join("log.jsonl")).unwrap().lines().count(), 1);
}

#[test]
fn another_file_of_the_same_name_is_refused_line_by_line_and_standard_input_is_always_new() {
    let place = place();

    let other = place.handle("changes.jsonl", &[large_order(8), large_order(7), deletion(2, "log.jsonl")]).expect(65);
    assert!(other.err.contains("changes.jsonl, line 1: another change has the id `changes.jsonl:1`"), "{}", other.err);
    assert!(
        other.err.contains("or the file another name") && other.err.contains("1 change was recorded before"),
        "{}",
        other.err
    );
    assert_eq!(place.json(&["events"], 0).len(), 3, "the third line is new");
    for _ in 0..2 {
        place.start(&["run", "--file", "-", "--data", "d"]).input(deletion(1, "log.jsonl").to_string()).ended().expect(0);
    }
    assert_eq!(place.json(&["events", "--source", "stdin"], 0).len(), 2);
}

#[test]
fn everything_is_recorded_where_that_is_asked_for() {
    let unwanted = serde_json::json!({ "operation": "insert", "collection": "nothing", "key": 1, "after": { "a": 1 } });
    let start = |place: &Place| place.start(&["run", "--file", "-", "--data", "d"]).input(unwanted.to_string());
    let (matched, all) = (Place::new(), Place::new());
    std::fs::write(all.path().join("detector.toml"), "[ledger]\nrecord = \"all\"\n").unwrap();

    start(&matched).ended().expect(0);
    start(&all).ended().expect(0);

    assert_eq!(matched.json(&["events"], 0).len(), 0);
    assert_eq!(texts(&all.json(&["events"], 0), "collection"), ["nothing"]);
    assert!(all.run(&["events"], 0).out.contains("INSERT on nothing 1: no event"));
}
