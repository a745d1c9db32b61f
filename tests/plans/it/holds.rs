//! What must hold of every event and every change.

use std::env;
use std::num::NonZero;
use std::ops::Range;
use std::thread;

use event_detector::{Change, Detector, Operations, Plan, Registry, Verdict};
use plan_bodies::{WRITTEN, Written};

use crate::changes::{change, shown};
use crate::tally::{Counts, Fault, Tally};

const DEFAULT_SEED: u64 = 6;
/// What every run takes; CI takes more.
const CHANGES: u64 = 10_000;
/// So many events in a hundred are to come to each, or the bodies and the changes are too unlike to show anything.
const FIRE: usize = 85;
const UNDECIDED: usize = 80;
const RULED_OUT: usize = 65;

/// Everything that is asked about a change.
struct Asked {
    registry: Registry,
    /// Of each detector of the registry.
    written: Vec<&'static Written>,
    /// Of each detector of the registry: its plan, and the operations that it may hold of.
    plans: Vec<(Plan, Operations)>,
}

fn from_environment(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is `{value}`; give it a whole number")),
        Err(_) => default,
    }
}

impl Asked {
    fn new() -> Self {
        let only = env::var("PLAN_EVENT").ok();
        let registry = Registry::from_linked().unwrap().filtered(|name| only.as_deref().is_none_or(|only| only == name));
        let source = |detector: &Detector| WRITTEN.iter().find(|written| written.event == detector.name()).unwrap();
        let written = registry.detectors().iter().map(source).collect();
        let plan = |detector: &Detector| {
            let plan = detector.plan().unwrap_or_else(|| panic!("{} has no plan", detector.name()));
            let operations = plan.reads().operations;
            (plan, operations)
        };
        let plans = registry.detectors().iter().map(plan).collect();
        Self { registry, written, plans }
    }

    /// What came of the changes of those numbers.
    fn tally(&self, seed: u64, numbers: Range<u64>) -> Tally {
        let mut tally = Tally::new(self.written.len());
        for nth in numbers {
            self.ask(&mut tally, nth, &change(seed, nth));
        }
        tally
    }

    fn ask(&self, tally: &mut Tally, nth: u64, change: &Change) {
        let mut told = Vec::new();
        self.registry.evaluate(change, |detector, verdict| told.push((detector.name(), verdict)));
        let mut told = told.into_iter().peekable();
        for (place, detector) in self.registry.detectors().iter().enumerate() {
            let verdict = detector.evaluate(change);
            let by_index = told.next_if(|(name, _)| *name == detector.name()).map_or(Verdict::No, |(_, verdict)| verdict);
            let counts = &mut tally.counts[place];
            counts.note(&verdict);
            if let Some(what) = fault(detector, &self.plans[place], change, &verdict, &by_index, counts) {
                let Written { event, source } = *self.written[place];
                tally.faults.entry(event).or_insert_with(|| Fault { event, source, nth, what, change: shown(change) });
            }
        }
        let surplus = told.map(|(name, _)| name).collect::<Vec<_>>();
        assert!(surplus.is_empty(), "of change {nth} the index tells in another order, or twice, of {surplus:?}");
    }
}

/// What does not hold, where something does not.
fn fault(
    detector: &Detector,
    (plan, operations): &(Plan, Operations),
    change: &Change,
    verdict: &Verdict,
    by_index: &Verdict,
    counts: &mut Counts,
) -> Option<String> {
    let rules_out = plan.rules_out(change);
    counts.ruled_out += u64::from(rules_out);
    counts.missed += u64::from(!rules_out && *verdict == Verdict::No);
    let happens = matches!(verdict, Verdict::Detected | Verdict::Undecided(_));
    if rules_out && happens {
        return Some(format!("the plan rules out what is {verdict:?}"));
    }
    // A detector that certainly says no is not asked, so nobody sees it panic.
    let is_skipped = rules_out && *by_index == Verdict::No && matches!(verdict, Verdict::Failed(_));
    if by_index != verdict && !is_skipped {
        return Some(format!("the index comes to {by_index:?}, and the detector itself to {verdict:?}"));
    }
    // (Opaque code may leave the function, whatever comes after it.)
    if *verdict == Verdict::Detected && plan.is_exact() && !operations.contains(change.operation()) {
        return Some(format!("the plan's operations lack `{}`", change.operation()));
    }
    if detector.name().starts_with("exact.") {
        let by_plan = plan.evaluate(change);
        if by_plan != *verdict {
            return Some(format!("the plan comes to {by_plan:?}, and the detector itself to {verdict:?}"));
        }
    }
    None
}

