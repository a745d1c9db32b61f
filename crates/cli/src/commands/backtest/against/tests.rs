//! What is told of two runs that differ?

use std::path::Path;

use event_detector::{Change, Clause, Comparison, Condition, Constant, Detector, Plan, Registry, Side};
use serde_json::json;
use tempfile::TempDir;

use super::{Against, Compared, Deciding, Difference, Stands};
use crate::commands::backtest::known::Ids;
use crate::commands::backtest::saved::{SavedEvent, Saving};
use crate::commands::backtest::tally::{Said, Tally};
use crate::commands::backtest::trial::Trial;
use crate::commands::rule;
use crate::files::Whole;

/// A move whose status is `status`.
fn plan(status: &'static str) -> Plan {
    let literal = Constant::Text(status.into());
    let compare = Condition::Compare { side: Side::After, path: "status".into(), comparison: Comparison::Equal, literal };
    let clauses = vec![Clause::new(Condition::Collection { name: "moves".into() }), Clause::new(compare)];
    Plan::new(Clause::new(Condition::All { clauses }))
}

fn done() -> Detector {
    Detector::new("move.done", |change| change.collection() == "moves" && change.after("status") == "done")
        .with_plan(|| plan("done"))
}

/// The same event after somebody mistyped its status.
fn mistyped() -> Detector {
    Detector::new("move.done", |change| change.collection() == "moves" && change.after("status") == "dome")
        .with_plan(|| plan("dome"))
}

fn registry(detectors: impl IntoIterator<Item = Detector>) -> Registry {
    Registry::try_new(detectors).unwrap()
}

fn moved(id: &str, status: &str) -> Change {
    Change::from(Change::update("moves").key(id).after(json!({ "status": status }))).with_id(id)
}

/// Keeps what `registry` says of `changes`.
fn keep(registry: &Registry, changes: &[Change], is_whole: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut trial, mut saving, mut ids) = (Trial::new(registry), Saving::default(), Ids::default());
    for change in changes {
        let found = trial.ask(change).unwrap();
        saving.add(change.id(), ids.meet(change.id()), found.iter().map(|(place, verdict)| (*place, Said::from(verdict))));
    }
    let events = registry.detectors().iter().map(|detector| SavedEvent {
        name: detector.name().to_owned(),
        tally: Tally::default(),
        rule: registry.plan(detector.name()).map(rule::texts),
    });
    let saved = saving.finish(events.collect(), is_whole);
    saved.write(Whole::begin(&folder.path().join("run.json")).unwrap()).unwrap();
    folder
}

/// What `registry` says of `changes`, compared with the run that was kept.
fn compare(kept: &TempDir, registry: &Registry, changes: &[Change], limit: usize) -> Against {
    let mut against = Against::read(&kept.path().join(Path::new("run.json")), registry, limit).unwrap();
    let (mut trial, mut ids) = (Trial::new(registry), Ids::default());
    for (line, change) in changes.iter().enumerate() {
        let found = trial.ask(change).unwrap();
        let said = found.iter().map(|(place, verdict)| (*place, Said::from(verdict)));
        against.meet(registry, change, ids.meet(change.id()), said, || format!("file:{}", line + 1));
    }
    against
}

fn numbers(event: &Compared) -> (u64, u64, u64, u64) {
    (event.added, event.removed, event.undecided, event.unchanged)
}

