//! Which events does the program watch for?

use event_detector::{Registry, nearest};
use wildmatch::WildMatch;

use crate::exit::{Exit, Failure};

/// The events of `registry` whose names match one of `only` (all when empty) and none of `except`.
///
/// In a glob, `*` stands for any text and `?` for one character.
pub(crate) fn select(registry: Registry, only: &[String], except: &[String]) -> Result<Registry, Failure> {
    let names: Vec<&str> = registry.detectors().iter().map(|detector| detector.name()).collect();
    for glob in only.iter().chain(except) {
        if !names.iter().any(|name| WildMatch::new(glob).matches(name)) {
            let failure = Failure::new(Exit::Usage, format!("no event matches `{glob}`"));
            return Err(match nearest(glob, names.iter().copied()) {
                Some(name) => failure.with_hint(format!("did you mean `{name}`? `list` shows every event")),
                None => failure.with_hint("`list` shows every event"),
            });
        }
    }
    let matches = |globs: &[String], name: &str| globs.iter().any(|glob| WildMatch::new(glob).matches(name));
    Ok(registry.filtered(|name| (only.is_empty() || matches(only, name)) && !matches(except, name)))
}

#[cfg(test)]
mod tests {
    use event_detector::{Detector, Registry};

    use super::select;

    fn names(only: &[&str], except: &[&str]) -> Result<Vec<&'static str>, String> {
        let registry =
            Registry::try_new(["move.gone", "move.pickup.done", "order.placed"].map(|name| Detector::new(name, |_| false)));
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        select(registry.unwrap(), &owned(only), &owned(except))
            .map(|registry| registry.detectors().iter().map(Detector::name).collect())
            .map_err(|failure| format!("{}; {}", failure.message, failure.hint.unwrap_or_default()))
    }

    #[test]
    fn only_and_except_are_both_respected() {
        assert_eq!(names(&[], &[]).unwrap().len(), 3);
        assert_eq!(names(&["move.*"], &[]).unwrap(), ["move.gone", "move.pickup.done"]);
        assert_eq!(names(&["move.*"], &["*.gone"]).unwrap(), ["move.pickup.done"]);
        assert_eq!(names(&[], &["move.*", "order.placed"]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_glob_that_matches_nothing_is_refused_with_the_nearest_name() {
        let error = names(&["order.plaecd"], &[]).unwrap_err();

        assert!(error.contains("`order.plaecd`") && error.contains("did you mean `order.placed`?"), "{error}");
    }
}
