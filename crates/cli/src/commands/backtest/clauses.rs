//! Which clause of a rule says no to a change?

use event_detector::{Change, Detector, Plan, Registry, Verdict};

use crate::commands::rule;

/// The clauses of each event that has a rule, each asked on its own.
pub(super) struct Clauses {
    events: Vec<Vec<One>>,
}

struct One {
    clause: Plan,
    text: String,
    line: u32,
}

/// A clause that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SaysNo {
    pub(super) clause: String,
    /// Where it stands, where it stands somewhere.
    pub(super) at: Option<(&'static str, u32)>,
}

/// The changes that all but one clause of a rule hold of.
#[derive(Debug, Default)]
pub(super) struct Misses {
    events: Vec<Vec<u64>>,
}

impl Clauses {
    pub(super) fn of(registry: &Registry) -> Self {
        let clauses = |detector: &Detector| {
            let found = registry.plan(detector.name()).map(rule::conjuncts).unwrap_or_default().into_iter();
            let one = found.map(|clause| One {
                clause: Plan::new(clause.clone()),
                text: rule::words(clause).into_owned(),
                line: clause.line(),
            });
            one.collect()
        };
        Self { events: registry.detectors().iter().map(clauses).collect() }
    }

    /// The first clause of the event at this place that says no.
    pub(super) fn says_no(&self, place: usize, detector: &Detector, change: &Change) -> Option<SaysNo> {
        let found = self.events[place].iter().find(|one| one.says_no(change))?;
        let at = (found.line > 0).then_some((detector.declared().file, found.line));
        Some(SaysNo { clause: found.text.clone(), at })
    }
}

impl One {
    fn says_no(&self, change: &Change) -> bool {
        self.clause.evaluate(change) == Verdict::No
    }
}

impl Misses {
    /// Looks for near misses among the events that say no, which are those that `found` does not have.
    pub(super) fn meet(&mut self, clauses: &Clauses, change: &Change, found: &[(usize, Verdict)]) {
        self.events.resize_with(clauses.events.len(), Vec::new);
        for (place, (ones, counts)) in clauses.events.iter().zip(&mut self.events).enumerate() {
            if ones.len() < 2 || found.iter().any(|(other, _)| *other == place) {
                continue;
            }
            counts.resize(ones.len(), 0);
            let mut noes = ones.iter().enumerate().filter(|(_, one)| one.says_no(change)).map(|(at, _)| at);
            if let (Some(only), None) = (noes.next(), noes.next()) {
                counts[only] += 1;
            }
        }
    }

    /// The clauses of an event that were missed alone, and how often, the most frequent first.
    pub(super) fn of<'c>(&self, clauses: &'c Clauses, place: usize) -> Vec<(&'c str, u64)> {
        let (Some(counts), Some(ones)) = (self.events.get(place), clauses.events.get(place)) else { return Vec::new() };
        let mut missed: Vec<(&str, u64)> =
            ones.iter().map(|one| one.text.as_str()).zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect();
        missed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        missed
    }
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, Clause, Condition, Detector, Plan, Registry, Side, Verdict};
    use serde_json::json;

    use super::{Clauses, Misses, SaysNo};

    /// A move whose status and note changed to something.
    fn rule() -> Plan {
        let clauses = vec![
            Clause::new(Condition::Collection { name: "moves".into() }),
            Clause::new(Condition::Changed { path: "status".into() }),
            Clause::new(Condition::Exists { side: Side::After, path: "note".into() }),
        ];
        Plan::new(Clause::new(Condition::All { clauses }))
    }

    fn registry() -> Registry {
        let one = || Plan::new(Clause::new(Condition::Collection { name: "moves".into() }));
        Registry::try_new([
            Detector::new("a", |_| false).with_plan(rule),
            Detector::new("b", |_| false),
            Detector::new("c", |_| false).with_plan(one),
        ])
        .unwrap()
    }

    fn update(collection: &str, before: serde_json::Value, after: serde_json::Value) -> Change {
        Change::update(collection).before(before).after(after).into()
    }

    #[test]
    fn the_first_clause_that_says_no_is_named() {
        let registry = registry();
        let clauses = Clauses::of(&registry);
        let a = &registry.detectors()[0];
        let says_no = |change: &Change| clauses.says_no(0, a, change).map(|no| no.clause);

        assert_eq!(says_no(&update("x", json!({}), json!({}))).unwrap(), r#"collection() == "moves""#);
        assert_eq!(says_no(&update("moves", json!({}), json!({}))).unwrap(), r#"column_changed("status")"#);
        assert_eq!(says_no(&update("moves", json!({ "status": 1 }), json!({ "status": 2, "note": 1 }))), None);
        assert_eq!(says_no(&Change::update("moves").into()), None, "what is unknown is no clear no");
        let expected = SaysNo { clause: r#"collection() == "moves""#.to_owned(), at: None };
        assert_eq!(clauses.says_no(0, a, &update("x", json!({}), json!({}))), Some(expected));
        assert_eq!(clauses.says_no(1, &registry.detectors()[1], &update("x", json!({}), json!({}))), None, "it has no rule");
    }

    #[test]
    fn a_near_miss_is_a_change_that_one_clause_alone_says_no_to() {
        let clauses = Clauses::of(&registry());
        let mut misses = Misses::default();
        let near = update("moves", json!({ "status": 1 }), json!({ "status": 2 }));
        let far = update("moves", json!({}), json!({}));

        for change in [&near, &near, &update("x", json!({ "status": 1 }), json!({ "status": 2, "note": 1 })), &far] {
            misses.meet(&clauses, change, &[]);
        }
        misses.meet(&clauses, &near, &[(0, Verdict::Detected)]);

        assert_eq!(misses.of(&clauses, 0), [(r#"after("note").exists()"#, 2), (r#"collection() == "moves""#, 1)]);
        assert_eq!(misses.of(&clauses, 2), [], "a rule of one clause is always missed by one");
    }
}
