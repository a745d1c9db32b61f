//! Whom does the index leave out, and whom may it not?

mod random;
mod values;

use serde_json::json;

use super::Index;
use crate::change::{Change, Side};
use crate::detector::{Detector, Verdict};
use crate::plan::{At, Clause, Comparison, Constant, Plan};
use crate::registry::Registry;

const HERE: At = At("", 0);
const NOBODY: [u32; 0] = [];

fn text(text: &'static str) -> Option<Constant> {
    Some(Constant::Text(text.into()))
}

fn all(clauses: impl Into<Vec<Clause>>) -> Clause {
    HERE.all(clauses.into())
}

fn any(clauses: impl Into<Vec<Clause>>) -> Clause {
    HERE.any(clauses.into())
}

fn on(collection: &'static str) -> Clause {
    HERE.collection(text(collection))
}

fn changed(path: &'static str) -> Clause {
    HERE.changed(text(path))
}

fn status(value: &'static str) -> Clause {
    HERE.compare(Side::After, text("status"), Comparison::Equal, text(value))
}

fn opaque() -> Clause {
    HERE.opaque("a test")
}

/// Which of the plans are to be asked about `change`.
fn asked<const N: usize>(plans: [Clause; N], change: &Change) -> Vec<u32> {
    let plans = plans.map(|root| Some(Plan::new(root)));
    let places = Index::new(&plans).with_places(change, <[u32]>::to_vec);
    for (place, plan) in (0..).zip(&plans) {
        let plan = plan.as_ref().unwrap();
        assert!(places.contains(&place) || plan.rules_out(change), "{plan:?} does not rule it out");
    }
    places
}

fn update(before: &str, after: &str) -> Change {
    Change::update("moves").before(json!({ "status": before })).after(json!({ "status": after })).into()
}

#[test]
fn a_change_meets_only_those_of_its_namespace_operation_column_and_value() {
    let plans = || {
        [
            all([on("moves"), changed("status"), status("done")]),
            all([on("orders"), changed("status"), status("done")]),
            all([on("moves"), HERE.operation(|operation| operation == crate::Operation::Insert)]),
            all([on("moves"), changed("driver"), status("done")]),
            all([on("moves"), changed("status"), status("new")]),
            all([on("moves"), HERE.became(text("status"), text("done"))]),
            all([on("moves"), HERE.from_to(text("status"), text("new"), text("done"))]),
            all([HERE.database(text("elsewhere")), changed("status")]),
            status("done"),
            all([on("moves"), HERE.not(on("orders"))]),
        ]
    };

    assert_eq!(asked(plans(), &update("new", "done")), [0, 5, 6, 8, 9]);
    // What is found by its value needs not have changed.
    assert_eq!(asked(plans(), &update("done", "done")), [5, 8, 9]);
    assert_eq!(asked(plans(), &update("done", "new")), [4, 9]);
    assert_eq!(asked(plans(), &Change::insert("moves").after(json!({ "status": "done" })).into()), [2, 5, 8, 9]);
    assert_eq!(asked(plans(), &Change::delete("orders").before(json!({ "status": "done" })).into()), NOBODY);
}

#[test]
fn what_comes_after_opaque_code_is_of_no_use() {
    let change = update("new", "done");
    let plans = [
        all([opaque(), on("orders")]),
        all([on("orders"), opaque()]),
        all([on("moves"), any([status("new"), opaque()]), on("orders")]),
        // This way of holding is closed before its opaque code is reached, and so is the other.
        all([on("moves"), any([all([status("new"), opaque()]), status("old")])]),
        all([any([all([status("new"), opaque()]), status("done")]), on("orders")]),
        HERE.not(any([opaque(), on("moves")])),
        HERE.not(any([on("moves"), opaque()])),
    ];

    assert_eq!(asked(plans, &change), [0, 2, 5, 6]);
}

#[test]
fn what_comes_after_too_many_unknowns_is_of_no_use() {
    let change: Change = Change::update("moves").key(1).into();
    let six = || ["a", "b", "c", "d", "e", "f"].map(changed).to_vec();
    let plans = [
        all([any(six()), on("orders")]),
        all([any([six(), vec![changed("g")]].concat()), on("orders")]),
        all([[six(), vec![changed("g")]].concat(), vec![on("orders")]].concat()),
    ];

    assert_eq!(asked(plans, &change), [1, 2]);
}

