//! Who may send what, how much of it, and which events does a trigger name?

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use event_detector::{Registry, nearest};
use wildmatch::WildMatch;

use super::passphrases::{Passphrase, Passphrases};

/// Longer names are no names of triggers; Postgres ends them far earlier.
pub(super) const MAX_TRIGGER: usize = 256;

const BODY_LIMITS: RangeInclusive<usize> = 1..=256 * 1024 * 1024;

/// What is agreed with the senders. The defaults are the fields' documented values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The header that carries the passphrase: `x-passphrase`.
    pub passphrase_header: String,
    /// The passphrases that are valid now, several while they are rotated: none, which lets everybody in but pages in a browser.
    pub passphrases: Vec<Passphrase>,
    /// Per trigger the globs of the events it is watched for, all of them where the list is empty. With no trigger configured,
    /// any name is accepted and watched for every event: none.
    pub triggers: BTreeMap<String, Vec<String>>,
    /// The largest body in bytes, unpacked: 1 MiB.
    pub body_limit: usize,
    /// How long a body may take to arrive: 20 seconds.
    pub body_timeout: Duration,
    /// How long a sender is kept waiting for the report: 50 seconds, since Hasura gives up after 60. `Duration::MAX` is no limit.
    pub answer_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            passphrase_header: "x-passphrase".to_owned(),
            passphrases: Vec::new(),
            triggers: BTreeMap::new(),
            body_limit: 1024 * 1024,
            body_timeout: Duration::from_secs(20),
            answer_within: Duration::from_secs(50),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The header for the passphrase has no name that HTTP allows.
    #[error("{header:?} cannot be the name of a header; use letters, digits and `-`, e.g. `x-passphrase`")]
    Header {
        /// The name.
        header: String,
    },
    /// No header can carry a passphrase. (It is told by its number alone: it is a secret.)
    #[error(
        "passphrase {nth} can be sent in no header: it is empty, begins or ends with white space, or has control characters; \
         is there a line break at its end?"
    )]
    Passphrase {
        /// Its number, counted from 1.
        nth: usize,
    },
    /// A trigger has no name that a path can carry.
    #[error("{trigger:?} cannot be the name of a trigger; expected 1 to {MAX_TRIGGER} bytes without `/` and control characters")]
    Trigger {
        /// The name.
        trigger: String,
    },
    /// A trigger is watched for events that are not there.
    #[error("no event matches `{glob}` of the trigger `{trigger}`{}", hint(.nearest))]
    NoEvent {
        /// The trigger.
        trigger: String,
        /// The glob.
        glob: String,
        /// The event with the nearest name.
        nearest: Option<String>,
    },
    /// A number that cannot work.
    #[error("`{setting}` is {given}; expected {expected}")]
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// Its value.
        given: String,
        /// What it may be.
        expected: &'static str,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

impl Settings {
    /// Checks the settings against the events that there are.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], the first that is found.
    pub fn check(&self, registry: &Registry) -> Result<(), SettingsError> {
        let out_of_range = |setting, given, expected| Err(SettingsError::OutOfRange { setting, given, expected });
        if !BODY_LIMITS.contains(&self.body_limit) {
            return out_of_range("body_limit", self.body_limit.to_string(), "1 byte to 256 MiB");
        }
        if self.body_timeout.is_zero() {
            return out_of_range("body_timeout", "0".to_owned(), "a time in which a body can arrive, e.g. 20 seconds");
        }
        Passphrases::try_new(&self.passphrase_header, &self.passphrases)?;
        for (trigger, globs) in &self.triggers {
            if trigger.contains('/') || !is_trigger(trigger) {
                return Err(SettingsError::Trigger { trigger: trigger.clone() });
            }
            for glob in globs {
                let names = || registry.detectors().iter().map(|detector| detector.name());
                if !names().any(|name| matches(glob, name)) {
                    let nearest = nearest(glob, names()).map(str::to_owned);
                    return Err(SettingsError::NoEvent { trigger: trigger.clone(), glob: glob.clone(), nearest });
                }
            }
        }
        Ok(())
    }
}

/// Whether a text can name a trigger in a path, a log and a report.
pub(super) fn is_trigger(name: &str) -> bool {
    (1..=MAX_TRIGGER).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a trigger with these globs is watched for the event `name`.
pub(super) fn watches(globs: &[String], name: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| matches(glob, name))
}

/// In a glob, `*` stands for any text and `?` for one character.
fn matches(glob: &str, name: &str) -> bool {
    WildMatch::new(glob).matches(name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use event_detector::{Detector, Registry};

    use super::{Settings, watches};

    fn problem(settings: Settings) -> String {
        let registry = Registry::try_new(["move.gone", "move.pickup.done"].map(|name| Detector::new(name, |_| false)));
        settings.check(&registry.unwrap()).map_or_else(|error| error.to_string(), |()| "none".to_owned())
    }

    fn trigger(name: &str, glob: &str) -> Settings {
        Settings { triggers: [(name.to_owned(), vec![glob.to_owned()])].into(), ..Settings::default() }
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_cure() {
        let defaults = Settings::default;
        for (settings, needle) in [
            (Settings { passphrase_header: "two words".into(), ..defaults() }, "\"two words\" cannot be the name of a header"),
            (Settings { passphrases: vec!["canary\n".into()], ..defaults() }, "passphrase 1 can be sent in no header"),
            (trigger("a/b", "move.*"), "\"a/b\" cannot be the name of a trigger"),
            (trigger("", "move.*"), "\"\" cannot be the name of a trigger"),
            (trigger("moves", "move.gnoe"), "`move.gnoe` of the trigger `moves`; did you mean `move.gone`?"),
            (trigger("moves", "x*"), "no event matches `x*` of the trigger `moves`"),
            (Settings { body_limit: 0, ..defaults() }, "`body_limit` is 0; expected 1 byte to 256 MiB"),
            (Settings { body_timeout: Duration::ZERO, ..defaults() }, "`body_timeout` is 0; expected a time"),
        ] {
            let problem = problem(settings);
            assert!(problem.contains(needle) && !problem.contains("canary"), "{problem}");
        }
        assert_eq!(problem(trigger("moves", "move.*")), "none");
    }

    #[test]
    fn a_trigger_is_watched_for_the_events_its_globs_name_or_for_all() {
        let globs = ["*.gone".to_owned(), "order.?".to_owned()];

        let watched = ["move.gone", "order.1", "order.12", "move.pickup"].map(|name| watches(&globs, name));

        assert_eq!(watched, [true, true, false, false]);
        assert!(watches(&[], "move.pickup"));
    }
}
