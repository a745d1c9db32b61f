//! Does the plan that `#[event]` reads say what the body says, and never more?

mod exact;
mod opaque;
mod table;

use event_detector::{Clause, Condition, Plan, Registry, Verdict};

/// The plan of an event of this binary.
fn plan(event: &str) -> Plan {
    Registry::from_linked().unwrap().plan(event).unwrap_or_else(|| panic!("`{event}` has no plan")).clone()
}

/// The tree of a plan in short: `all(a, any(b, not(c)))`, an opaque clause as `?`.
fn tree(clause: &Clause) -> String {
    let parts = || clause.parts().iter().map(tree).collect::<Vec<_>>().join(", ");
    match clause.condition() {
        Condition::All { .. } => format!("all({})", parts()),
        Condition::Any { .. } => format!("any({})", parts()),
        Condition::Not { .. } => format!("not({})", parts()),
        Condition::Operation { operations } => {
            let names: Vec<_> = operations.iter().map(|operation| operation.as_str()).collect();
            if names.len() > 4 { format!("op({} of them)", names.len()) } else { format!("op({})", names.join("|")) }
        }
        Condition::Opaque { ask: Some(_), .. } => format!("?`{}`", clause.text()),
        Condition::Opaque { ask: None, .. } => format!("??`{}`", clause.text()),
        Condition::Collection { name } => format!("collection {name}"),
        Condition::Database { name } => format!("database {name}"),
        Condition::Changed { path } => format!("changed {path}"),
        Condition::Compare { side, path, comparison, literal } => {
            format!("{side:?} {path} {} {literal}", comparison.as_str()).to_lowercase()
        }
        Condition::Exists { side, path } => format!("{side:?} {path} exists").to_lowercase(),
        Condition::Null { side, path } => format!("{side:?} {path} null").to_lowercase(),
        Condition::In { side, path, literals } => {
            let literals: Vec<_> = literals.iter().map(ToString::to_string).collect();
            format!("{side:?} {path} in {}", literals.join("|")).to_lowercase()
        }
        Condition::Became { path, literal } => format!("{path} became {literal}"),
        Condition::FromTo { path, from, to } => format!("{path} from {from} to {to}"),
        other => panic!("{other:?}"),
    }
}

/// Whether the event may happen by its body, but not by its plan; and where the plan is exact, whether they differ at all.
fn differences(event: &str) -> Vec<String> {
    let registry = Registry::from_linked().unwrap();
    let detector = registry.get(event).unwrap();
    let plan = registry.plan(event).unwrap();
    let mut differences = Vec::new();
    for change in table::changes() {
        let verdict = detector.evaluate(&change);
        if plan.rules_out(&change) && matches!(verdict, Verdict::Detected | Verdict::Undecided(_)) {
            differences.push(format!("{event}: {verdict:?} although ruled out: {change:?}"));
        }
        let by_plan = plan.evaluate(&change);
        if plan.is_exact() && by_plan != verdict {
            differences.push(format!("{event}: {verdict:?}, by the plan {by_plan:?}: {change:?}"));
        }
    }
    differences
}

#[test]
fn no_plan_rules_out_what_its_body_detects_and_an_exact_one_says_the_same() {
    let registry = Registry::from_linked().unwrap();
    let planned: Vec<_> = registry.detectors().iter().filter(|event| event.plan().is_some()).collect();

    let differences: Vec<_> = planned.iter().flat_map(|event| differences(event.name())).collect();

    assert!(planned.len() > 40, "{}", planned.len());
    assert_eq!(differences, Vec::<String>::new());
}

#[test]
fn the_table_has_changes_that_every_exact_event_detects_and_such_that_its_plan_rules_out() {
    let registry = Registry::from_linked().unwrap();
    let changes = table::changes();

    for event in registry.detectors() {
        let Some(plan) = registry.plan(event.name()).filter(|plan| plan.is_exact()) else { continue };
        let detected = changes.iter().filter(|change| event.evaluate(change) == Verdict::Detected).count();
        let ruled_out = changes.iter().filter(|change| plan.rules_out(change)).count();

        assert!(detected > 0, "{}", event.name());
        assert!(ruled_out > 0 || plan.root().parts().is_empty(), "{}", event.name());
    }
}
