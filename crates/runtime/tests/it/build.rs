//! What keeps a runtime from starting.

use event_detector::{Declared, Detector, JobDeclaration, State, StateNeed};
use event_detector_runtime::BuildError;

use crate::support::{builder, event, gives};

struct Pool;

// As `#[job]` declares one whose source asks for the state.
event_detector::__private::inventory::submit! {
    JobDeclaration { name: "asks_for_a_pool", module: "it", file: "build.rs", line: 1, doc: "", needs: &[StateNeed::of::<Pool>()] }
}

fn names_the_job() -> Detector {
    let declared = Declared { module: "it", file: "build.rs", line: 2, doc: "", calls: &["asks_for_a_pool"] };
    Detector::new("move.created", |_| true).declared_at(declared)
}

#[test]
fn outside_of_tokio_it_does_not_start_and_says_where_it_would() {
    let error = builder([event("a", |_| vec![gives("one", 1)])]).build().err().unwrap();

    assert_eq!(error, BuildError::OutsideTokio);
    assert!(error.to_string().contains("#[tokio::main]"), "{error}");
}

#[tokio::test]
async fn without_state_that_a_named_job_needs_it_does_not_start_and_says_what_to_add() {
    let error = builder([names_the_job()]).build().err().unwrap();

    let text = error.to_string();
    assert!(matches!(error, BuildError::MissingState { event: "move.created", job: "asks_for_a_pool", .. }), "{error:?}");
    assert!(text.contains("Pool") && text.contains(".state(value)"), "{text}");
}

#[tokio::test]
async fn with_the_state_or_without_the_event_it_starts() {
    let mut state = State::default();
    state.insert(Pool);

    assert!(builder([names_the_job()]).state(state).build().is_ok());
    assert!(builder([event("a", |_| vec![gives("one", 1)])]).build().is_ok());
}
