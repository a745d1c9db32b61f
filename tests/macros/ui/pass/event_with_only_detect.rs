//! An event nobody works for: it is reported, and that is all.
use event_detector::event;

#[event("move.deleted")]
mod deleted {
    //! The move is gone.

    fn detect(_: &event_detector::Change) -> bool {
        true
    }
}

fn main() {
    let registry = event_detector::Registry::from_linked().unwrap();
    let event = registry.detectors().first().unwrap();

    assert_eq!((event.name(), event.declared().doc), ("move.deleted", "The move is gone."));
    assert!(!event.has_jobs() && !event.fires_undecided() && !event.is_ordered());
}
