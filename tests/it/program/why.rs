//! Is it understood why an event happened, or not?

use insta::assert_snapshot;

use super::{Start, parsed};

const CHANGES: &str = r#"{"operation":"update","collection":"moves","key":7,"before":{"status":"en route"},"after":{"status":"pickup successful"}}
{"operation":"update","collection":"moves","key":8,"before":{"status":"booked"},"after":{"status":"en route"}}
nonsense

{"_id":{"_data":"82"},"operationType":"update","ns":{"db":"app","coll":"moves"},"documentKey":{"_id":9},"updateDescription":{"updatedFields":{"address":{"city":"Bonn"}},"removedFields":[]}}
"#;

fn why(arguments: &[&str]) -> Start {
    Start::detector([&["why", "--change"], arguments].concat()).file("changes.jsonl", CHANGES)
}

/// The text without the numbers of lines in the source, which change with every edit.
fn without_lines(text: &str) -> String {
    let mut parts = text.split(".rs:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + ".rs:LINE" + part.trim_start_matches(|char: char| char.is_ascii_digit()))
}

#[test]
fn an_event_that_happened_is_explained_by_every_clause() {
    let ended = why(&["changes.jsonl:1", "--event", "move.pickup.successful"]).ended().expect(0);

    assert_snapshot!(without_lines(&ended.out), @r#"
    UPDATE on moves 7  changes.jsonl:1

    * move.pickup.successful  events/src/move_pickup.rs:LINE
       It happened: each of its 4 clauses holds.

            clause                                         expected             actual
       yes  change.collection() == "moves"                 "moves"              "moves"                           events/src/move_pickup.rs:LINE
       yes  change.is_update()                             update               update                            events/src/move_pickup.rs:LINE
       yes  change.column_changed("status")                changed              "en route" → "pickup successful"  events/src/move_pickup.rs:LINE
       yes  change.after("status") == "pickup successful"  "pickup successful"  "pickup successful"               events/src/move_pickup.rs:LINE
    "#);
    assert_eq!(ended.err, "");
}

#[test]
fn an_event_that_did_not_happen_is_explained_by_the_first_clause_that_says_no() {
    let ended = why(&["changes.jsonl:2", "--event", "move.pickup.*"]).ended().expect(0);

    assert_snapshot!(without_lines(&ended.out), @r#"
    UPDATE on moves 8  changes.jsonl:2

    - move.pickup.successful  events/src/move_pickup.rs:LINE
       It did not happen: `change.after("status") == "pickup successful"` does not hold.

            clause                                         expected             actual
       yes  change.collection() == "moves"                 "moves"              "moves"                            events/src/move_pickup.rs:LINE
       yes  change.is_update()                             update               update                             events/src/move_pickup.rs:LINE
       yes  change.column_changed("status")                changed              "booked" → "en route"              events/src/move_pickup.rs:LINE
       no   change.after("status") == "pickup successful"  "pickup successful"  "en route"             <- decides  events/src/move_pickup.rs:LINE
    "#);
}

#[test]
fn an_undecided_event_is_explained_with_its_cure() {
    let ended = why(&["changes.jsonl:5", "--event", "move.address.changed"]).ended().expect(0);

    assert_snapshot!(without_lines(&ended.out), @r#"
    UPDATE on moves 9  changes.jsonl:5

    ? move.address.changed  events/src/move_address.rs:LINE
       It is undecided, and no job runs: the change does not say `column_changed("address.city")` and 1 more.

            clause                                      expected  actual
       yes  change.collection() == "moves"              "moves"   "moves"                        events/src/move_address.rs:LINE
       ?    one of                                                                               events/src/move_address.rs:LINE
       ?       change.column_changed("address.city")    changed   unknown → "Bonn"   <- decides  events/src/move_address.rs:LINE
       ?       change.column_changed("address.street")  changed   unknown → missing              events/src/move_address.rs:LINE

       The change does not say `column_changed("address.city")`, `column_changed("address.street")`:
          the update writes `address.city`, its parent or a part of it, which may equal what was there, and the change does not carry the images of `app.moves` from before and after it
          turn on images with `db.runCommand({ collMod: "moves", changeStreamPreAndPostImages: { enabled: true } })`
    "#);
}

#[test]
fn without_an_event_every_change_tells_what_it_is_and_what_it_nearly_is() {
    let ended = why(&["changes.jsonl"]).ended().expect(65);

    assert_snapshot!(ended.out, @r#"
    UPDATE on moves 7  changes.jsonl:1
       * move.pickup.successful  happened: each of its 4 clauses holds
       - move.address.changed    nearly: only `change.column_changed("address.city") || change.column_changed("address.street")` does not hold
       - move.cancel.pending     nearly: only `change.after("status") == "cancel pending"` does not hold (found "pickup successful")
       - move.deleted            nearly: only `change.is_delete()` does not hold (found update)
       4 others did not happen (4 of other collections)

    UPDATE on moves 8  changes.jsonl:2
       - move.address.changed    nearly: only `change.column_changed("address.city") || change.column_changed("address.street")` does not hold
       - move.cancel.pending     nearly: only `change.after("status") == "cancel pending"` does not hold (found "en route")
       - move.deleted            nearly: only `change.is_delete()` does not hold (found update)
       - move.pickup.successful  nearly: only `change.after("status") == "pickup successful"` does not hold (found "en route")
       4 others did not happen (4 of other collections)

    UPDATE on moves 9  changes.jsonl:5
       ? move.address.changed  is undecided, and no job runs: the change does not say `column_changed("address.city")` and 1 more
       - move.deleted          nearly: only `change.is_delete()` does not hold (found update)
       6 others did not happen (4 of other collections)
    "#);
    assert_snapshot!(ended.err, @r"
    changes.jsonl, line 3: not JSON at column 1, near `nonsense`: expected an object

    `detector why --change changes.jsonl --event NAME` shows each clause of an event.
    ");
    let quiet = why(&["changes.jsonl", "--quiet"]).ended().expect(65);
    assert_snapshot!(quiet.out, @r#"
    UPDATE on moves 7: move.pickup.successful: happened: each of its 4 clauses holds
    UPDATE on moves 9: move.address.changed: is undecided, and no job runs: the change does not say `column_changed("address.city")` and 1 more
    "#);
}

#[test]
fn standard_input_may_be_one_change_over_many_lines() {
    let pretty = "{\n  \"operation\": \"delete\",\n  \"collection\": \"moves\",\n  \"key\": 3\n}\n";

    let ended = why(&["-", "--event", "move.deleted", "--quiet"]).input(pretty).ended().expect(0);

    assert_eq!(ended.out, "DELETE on moves 3: move.deleted: happened: each of its 2 clauses holds\n");
}

#[test]
fn as_json_a_change_is_a_line_with_the_rules_of_its_events() {
    let changes = why(&["changes.jsonl:2", "--event", "move.*", "--json"]).ended().expect(0).json();

    let events = changes[0]["events"].as_array().unwrap();
    let event = |name: &str| events.iter().find(|event| event["name"] == name).unwrap();
    assert_eq!((changes.len(), events.len()), (1, 4));
    assert_eq!(changes[0]["change"]["place"], "changes.jsonl:2");
    let pickup = event("move.pickup.successful");
    assert_eq!((&pickup["verdict"], &pickup["detected"]), (&"not detected".into(), &false.into()));
    let last = &pickup["rule"]["clauses"][3];
    assert_eq!((&last["expected"], &last["actual"]), (&"\"pickup successful\"".into(), &"\"en route\"".into()));
    assert_eq!((&last["truth"], &last["decided"]), (&"false".into(), &true.into()));
    assert_eq!(pickup["near"][0]["text"], last["text"]);
    assert_eq!(event("move.deleted")["near"][0]["text"], "change.is_delete()");
}

#[test]
fn what_cannot_be_meant_is_answered_with_what_can() {
    let cases: [(&[&str], i32, &str); 7] = [
        (&["changes.jsonl", "--event", "move.pickup.sucessful"], 2, "did you mean `move.pickup.successful`?"),
        (&["changes.jsonl:99"], 66, "`changes.jsonl` has no change in line 99"),
        (&["changes.jsonl:4"], 66, "line 4 of `changes.jsonl` is empty"),
        (&["changes.jsonl:3"], 65, "changes.jsonl, line 3: not JSON at column 1"),
        (&["empty.jsonl"], 66, "there is no change in `empty.jsonl`"),
        (&["nothing.jsonl"], 66, "there is no file `nothing.jsonl`, and there is no ledger in `detector-data`"),
        (&["."], 66, "`.` cannot be read"),
    ];
    for (arguments, code, words) in cases {
        let ended = why(arguments).file("empty.jsonl", "\n").ended().expect(code);
        assert!(ended.err.contains(words), "{arguments:?}\n{}", ended.err);
    }
    let missing = Start::detector(["why", "--json"]).ended().expect(2);
    assert!(parsed(&missing.err)[0]["error"]["message"].as_str().unwrap().contains("--change"), "{}", missing.err);
}