#[test]
fn a_rule_that_was_changed_shows_what_fires_and_what_does_not_any_more_and_by_which_clause() {
    let changes = [moved("a", "done"), moved("b", "dome"), moved("c", "new"), moved("d", "done")];
    let kept = keep(&registry([done()]), &changes, true);

    let against = compare(&kept, &registry([mistyped()]), &changes, 1);

    let event = &against.events[0];
    assert_eq!(numbers(event), (1, 2, 0, 0));
    assert_eq!((against.number(Difference::Added), against.number(Difference::Removed)), (1, 2));
    assert_eq!(event.rule.differences(), (vec![r#"after("status") == "done""#], vec![r#"after("status") == "dome""#]));
    let firings: Vec<_> = event.firings.iter().map(|firing| (firing.kind, firing.id.as_str(), firing.place.as_str())).collect();
    assert_eq!(firings, [(Difference::Removed, "a", "file:1"), (Difference::Added, "b", "file:2")], "one of each kind");
    let no = Deciding {
        clause: r#"after("status") == "dome""#.to_owned(),
        at: None,
        expected: r#""dome""#.to_owned(),
        actual: r#""done""#.to_owned(),
    };
    assert_eq!(event.firings[0].says_no, Some(no));
    assert_eq!(event.firings[0].key, Some(json!("a")));
    assert!(event.firings[1].says_no.is_none());
}

#[test]
fn nothing_differs_where_nothing_was_changed_however_the_file_is_sorted() {
    let changes = [moved("a", "done"), moved("b", "new"), moved("a", "done")];
    let kept = keep(&registry([done()]), &changes, true);

    let mut sorted = changes;
    sorted.reverse();
    let against = compare(&kept, &registry([done()]), &sorted, 5);

    assert_eq!(numbers(&against.events[0]), (0, 0, 0, 2));
    assert_eq!((against.new_changes, against.gone_changes()), (0, 0));
}

#[test]
fn a_change_that_is_in_one_run_alone_is_told_and_counts_for_nothing() {
    let kept = keep(&registry([done()]), &[moved("a", "done"), moved("b", "new"), moved("c", "new")], true);

    let against = compare(&kept, &registry([done()]), &[moved("a", "done"), moved("x", "done"), moved("a", "done")], 5);

    assert_eq!(numbers(&against.events[0]), (0, 0, 0, 1));
    assert_eq!((against.new_changes, against.gone_changes(), against.changes()), (2, 2, 3));
}

#[test]
fn what_fired_and_is_undecided_now_is_removed_and_undecided_and_what_said_no_is_undecided() {
    let kept = keep(&registry([done()]), &[moved("a", "done"), moved("b", "new")], true);
    let unknown = Detector::new("move.done", |change| change.column_changed("other"));

    let against = compare(&kept, &registry([unknown]), &[moved("a", "done"), moved("b", "new")], 5);

    let event = &against.events[0];
    assert_eq!(numbers(event), (0, 1, 2, 0));
    let told: Vec<_> = event.firings.iter().map(|firing| (firing.kind, firing.then, firing.now)).collect();
    assert_eq!(told, [(Difference::Removed, Said::Fired, Said::Undecided), (Difference::Undecided, Said::No, Said::Undecided)]);
}

#[test]
fn of_each_kind_as_many_are_told_as_were_asked_for_and_the_rest_is_counted() {
    let changes = ["a", "b", "c"].map(|id| moved(id, "new"));
    let kept = keep(&registry([done()]), &changes, true);
    let unknown = Detector::new("move.done", |change| change.column_changed("other"));

    let against = compare(&kept, &registry([unknown]), &changes, 2);

    let event = &against.events[0];
    assert_eq!((event.firings.len(), event.told(Difference::Undecided), event.told(Difference::Removed)), (2, 3, 0));
}

#[test]
fn another_change_with_the_same_digest_is_not_taken_for_the_one_of_which_something_was_said() {
    let (fired, other) = (moved("a", "done"), moved("b", "new"));
    let kept = keep(&registry([done()]), std::slice::from_ref(&fired), true);
    let registry = registry([done()]);
    let mut against = Against::read(&kept.path().join("run.json"), &registry, 5).unwrap();

    let same_digest = Ids::default().meet(fired.id());
    against.meet(&registry, &other, same_digest, std::iter::empty(), String::new);

    assert_eq!(numbers(&against.events[0]), (0, 0, 0, 0));
}

#[test]
fn an_event_that_is_new_adds_and_one_that_is_gone_removes_but_one_that_is_left_out_does_neither() {
    let changes = [moved("a", "done")];
    let other = Detector::new("move.other", |_| true);
    let kept = keep(&registry([done(), other]), &changes, true);
    let third = Detector::new("move.third", |_| true);

    let against = compare(&kept, &registry([done(), third]).filtered(|name| name != "move.done"), &changes, 5);

    let told: Vec<_> = against.events.iter().map(|event| (event.name.as_str(), event.stands, numbers(event))).collect();
    assert_eq!(told, [("move.other", Stands::Gone, (0, 1, 0, 0)), ("move.third", Stands::New, (1, 0, 0, 0))]);
}

#[test]
fn an_event_that_the_kept_run_was_not_asked_for_is_not_compared() {
    let changes = [moved("a", "done")];
    let kept = keep(&registry([done()]), &changes, false);

    let against = compare(&kept, &registry([done(), Detector::new("move.other", |_| true)]), &changes, 5);

    assert_eq!(against.not_compared, ["move.other"]);
    assert_eq!((against.events.len(), numbers(&against.events[0])), (1, (0, 0, 0, 1)));
}
