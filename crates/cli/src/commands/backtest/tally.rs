//! How often does each event fire?

use event_detector::Verdict;
use serde::{Deserialize, Serialize};

/// What an event said of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    No,
    Fired,
    Undecided,
    Failed,
}

/// What an event said of all changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) fired: u64,
    pub(super) not_fired: u64,
    pub(super) undecided: u64,
    pub(super) failed: u64,
}

impl Said {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::No => "not fired",
            Self::Fired => "fired",
            Self::Undecided => "undecided",
            Self::Failed => "failed",
        }
    }
}

impl From<&Verdict> for Said {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::No => Self::No,
            Verdict::Detected => Self::Fired,
            Verdict::Undecided(_) => Self::Undecided,
            Verdict::Failed(_) => Self::Failed,
        }
    }
}

impl Tally {
    /// Counts what was said; that nothing was is counted in the end.
    pub(super) fn add(&mut self, said: Said) {
        match said {
            Said::No => {}
            Said::Fired => self.fired += 1,
            Said::Undecided => self.undecided += 1,
            Said::Failed => self.failed += 1,
        }
    }

    /// The tally, now that so many changes have been met.
    pub(super) fn of(self, changes: u64) -> Self {
        Self { not_fired: changes - self.fired - self.undecided - self.failed, ..self }
    }

    /// Of a hundred changes, so many fired.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn rate(&self) -> f64 {
        let all = self.fired + self.not_fired + self.undecided + self.failed;
        100.0 * self.fired as f64 / all.max(1) as f64
    }
}
