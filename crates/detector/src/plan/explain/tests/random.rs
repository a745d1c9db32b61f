//! Does what an explanation says fit the verdict, whatever the rule and the change?

use proptest::prelude::*;
use serde_json::json;

use super::super::super::{At, Clause, Comparison, Condition, Constant, Plan};
use super::super::Truth;
use super::{all, any, changed, text};
use crate::change::{Change, Operation, Side};
use crate::detector::Verdict;
use crate::undecided::MAX_UNKNOWNS;

/// A clause of any kind, over few fields with few values, so that everything happens often.
fn some_clause() -> impl Strategy<Value = Clause> {
    let paths = || prop::sample::select(vec!["a", "b"]);
    let field = || (prop::sample::select(vec![Side::Before, Side::After]), paths());
    let path = |path: &'static str| text(Some(path));
    let comparisons = vec![Comparison::Equal, Comparison::NotEqual, Comparison::Less];
    let leaf = prop_oneof![
        prop::sample::select(vec!["moves", "orders"]).prop_map(move |name| At("", 0).collection(text(Some(name)))),
        prop::sample::select(Operation::ALL.to_vec()).prop_map(|one| At("", 0).operation(move |other| other == one)),
        paths().prop_map(changed),
        (field(), prop::sample::select(comparisons), 0..3i64)
            .prop_map(move |((side, at), how, literal)| { At("", 0).compare(side, path(at), how, Some(Constant::Int(literal))) }),
        field().prop_map(move |(side, at)| At("", 0).exists(side, path(at))),
        (paths(), 0..3i64).prop_map(move |(at, literal)| At("", 0).became(path(at), Some(Constant::Int(literal)))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(all),
            prop::collection::vec(inner.clone(), 0..4).prop_map(any),
            inner.prop_map(|clause| At("", 0).not(clause)),
        ]
    })
}

fn some_change() -> impl Strategy<Value = Change> {
    let document = || (0..4i64, 0..4i64).prop_map(|(a, b)| if a == 3 { json!({ "b": b }) } else { json!({ "a": a, "b": b }) });
    (0..3u8, document(), document(), prop::bool::weighted(0.7)).prop_map(|(kind, before, after, has_before)| match kind {
        0 => Change::insert("moves").key(1).after(after).into(),
        1 => Change::delete("orders").key(1).before(before).into(),
        _ if has_before => Change::update("moves").key(1).before(before).after(after).into(),
        _ => Change::update("moves").key(1).after(after).into(),
    })
}

/// `clause` with `wanted` in it replaced by what always holds.
fn without(clause: &Clause, wanted: &Clause) -> Clause {
    if std::ptr::eq(clause, wanted) {
        return all([]);
    }
    let parts = || clause.parts().iter().map(|part| without(part, wanted)).collect::<Vec<_>>();
    match clause.condition() {
        Condition::All { .. } => all(parts()),
        Condition::Any { .. } => any(parts()),
        Condition::Not { clause } => At("", 0).not(without(clause, wanted)),
        _ => clause.clone(),
    }
}

proptest! {
    #[test]
    fn one_clause_decides_and_is_what_the_verdict_is(clause in some_clause(), change in some_change()) {
        let plan = Plan::new(clause);
        let explanation = plan.explain(&change);
        let truth = match plan.evaluate(&change) {
            Verdict::Detected => Truth::True,
            Verdict::No => Truth::False,
            _ => Truth::Unknown,
        };
        let decided: Vec<_> = explanation.root().all().into_iter().filter(|clause| clause.decided).collect();

        prop_assert_eq!(explanation.root().truth, truth);
        prop_assert_eq!(decided.len(), 1);
        prop_assert!(decided[0].reached);
        // A yes or no that follows from unknowns together is of the clause that they make up.
        prop_assert!(decided[0].truth == truth || decided[0].truth == Truth::Unknown, "{:?}", explanation);
    }

    #[test]
    fn an_event_happens_once_the_clause_holds_that_it_nearly_missed(clause in some_clause(), change in some_change()) {
        let plan = Plan::new(clause);

        for missed in plan.near_misses(&change) {
            // More unknowns than are tried leave a rule undecided that is certainly not met.
            if !matches!(plan.evaluate(&change), Verdict::Undecided(unknowns) if unknowns.len() > MAX_UNKNOWNS) {
                prop_assert_eq!(plan.evaluate(&change), Verdict::No);
            }
            prop_assert_eq!(Plan::new(without(plan.root(), missed)).evaluate(&change), Verdict::Detected);
        }
    }
}
