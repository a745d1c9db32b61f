//! What is shown, to the letter. In the snapshots of terminals `␛` stands for the escape character.

use event_detector::__private::At;
use event_detector::{Change, Clause, Comparison, Constant, Declared, Detector, Operation, Plan, Registry, Side};
use insta::assert_snapshot;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::event;
use crate::commands::why::overview::overview;
use crate::console::Look;

fn text(text: &'static str) -> Option<Constant> {
    Some(Constant::Text(text.into()))
}

fn moves() -> Clause {
    At("change.collection() == \"moves\"", 14).collection(text("moves"))
}

fn updated() -> Clause {
    At("change.is_update()", 15).operation(|operation| operation == Operation::Update)
}

fn changed(path: &'static str, written: &'static str) -> Clause {
    At(written, 16).changed(text(path))
}

fn status_changed() -> Clause {
    changed("status", "change.column_changed(\"status\")")
}

fn status_is_done() -> Clause {
    At("change.after(\"status\") == \"pickup successful\"", 17).compare(
        Side::After,
        text("status"),
        Comparison::Equal,
        text("pickup successful"),
    )
}

fn pickup() -> Plan {
    Plan::new(At("", 14).all(vec![moves(), updated(), status_changed(), status_is_done()]))
}

fn address() -> Plan {
    let city = changed("address.city", "change.column_changed(\"address.city\")");
    let street = changed("address.street", "change.column_changed(\"address.street\")");
    let deleted = At("!change.is_delete()", 18).not(At("change.is_delete()", 18).operation(|one| one == Operation::Delete));
    let neither = At("!(…)", 19)
        .not(At("…", 19).all(vec![At("change.is_insert()", 19).operation(|one| one == Operation::Insert), moves()]));
    Plan::new(At("", 14).all(vec![moves(), At("…", 16).any(vec![city, street]), deleted, neither]))
}

fn weight() -> Plan {
    let opaque = |text, nth| At(text, 20 + nth).opaque("it is no condition on a field").asked(weighs, nth);
    Plan::new(At("", 20).all(vec![opaque("weight.is_some()", 0), opaque("weight.unwrap() > 3", 1)]))
}

fn weighs(change: &Change, nth: u32) -> bool {
    let weight = change.after("weight").as_i64();
    match nth {
        0 => weight.is_some(),
        _ => weight.expect("it weighs something") > 3,
    }
}

const PICKUP: Detector =
    made("parcel.delivered", |change| pickup().evaluate(change) == event_detector::Verdict::Detected, pickup);
const ADDRESS: Detector = made(
    "parcel.moved",
    |change| change.collection() == "moves" && (change.column_changed("address.city") || change.column_changed("address.street")),
    address,
);

const fn made(name: &'static str, detect: fn(&Change) -> bool, plan: fn() -> Plan) -> Detector {
    let declared = Declared { module: "", file: "events/src/parcel.rs", line: 9, doc: "", calls: &[] };
    Detector::new(name, detect).with_plan(plan).declared_at(declared)
}

fn update(before: &str, after: &str) -> Change {
    let document = |status: &str| json!({ "id": 13107, "status": status, "address": { "city": "Bonn" } });
    Change::update("moves").database("app").before(document(before)).after(document(after)).into()
}

/// What the server sends without images.
fn bare() -> Change {
    let json = r#"{"_id":{"_data":"82"},"operationType":"update","ns":{"db":"app","coll":"moves"},"documentKey":{"_id":9},
        "updateDescription":{"updatedFields":{"address":{"city":"Bonn"}},"removedFields":[]}}"#;
    Change::from_json(json).unwrap()
}

fn shown(detector: Detector, change: &Change, look: Look, width: Option<usize>) -> String {
    let mut text = String::new();
    event(&mut text, &detector.explain(change), look, width);
    text.replace('\u{1b}', "␛")
}

