//! What does a setting say that is written as `${NAME}`, so that it is kept out of the file?

use std::env;

use crate::exit::{Exit, Failure};

/// The name in `${NAME}`.
pub(super) fn variable(written: &str) -> Option<&str> {
    written.strip_prefix("${")?.strip_suffix('}')
}

/// What the setting `key` says: the value of the variable that it names, else what is written.
pub(super) fn resolved(key: &str, written: &str) -> Result<String, Failure> {
    let Some(name) = variable(written) else { return Ok(written.to_owned()) };
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        let message = format!("`{key}` names the environment variable `{name}`, which is not set or is empty");
        Failure::new(Exit::Config, message)
    })
}
