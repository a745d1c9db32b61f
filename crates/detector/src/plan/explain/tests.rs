mod random;

use serde_json::json;

use super::super::{At, Clause, Comparison, Constant, Plan};
use super::{EventExplanation, ExplainedClause, Explanation, NearMiss, NearMisses, Truth};
use crate::change::{Change, Operation, Side};
use crate::detector::{Detector, Verdict};
use crate::registry::Registry;

const STATUS: Option<&str> = Some("status");

fn text(text: Option<&'static str>) -> Option<Constant> {
    text.map(|text| Constant::Text(text.into()))
}

fn moves() -> Clause {
    At("change.collection() == \"moves\"", 11).collection(text(Some("moves")))
}

fn updated() -> Clause {
    At("change.is_update()", 12).operation(|operation| operation == Operation::Update)
}

fn insert_only() -> Clause {
    At("insert", 1).operation(|operation| operation == Operation::Insert)
}

fn changed(path: &'static str) -> Clause {
    At("change.column_changed(…)", 13).changed(text(Some(path)))
}

fn status(value: &'static str) -> Clause {
    At("change.after(\"status\") == …", 14).compare(Side::After, text(STATUS), Comparison::Equal, text(Some(value)))
}

fn all(clauses: impl Into<Vec<Clause>>) -> Clause {
    At("all", 10).all(clauses.into())
}

fn any(clauses: impl Into<Vec<Clause>>) -> Clause {
    At("any", 10).any(clauses.into())
}

fn rule() -> Plan {
    Plan::new(all([moves(), updated(), changed("status"), status("done")]))
}

fn update(before: &str, after: &str) -> Change {
    Change::update("moves").key(1).before(json!({ "status": before })).after(json!({ "status": after })).into()
}

/// An update without images.
fn bare() -> Change {
    Change::update("moves").database("app").key(1).into()
}

/// Each clause in a line: whether it holds, `.` where the predicate does not come to it, `<` where it decides.
fn lines(explanation: &Explanation) -> Vec<String> {
    let line = |clause: &ExplainedClause| {
        let truth = match clause.truth {
            Truth::True => "yes",
            Truth::False => "no",
            Truth::Unknown => "?",
        };
        let marks = format!("{}{}", if clause.reached { "" } else { "." }, if clause.decided { "<" } else { "" });
        format!("{truth}{marks} {} | {} | {}", clause.text, clause.expected, clause.actual)
    };
    explanation.root().all().into_iter().map(line).collect()
}

#[test]
fn the_first_clause_that_does_not_hold_decides_and_the_others_are_told_too() {
    let explanation = rule().explain(&update("done", "done"));

    assert_eq!(
        lines(&explanation),
        [
            "no all | each of these | ",
            r#"yes change.collection() == "moves" | "moves" | "moves""#,
            "yes change.is_update() | update | update",
            r#"no< change.column_changed(…) | changed | "done" → "done""#,
            r#"yes. change.after("status") == … | "done" | "done""#,
        ]
    );
    assert_eq!(explanation.decided().unwrap().line, 13);
}

#[test]
fn all_clauses_decide_together_that_an_event_happened() {
    let explanation = rule().explain(&update("new", "done"));

    assert!(explanation.root().decided);
    assert!(explanation.root().all().into_iter().all(|clause| clause.truth == Truth::True && clause.reached));
}

