//! What becomes of a job by what happens to it?

use event_detector::Effect;
use serde_json::Value;

use super::Millis;

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobState {
    /// What it waits for, or how it ended.
    pub stage: Stage,
    /// The attempts that were started.
    pub attempts: u32,
    /// The attempts that failed, and so count against its retries: what was interrupted does not.
    pub failures: u32,
}

/// What a job waits for, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A process has it, and has not begun its next attempt.
    Queued,
    /// An attempt is on its way.
    Running,
    /// It is to be taken up at this time.
    Waiting {
        /// When.
        due: Millis,
    },
    /// An attempt returned a result.
    Succeeded,
    /// It is a dead letter: a person decides.
    Dead,
    /// A person decided that it is not to be run.
    Dropped,
}

/// Something that happens to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A process takes it up, because its time has come.
    Queued,
    /// Its next attempt is about to start.
    Started {
        /// When.
        at: Millis,
    },
    /// Its attempt has ended.
    Finished {
        /// When.
        at: Millis,
        /// How.
        outcome: Outcome,
    },
    /// The process that had it is gone, or gives it back before its end.
    Interrupted {
        /// When that was noticed.
        at: Millis,
    },
    /// The process gives it back before its attempt has begun, also one that is noted as started.
    NotBegun {
        /// When.
        at: Millis,
    },
    /// It cannot be run at all, and is a dead letter.
    Refused {
        /// When.
        at: Millis,
        /// Why: it is not declared any more, or its change is set aside.
        reason: String,
    },
    /// A person wants it to be run again, with its retries before it.
    Retried {
        /// When.
        at: Millis,
    },
    /// A person does not want it to be run.
    Dropped {
        /// When.
        at: Millis,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It returned this.
    Succeeded {
        /// What it returned.
        result: Value,
    },
    /// It failed, panicked or took too long, and is tried again.
    Retry {
        /// Which of these, as reports have it: `failed`, `panicked`, `timed_out`, `expired`.
        status: &'static str,
        /// Why.
        error: String,
        /// When the next attempt is due.
        due: Millis,
        /// Whether the process keeps it until then; else it is given back.
        kept: bool,
    },
    /// It failed, panicked or took too long for the last time.
    Dead {
        /// Which of these, as reports have it.
        status: &'static str,
        /// Why.
        error: String,
    },
}

/// Something cannot happen to a job where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {stage} cannot be {entry}")]
pub struct WrongEntry {
    /// The stage it is in.
    pub stage: &'static str,
    /// What was to happen.
    pub entry: &'static str,
}

impl Stage {
    /// Its name, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting { .. } => "waiting",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }

    /// The stage of a name, for one that waits with the time it is due.
    pub fn from_name(name: &str, due: Option<Millis>) -> Option<Self> {
        Some(match (name, due) {
            ("queued", None) => Self::Queued,
            ("running", None) => Self::Running,
            ("waiting", Some(due)) => Self::Waiting { due },
            ("succeeded", None) => Self::Succeeded,
            ("dead", None) => Self::Dead,
            ("dropped", None) => Self::Dropped,
            _ => return None,
        })
    }

    /// Whether nothing more happens by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Dropped)
    }
}

impl Entry {
    fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Started { .. } => "started",
            Self::Finished { .. } => "finished",
            Self::Interrupted { .. } => "interrupted",
            Self::NotBegun { .. } => "given back",
            Self::Refused { .. } => "refused",
            Self::Retried { .. } => "retried",
            Self::Dropped { .. } => "dropped",
        }
    }
}

impl JobState {
    /// A job that was just recorded: queued, or with its first attempt on its way.
    pub const fn recorded(begins: bool) -> Self {
        if begins {
            Self { stage: Stage::Running, attempts: 1, failures: 0 }
        } else {
            Self { stage: Stage::Queued, attempts: 0, failures: 0 }
        }
    }