#[test]
fn a_clause_that_does_not_hold_stands_out_and_the_others_are_shown_too() {
    let shown = shown(PICKUP, &update("booked", "booked"), Look::Plain, None);

    assert_snapshot!(shown, @r#"
    - parcel.delivered  events/src/parcel.rs:9
       It did not happen: `change.column_changed("status")` does not hold.

            clause                                         expected             actual
       yes  change.collection() == "moves"                 "moves"              "moves"                          events/src/parcel.rs:14
       yes  change.is_update()                             update               update                           events/src/parcel.rs:15
       no   change.column_changed("status")                changed              "booked" → "booked"  <- decides  events/src/parcel.rs:16
       no   change.after("status") == "pickup successful"  "pickup successful"  "booked"             not asked   events/src/parcel.rs:17
    "#);
}

#[test]
fn on_a_terminal_marks_and_colours_tell_the_same() {
    let shown = shown(PICKUP, &update("booked", "en route"), Look::Fancy, Some(200));

    assert_snapshot!(shown, @r#"
    ➖ ␛[1mparcel.delivered␛[0m␛[2m  events/src/parcel.rs:9␛[0m
       It did not happen: `change.after("status") == "pickup successful"` does not hold.

          ␛[2mclause␛[0m                                         ␛[2mexpected␛[0m             ␛[2mactual␛[0m
       ␛[32m✓␛[0m  change.collection() == "moves"                 "moves"              "moves"                           ␛[2mevents/src/parcel.rs:14␛[0m
       ␛[32m✓␛[0m  change.is_update()                             update               update                            ␛[2mevents/src/parcel.rs:15␛[0m
       ␛[32m✓␛[0m  change.column_changed("status")                changed              "booked" → "en route"             ␛[2mevents/src/parcel.rs:16␛[0m
       ␛[31m✗␛[0m  ␛[1mchange.after("status") == "pickup successful"␛[0m  ␛[1m"pickup successful"␛[0m  ␛[1m"en route"␛[0m             ␛[1m◀ decides␛[0m  ␛[2mevents/src/parcel.rs:17␛[0m
    "#);
}

#[test]
fn on_a_narrow_terminal_a_clause_takes_several_lines_and_none_is_too_long() {
    let fancy = shown(PICKUP, &update("booked", "booked"), Look::Fancy, Some(80));

    let shown = anstream::adapter::strip_str(&fancy.replace('␛', "\u{1b}")).to_string();
    assert_snapshot!(shown, @r#"
    ➖ parcel.delivered  events/src/parcel.rs:9
       It did not happen: `change.column_changed("status")` does not hold.

       ✓  change.collection() == "moves"
            expected "moves", is "moves"                     events/src/parcel.rs:14
       ✓  change.is_update()
            expected update, is update                       events/src/parcel.rs:15
       ✗  change.column_changed("status")  ◀ decides
            expected changed, is "booked" → "booked"         events/src/parcel.rs:16
       ✗  change.after("status") == "pickup successful"  not asked
            expected "pickup successful", is "booked"        events/src/parcel.rs:17
    "#);
    assert!(shown.lines().all(|line| line.width() <= 80), "{shown}");
    assert_snapshot!(self::shown(PICKUP, &update("booked", "booked"), Look::Plain, Some(80)), @r#"
    - parcel.delivered  events/src/parcel.rs:9
       It did not happen: `change.column_changed("status")` does not hold.

       yes  change.collection() == "moves"
            expected "moves", is "moves"                     events/src/parcel.rs:14
       yes  change.is_update()
            expected update, is update                       events/src/parcel.rs:15
       no   change.column_changed("status")  <- decides
            expected changed, is "booked" → "booked"         events/src/parcel.rs:16
       no   change.after("status") == "pickup successful"  not asked
            expected "pickup successful", is "booked"        events/src/parcel.rs:17
    "#);
}

#[test]
fn an_event_that_happened_has_nothing_but_clauses_that_hold() {
    let shown = shown(PICKUP, &update("booked", "pickup successful"), Look::Plain, None);

    assert_snapshot!(shown, @r#"
    * parcel.delivered  events/src/parcel.rs:9
       It happened: each of its 4 clauses holds.

            clause                                         expected             actual
       yes  change.collection() == "moves"                 "moves"              "moves"                         events/src/parcel.rs:14
       yes  change.is_update()                             update               update                          events/src/parcel.rs:15
       yes  change.column_changed("status")                changed              "booked" → "pickup successful"  events/src/parcel.rs:16
       yes  change.after("status") == "pickup successful"  "pickup successful"  "pickup successful"             events/src/parcel.rs:17
    "#);
}

#[test]
fn an_undecided_event_ends_with_what_would_decide_it() {
    let shown = shown(ADDRESS, &bare(), Look::Plain, None);

    assert_snapshot!(shown, @r#"
    ? parcel.moved  events/src/parcel.rs:9
       It is undecided, and no job runs: the change does not say `column_changed("address.city")` and 1 more.

            clause                                      expected    actual
       yes  change.collection() == "moves"              "moves"     "moves"                        events/src/parcel.rs:14
       ?    one of                                                                                 events/src/parcel.rs:16
       ?       change.column_changed("address.city")    changed     unknown → "Bonn"   <- decides  events/src/parcel.rs:16
       ?       change.column_changed("address.street")  changed     unknown → missing              events/src/parcel.rs:16
       yes  !change.is_delete()                         not delete  update                         events/src/parcel.rs:18
       yes  not                                                                                    events/src/parcel.rs:19
       no      all of                                                                              events/src/parcel.rs:19
       no         change.is_insert()                    insert      update                         events/src/parcel.rs:19
       yes        change.collection() == "moves"        "moves"     "moves"            not asked   events/src/parcel.rs:14

       The change does not say `column_changed("address.city")`, `column_changed("address.street")`:
          the update writes `address.city`, its parent or a part of it, which may equal what was there, and the change does not carry the images of `app.moves` from before and after it
          turn on images with `db.runCommand({ collMod: "moves", changeStreamPreAndPostImages: { enabled: true } })`
    "#);
}

#[test]
fn conditions_that_are_made_of_others_are_a_tree() {
    assert_snapshot!(shown(ADDRESS, &update("a", "b"), Look::Plain, None), @r#"
    - parcel.moved  events/src/parcel.rs:9
       It did not happen: `…` does not hold.

            clause                                      expected    actual
       yes  change.collection() == "moves"              "moves"     "moves"                        events/src/parcel.rs:14
       no   one of                                                                     <- decides  events/src/parcel.rs:16
       no      change.column_changed("address.city")    changed     "Bonn" → "Bonn"                events/src/parcel.rs:16
       no      change.column_changed("address.street")  changed     missing → missing              events/src/parcel.rs:16
       yes  !change.is_delete()                         not delete  update             not asked   events/src/parcel.rs:18
       yes  not                                                                        not asked   events/src/parcel.rs:19
       no      all of                                                                  not asked   events/src/parcel.rs:19
       no         change.is_insert()                    insert      update             not asked   events/src/parcel.rs:19
       yes        change.collection() == "moves"        "moves"     "moves"            not asked   events/src/parcel.rs:14
    "#);
    assert_snapshot!(shown(ADDRESS, &update("a", "b"), Look::Plain, Some(70)), @r#"
    - parcel.moved  events/src/parcel.rs:9
       It did not happen: `…` does not hold.

       yes  change.collection() == "moves"
            expected "moves", is "moves"           events/src/parcel.rs:14
       no   one of  <- decides
       no      change.column_changed("address.city")
               expected changed, is "Bonn" → "Bonn"
               events/src/parcel.rs:16
       no      change.column_changed("address.street")
               expected changed, is missing → missing
               events/src/parcel.rs:16
       yes  !change.is_delete()  not asked
            expected not delete, is update         events/src/parcel.rs:18
       yes  not  not asked
       no      all of  not asked
       no         change.is_insert()  not asked
                  expected insert, is update       events/src/parcel.rs:19
       yes        change.collection() == "moves"  not asked
                  expected "moves", is "moves"     events/src/parcel.rs:14
    "#);
}

#[test]
fn what_a_let_asks_needed_or_not_is_an_alternative_to_what_always_is() {
    let plan = || {
        let asked = "let done = change.column_changed(\"other\");";
        let eager = At(asked, 15).any(vec![changed("other", "change.column_changed(\"other\")"), At(asked, 15).all(Vec::new())]);
        Plan::new(At("", 14).all(vec![eager, moves()]))
    };
    let detector = || Detector::new("move.done", |change| change.collection() == "moves").with_plan(plan);

    for width in [None, Some(60)] {
        let text = shown(detector(), &update("a", "b"), Look::Plain, width);

        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let place = lines.iter().position(|line| line.trim_start().starts_with("yes     always")).expect(&text);
        assert!(!text.contains("all of") && !text.contains("each of these"), "{text}");
        assert!(lines[place + 1].contains("change.collection()"), "{text}");
    }
}

#[test]
fn code_that_panics_is_told_where_the_event_comes_to_it_and_where_it_does_not() {
    let change: Change = Change::insert("moves").key(1).after(json!({ "weight": null })).into();
    let guarded = made("move.heavy", |change| weighs(change, 0) && weighs(change, 1), weight);
    let fails = made("move.heavy", |change| weighs(change, 1), || Plan::new(weight().root().parts()[1].clone()));

    assert_snapshot!(without_columns(&without_places(&shown(guarded, &change, Look::Plain, None))), @r#"
    - move.heavy | events/src/parcel.rs:9
    It did not happen: `weight.is_some()` does not hold.

    clause | expected | actual
    no | weight.is_some() | true | false (after("weight") = null) | <- decides | events/src/parcel.rs:20
    ? | weight.unwrap() > 3 | true | panicked at FILE: it weighs something | not asked | events/src/parcel.rs:21
    "#);
    assert_snapshot!(without_columns(&without_places(&shown(fails, &change, Look::Plain, None))), @r"
    ! move.heavy | events/src/parcel.rs:9
    It failed: `detect` panicked at FILE: it weighs something.

    clause | expected | actual
    ? | weight.unwrap() > 3 | true | panicked at FILE: it weighs something | <- decides | events/src/parcel.rs:21
    ");
}

/// The text without the places of panics, which change with every edit.
fn without_places(text: &str) -> String {
    let parts: Vec<&str> = text.split("panicked at ").collect();
    let rest = parts[1..].iter().map(|part| part.split_once(": ").map_or(*part, |(_, rest)| rest));
    std::iter::once(parts[0]).chain(rest).collect::<Vec<_>>().join("panicked at FILE: ")
}

/// The text without what such places do to its columns.
fn without_columns(text: &str) -> String {
    let line = |line: &str| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect::<Vec<_>>().join(" | ");
    text.lines().map(|one| line(one) + "\n").collect()
}

#[test]
fn of_an_event_without_a_rule_it_is_shown_what_it_read() {
    let became = Detector::new("move.done", |change| change.collection() == "moves" && change.became("status", "done"));
    let moved = Detector::new("move.moved", |change| change.became("address.city", "Bonn"));

    assert_snapshot!(shown(became, &update("booked", "booked"), Look::Plain, None), @r#"
    - move.done
       It did not happen.

       Its rule is not known, so all that can be shown is what it read:
          became("status", "done")  false
    "#);
    assert_snapshot!(shown(moved, &bare(), Look::Plain, None), @r#"
    ? move.moved
       It is undecided, and no job runs: the change does not say `became("address.city", "Bonn")`.

       Its rule is not known, so all that can be shown is what it read:
          became("address.city", "Bonn")  unknown

       The change does not say `became("address.city", "Bonn")`:
          the change carries no image of `app.moves` from before it
          turn on images with `db.runCommand({ collMod: "moves", changeStreamPreAndPostImages: { enabled: true } })`
    "#);
    assert_snapshot!(shown(Detector::new("move.seen", |_| true), &bare(), Look::Plain, None), @r"
    * move.seen
       It happened.

       Its rule is not known, so all that can be shown is what it read:
          no field
    ");
}

#[test]
fn what_a_document_holds_cannot_rewrite_the_terminal() {
    let shown = shown(PICKUP, &update("\u{1b}[2J\u{202e}", "\n\u{9b}2J"), Look::Plain, None);

    assert!(!shown.contains(['\u{1b}', '␛', '\u{9b}', '\u{202e}']), "{shown}");
}

#[test]
fn the_overview_tells_of_what_happened_then_of_what_nearly_did_and_counts_the_rest() {
    let orders = || Plan::new(At("", 1).all(vec![At("orders", 1).collection(text("orders")), updated(), status_is_done()]));
    let inserted =
        || Plan::new(At("", 1).all(vec![moves(), At("insert", 1).operation(|one| one == Operation::Insert), status_is_done()]));
    let registry = Registry::try_new([
        PICKUP,
        ADDRESS,
        made("order.done", |_| false, orders),
        made("move.new", |_| false, inserted),
        Detector::new("move.plain", |_| false),
        Detector::new("move.all", |change| change.collection() == "moves"),
        Detector::new("move.breaks", |_| panic!("out of luck")),
    ])
    .unwrap();
    let overview = |change: &Change, look| {
        let explained: Vec<_> = registry.detectors().iter().map(|detector| detector.explain(change)).collect();
        without_places(&overview(&registry, change, &explained, look))
    };

    assert_snapshot!(overview(&update("booked", "en route"), Look::Plain), @r#"
    * move.all          happened
    ! move.breaks       failed: `detect` panicked at FILE: out of luck
    - parcel.delivered  nearly: only `change.after("status") == "pickup successful"` does not hold (found "en route")
    - parcel.moved      nearly: only `…` does not hold
    3 others did not happen (1 of other collections, 1 of other operations)
    "#);
    let nothing = overview(&Change::delete("things").key(1).into(), Look::Fancy).replace('\u{1b}', "␛");
    assert_snapshot!(nothing, @r"
    💥 ␛[1mmove.breaks␛[0m  failed: `detect` panicked at FILE: out of luck
    ␛[2m6 others did not happen (4 of other collections)␛[0m
    ");
}
