//! What did the config file and the environment say about changes over HTTP?

use std::collections::BTreeMap;
use std::env::{self, VarError};
use std::time::Duration;

use event_detector_server::Settings;
use event_detector_server::hasura::{self, Passphrase};
use serde::Deserialize;

use super::some_duration;
use super::written::{resolved, variable};
use crate::exit::{Exit, Failure};

/// Passphrases for those who have no config file, separated by commas.
pub(crate) const PASSPHRASES: &str = "DETECTOR_PASSPHRASES";

/// `[http]`: what the server allows its clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpTable {
    #[serde(deserialize_with = "some_duration")]
    header_timeout: Option<Duration>,
    header_limit: Option<usize>,
    #[serde(deserialize_with = "some_duration")]
    idle_timeout: Option<Duration>,
    connections: Option<usize>,
}

/// `[hasura]`: what is agreed with the senders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HasuraTable {
    passphrase_header: Option<String>,
    passphrases: Vec<String>,
    #[serde(deserialize_with = "some_duration")]
    answer_within: Option<Duration>,
    body_limit: Option<usize>,
    #[serde(deserialize_with = "some_duration")]
    body_timeout: Option<Duration>,
    triggers: BTreeMap<String, Vec<String>>,
}

/// Both tables, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Http {
    pub(super) http: HttpTable,
    pub(super) hasura: HasuraTable,
}

impl Http {
    /// How many passphrases are written in the file itself.
    pub(crate) fn plain_passphrases(&self) -> usize {
        self.hasura.passphrases.iter().filter(|written| variable(written).is_none()).count()
    }

    /// The settings of the server, with the passphrases that the environment holds.
    pub(crate) fn resolve(self) -> Result<Settings, Failure> {
        let Self { http, hasura } = self;
        let defaults = Settings::default();
        let passphrases = match of_environment(env::var(PASSPHRASES))? {
            Some(over) => over,
            None => hasura
                .passphrases
                .iter()
                .map(|written| resolved("passphrases", written).map(Passphrase::from))
                .collect::<Result<_, _>>()?,
        };
        let hasura = hasura::Settings {
            passphrase_header: hasura.passphrase_header.unwrap_or(defaults.hasura.passphrase_header),
            passphrases,
            triggers: hasura.triggers,
            body_limit: hasura.body_limit.unwrap_or(defaults.hasura.body_limit),
            body_timeout: hasura.body_timeout.unwrap_or(defaults.hasura.body_timeout),
            answer_within: hasura.answer_within.unwrap_or(defaults.hasura.answer_within),
        };
        Ok(Settings {
            hasura,
            header_timeout: http.header_timeout.unwrap_or(defaults.header_timeout),
            header_limit: http.header_limit.unwrap_or(defaults.header_limit),
            idle_timeout: http.idle_timeout.unwrap_or(defaults.idle_timeout),
            connections: http.connections.unwrap_or(defaults.connections),
        })
    }
}

/// The passphrases of the environment, where their variable is set. One that is set to nothing was meant to hold some, so it opens
/// nothing.
fn of_environment(variable: Result<String, VarError>) -> Result<Option<Vec<Passphrase>>, Failure> {
    let unusable = |problem| {
        let failure = Failure::new(Exit::Config, format!("the environment variable {PASSPHRASES} is set, but {problem}"));
        Err(failure.with_hint("put a passphrase into it (several: `a,b`), or unset it"))
    };
    match variable {
        Ok(passphrases) if passphrases.split(',').all(|one| one.trim().is_empty()) => unusable("holds no passphrase"),
        Ok(passphrases) => Ok(Some(passphrases.split(',').map(|one| one.trim().into()).collect())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => unusable("is not UTF-8 text"),
    }
}

#[cfg(test)]
mod tests {
    use super::{HasuraTable, Http};

    #[test]
    fn a_passphrase_may_stand_in_the_environment_and_one_that_does_not_is_counted() {
        let http = |passphrases: &[&str]| {
            let passphrases = passphrases.iter().map(|one| (*one).to_owned()).collect();
            Http { hasura: HasuraTable { passphrases, ..HasuraTable::default() }, ..Http::default() }
        };

        let both = http(&["${PATH}", "written"]);
        let missing = http(&["${DETECTOR_TEST_NOT_SET}"]).resolve().unwrap_err();

        assert_eq!(both.plain_passphrases(), 1);
        assert_eq!(both.resolve().unwrap().hasura.passphrases, [std::env::var("PATH").unwrap().into(), "written".into()]);
        assert!(missing.message.contains("`DETECTOR_TEST_NOT_SET`, which is not set"), "{}", missing.message);
    }
}
