//! Bodies that are recognised wholly, and the trees that they become.

use event_detector::{Change, Operation};

use super::{plan, tree};

const MOVES: &str = "moves";
const LIMIT: u32 = 1000;
const OPEN: [&str; 2] = ["new", "held"];

mod names {
    pub(super) const STATUS: &str = "status";
    pub(super) static DONE: &str = "done";
}

/// Declares an event of each body, beside the tree that its plan is to be.
macro_rules! bodies {
    ($($module:ident $name:literal: |$change:ident| $body:tt => $tree:literal;)*) => {
        const TREES: &[(&str, &str)] = &[$(($name, $tree)),*];
        $(
            #[event_detector::event($name)]
            mod $module {
                #[allow(unused_imports)]
                use super::*;
                #[allow(clippy::all)]
                fn detect($change: &Change) -> bool $body
            }
        )*
    };
}

bodies! {
    conjunction "exact.conjunction": |change| {
        change.collection() == "moves"
            && change.is_update()
            && change.column_changed("status")
            && change.after("status") == "done"
    } => "all(collection moves, op(update), changed status, after status == \"done\")";

    nested "exact.nested": |c| {
        (c.collection()) == "moves" && ((c.is_insert() || !(c.is_update() && c.became("active", true))) && !!c.after("n").exists())
    } => "all(collection moves, any(op(insert), not(all(op(update), active became true))), after n exists)";

    fields "exact.fields": |change| {
        change.after("n") > 999 && change.after("n") >= 1_000u32 && change.before("n") != -1 && change.before("n") < 1001.5
            && change.after("n") <= 1e3f32 && change.before("text").is_missing() && !change.before("eta").is_null()
            && change.after("status").is_in(["done", "held"]) && change.changed_from_to("status", "new", "done")
    } => "all(after n > 999, after n >= 1000, before n != -1, before n < 1001.5, after n <= 1000.0, not(before text exists), not(before eta null), after status in \"done\"|\"held\", status from \"new\" to \"done\")";

    constants "exact.constants": |change| {
        change.collection() == MOVES && change.after(names::STATUS) == names::DONE && change.after("n") >= LIMIT
            && !change.before(names::STATUS).is_in([MOVES, "done"]) && change.database() != MOVES
            || change.after("status").is_in(OPEN)
    } => "any(all(collection moves, after status == \"done\", after n >= 1000, not(before status in \"moves\"|\"done\"), not(database moves)), after status in \"new\"|\"held\")";

    items_in_the_body "exact.items": |change| {
        const MOVES: &str = "orders";
        use Operation::{Delete, Insert as Came};
        if change.collection() != MOVES {
            return false;
        }
        return matches!(change.operation(), Came | Delete) && change.after(STATUS) != "new";
        const STATUS: &str = "status";
    } => "all(collection orders, op(insert|delete), after status != \"new\")";

    guards "exact.guards": |change| {
        if !change.is_update() { return false; }
        if change.collection() == "users" || change.collection() == "orders" { return change.after("n") == 7; }
        if change.column_changed("n") { return true }
        change.became("status", "done")
    } => "all(op(update), any(all(any(collection users, collection orders), after n == 7), all(not(any(collection users, collection orders)), any(changed n, status became \"done\"))))";

    choices "exact.choices": |change| {
        if change.is_insert() {
            change.after("n") == 1
        } else if change.is_delete() {
            return false;
        } else {
            if !change.is_update() { return false; }
            let changed = change.column_changed("n");
            changed
        }
    } => "any(all(op(insert), after n == 1), all(not(op(insert)), not(op(delete)), op(update), changed n))";

    simple_choices "exact.simple_choices": |change| {
        (if change.is_insert() { true } else { change.is_delete() })
            && if change.collection() == "moves" { change.before("n") != 1 } else { false }
            && (if change.is_manual() { false } else { true })
    } => "all(any(op(insert), op(delete)), collection moves, before n != 1, not(op(manual)))";

    operations "exact.operations": |change| {
        use Operation as What;
        (change.operation() == What::Update || change.operation() != What::Insert)
            && matches!(change.operation(), What::Update | What::Delete)
            && std::matches!(change.collection(), "moves" | "orders")
    } => "all(any(op(update), op(13 of them)), op(update|delete), any(collection moves, collection orders))";

    matching "exact.matching": |change| {
        match change.operation() {
            Operation::Insert => change.after("n") == 1,
            Operation::Update if change.collection() == "moves" => change.column_changed("n"),
            Operation::Update | Operation::Delete => { return change.before("status") == "done"; }
            Operation::Manual => true,
            _ => false,
        }
    } => "any(all(op(insert), after n == 1), all(op(update), collection moves, changed n), all(op(update|delete), not(all(op(update), collection moves)), before status == \"done\"), all(op(manual), not(all(op(update), collection moves))))";

    reads_in_names "exact.reads_in_names": |change| {
        let operation = change.operation();
        let status = change.after("status");
        let before: event_detector::Value<'_> = change.before(names::STATUS);
        let collection = change.collection();
        operation == Operation::Update && collection == "moves" && status == "done" && before != "done" && !status.is_null()
    } => "all(op(update), collection moves, after status == \"done\", before status != \"done\", not(after status null))";

    clauses_in_names "exact.clauses_in_names": |change| {
        let is_move = change.collection() == "moves";
        let changed = change.column_changed("status");
        let done: bool = change.after("status") == "done";
        is_move && changed && done
    } => "all(collection moves, changed status, after status == \"done\")";

    clauses_asked_early "exact.clauses_asked_early": |change| {
        let changed = change.column_changed("status");
        let done = change.after("status") == "done" || change.after("n") == 7;
        change.collection() == "moves" && (done || !changed)
    } => "all(any(changed status, all()), any(after status == \"done\", after n == 7, all()), collection moves, any(after status == \"done\", after n == 7, not(changed status)))";

    many_unknowns "exact.many_unknowns": |change| {
        let a = change.after("a") == 1;
        let b = change.after("b") == 1;
        let c = change.after("c") == 1;
        let d = change.after("d") == 1;
        let e = change.after("e") == 1;
        let f = change.after("f") == 1;
        let g = change.after("g") == 1;
        change.collection() == "moves" && (a || b || c || d || e || f || g || change.is_update())
    } => "all(any(after a == 1, all()), any(after b == 1, all()), any(after c == 1, all()), any(after d == 1, all()), any(after e == 1, all()), any(after f == 1, all()), any(after g == 1, all()), collection moves, any(after a == 1, after b == 1, after c == 1, after d == 1, after e == 1, after f == 1, after g == 1, op(update)))";

    within_many "exact.within_many": |change| {
        !change.after("n").is_in([10, 20, 30, 40, 50, 60, 70]) && change.is_update() && change.collection() == "moves"
    } => "all(not(after n in 10|20|30|40|50|60|70), op(update), collection moves)";

    always "exact.always": |_change| { true } => "all()";

    early_true "exact.early_true": |change| {
        if change.is_insert() { return true; }
        return change.is_update() && change.before("status").exists();
    } => "any(op(insert), all(op(update), before status exists))";
}

