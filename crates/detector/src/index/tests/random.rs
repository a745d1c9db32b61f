//! Does the index come to what asking everybody comes to, whatever the plans and the change?

use std::cell::RefCell;

use bson::{Bson, Document, doc};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::HERE;
use crate::change::{AfterImage, Change, Operation, Side};
use crate::detector::{Detector, Verdict};
use crate::plan::{Clause, Comparison, Constant, Plan};
use crate::registry::Registry;

const DETECTORS: usize = 12;

thread_local! {
    /// The plans that the functions below are.
    static PLANS: RefCell<Vec<Plan>> = const { RefCell::new(Vec::new()) };
}

fn detect<const I: usize>(change: &Change) -> bool {
    let plan = PLANS.with_borrow(|plans| plans[I].clone());
    plan.root().holds(change)
}

fn plan<const I: usize>() -> Plan {
    PLANS.with_borrow(|plans| plans[I].clone())
}

macro_rules! detectors {
    ($($at:literal)*) => {
        [$(Detector::new(concat!("d", $at), detect::<$at>).with_plan(plan::<$at>)),*]
    };
}

/// The detectors of these plans; the last one says nothing of its plan.
fn detectors(plans: Vec<Plan>) -> [Detector; DETECTORS] {
    PLANS.set(plans);
    let mut detectors = detectors!(0 1 2 3 4 5 6 7 8 9 10 11);
    detectors[DETECTORS - 1] = Detector::new("d11", detect::<11>);
    detectors
}

/// Code that a plan does not understand: it holds, does not, panics, or reads what it must not.
fn odd(change: &Change, nth: u32) -> bool {
    match nth {
        0 => true,
        1 => false,
        2 => panic!("odd"),
        3 => change.after("a").as_i64().is_some_and(|a| a > 0),
        4 => change.column_changed("b") != change.column_changed("a"),
        _ => change.changed_columns().len() > 1,
    }
}

fn path() -> impl Strategy<Value = Option<Constant>> {
    prop::sample::select(vec!["a", "b", "a.b", "s", "s", "_id", "gone"]).prop_map(|path| Some(Constant::Text(path.into())))
}

fn constant() -> impl Strategy<Value = Constant> {
    prop_oneof![
        4 => (0..3_i64).prop_map(Constant::Int),
        4 => prop::sample::select(vec!["x", "y", "z"]).prop_map(|text| Constant::Text(text.into())),
        1 => any::<bool>().prop_map(Constant::Bool),
        1 => prop::sample::select(vec![0.0, 1.0, 1.5, f64::NAN, 9_223_372_036_854_775_808.0]).prop_map(Constant::Float),
        1 => Just(Constant::Int(i64::MAX)),
        1 => Just(Constant::Large(9_223_372_036_854_775_808)),
    ]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::After), Just(Side::Before)]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop_oneof![
        4 => Just(Comparison::Equal),
        1 => Just(Comparison::NotEqual),
        1 => Just(Comparison::Less),
        1 => Just(Comparison::LessOrEqual),
        1 => Just(Comparison::Greater),
        1 => Just(Comparison::GreaterOrEqual),
    ]
}

fn name(names: [&'static str; 2]) -> impl Strategy<Value = Option<Constant>> {
    prop::sample::select(names.to_vec()).prop_map(|name| Some(Constant::Text(name.into())))
}

fn leaf() -> impl Strategy<Value = Clause> {
    let operations = prop::sample::subsequence(vec![Operation::Insert, Operation::Update, Operation::Delete], 0..3);
    prop_oneof![
        2 => operations.prop_map(|operations| HERE.operation(|operation| operations.contains(&operation))),
        2 => name(["moves", "orders"]).prop_map(|name| HERE.collection(name)),
        1 => name(["shop", "s"]).prop_map(|name| HERE.database(name)),
        3 => path().prop_map(|path| HERE.changed(path)),
        6 => (side(), path(), comparison(), constant())
            .prop_map(|(side, path, comparison, literal)| HERE.compare(side, path, comparison, Some(literal))),
        1 => (side(), path()).prop_map(|(side, path)| HERE.exists(side, path)),
        1 => (side(), path()).prop_map(|(side, path)| HERE.null(side, path)),
        2 => (side(), path(), vec(constant(), 0..8)).prop_map(|(side, path, literals)| HERE.within(side, path, Some(literals))),
        3 => (path(), constant()).prop_map(|(path, literal)| HERE.became(path, Some(literal))),
        2 => (path(), constant(), constant()).prop_map(|(path, from, to)| HERE.from_to(path, Some(from), Some(to))),
        1 => (0..6_u32).prop_map(|nth| HERE.opaque("a test").asked(odd, nth)),
    ]
}

fn clause() -> impl Strategy<Value = Clause> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 0..4).prop_map(|clauses| HERE.all(clauses)),
            2 => vec(inner.clone(), 0..4).prop_map(|clauses| HERE.any(clauses)),
            1 => inner.prop_map(|clause| HERE.not(clause)),
        ]
    })
}

/// Plans of any shape, and of the one that events mostly have.
fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let usual =
        (name(["moves", "orders"]), path(), constant(), vec(clause(), 0..2)).prop_map(|(collection, path, literal, more)| {
            let equal = HERE.compare(Side::After, path.clone(), Comparison::Equal, Some(literal));
            HERE.all([vec![HERE.collection(collection), HERE.changed(path), equal], more].concat())
        });
    vec(prop_oneof![clause(), usual].prop_map(Plan::new), DETECTORS)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0..3_i64).prop_map(Value::from),
        4 => prop::sample::select(vec!["x", "y", "z", "x\ty"]).prop_map(Value::from),
        1 => Just(json!(1.0)),
        1 => Just(json!(1.5)),
        1 => Just(json!(9_223_372_036_854_775_807_i64)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        2 => (0..3_i64).prop_map(|b| json!({ "b": b })),
    ]
}

