//! Are events tried on recorded changes, and compared with how it was before?

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{Start, parsed};

/// An update of a move with an id of its own.
fn moved(id: &str, before: &str, after: &str) -> Value {
    json!({
        "id": id, "operation": "update", "collection": "moves", "key": id,
        "before": { "status": before }, "after": { "status": after },
    })
}

fn lines(changes: &[Value]) -> String {
    changes.iter().map(|change| format!("{change}\n")).collect()
}

/// Standard error without how long it took.
fn timeless(text: &str) -> String {
    let mut words = Vec::new();
    for line in text.trim_start().lines() {
        match line.split_once("; ").filter(|(_, rest)| rest.contains(" changes a second")) {
            Some((begin, rest)) => words.push(format!("{begin}; … {}", rest.split_once("second").unwrap().1.trim_start())),
            None => words.push(line.to_owned()),
        }
    }
    words.join("\n")
}

const PICKED_UP: &str = "pickup successful";

fn week() -> String {
    lines(&[
        moved("a", "booked", PICKED_UP),
        moved("b", "booked", "cancel pending"),
        moved("c", PICKED_UP, PICKED_UP),
        json!({ "operation": "delete", "collection": "moves", "key": 4 }),
        json!({ "id": "e", "operation": "update", "collection": "moves", "key": 5, "updateDescription": { "updatedFields": { "address": {} } } }),
    ])
}

