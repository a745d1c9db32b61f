//! What does it come to when a job is run twice?

use std::fmt;
use std::str::FromStr;

/// What it comes to when a job is run again after an attempt of which nobody knows how far it went: the program was killed in the
/// middle of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It changes nothing outside, so it is run again.
    Pure,
    /// To do it twice under one [idempotency key](crate::JobContext::idempotency_key) is to do it once, so it is run again.
    #[default]
    Idempotent,
    /// It must not be done twice, so it is not run again: it becomes a dead letter, and a person decides.
    Once,
}

impl Effect {
    /// Its name, as `#[job(effect = "…")]` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The name is of no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an effect is `pure`, `idempotent` or `once`")]
pub struct UnknownEffect;

impl FromStr for Effect {
    type Err = UnknownEffect;

    fn from_str(name: &str) -> Result<Self, UnknownEffect> {
        [Self::Pure, Self::Idempotent, Self::Once].into_iter().find(|effect| effect.as_str() == name).ok_or(UnknownEffect)
    }
}
