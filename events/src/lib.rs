//! When is there work to do? The business events of vehicle moves, orders and users.

pub mod move_address;
pub mod move_cancel;
pub mod move_deleted;
pub mod move_pickup;
pub mod order;
pub mod order_item;
pub mod user;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use event_detector::{Change, Registry, Verdict};

    /// The changes that `detector demo` shows; the first line is their context.
    const DEMO: &str = include_str!("../../crates/app/demo.jsonl");

    #[test]
    fn the_demonstration_shows_every_event_and_every_kind_of_verdict() {
        let registry = Registry::from_linked().unwrap();
        let (mut detected, mut undecided, mut nothing) = (BTreeSet::new(), 0, 0);

        for line in DEMO.lines().skip(1) {
            let change = Change::from_json(line).unwrap();
            let verdicts: Vec<_> = registry.detectors().iter().map(|event| (event.name(), event.evaluate(&change))).collect();
            nothing += usize::from(verdicts.iter().all(|(_, verdict)| *verdict == Verdict::No));
            undecided += verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Undecided(_))).count();
            detected.extend(verdicts.into_iter().filter(|(_, verdict)| *verdict == Verdict::Detected).map(|(name, _)| name));
        }

        let events: BTreeSet<_> = registry.detectors().iter().map(|event| event.name()).collect();
        assert_eq!(detected, events);
        assert_eq!((events.len(), undecided, nothing), (8, 1, 1));
    }
}
