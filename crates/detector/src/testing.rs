//! How does an event author assert that an event is, or is not, detected in a change?

use crate::change::{Change, nearest};
use crate::detector::Verdict;
use crate::registry::Registry;

/// Asserts that the verdict of the linked event `name` on `change` is a wanted one; `problem` says what it is otherwise.
///
/// # Panics
///
/// When it is not, or when no such event is linked into the test; the message names the nearest.
#[doc(hidden)]
#[track_caller]
pub fn assert_verdict(name: &str, change: &Change, problem: &str, is_wanted: fn(&Verdict) -> bool) {
    let registry = Registry::from_linked().unwrap_or_else(|error| panic!("{error}"));
    let Some(detector) = registry.get(name) else {
        let close = nearest(name, registry.detectors().iter().map(|detector| detector.name()));
        let hint = close.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        panic!("no event `{name}` is linked into this test{hint}");
    };
    let verdict = detector.evaluate(change);
    assert!(is_wanted(&verdict), "`{name}` {problem} ({verdict:?}) in {}", change.to_json().cloned().unwrap_or_default());
}

/// Asserts that the event is detected in the change; undecided is not detected.
///
/// ```no_run
/// # use event_detector::{Change, assert_detects};
/// # use serde_json::json;
/// assert_detects!(
///     "move.pickup.successful",
///     Change::update("moves").before(json!({ "status": "en route" })).after(json!({ "status": "pickup successful" }))
/// );
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __assert_detects {
    ($event:expr, $change:expr $(,)?) => {
        $crate::__private::assert_verdict($event, &$change.into(), "is not detected", |verdict| {
            matches!(verdict, $crate::Verdict::Detected)
        })
    };
}

/// Asserts that the event is not detected in the change; undecided is neither.
///
/// ```no_run
/// # use event_detector::{Change, assert_ignores};
/// # use serde_json::json;
/// assert_ignores!("move.deleted", Change::insert("moves").after(json!({ "id": 1 })));
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __assert_ignores {
    ($event:expr, $change:expr $(,)?) => {
        $crate::__private::assert_verdict($event, &$change.into(), "is not ignored", |verdict| {
            matches!(verdict, $crate::Verdict::No)
        })
    };
}

/// Asserts that the change does not say whether the event happened.
///
/// ```no_run
/// # use event_detector::{Change, assert_undecided};
/// # use serde_json::json;
/// assert_undecided!("move.pickup.successful", Change::update("moves").after(json!({ "status": "pickup successful" })));
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __assert_undecided {
    ($event:expr, $change:expr $(,)?) => {
        $crate::__private::assert_verdict($event, &$change.into(), "is decided", |verdict| {
            matches!(verdict, $crate::Verdict::Undecided(_))
        })
    };
}

pub use crate::{__assert_detects as assert_detects, __assert_ignores as assert_ignores, __assert_undecided as assert_undecided};