#[event_detector::event("exact.module_with_a_constant_of_our_names")]
mod ours {
    use super::Change;

    const DETECT: &str = "moves";
    const JOBS: &str = "status";
    #[allow(non_upper_case_globals)]
    const change: &str = "done";

    fn detect(c: &Change) -> bool {
        c.collection() == DETECT && c.became(JOBS, change)
    }

    fn jobs(_: &Change) -> Vec<event_detector::Job> {
        Vec::new()
    }
}

#[test]
fn each_form_becomes_the_tree_that_it_states() {
    let trees: Vec<_> = TREES.iter().map(|(event, _)| (*event, tree(plan(event).root()))).collect();
    let expected: Vec<_> = TREES.iter().map(|(event, tree)| (*event, (*tree).to_owned())).collect();

    assert_eq!(trees, expected);
    assert!(TREES.iter().all(|(event, _)| plan(event).is_exact()));
    assert_eq!(tree(plan("exact.module_with_a_constant_of_our_names").root()), "all(collection moves, status became \"done\")");
}

#[test]
fn clauses_carry_their_source_and_its_line() {
    let plan = plan("exact.items");
    let texts: Vec<_> = plan.root().parts().iter().map(|clause| (clause.text(), clause.line())).collect();
    let first = texts[0].1;

    assert_eq!(
        texts,
        [
            ("change.collection() == MOVES", first),
            ("matches!(change.operation(), Came | Delete)", first + 3),
            (r#"change.after(STATUS) != "new""#, first + 3),
        ]
    );
    assert!(first > 50 && first < 70, "{first}");
}
