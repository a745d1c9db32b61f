//! What do the events say of one change after another, and do their rules agree with that?

use event_detector::{Change, Detector, Plan, Registry, Verdict};

use crate::console::describe;
use crate::exit::{Exit, Failure};

use super::tally::{Said, Tally};
use crate::commands::rule;

/// Of the changes of which nothing is said, each of so many goes through the index, too.
const SAMPLED: u64 = 16;

/// Asks the events about one change after another.
pub(super) struct Trial<'r> {
    registry: &'r Registry,
    plans: Vec<Option<&'r Plan>>,
    tallies: Vec<Tally>,
    pub(super) changes: u64,
    /// The changes of which an event fired.
    pub(super) with_events: u64,
    found: Vec<(usize, Verdict)>,
}

impl<'r> Trial<'r> {
    pub(super) fn new(registry: &'r Registry) -> Self {
        let detectors = registry.detectors();
        Self {
            registry,
            plans: detectors.iter().map(|detector| registry.plan(detector.name())).collect(),
            tallies: vec![Tally::default(); detectors.len()],
            changes: 0,
            with_events: 0,
            found: Vec::new(),
        }
    }

    /// Asks about a change; what is said besides "no", by the place of the event.
    ///
    /// # Errors
    ///
    /// A rule that contradicts what its event says.
    pub(super) fn ask(&mut self, change: &Change) -> Result<&[(usize, Verdict)], Failure> {
        self.found.clear();
        let found = &mut self.found;
        let detectors = self.registry.detectors();
        // Not through the index, so that no rule keeps an event from being asked.
        Detector::evaluate_all(detectors, change, |detector, verdict| found.push((place(detectors, detector.name()), verdict)));
        self.changes += 1;
        self.with_events += u64::from(self.found.iter().any(|(_, verdict)| *verdict == Verdict::Detected));
        for (place, verdict) in &self.found {
            self.tallies[*place].add(Said::from(verdict));
            let happens = matches!(verdict, Verdict::Detected | Verdict::Undecided(_));
            if let Some(plan) = self.plans[*place].filter(|plan| happens && plan.rules_out(change)) {
                return Err(contradiction(&detectors[*place], plan, change, verdict));
            }
        }
        if !self.found.is_empty() || self.changes % SAMPLED == 1 {
            self.compare_with_index(change)?;
        }
        Ok(&self.found)
    }

    /// What came of each event, in the order of their names.
    pub(super) fn tallies(&self) -> impl Iterator<Item = (&'r Detector, Tally)> {
        self.registry.detectors().iter().zip(&self.tallies).map(|(detector, tally)| (detector, tally.of(self.changes)))
    }

    /// A panic is left out: an event that is not asked meets none.
    fn compare_with_index(&self, change: &Change) -> Result<(), Failure> {
        let is_verdict = |verdict: &Verdict| !matches!(verdict, Verdict::Failed(_));
        let mut expected = self.found.iter().filter(|(_, verdict)| is_verdict(verdict));
        let mut other = None;
        self.registry.evaluate(change, |detector, verdict| {
            if is_verdict(&verdict) && other.is_none() {
                let met = expected.next();
                let agrees = met
                    .is_some_and(|(place, said)| self.registry.detectors()[*place].name() == detector.name() && *said == verdict);
                if !agrees {
                    other = Some(met.map_or(detector.name(), |(place, _)| self.registry.detectors()[*place].name()));
                }
            }
        });
        let missed = || expected.next().map(|(place, _)| self.registry.detectors()[*place].name());
        match other.or_else(missed) {
            None => Ok(()),
            Some(event) => Err(fault(
                format!("`{event}` says another thing of {} when it is asked through the index", describe(change)),
                change,
            )),
        }
    }
}

/// The place of an event in a sorted list.
pub(super) fn place(detectors: &[Detector], name: &str) -> usize {
    detectors.partition_point(|detector| detector.name() < name)
}