#[test]
fn what_the_change_does_not_say_is_unknown_with_its_cure() {
    let explanation = rule().explain(&bare());

    assert_eq!(
        lines(&explanation)[3..],
        ["?< change.column_changed(…) | changed | unknown → unknown", r#"? change.after("status") == … | "done" | unknown"#,]
    );
    let unknowns = explanation.unknowns();
    assert_eq!(unknowns[0].read, "column_changed(\"status\")");
    assert_eq!(unknowns[0].cure, "the recorded change has no `before`; record it with one");
    assert_eq!(unknowns.len(), 2);
}

#[test]
fn what_only_the_description_of_an_update_says_is_told_as_such() {
    let shown = |path: &'static str, rest: serde_json::Value| {
        let mut event = json!({
            "_id": { "_data": "82" }, "operationType": "update", "ns": { "db": "app", "coll": "moves" }, "documentKey": { "_id": 9 },
            "updateDescription": { "updatedFields": { "a": "new", "b.c": "new" }, "removedFields": [] },
        });
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let change = Change::from_json(event.to_string()).unwrap();
        Plan::new(changed(path)).explain(&change).root().actual.clone()
    };

    assert_eq!(shown("a", json!({})), r#"unknown → "new""#);
    assert_eq!(shown("b", json!({})), "changed, as the update says");
    assert_eq!(shown("status", json!({})), "not changed, as the update says");
    assert_eq!(shown("status", json!({ "fullDocument": { "_id": 9, "status": "done" } })), r#""done", not changed"#);
    assert_eq!(shown("status", json!({ "fullDocumentBeforeChange": { "_id": 9, "status": "x" } })), r#""x", not changed"#);
}

#[test]
fn a_certain_no_outweighs_an_unknown_before_it() {
    let plan = Plan::new(all([changed("status"), At("orders", 1).collection(text(Some("orders")))]));

    let explanation = plan.explain(&bare());

    assert_eq!(plan.evaluate(&bare()), Verdict::No);
    assert_eq!(explanation.decided().unwrap().text, "orders");
}

#[test]
fn an_alternative_that_holds_decides_for_all_of_them() {
    let plan = Plan::new(all([any([changed("a"), changed("status"), all([])]), moves()]));

    let explanation = plan.explain(&update("new", "done"));

    assert_eq!(
        lines(&explanation)[1..],
        [
            "yes any | one of these | ",
            "no change.column_changed(…) | changed | missing → missing",
            r#"yes change.column_changed(…) | changed | "new" → "done""#,
            "yes. all | each of these | ",
            r#"yes change.collection() == "moves" | "moves" | "moves""#,
        ]
    );
    let any = Plan::new(any([changed("a"), changed("status")]));
    assert_eq!(any.explain(&update("new", "done")).decided().unwrap().actual, r#""new" → "done""#);
    assert!(any.explain(&update("new", "new")).root().decided, "no alternative holds, so all decide");
}

#[test]
fn a_negation_of_one_clause_is_one_clause_and_of_several_a_tree() {
    let not = |clause| At("not", 1).not(clause);
    let plan = Plan::new(all([not(updated()), not(status("done")), not(all([moves(), updated()]))]));

    assert_eq!(
        lines(&plan.explain(&update("new", "done"))),
        [
            "no all | each of these | ",
            "no< not | not update | update",
            r#"no. not | not "done" | "done""#,
            "no. not | not this | ",
            "yes. all | each of these | ",
            r#"yes. change.collection() == "moves" | "moves" | "moves""#,
            "yes. change.is_update() | update | update",
        ]
    );
}

/// `x.is_some() && x.unwrap() > 3`
fn guarded() -> Clause {
    fn asks(change: &Change, nth: u32) -> bool {
        let weight = change.after("weight").as_i64();
        match nth {
            0 => weight.is_some(),
            _ => weight.unwrap() > 3,
        }
    }
    let opaque = |text, nth| At(text, 20 + nth).opaque("it is no condition on a field").asked(asks, nth);
    all([opaque("weight.is_some()", 0), opaque("weight.unwrap() > 3", 1)])
}

fn weighing(weight: serde_json::Value) -> Change {
    Change::insert("moves").key(1).after(json!({ "weight": weight })).into()
}

#[test]
fn a_clause_that_would_not_have_been_reached_may_panic() {
    let lines = |weight| {
        let explanation = Plan::new(guarded()).explain(&weighing(weight));
        self::lines(&explanation).split_off(1)
    };

    let guarded = lines(json!(null));
    assert_eq!(guarded[0], r#"no< weight.is_some() | true | false (after("weight") = null)"#);
    assert!(guarded[1].starts_with("?. weight.unwrap() > 3 | true | panicked at "), "{}", guarded[1]);
    assert_eq!(lines(json!(2))[1], r#"no< weight.unwrap() > 3 | true | false (after("weight") = 2)"#);
    assert_eq!(lines(json!(4))[1], r#"yes weight.unwrap() > 3 | true | true (after("weight") = 4)"#);
}

#[test]
fn a_clause_that_is_reached_and_panics_is_to_blame() {
    let [_, unwraps] = guarded().parts().to_vec().try_into().unwrap();
    let plan = Plan::new(all([moves(), any([changed("status"), unwraps, moves()])]));

    let explanation = plan.explain(&Change::insert("moves").after(json!({})).into());

    let decided = explanation.decided().unwrap();
    assert_eq!((decided.text.as_str(), decided.truth), ("weight.unwrap() > 3", Truth::Unknown));
    assert!(decided.error.as_ref().unwrap().contains("tests.rs"), "{:?}", decided.error);
    assert!(!explanation.root().all().last().unwrap().reached, "nothing comes after a panic");
}

#[test]
fn code_that_cannot_be_asked_on_its_own_decided_where_nothing_else_did() {
    let event = Detector::new("a", |_| false)
        .with_plan(|| Plan::new(all([moves(), At("rare(change)", 9).opaque("a function of its own"), updated()])));

    let explanation = event.explain(&update("a", "b"));

    let rule = explanation.rule.unwrap();
    assert_eq!(explanation.verdict, Verdict::No);
    assert_eq!(lines(&rule)[2], "?< rare(change) | true | it cannot be asked on its own");
    assert_eq!(rule.decided().unwrap().opaque.as_deref(), Some("a function of its own"));
}

#[test]
fn every_kind_of_clause_says_what_it_expects_and_what_there_is() {
    let field = || text(Some("a"));
    let compare = |comparison, literal: i64| At("", 0).compare(Side::Before, field(), comparison, Some(Constant::Int(literal)));
    let clauses = [
        At("", 0).database(text(Some("app"))),
        compare(Comparison::Greater, 3),
        compare(Comparison::NotEqual, 5),
        At("", 0).exists(Side::After, field()),
        At("", 0).null(Side::After, text(Some("b"))),
        At("", 0).within(Side::After, field(), Some(vec![Constant::Int(1), Constant::Text("x".into())])),
        At("", 0).became(field(), Some(Constant::Bool(true))),
        At("", 0).from_to(field(), Some(Constant::Int(5)), Some(Constant::Float(6.0))),
        At("", 0).operation(|operation| operation != Operation::Delete),
        At("", 0).not(At("", 0).operation(|operation| operation == Operation::Delete)),
    ];
    let change: Change =
        Change::update("moves").database("app").before(json!({ "a": 5, "b": 1 })).after(json!({ "a": 6, "b": null })).into();

    let explanation = Plan::new(At("", 0).all(clauses.to_vec())).explain(&change);

    assert_eq!(
        lines(&explanation)[1..],
        [
            r#"yes database() == "app" | "app" | "app""#,
            r#"yes before("a") > 3 | > 3 | 5"#,
            r#"no< before("a") != 5 | not 5 | 5"#,
            r#"yes. after("a").exists() | there | 6"#,
            r#"yes. after("b").is_null() | null | null"#,
            r#"no. after("a").is_in([1, "x"]) | one of 1, "x" | 6"#,
            r#"no. became("a", true) | → true | 5 → 6"#,
            r#"yes. changed_from_to("a", 5, 6.0) | 5 → 6.0 | 5 → 6"#,
            "yes. operation() is not delete | not delete | update",
            "yes. !(operation() is delete) | not delete | update",
        ]
    );
    let insert: Change = Change::insert("moves").after(json!({ "a": true })).into();
    let explanation = Plan::new(At("", 0).any(clauses[6..8].to_vec())).explain(&insert);
    assert_eq!(
        lines(&explanation)[1..],
        [r#"yes< became("a", true) | → true | true"#, r#"no. changed_from_to("a", 5, 6.0) | 5 → 6.0 | insert changes no column"#]
    );
}

#[test]
fn alternatives_that_one_piece_of_code_states_are_one_clause() {
    let either = At("matches!(…)", 3).collection_in(&["moves", "orders"], |name, ended| {
        let answer = matches!(name, "moves" | "orders");
        ended.set(true);
        answer
    });
    let plan = Plan::new(all([updated(), either.clone(), At("!matches!(…)", 4).not(either)]));

    assert_eq!(
        lines(&plan.explain(&update("a", "b")))[2..],
        [r#"yes matches!(…) | "moves" or "orders" | "moves""#, r#"no< !matches!(…) | not "moves" or "orders" | "moves""#,]
    );
    assert_eq!(plan.near_misses(&update("a", "b"))[0].words(), "!matches!(…)");
}

#[test]
fn a_value_is_shown_in_one_line_and_not_longer_than_it_is_of_use() {
    let plan = Plan::new(status("done"));

    let explanation = plan.explain(&update("", &format!("a\n\u{1b}[31m\"{}", "x".repeat(500))));

    let actual = &explanation.root().actual;
    assert!(actual.starts_with(r#""a\n\u{1b}[31m\"xxx"#) && actual.ends_with('…'), "{actual}");
    assert_eq!(actual.chars().count(), 81);
}

#[test]
fn what_is_read_of_the_session_and_the_context_is_not_shown() {
    fn asks(change: &Change, _nth: u32) -> bool {
        change.session("x-token") == Some("CANARY-1") && change.context("token") == "CANARY-2"
    }
    let event = Detector::new("a", |change| asks(change, 0))
        .with_plan(|| Plan::new(all([moves(), At("asks(change)", 1).opaque("a function").asked(asks, 0)])));
    let change: Change = Change::insert("moves").session("x-token", "CANARY-1").after(json!({})).into();

    let explanation = event.explain(&change.with_context("token", "CANARY-2"));

    assert_eq!(explanation.verdict, Verdict::Detected);
    assert!(!serde_json::to_string(&explanation).unwrap().contains("CANARY"), "{explanation:?}");
    assert_eq!(lines(explanation.rule.as_ref().unwrap())[2], "yes asks(change) | true | true");
}

#[test]
fn the_verdict_is_the_detectors_own_with_what_it_read_also_without_a_plan() {
    let explained = |detector: Detector, change: &Change| -> EventExplanation {
        let registry = Registry::try_new([detector]).unwrap();
        assert!(registry.explain("b", change).is_none());
        registry.explain("a", change).unwrap()
    };
    let became = Detector::new("a", |change| change.became("status", "done"));

    let event = explained(became, &update("new", "done"));

    assert!(event.fires && event.rule.is_none());
    assert_eq!(
        serde_json::to_value(&event).unwrap(),
        json!({
            "name": "a", "file": "", "line": 0, "verdict": "detected", "detected": true,
            "reads": [{ "read": "became(\"status\", \"done\")", "answer": "true" }],
        })
    );
    let undecided = serde_json::to_value(explained(became, &bare())).unwrap();
    assert_eq!(
        (&undecided["verdict"], &undecided["undecided"][0]["read"]),
        (&json!("undecided"), &json!("became(\"status\", \"done\")"))
    );
    let failed = serde_json::to_value(explained(Detector::new("a", |_| panic!("no")), &bare())).unwrap();
    assert!(failed["error"].as_str().unwrap().starts_with("`detect` panicked at"), "{failed}");
}

#[test]
fn as_json_a_clause_says_what_it_is_and_leaves_out_what_it_does_not_have() {
    let explanation = Plan::new(all([moves(), changed("status")])).explain(&update("new", "new"));

    let json = serde_json::to_value(&explanation).unwrap();

    assert_eq!(
        json["clauses"],
        json!([
            {
                "form": "known", "text": "change.collection() == \"moves\"", "line": 11, "expected": "\"moves\"", "actual": "\"moves\"",
                "truth": "true", "reached": true, "decided": false,
            },
            {
                "form": "known", "text": "change.column_changed(…)", "line": 13, "expected": "changed", "actual": "\"new\" → \"new\"",
                "truth": "false", "reached": true, "decided": true,
            },
        ])
    );
    assert_eq!((&json["form"], &json["truth"]), (&json!("all"), &json!("false")));
}

#[test]
fn an_event_is_nearly_met_where_one_clause_alone_does_not_hold() {
    let either = || any([all([updated(), changed("status")]), all([insert_only(), moves()])]);
    let not = || At("not", 5).not(all([updated(), status("done")]));
    let opaque = || At("rare(change)", 9).opaque("a function");
    let insert = || -> Change { Change::insert("moves").after(json!({ "status": "done" })).into() };
    let cases: [(Clause, Change, &[&str]); 18] = [
        (rule().root().clone(), update("new", "done"), &[]),
        (rule().root().clone(), update("done", "done"), &["change.column_changed(…)"]),
        (rule().root().clone(), update("new", "old"), &["change.after(\"status\") == …"]),
        (rule().root().clone(), update("old", "old"), &[]),
        (rule().root().clone(), bare(), &[]),
        (rule().root().clone(), insert(), &[]),
        // A rule of one clause, or of one that is one of several, is met or not.
        (moves(), Change::insert("orders").after(json!({})).into(), &[]),
        (all([moves()]), Change::insert("orders").after(json!({})).into(), &[]),
        (any([changed("a"), changed("b")]), update("a", "b"), &[]),
        // Alternatives of one clause miss together, others each on its own.
        (all([moves(), any([changed("a"), changed("b")])]), update("a", "b"), &["any"]),
        (either(), update("a", "a"), &["change.column_changed(…)", "insert"]),
        (all([either()]), update("a", "a"), &["change.column_changed(…)", "insert"]),
        (either(), Change::delete("orders").key(1).into(), &[]),
        // One that is unknown may hold, whatever its neighbours miss.
        (all([moves(), any([all([updated(), status("done")]), changed("status")])]), bare(), &[]),
        (all([any([all([moves(), insert_only()]), status("done")]), moves()]), bare(), &[]),
        (all([moves(), not()]), update("a", "done"), &["not"]),
        (all([moves(), opaque(), updated()]), insert(), &[]),
        (all([guarded(), moves()]), weighing(json!(2)), &["weight.unwrap() > 3"]),
    ];
    for (clause, change, expected) in cases {
        let plan = Plan::new(clause);

        let near: Vec<_> = plan.near_misses(&change).into_iter().map(|clause| clause.words().into_owned()).collect();

        assert_eq!(near, expected, "{plan:?} {change:?}");
    }
}

#[test]
fn near_misses_are_counted_by_event_and_clause() {
    let a = Detector::new("a", |_| false).with_plan(rule);
    let b = Detector::new("b", |_| false).with_plan(|| Plan::new(all([moves(), At("", 3).changed(text(Some("b")))])));
    let registry = Registry::try_new([b, a, Detector::new("c", |_| true)]).unwrap();
    let mut near = NearMisses::new(&registry);

    for change in [update("a", "b"), update("new", "done"), update("done", "done"), update("a", "c"), bare()] {
        near.note(&registry, &change);
    }

    let miss = |event, clause: &str, line, count| NearMiss { event, clause: clause.to_owned(), line, count };
    assert_eq!(
        near.into_counts(),
        [
            miss("a", "change.after(\"status\") == …", 14, 2),
            miss("a", "change.column_changed(…)", 13, 1),
            miss("b", "column_changed(\"b\")", 3, 4),
        ]
    );
}

#[test]
fn the_changes_that_a_rule_is_asked_about_are_known_as_far_as_its_first_clauses_tell() {
    let orders = || At("", 0).collection(text(Some("orders")));
    let app = || At("", 0).database(text(Some("app")));
    let opaque = || At("", 0).opaque("a test");
    let not = |clause| At("", 0).not(clause);
    let cases = [
        (all([moves(), updated()]), r#"{"operations":["update"],"collections":["moves"],"databases":null}"#),
        (
            all([any([moves(), orders()]), app(), changed("a")]),
            r#"{"operations":["update"],"collections":["moves","orders"],"databases":["app"]}"#,
        ),
        (all([any([moves(), orders()]), moves(), opaque(), updated(), app()]), r#"collections":["moves"],"databases":null}"#),
        (
            any([all([moves(), updated()]), all([orders(), updated(), app()])]),
            r#"{"operations":["update"],"collections":["moves","orders"],"databases":null}"#,
        ),
        (
            any([all([updated(), opaque()]), insert_only()]),
            r#"{"operations":["insert","update"],"collections":null,"databases":null}"#,
        ),
        (all([all([moves(), opaque()]), updated()]), r#""delete","manual"#),
        (all([all([moves(), opaque()]), updated()]), r#"collections":["moves"]"#),
    ];
    for (clause, expected) in cases {
        let scope = Plan::new(clause).scope();
        let json = serde_json::to_string(&scope).unwrap();
        assert!(json.contains(expected), "{json}\n{expected}");
        assert!(!scope.is_everything());
    }
    let words = |clause| Plan::new(clause).scope().to_string();
    assert_eq!(words(all([moves(), updated()])), "update of moves");
    assert_eq!(words(all([any([moves(), orders()]), app()])), "any operation of moves or orders in database app");
    assert_eq!(words(opaque()), "every change");
    for clause in [
        not(moves()),
        any([moves(), updated()]),
        all([opaque(), moves()]),
        any([moves(), opaque()]),
        any([all([opaque(), updated()]), insert_only()]),
        all([]),
    ] {
        assert!(Plan::new(clause.clone()).scope().is_everything(), "{clause:?}");
    }
}
