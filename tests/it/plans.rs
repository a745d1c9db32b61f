//! Is every event of the reference application recognised wholly, but for what JSONPath asks?

use event_detector::{Clause, Registry};

#[test]
fn every_event_states_its_plan_and_only_a_jsonpath_is_opaque() {
    let registry = Registry::from_linked().unwrap();
    let mut opaque = Vec::new();

    for detector in registry.detectors() {
        let plan = registry.plan(detector.name()).unwrap_or_else(|| panic!("{} has no plan", detector.name()));
        opaque.extend(plan.root().opaque().map(|clause| (detector.name(), Clause::text(clause).to_owned())));
    }

    assert_eq!(
        opaque,
        [
            ("order.item.backordered", r#"!change.query("$.after.items[?@.qty > @.stock]").is_empty()"#.to_owned()),
            ("order.item.backordered", r#"change.query("$.before.items[?@.qty > @.stock]").is_empty()"#.to_owned()),
        ]
    );
}

#[test]
fn every_plan_names_the_collection_that_its_event_is_of_and_where_its_clauses_stand() {
    for detector in Registry::from_linked().unwrap().detectors() {
        let plan = detector.plan().unwrap();

        assert_eq!(plan.reads().collections.len(), 1, "{}", detector.name());
        for clause in plan.root().leaves() {
            assert!(clause.text().starts_with("change."), "{}: {clause:?}", detector.name());
            assert!(clause.line() > detector.declared().line, "{}: {clause:?}", detector.name());
        }
    }
}