#[test]
fn each_event_is_counted_over_all_changes_and_no_job_runs() {
    let (ended, folder) = Start::detector(["backtest", "week.jsonl"]).file("week.jsonl", &week()).ended_in();
    let ended = ended.expect(0);

    assert_snapshot!(ended.out, @r"
    event                       fired      rate  not fired  undecided
    move.address.changed            0         -          4          1
    move.cancel.pending             1   20.00 %          4          0
    move.deleted                    1   20.00 %          4          0
    move.pickup.successful          1   20.00 %          4          0
    order.created                   0         -          5          0
    order.item.backordered          0         -          5          0
    order.large.approval            0         -          5          0
    user.activated                  0         -          5          0
    ");
    assert_snapshot!(timeless(&ended.err), @"5 changes from week.jsonl: 3 firings of 8 events on 3 changes; … . No job ran.");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");
}

#[test]
fn as_json_there_is_one_object_with_the_numbers_of_each_event() {
    let ended = Start::detector(["backtest", "-", "--json", "--event", "move.*"]).input(week()).ended().expect(0);

    let [run] = ended.json().try_into().unwrap();
    assert_eq!((&run["changes"], &run["rejected"]), (&json!(5), &json!(0)));
    let events: Vec<_> = run["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| ["name", "fired", "not_fired", "undecided", "failed"].map(|key| event[key].to_string()).join(" "))
        .collect();
    let expected = [
        "\"move.address.changed\" 0 4 1 0",
        "\"move.cancel.pending\" 1 4 0 0",
        "\"move.deleted\" 1 4 0 0",
        "\"move.pickup.successful\" 1 4 0 0",
    ];
    assert_eq!(events, expected);
    assert!(ended.err.is_empty(), "{}", ended.err);
}

#[test]
fn what_fires_now_and_did_not_and_what_does_not_any_more_is_shown_with_the_clause_and_fails_where_it_is_to() {
    let before = Start::detector(["backtest", "before.jsonl", "--save", "kept.json"]);
    let (ended, folder) = before.file("before.jsonl", &week()).ended_in();
    ended.expect(0);
    // The same changes, of which two say another thing, one is gone and one is new.
    let after = lines(&[
        moved("a", "booked", "en route"),
        moved("b", "booked", PICKED_UP),
        moved("c", PICKED_UP, PICKED_UP),
        json!({ "operation": "delete", "collection": "moves", "key": 4 }),
        moved("z", "booked", PICKED_UP),
    ]);
    std::fs::write(folder.path().join("after.jsonl"), after).unwrap();
    let compare = |arguments: &[&str]| {
        let mut start = Start::detector([&["backtest", "after.jsonl", "--against", "kept.json"], arguments].concat());
        start.command.current_dir(folder.path());
        start.ended()
    };

    let shown = compare(&["--event", "move.pickup.*"]).expect(0);
    let json = compare(&["--json", "--fail-on", "removed"]).expect(1);

    assert_snapshot!(shown.out, @r#"
    event                       fired      rate  not fired  undecided
    move.pickup.successful          2   40.00 %          3          0

    move.pickup.successful  1 added, 1 removed, 0 unchanged
       its rule reads the same; what differs is in code that it calls, or in the changes
       - UPDATE on moves a  after.jsonl:1
          id a
          no: change.after("status") == "pickup successful"  events/src/move_pickup.rs:15
              it is "en route", and would have to be "pickup successful"
       + UPDATE on moves b  after.jsonl:2
          id b
          fired now, not fired before
    "#);
    assert_snapshot!(timeless(&shown.err), @r"
    5 changes from after.jsonl: 2 firings of 1 event on 2 changes; … . No job ran.
    Against kept.json: 1 added, 1 removed, 0 newly undecided, 0 unchanged.
    Not compared: 1 change that is not in it, 1 change of it that is not here.
    ");
    compare(&["--fail-on", "added"]).expect(1);
    compare(&["--fail-on", "undecided", "--event", "move.deleted"]).expect(0);
    let against = &json.json()[0]["against"];
    let numbers = ["added", "removed", "undecided", "new_changes", "gone_changes"].map(|key| against[key].as_u64().unwrap());
    assert_eq!(numbers, [1, 2, 0, 1, 1]);
    let event = against["events"].as_array().unwrap().iter().find(|event| event["name"] == "move.pickup.successful").unwrap();
    assert_eq!([&event["added"], &event["removed"], &event["unchanged"]], [1, 1, 0]);
    let removed = event["firings"].as_array().unwrap().iter().find(|firing| firing["kind"] == "removed").unwrap();
    assert_eq!([&removed["id"], &removed["key"], &removed["place"]], ["a", "a", "after.jsonl:1"]);
    assert_eq!(removed["clause"], r#"change.after("status") == "pickup successful""#);
    assert!(removed["file"].as_str().unwrap().ends_with("move_pickup.rs") && removed["line"].as_u64().unwrap() > 1);
}

#[test]
fn a_change_without_an_id_is_known_by_what_it_says_wherever_it_stands() {
    let deleted = |key: u32| json!({ "operation": "delete", "collection": "moves", "key": key });
    let start = Start::detector(["backtest", "-", "--save", "kept.json"]);
    let (ended, folder) = start.input(lines(&[deleted(1), deleted(2), deleted(1)])).ended_in();
    ended.expect(0);

    let mut again = Start::detector(["backtest", "-", "--against", "kept.json", "--fail-on", "added,removed,undecided"]);
    again.command.current_dir(folder.path());
    let ended = again.input(lines(&[deleted(2), deleted(1), deleted(1)])).ended().expect(0);

    assert!(ended.err.contains("0 added, 0 removed, 0 newly undecided, 3 unchanged"), "{}", ended.err);
}

#[test]
fn a_comparison_that_is_to_fail_on_something_fails_where_it_looked_at_nothing() {
    let start = Start::detector(["backtest", "one.jsonl", "--save", "kept.json"]);
    let (ended, folder) = start.file("one.jsonl", &lines(&[moved("a", "booked", PICKED_UP)])).ended_in();
    ended.expect(0);
    std::fs::write(folder.path().join("other.jsonl"), lines(&[moved("b", "booked", PICKED_UP)])).unwrap();
    let compare = |arguments: &[&str]| {
        let mut start = Start::detector([&["backtest", "other.jsonl", "--against", "kept.json"], arguments].concat());
        start.command.current_dir(folder.path());
        start.ended()
    };

    let told = compare(&[]).expect(0);
    let failed = compare(&["--fail-on", "removed"]).expect(66);

    assert!(told.err.contains("Not compared: 1 change that is not in it"), "{}", told.err);
    assert!(failed.err.contains("no change in other.jsonl is in `kept.json`, so nothing was compared"), "{}", failed.err);
}

#[test]
fn near_misses_name_the_clause_that_alone_did_not_hold() {
    let arguments = ["backtest", "-", "--near-misses", "--event", "move.pickup.*"];
    let ended = Start::detector(arguments).input(week()).ended().expect(0);

    assert!(ended.out.contains(r#"missed by one clause 1 time: change.after("status") == "pickup successful""#), "{}", ended.out);
    assert!(ended.out.contains(r#"missed by one clause 1 time: change.column_changed("status")"#), "{}", ended.out);
}

#[test]
fn a_line_that_is_no_change_is_told_with_its_place_and_the_others_are_tried() {
    let text = format!("nonsense\n{}\n{{\"operation\":\"insert\"}}\n", moved("a", "x", PICKED_UP));
    let ended = Start::detector(["backtest", "a.jsonl"]).file("a.jsonl", &text).ended().expect(65);

    assert!(ended.err.contains("a.jsonl:1: not JSON at column 1, near `nonsense`"), "{}", ended.err);
    assert!(ended.err.contains("a.jsonl:3: ") && ended.err.contains("2 lines were no change"), "{}", ended.err);
    assert!(ended.out.contains("move.pickup.successful          1"), "{}", ended.out);
    let json = Start::detector(["backtest", "-", "--json"]).input(text).ended().expect(65);
    assert_eq!(parsed(&json.err)[0]["rejected"]["place"], "stdin:1");
    assert_eq!(json.json()[0]["rejected"], 2);
}

#[test]
fn what_cannot_be_tried_is_refused_with_its_cure() {
    let packed = "\u{1f}\u{8b}".chars().map(|char| char as u8).collect::<Vec<u8>>();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["backtest"], 2, &["nothing says on which changes", "--ledger"]),
        (&["backtest", "none.jsonl"], 66, &["`none.jsonl` cannot be read"]),
        (&["backtest", "bad.jsonl"], 65, &["of 2 lines in bad.jsonl none is a change"]),
        (&["backtest", "empty.jsonl"], 66, &["there is no change in empty.jsonl", "`record`"]),
        (&["backtest", "week.gz"], 65, &["`week.gz` is packed", "gzip -dc week.gz"]),
        (&["backtest", "bad.jsonl", "--event", "move.pikcup.*"], 2, &["no event matches", "`list`"]),
        (&["backtest", "bad.jsonl", "--event", "move.deletd"], 2, &["did you mean `move.deleted`?"]),
        (&["backtest", "bad.jsonl", "--fail-on", "added"], 2, &["--against"]),
        (&["backtest", "bad.jsonl", "--against", "bad.jsonl"], 65, &["no run that `backtest --save` kept"]),
        (&["backtest", "bad.jsonl", "--save", "no/such/file"], 73, &["`no/such/file` cannot be written"]),
        (&["backtest", "bad.jsonl", "--ledger"], 2, &["--ledger"]),
        (&["backtest", "--ledger"], 66, &["there is no ledger in `detector-data`"]),
    ];
    for (arguments, code, needles) in cases {
        let start = Start::detector(*arguments).file("bad.jsonl", "[]\nx\n").file("empty.jsonl", "\n");
        std::fs::write(start.folder.path().join("week.gz"), &packed).unwrap();

        let ended = start.ended().expect(*code);

        assert!(needles.iter().all(|needle| ended.err.contains(needle)), "{needles:?}: {}", ended.err);
        assert!(ended.out.is_empty(), "{}", ended.out);
    }
}

#[test]
fn what_the_ledger_holds_is_tried_and_what_it_hides_is_told() {
    let changes = lines(&[moved("a", "booked", PICKED_UP), moved("b", "booked", "nothing")]);
    let arguments = ["run", "--file", "a.jsonl", "--data", "d", "--only", "move.*"];
    let (ended, folder) = Start::detector(arguments).file("a.jsonl", &changes).ended_in();
    assert!(ended.err.contains("2 changes"), "{}", ended.err);
    let tried = |arguments: &[&str]| {
        let mut start = Start::detector([&["backtest"], arguments].concat());
        start.command.current_dir(folder.path());
        start.ended().expect(0)
    };

    let shown = tried(&["--data", "d", "--save", "kept.json"]);
    let json = tried(&["--ledger", "--data", "d", "--json", "--against", "kept.json"]);

    for words in
        ["The ledger holds 1 change, recorded from 20", "`record = \"all\"` under `[ledger]`", "1 change from the ledger"]
    {
        assert!(shown.err.contains(words), "{}", shown.err);
    }
    let run = &json.json()[0];
    assert_eq!(
        (&run["ledger"]["changes"], &run["ledger"]["record"], &run["ledger"]["gaps"]),
        (&json!(1), &json!("matched"), &json!(0))
    );
    assert_eq!((&run["against"]["added"], &run["against"]["gone_changes"]), (&json!(0), &json!(0)));
}
