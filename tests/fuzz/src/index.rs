//! Does a registry come to what asking each of its detectors comes to?

use std::sync::LazyLock;

use event_detector::{
    Change, Clause, Comparison, Condition, Constant, Detector, Operation, Operations, Plan, Registry, Side, Verdict,
};

/// Detectors with plans of every kind of condition, and some without.
static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let detectors = [
        Detector::new("index.usual", |c| {
            c.collection() == "moves" && c.is_update() && c.column_changed("status") && c.after("status") == "done"
        })
        .with_plan(|| {
            all([on("moves"), update(), changed("status"), compared(Side::After, "status", Comparison::Equal, "done")])
        }),
        Detector::new("index.became", |c| c.became("a", 1))
            .with_plan(|| Plan::new(clause(Condition::Became { path: "a".into(), literal: Constant::Int(1) }))),
        Detector::new("index.from.to", |c| c.changed_from_to("a.b", 1, "x")).with_plan(|| {
            let (from, to) = (Constant::Int(1), Constant::Text("x".into()));
            Plan::new(clause(Condition::FromTo { path: "a.b".into(), from, to }))
        }),
        Detector::new("index.one.of", |c| c.after("a").is_in([0.5, 1.0, 2.0])).with_plan(|| {
            let literals = [0.5, 1.0, 2.0].map(Constant::Float).into();
            Plan::new(clause(Condition::In { side: Side::After, path: "a".into(), literals }))
        }),
        Detector::new("index.before", |c| c.before("status") != "x" && !c.column_changed("a")).with_plan(|| {
            let same = clause(Condition::Not { clause: Box::new(changed("a")) });
            all([compared(Side::Before, "status", Comparison::NotEqual, "x"), same])
        }),
        Detector::new("index.either", |c| {
            (c.collection() == "moves" && c.after("id") == 1) || (c.is_update() && c.column_changed("a.0"))
        })
        .with_plan(|| {
            let id = Condition::Compare {
                side: Side::After,
                path: "id".into(),
                comparison: Comparison::Equal,
                literal: Constant::Int(1),
            };
            let ways = [all([on("moves"), clause(id)]), all([update(), changed("a.0")])].map(|plan| plan.root().clone());
            Plan::new(clause(Condition::Any { clauses: ways.into() }))
        }),
        Detector::new("index.without", |c| c.after("a") > 1 || c.after("status").is_null()),
    ];
    Registry::try_new(detectors).expect("each has its own name")
});

/// Checks that nothing is left out that should be told, and that a plan rules out nothing but what is not so.
pub(crate) fn check(change: &Change) {
    let mut told = Vec::new();
    REGISTRY.evaluate(change, |detector, verdict| told.push((detector.name(), verdict)));
    let asked = REGISTRY.detectors().iter().map(|detector| (detector.name(), detector.evaluate(change)));
    let asked: Vec<_> = asked.filter(|(_, verdict)| *verdict != Verdict::No).collect();
    assert_eq!(told, asked);
    for detector in REGISTRY.detectors() {
        let Some(plan) = REGISTRY.plan(detector.name()) else { continue };
        assert_eq!(plan.evaluate(change), detector.evaluate(change), "{}", detector.name());
        assert!(!plan.rules_out(change) || told.iter().all(|(name, _)| *name != detector.name()), "{}", detector.name());
    }
}

fn clause(condition: Condition) -> Clause {
    Clause::new(condition)
}

fn all(clauses: impl Into<Vec<Clause>>) -> Plan {
    Plan::new(clause(Condition::All { clauses: clauses.into() }))
}

fn on(collection: &'static str) -> Clause {
    clause(Condition::Collection { name: collection.into() })
}

fn update() -> Clause {
    clause(Condition::Operation { operations: Operations::of(|operation| operation == Operation::Update) })
}

fn changed(path: &'static str) -> Clause {
    clause(Condition::Changed { path: path.into() })
}

fn compared(side: Side, path: &'static str, comparison: Comparison, text: &'static str) -> Clause {
    clause(Condition::Compare { side, path: path.into(), comparison, literal: Constant::Text(text.into()) })
}