#[test]
fn what_is_recognised_wholly_has_an_exact_plan() {
    let asked = Asked::new();

    for (Written { event, source }, (plan, _)) in asked.written.iter().zip(&asked.plans) {
        let opaque: Vec<_> = plan.root().opaque().map(|clause| format!("{:?}: {}", clause.condition(), clause.text())).collect();
        assert!(!event.starts_with("exact.") || opaque.is_empty(), "{event} has opaque clauses: {opaque:#?}\n{source}");
    }
}

#[test]
fn plans_and_index_keep_what_the_detectors_say() {
    let asked = Asked::new();
    let seed = from_environment("PLAN_CHANGES_SEED", DEFAULT_SEED);
    let (from, count) = (from_environment("PLAN_CHANGES_FROM", 0), from_environment("PLAN_CHANGES", CHANGES));
    println!("PLAN_BODIES_SEED={} PLAN_CHANGES_SEED={seed} PLAN_CHANGES_FROM={from} PLAN_CHANGES={count}", plan_bodies::SEED);

    let threads = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let mut tally = Tally::new(asked.written.len());
    thread::scope(|scope| {
        let starts: Vec<u64> = (0..=threads).map(|part| from + count * part / threads).collect();
        let parts: Vec<_> = starts
            .windows(2)
            .map(|ends| (ends[0]..ends[1], &asked))
            .map(|(part, asked)| scope.spawn(move || asked.tally(seed, part)))
            .collect();
        for part in parts {
            tally.add(part.join().unwrap());
        }
    });

    println!("{}", summary(&asked, &tally.counts));
    assert!(tally.faults.is_empty(), "{}", tally.told(seed));
    if count >= CHANGES && asked.written.len() == WRITTEN.len() {
        for (what, share, of) in [
            ("are detected", FIRE, (|counts| counts.detected) as fn(&Counts) -> u64),
            ("are undecided", UNDECIDED, |counts| counts.undecided),
            ("are ruled out", RULED_OUT, |counts| counts.ruled_out),
        ] {
            let some = tally.counts.iter().filter(|counts| of(counts) > 0).count();
            assert!(
                some * 100 >= share * WRITTEN.len(),
                "{some} of {} events {what}, which is less than {share} in 100",
                WRITTEN.len()
            );
        }
    }
}

/// Which share of the events came to what, and those that came to nothing.
fn summary(asked: &Asked, counts: &[Counts]) -> String {
    let some = |of: fn(&Counts) -> u64| counts.iter().filter(|counts| of(counts) > 0).count();
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>();
    let never: Vec<&str> =
        asked.written.iter().zip(counts).filter(|(_, counts)| counts.detected == 0).map(|(written, _)| written.event).collect();
    format!(
        "of {} events {} were detected ({} times), {} undecided ({}), {} failed ({}), {} ruled out ({}); {} noes were not ruled out; \
         never detected: {never:?}",
        counts.len(),
        some(|counts| counts.detected),
        sum(|counts| counts.detected),
        some(|counts| counts.undecided),
        sum(|counts| counts.undecided),
        some(|counts| counts.failed),
        sum(|counts| counts.failed),
        some(|counts| counts.ruled_out),
        sum(|counts| counts.ruled_out),
        sum(|counts| counts.missed),
    )
}