    /// The state of a job with this effect after `entry`.
    ///
    /// An attempt that was interrupted burns no retry: the job is taken up again at once, unless its effect must not happen twice.
    ///
    /// # Errors
    ///
    /// [`WrongEntry`] when that cannot happen to it.
    pub fn after(self, effect: Effect, entry: &Entry) -> Result<Self, WrongEntry> {
        let stage = match (self.stage, entry) {
            (Stage::Waiting { .. }, Entry::Queued) => Stage::Queued,
            (Stage::Queued, Entry::Started { .. }) => {
                return Ok(Self { stage: Stage::Running, attempts: self.attempts + 1, ..self });
            }
            (Stage::Running, Entry::Finished { outcome, .. }) => match outcome {
                Outcome::Succeeded { .. } => Stage::Succeeded,
                Outcome::Retry { due, kept, .. } => {
                    let stage = if *kept { Stage::Queued } else { Stage::Waiting { due: *due } };
                    return Ok(Self { stage, failures: self.failures + 1, ..self });
                }
                Outcome::Dead { .. } => return Ok(Self { stage: Stage::Dead, failures: self.failures + 1, ..self }),
            },
            (Stage::Running, Entry::Interrupted { .. }) if effect == Effect::Once => Stage::Dead,
            (Stage::Running, Entry::NotBegun { at }) => {
                return Ok(Self { stage: Stage::Waiting { due: *at }, attempts: self.attempts.saturating_sub(1), ..self });
            }
            (Stage::Queued, Entry::NotBegun { at }) => Stage::Waiting { due: *at },
            (Stage::Queued | Stage::Running, Entry::Interrupted { at }) => Stage::Waiting { due: *at },
            (Stage::Queued | Stage::Running | Stage::Waiting { .. }, Entry::Refused { .. }) => Stage::Dead,
            (Stage::Waiting { .. } | Stage::Dead | Stage::Dropped, Entry::Retried { at }) => {
                return Ok(Self { stage: Stage::Waiting { due: *at }, failures: 0, ..self });
            }
            (Stage::Waiting { .. } | Stage::Dead, Entry::Dropped { .. }) => Stage::Dropped,
            (stage, entry) => return Err(WrongEntry { stage: stage.as_str(), entry: entry.name() }),
        };
        Ok(Self { stage, ..self })
    }
}

#[cfg(test)]
mod tests {
    use event_detector::Effect;
    use serde_json::Value;

    use super::{Entry, JobState, Outcome, Stage};

    fn state(stage: Stage) -> JobState {
        JobState { stage, attempts: 2, failures: 1 }
    }

    fn failed(kept: bool) -> Entry {
        let outcome = Outcome::Retry { status: "failed", error: "no".to_owned(), due: 9, kept };
        Entry::Finished { at: 1, outcome }
    }

    #[test]
    fn what_was_interrupted_is_taken_up_again_and_burns_no_retry_unless_it_must_not_happen_twice() {
        for (effect, stage) in [
            (Effect::Pure, Stage::Waiting { due: 5 }),
            (Effect::Idempotent, Stage::Waiting { due: 5 }),
            (Effect::Once, Stage::Dead),
        ] {
            let after = state(Stage::Running).after(effect, &Entry::Interrupted { at: 5 }).unwrap();
            assert_eq!(after, state(stage), "{effect}");
        }
        let queued = state(Stage::Queued).after(Effect::Once, &Entry::Interrupted { at: 5 }).unwrap();
        assert_eq!(queued, state(Stage::Waiting { due: 5 }), "its attempt had not started");
    }

    #[test]
    fn what_did_not_begin_is_given_back_as_if_it_had_not_been_taken() {
        for effect in [Effect::Pure, Effect::Idempotent, Effect::Once] {
            let after = JobState::recorded(true).after(effect, &Entry::NotBegun { at: 5 }).unwrap();
            assert_eq!(after, JobState { stage: Stage::Waiting { due: 5 }, attempts: 0, failures: 0 });
            assert_eq!(JobState::recorded(false).after(effect, &Entry::NotBegun { at: 5 }), Ok(after));
        }
    }

    #[test]
    fn attempts_are_counted_when_they_start_and_failures_when_they_end() {
        let started = state(Stage::Queued).after(Effect::Pure, &Entry::Started { at: 1 }).unwrap();
        assert_eq!(started, JobState { stage: Stage::Running, attempts: 3, failures: 1 });
        for (entry, stage) in [(failed(true), Stage::Queued), (failed(false), Stage::Waiting { due: 9 })] {
            assert_eq!(started.after(Effect::Pure, &entry), Ok(JobState { stage, attempts: 3, failures: 2 }));
        }
        let retried = state(Stage::Dead).after(Effect::Pure, &Entry::Retried { at: 7 }).unwrap();
        assert_eq!(retried, JobState { stage: Stage::Waiting { due: 7 }, attempts: 2, failures: 0 });
    }

    #[test]
    fn what_has_ended_well_or_was_dropped_stays_so() {
        let succeeded = Entry::Finished { at: 1, outcome: Outcome::Succeeded { result: Value::Null } };
        for entry in [Entry::Queued, Entry::Started { at: 1 }, succeeded, failed(true), Entry::Interrupted { at: 1 }] {
            for stage in [Stage::Succeeded, Stage::Dead, Stage::Dropped] {
                assert!(state(stage).after(Effect::Pure, &entry).is_err(), "{stage:?} {entry:?}");
            }
        }
        let error = state(Stage::Succeeded).after(Effect::Pure, &Entry::Retried { at: 1 }).unwrap_err();
        assert_eq!(error.to_string(), "a job that is succeeded cannot be retried");
    }
}
