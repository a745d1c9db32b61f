//! Is an event explained by the clauses that its author wrote?

use event_detector::{Change, EventExplanation, Registry, Verdict, event};
use serde_json::json;

#[event("explained.heavy")]
mod heavy {
    use super::*;

    fn detect(change: &Change) -> bool {
        let weight = change.after("weight").as_i64();
        matches!(change.collection(), "moves" | "parcels") && weight.is_some() && weight.unwrap() > 3 && !change.is_delete()
    }
}

#[event("explained.unguarded")]
mod unguarded {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == "moves" && change.after("weight").as_i64().unwrap() > 3
    }
}

#[event("explained.opaque", plan = "opaque")]
mod opaque {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.became("weight", 4)
    }
}

fn explained(event: &str, change: &Change) -> EventExplanation {
    Registry::from_linked().unwrap().explain(event, change).unwrap()
}

/// The clause that decided, with what it came to.
fn decided(event: &EventExplanation) -> (String, String) {
    let decided = event.rule.as_ref().unwrap().decided().unwrap();
    (decided.text.clone(), decided.actual.clone())
}

fn weighing(weight: serde_json::Value) -> Change {
    Change::insert("moves").key(1).after(json!({ "weight": weight })).into()
}

#[test]
fn a_clause_that_is_guarded_by_another_does_not_break_the_explanation() {
    let event = explained("explained.heavy", &weighing(json!(null)));

    assert_eq!(event.verdict, Verdict::No);
    assert_eq!(decided(&event), ("weight.is_some()".to_owned(), "false (after(\"weight\") = null)".to_owned()));
    let rule = event.rule.unwrap();
    let clauses = &rule.root().clauses;
    let unwraps = clauses.iter().find(|clause| clause.text.contains("unwrap")).unwrap();
    assert!(!unwraps.reached && unwraps.error.as_ref().unwrap().contains("explained.rs:"), "{unwraps:?}");
    let collection = clauses.iter().find(|clause| clause.text.starts_with("matches!")).unwrap();
    assert_eq!((collection.expected.as_str(), collection.actual.as_str()), ("\"moves\" or \"parcels\"", "\"moves\""));
    let lines: Vec<_> = clauses.iter().map(|clause| clause.line - event.line).collect();
    assert!(lines.is_sorted() && lines.iter().all(|line| (4..=6).contains(line)), "{lines:?}");
}

#[test]
fn the_clause_that_decides_is_the_one_that_the_predicate_stops_at() {
    let light = explained("explained.heavy", &weighing(json!(3)));
    let heavy = explained("explained.heavy", &weighing(json!(4)));

    assert_eq!(decided(&light), ("weight.unwrap() > 3".to_owned(), "false (after(\"weight\") = 3)".to_owned()));
    assert_eq!(heavy.verdict, Verdict::Detected);
    assert!(heavy.rule.unwrap().root().decided);
}

#[test]
fn a_panic_that_the_predicate_comes_to_is_blamed_on_its_clause() {
    let event = explained("explained.unguarded", &weighing(json!("heavy")));

    let (Verdict::Failed(panic), Some(rule)) = (&event.verdict, &event.rule) else { panic!("{event:?}") };
    let decided = rule.decided().unwrap();
    assert!(decided.text.contains(".as_i64().unwrap() > 3"), "{decided:?}");
    assert_eq!(decided.error.as_deref(), Some(panic.to_string().as_str()));
}

#[test]
fn an_event_that_was_opted_out_is_explained_by_what_it_read() {
    let event = explained("explained.opaque", &weighing(json!(4)));

    assert_eq!((event.fires, event.rule), (true, None));
    assert_eq!(event.reads[0].read, "became(\"weight\", 4)");
}