fn row() -> impl Strategy<Value = Value> {
    let columns = btree_map(prop::sample::select(vec!["a", "b", "s", "other"]).prop_map(str::to_owned), value(), 0..5);
    columns.prop_map(|columns| Value::Object(columns.into_iter().collect()))
}

fn bson(document: &Value) -> Document {
    Bson::try_from(document.clone()).map(|bson| bson.as_document().cloned()).ok().flatten().expect("it is an object")
}

/// A MongoDB event, with or without its images and its description.
fn mongodb() -> impl Strategy<Value = Document> {
    let operation = prop::sample::select(vec!["insert", "update", "update", "update", "replace", "delete", "drop"]);
    let described = btree_map(prop::sample::select(vec!["a", "a.b", "s", "b"]).prop_map(str::to_owned), value(), 0..3);
    let removed = prop::sample::subsequence(vec!["a", "a.b", "s", "b.0"], 0..2);
    let (before, after) = (prop::option::of(row()), prop::option::of(row()));
    (operation, name(["moves", "orders"]), before, after, prop::option::of((described, removed))).prop_map(
        |(operation, collection, before, after, description)| {
            let collection = collection.map(|name| name.to_string().trim_matches('"').to_owned());
            let mut event = doc! {
                "_id": { "_data": "826B" }, "operationType": operation, "ns": { "db": "shop", "coll": collection.unwrap() },
                "documentKey": { "_id": 1 },
            };
            for (key, image) in [("fullDocument", after), ("fullDocumentBeforeChange", before)] {
                if let Some(image) = image {
                    event.insert(key, bson(&image));
                }
            }
            if let Some((updated, removed)) = description {
                let updated = bson(&Value::Object(updated.into_iter().collect()));
                let parts = doc! { "updatedFields": updated, "removedFields": removed, "truncatedArrays": [] };
                event.insert("updateDescription", parts);
            }
            event
        },
    )
}

/// The event in every form that it can come in.
fn forms(event: Document) -> Vec<Change> {
    let from_bson = || Change::from_bson(event.to_vec().unwrap()).unwrap();
    let recorded = from_bson().to_json().unwrap().to_string();
    vec![
        from_bson(),
        from_bson().with_after_image(AfterImage::Lookup),
        from_bson().with_computed_after(),
        Change::from_json(Bson::from(event.clone()).into_canonical_extjson().to_string()).unwrap(),
        Change::from_json(recorded).unwrap(),
    ]
}

fn hasura() -> impl Strategy<Value = Vec<Change>> {
    let operation = prop::sample::select(vec!["INSERT", "UPDATE", "UPDATE", "DELETE", "MANUAL"]);
    (operation, row(), row(), any::<bool>()).prop_map(|(op, old, new, has_old)| {
        let old = if has_old || op == "DELETE" { old } else { Value::Null };
        let event = json!({ "op": op, "data": { "old": old, "new": new } });
        let payload = json!({ "id": "1", "table": { "schema": "s", "name": "moves" }, "event": event });
        vec![Change::from_json(payload.to_string()).unwrap()]
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop_oneof![3 => mongodb().prop_map(forms), 1 => hasura()]
}

/// Every verdict but "no", as asking each comes to it. Where a panic happened is the same code either way.
fn naively(detectors: &[Detector], change: &Change) -> Vec<(&'static str, Verdict)> {
    let verdicts = detectors.iter().map(|detector| (detector.name(), detector.evaluate(change)));
    let mut verdicts: Vec<_> = verdicts.filter(|(_, verdict)| !matches!(verdict, Verdict::No)).collect();
    verdicts.sort_by_key(|(name, _)| *name);
    verdicts
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_verdicts_are_those_of_asking_everybody(plans in plans(), changes in vec(changes(), 1..4)) {
        let detectors = detectors(plans);
        let registry = Registry::try_new(detectors).unwrap();
        for change in changes.into_iter().flatten() {
            let mut verdicts = Vec::new();
            registry.evaluate(&change, |detector, verdict| verdicts.push((detector.name(), verdict)));

            prop_assert_eq!(verdicts, naively(&detectors, &change), "{:?}", change.to_json());
        }
    }

    #[test]
    fn nobody_is_left_out_whose_plan_does_not_rule_the_change_out(plans in plans(), changes in vec(changes(), 1..4)) {
        let plans: Vec<_> = plans.into_iter().map(Some).collect();
        let index = super::Index::new(&plans);
        for change in changes.into_iter().flatten() {
            let places = index.with_places(&change, <[u32]>::to_vec);

            prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
            for (place, plan) in (0..).zip(plans.iter().flatten()) {
                prop_assert!(places.contains(&place) || plan.rules_out(&change), "{plan:?} {:?}", change.to_json());
            }
        }
    }
    #[test]
    fn of_many_columns_nobody_is_left_out_either(changes in vec(changes(), 1..8)) {
        const PATHS: [&str; 8] = ["a", "a.b", "a.c", "b", "s", "_id", "gone", "gone.x"];
        let changed = |path: &'static str| Plan::new(HERE.all(vec![HERE.changed(Some(Constant::Text(path.into())))]));
        let plans: Vec<_> = PATHS.map(|path| Some(changed(path))).to_vec();
        let index = super::Index::new(&plans);
        for change in changes.into_iter().flatten() {
            let places = index.with_places(&change, <[u32]>::to_vec);

            for (place, plan) in (0..).zip(plans.iter().flatten()) {
                prop_assert_eq!(places.contains(&place), !plan.rules_out(&change), "{:?} {:?}", plan, change.to_json());
            }
        }
    }
}
