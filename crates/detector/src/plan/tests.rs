use serde_json::json;

use super::{At, Clause, Comparison, Condition, Constant, Plan};
use crate::change::{Change, Side};
use crate::detector::Verdict;

const HERE: At = At("", 0);

fn text(text: &'static str) -> Option<Constant> {
    Some(Constant::Text(text.into()))
}

fn changed(path: &'static str) -> Clause {
    HERE.changed(text(path))
}

fn status(value: &'static str) -> Clause {
    HERE.compare(Side::After, text("status"), Comparison::Equal, text(value))
}

fn moves() -> Clause {
    HERE.collection(text("moves"))
}

fn all(clauses: impl Into<Vec<Clause>>) -> Plan {
    Plan::new(HERE.all(clauses.into()))
}

fn any(clauses: impl Into<Vec<Clause>>) -> Clause {
    HERE.any(clauses.into())
}

/// An update without images, so that nearly everything is unknown.
fn bare(collection: &str) -> Change {
    Change::update(collection).key(1).into()
}

fn update(before: &str, after: &str) -> Change {
    Change::update("moves").before(json!({ "status": before })).after(json!({ "status": after })).into()
}

#[test]
fn a_certain_no_rules_a_change_out() {
    let plan = all([moves(), changed("status"), status("done")]);

    assert!(plan.rules_out(&bare("orders")));
    assert!(plan.rules_out(&update("done", "done")));
    assert!(plan.rules_out(&update("done", "new")));
    assert!(!plan.rules_out(&update("new", "done")));
}

#[test]
fn an_unknown_does_not() {
    let plan = all([moves(), changed("status"), status("done")]);

    assert!(!plan.rules_out(&bare("moves")));
    assert!(matches!(plan.evaluate(&bare("moves")), Verdict::Undecided(_)));
}

#[test]
fn a_certain_no_after_opaque_code_does_not_either() {
    let opaque = || HERE.opaque("a test");

    assert!(!all([opaque(), moves()]).rules_out(&bare("orders")));
    assert!(!all([any([opaque(), changed("status")]), moves()]).rules_out(&bare("orders")));
    assert!(all([moves(), opaque()]).rules_out(&bare("orders")));
    assert!(!Plan::new(HERE.not(opaque())).rules_out(&bare("orders")));
}

#[test]
fn a_certain_no_after_too_many_unknowns_does_not_either() {
    let six = ["a", "b", "c", "d", "e", "f"];
    let six = || six.map(changed).to_vec();
    let seven = || [six(), vec![changed("g")]].concat();
    let within = |count: usize| {
        let literals = (0..count).map(|at| Constant::Int(i64::try_from(at).unwrap())).collect();
        HERE.within(Side::After, text("a"), Some(literals))
    };

    for (plan, verdict) in [
        (all([any(six()), moves()]), Some(Verdict::No)),
        (all([any(seven()), moves()]), None),
        (all([within(6), moves()]), Some(Verdict::No)),
        (all([within(7), moves()]), None),
    ] {
        let change = bare("orders");

        assert_eq!(plan.rules_out(&change), verdict.is_some(), "{plan:?}");
        match verdict {
            Some(verdict) => assert_eq!(plan.evaluate(&change), verdict),
            None => assert!(matches!(plan.evaluate(&change), Verdict::Undecided(_))),
        }
    }
}

#[test]
fn the_operations_of_a_plan_are_those_it_can_hold_of() {
    let names = |plan: &Plan| plan.reads().operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>();
    let insert = || HERE.operation(|operation| operation == crate::Operation::Insert);

    assert_eq!(names(&all([moves(), changed("status")])), ["update"]);
    assert_eq!(names(&Plan::new(any([insert(), changed("status")]))), ["insert", "update"]);
    assert_eq!(names(&all([HERE.not(insert()), HERE.became(text("status"), text("done"))])), ["update"]);
    assert_eq!(names(&all([moves()])).len(), 14);
    // Opaque code may leave the predicate with a yes.
    assert_eq!(names(&all([HERE.opaque("a test"), insert()])).len(), 14);
}

#[test]
fn the_operations_of_conditions_deep_in_each_other_are_found_in_one_pass() {
    let insert = HERE.operation(|operation| operation == crate::Operation::Insert);
    let deep = (0..64).fold(insert, |inner, _| any([HERE.all(vec![inner]), changed("status")]));

    let names: Vec<_> = Plan::new(deep).reads().operations.iter().map(|operation| operation.as_str()).collect();

    assert_eq!(names, ["insert", "update"]);
}

#[test]
fn a_part_that_is_no_constant_of_ours_makes_a_clause_opaque() {
    let clause = HERE.compare(Side::After, text("status"), Comparison::Equal, None).asked(|_, nth| nth == 3, 3);

    assert!(matches!(clause.condition(), Condition::Opaque { .. }));
    assert_eq!(Plan::new(clause).evaluate(&bare("moves")), Verdict::Detected);
}