#[test]
fn an_unknown_leaves_nobody_out() {
    let bare: Change = Change::update("moves").key(1).into();

    assert_eq!(asked([all([on("moves"), changed("status"), status("done")]), all([on("moves"), status("new")])], &bare), [0, 1]);
}

#[test]
fn each_of_several_ways_to_hold_is_enough() {
    let plan = || any([all([on("moves"), status("done")]), all([on("orders"), changed("total")])]);

    assert_eq!(asked([plan()], &update("new", "done")), [0]);
    assert_eq!(asked([plan()], &update("new", "lost")), NOBODY);
    assert_eq!(asked([plan()], &Change::update("orders").before(json!({ "total": 1 })).after(json!({ "total": 2 })).into()), [0]);
    assert_eq!(asked([any([])], &update("new", "done")), NOBODY);
    assert_eq!(asked([all([])], &update("new", "done")), [0]);
}

#[test]
fn more_ways_than_are_looked_up_are_found_by_what_they_share() {
    let statuses = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"];
    let plan = || all([on("moves"), any(statuses.map(status))]);

    assert_eq!(asked([plan()], &update("new", "done")), [0]);
    assert_eq!(asked([plan()], &Change::update("orders").key(1).into()), NOBODY);
}

#[test]
fn the_value_that_the_fewest_share_is_looked_up() {
    let kind = || HERE.compare(Side::After, text("kind"), Comparison::Equal, text("van"));
    let plan = |value| all([on("moves"), kind(), status(value)]);

    let change: Change = Change::insert("moves").after(json!({ "kind": "van", "status": "b" })).into();

    assert_eq!(asked([plan("a"), plan("b"), plan("c")], &change), [1]);
}

#[test]
fn a_registry_tells_who_is_always_asked() {
    fn detect(change: &Change) -> bool {
        change.is_update()
    }
    let registry = Registry::try_new([
        Detector::new("by.plan", detect)
            .with_plan(|| Plan::new(HERE.operation(|operation| operation == crate::Operation::Update))),
        Detector::new("opaque", detect).with_plan(|| Plan::new(HERE.opaque("a test"))),
        Detector::new("without", detect),
    ])
    .unwrap();

    let names: Vec<_> = registry.always_asked().map(Detector::name).collect();
    assert_eq!(names, ["opaque", "without"]);
    let names: Vec<_> = registry.filtered(|name| name != "opaque").always_asked().map(Detector::name).collect();
    assert_eq!(names, ["without"]);
}

#[test]
fn a_panic_of_one_that_is_ruled_out_is_not_seen_and_any_other_is() {
    fn panics(_: &Change) -> bool {
        panic!("always")
    }
    let registry = Registry::try_new([
        Detector::new("orders", panics).with_plan(|| Plan::new(on("orders"))),
        Detector::new("moves", panics).with_plan(|| Plan::new(on("moves"))),
        Detector::new("unknown", panics),
    ])
    .unwrap();

    let mut failed = Vec::new();
    registry.evaluate(&update("new", "done"), |detector, verdict| {
        assert!(matches!(verdict, Verdict::Failed(_)));
        failed.push(detector.name());
    });

    assert_eq!(failed, ["moves", "unknown"]);
}

#[test]
fn each_that_says_yes_is_asked_once_also_beyond_the_first_64() {
    use std::cell::Cell;
    thread_local!(static TIMES: Cell<usize> = const { Cell::new(0) });
    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let names = (0..130).map(|at| -> &'static str { format!("n{:03}.{}", at, NAMES[at % 10]).leak() });
    let detect = |_: &Change| {
        TIMES.set(TIMES.get() + 1);
        !TIMES.get().is_multiple_of(3)
    };
    let registry = Registry::try_new(names.map(|name| Detector::new(name, detect))).unwrap();

    let mut told = Vec::new();
    registry.evaluate(&update("a", "b"), |detector, verdict| {
        assert_eq!(verdict, Verdict::Detected);
        told.push(detector.name());
    });

    assert_eq!((TIMES.get(), told.len()), (130, 87));
    assert!(told.is_sorted());
}
