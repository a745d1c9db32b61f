//! Does the catalogue say what the events are, and what became of them?

use event_detector::{Clause, Condition, Constant, Declared, Detector, OnUndecided, Operations, Plan, Registry, Side};
use insta::assert_snapshot;

use super::diff::{Changed, Differences, compare};
use super::{Catalogue, markdown, pretty};
use crate::exit::Exit;

fn leaf(condition: Condition) -> Clause {
    Clause::new(condition)
}

fn plan(status: &'static str) -> Plan {
    let opaque = Condition::Opaque { why: "a call of a function that is not known here".into(), ask: None };
    let any = vec![
        leaf(Condition::Changed { path: "status".into() }),
        leaf(Condition::Not { clause: Box::new(leaf(Condition::Exists { side: Side::Before, path: "note".into() })) }),
    ];
    let clauses = vec![
        leaf(Condition::Collection { name: "moves".into() }),
        leaf(Condition::Operation { operations: Operations::of(|operation| operation.as_str() == "update") }),
        leaf(Condition::Any { clauses: any }),
        leaf(Condition::Became { path: "status".into(), literal: Constant::Text(status.into()) }),
        leaf(opaque),
    ];
    Plan::new(leaf(Condition::All { clauses }))
}

fn declared(line: u32) -> Declared {
    Declared { module: "events::moves::done", file: "events/src/moves.rs", line, doc: "The move is done | over.", calls: &[] }
}

fn done() -> Detector {
    Detector::new("move.done", |_| false).with_plan(|| plan("done")).declared_at(declared(5))
}

fn other() -> Detector {
    Detector::new("move.other", |_| true)
}

fn catalogue(detectors: impl IntoIterator<Item = Detector>) -> Catalogue {
    Catalogue::of(&Registry::try_new(detectors).unwrap())
}

#[test]
fn the_page_says_what_when_and_then_what_it_looks_at() {
    let fires = Detector::new("move.do.ne", |_| true).on_undecided(OnUndecided::Fire).ordered().with_jobs(|_| Vec::new());
    let page = markdown::page(&Registry::try_new([done(), fires]).unwrap());

    assert_snapshot!(page, @r#"
    # Events

    2 events. This page is written by `catalogue`, from the source of the events: change that, and write it again.

    | event | what happened | jobs |
    | --- | --- | --- |
    | [move.do.ne](#movedone) |  | none |
    | [move.done](#movedone-1) | The move is done \| over. | none |

    ## move.do.ne

    **When**: its rule cannot be read; see the source.

    Where the change does not say, it counts as happened.

    **Then** its jobs run, of which none is known by name.

    **Declared** by hand.

    ## move.done

    The move is done | over.

    **When** all of this holds:

    - it is about `moves`: `collection() == "moves"`
    - the change is an update: `operation() is update`
    - one of:
      - `status` changed: `column_changed("status")`
      - not so that `note` was there: `!before("note").exists()`
    - `status` became `"done"`: `became("status", "done")`
    - code of its own says so: `code that is not understood`

    Where the change does not say, that is reported, and no job runs.

    **Then** it is reported; it has no jobs.

    **Looks at** changes of `moves`; of the kind update; `note` (before); `status` (before, after, whether it changed); and whatever the code does that is not understood.

    **Not understood**, and so asked of every change that the rest holds of:

    - `code that is not understood`: a call of a function that is not known here

    **Declared** in `events/src/moves.rs`, module `events::moves::done`.
    "#);
}

#[test]
fn what_was_written_is_read_back_and_the_same_events_write_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    let catalogue = catalogue([done(), other()]);
    std::fs::write(&path, pretty(&catalogue).unwrap()).unwrap();

    assert_eq!(Catalogue::read(&path).unwrap(), catalogue);
    let reversed = self::catalogue([other(), done().declared_at(declared(500))]);
    assert_eq!(pretty(&reversed).unwrap(), pretty(&catalogue).unwrap(), "the order and the lines do not matter");
    for (text, exit, words) in [
        ("{}", Exit::BadData, "is no catalogue: missing field `catalogue`"),
        ("{\"catalogue\": 2}", Exit::Config, "is of version 2, and this program reads 1"),
    ] {
        std::fs::write(&path, text).unwrap();
        let failure = Catalogue::read(&path).unwrap_err();
        assert!(failure.exit == exit && failure.message.contains(words), "{failure:?}");
    }
}

#[test]
fn an_event_appears_vanishes_or_has_other_clauses() {
    let old = catalogue([done(), other()]);
    let changed = Detector::new("move.done", |_| false).with_plan(|| plan("over")).ordered();
    let new = catalogue([changed, Detector::new("move.new", |_| true).declared_at(declared(1))]);

    let differences = compare(&old, &new, |_| false);

    let expected = Differences {
        added: vec![("move.new".to_owned(), "The move is done | over.".to_owned())],
        removed: vec![("move.other".to_owned(), String::new())],
        changed: vec![Changed {
            name: "move.done".to_owned(),
            clauses_removed: vec![r#"became("status", "done")"#.to_owned()],
            clauses_added: vec![r#"became("status", "over")"#.to_owned()],
            others: vec![("ordered", "false".to_owned(), "true".to_owned())],
        }],
        unchanged: 0,
        unreadable: 0,
    };
    assert_eq!(differences, expected);
    assert!(compare(&old, &new, |name| name == "move.other").removed.is_empty(), "it is only left out");
}

#[test]
fn a_rule_that_is_written_in_another_way_is_the_same_and_code_that_is_not_understood_is_its_text() {
    let event = |plan: serde_json::Value, text: &str| {
        let mut catalogue = catalogue([done()]);
        catalogue.events[0].plan = Some(plan);
        catalogue.events[0].rule = Some(vec![text.to_owned()]);
        catalogue
    };
    let changed = |text: &str| serde_json::json!({ "kind": "changed", "path": "a", "text": text });
    let opaque = |text: &str| serde_json::json!({ "kind": "not", "text": text, "clause": { "kind": "opaque", "why": text, "text": text } });

    let same =
        compare(&event(changed("change.column_changed(\"a\")"), "x"), &event(changed("c.column_changed(A)"), "y"), |_| false);
    let other = compare(&event(opaque("f(c)"), "!f(c)"), &event(opaque("g(c)"), "!g(c)"), |_| false);

    assert_eq!((same.changed.len(), same.unchanged), (0, 1));
    assert_eq!(
        (&other.changed[0].clauses_removed[0], &other.changed[0].clauses_added[0]),
        (&"!f(c)".to_owned(), &"!g(c)".to_owned())
    );
}

#[test]
fn a_rule_that_can_be_read_no_more_is_changed_and_one_that_never_could_is_told() {
    let hidden = Detector::new("move.done", |_| false);

    let differences = compare(&catalogue([done(), other()]), &catalogue([hidden, other()]), |_| false);

    assert_eq!(differences.changed[0].others[0], ("rule", "can be read".to_owned(), "cannot be read".to_owned()));
    assert_eq!((differences.unreadable, differences.unchanged), (1, 1));
}