fn contradiction(detector: &Detector, plan: &Plan, change: &Change, verdict: &Verdict) -> Failure {
    let says_no = rule::conjuncts(plan)
        .into_iter()
        .find(|clause| Plan::new((*clause).clone()).rules_out(change))
        .map_or_else(|| "its rule as a whole".to_owned(), |clause| format!("its clause `{}`", clause.words()));
    let (name, said) = (detector.name(), Said::from(verdict).as_str());
    fault(format!("`{name}` is {said} on {}, while {says_no} says no", describe(change)), change)
}

fn fault(message: String, change: &Change) -> Failure {
    let record = change.to_json().map_or_else(|| "it cannot be read".to_owned(), ToString::to_string);
    Failure::new(Exit::Internal, message).with_hint(format!(
        "this is a fault of event-detector, not of the event: please report it with the event's source and this change; until it \
         is mended, `plan = \"opaque\"` in the event's attribute has it always asked\n  change: {record}"
    ))
}

#[cfg(test)]
mod tests {
    use event_detector::{Change, Clause, Condition, Detector, Plan, Registry, Verdict};
    use serde_json::json;

    use super::Trial;
    use crate::commands::backtest::tally::Tally;
    use crate::exit::Exit;

    fn only(collection: &'static str) -> Plan {
        Plan::new(Clause::new(Condition::Collection { name: collection.into() }))
    }

    fn update() -> Change {
        Change::update("moves").key(7).after(json!({ "status": "done" })).into()
    }

    #[test]
    fn each_verdict_is_counted_once_and_the_rest_is_not_fired() {
        let registry = Registry::try_new([
            Detector::new("a", |change| change.collection() == "moves").with_plan(|| only("moves")),
            Detector::new("b", |change| change.column_changed("status")),
            Detector::new("c", |change| change.is_insert() && panic!("no")),
            Detector::new("d", |_| false),
        ]);
        let registry = registry.unwrap();
        let mut trial = Trial::new(&registry);

        assert_eq!(trial.ask(&update()).unwrap().len(), 2);
        trial.ask(&Change::insert("orders").key(1).after(json!({})).into()).unwrap();

        let tallies: Vec<Tally> = trial.tallies().map(|(_, tally)| tally).collect();
        let tally = |fired, not_fired, undecided, failed| Tally { fired, not_fired, undecided, failed };
        assert_eq!(tallies, [tally(1, 1, 0, 0), tally(0, 1, 1, 0), tally(0, 1, 0, 1), tally(0, 2, 0, 0)]);
        assert_eq!((trial.changes, trial.with_events), (2, 1));
        assert_eq!(tallies[0].rate(), 50.0);
    }

    #[test]
    fn a_rule_that_says_no_to_what_its_event_detects_is_a_fault_that_shows_the_change() {
        let registry = Registry::try_new([Detector::new("a.b", |_| true).with_plan(|| only("orders"))]).unwrap();

        let failure = Trial::new(&registry).ask(&update()).unwrap_err();

        assert_eq!(failure.exit, Exit::Internal);
        assert_eq!(
            failure.message,
            r#"`a.b` is fired on UPDATE on moves 7, while its clause `collection() == "orders"` says no"#
        );
        let hint = failure.hint.unwrap();
        assert!(hint.contains("please report it") && hint.contains(r#""status":"done""#), "{hint}");
    }

    #[test]
    fn a_rule_that_says_no_to_what_is_undecided_is_a_fault_too_and_one_that_says_no_to_a_panic_is_none() {
        let unknown = Detector::new("a", |change| change.column_changed("x")).with_plan(|| only("orders"));
        let registry = Registry::try_new([unknown]).unwrap();
        assert_eq!(Trial::new(&registry).ask(&update()).unwrap_err().exit, Exit::Internal);

        let panics = Detector::new("a", |_| panic!("no")).with_plan(|| only("orders"));
        let registry = Registry::try_new([panics]).unwrap();
        assert!(matches!(Trial::new(&registry).ask(&update()).unwrap(), [(0, Verdict::Failed(_))]));
    }
}
