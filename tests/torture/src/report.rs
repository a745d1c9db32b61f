//! What is said of runs?

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::check::{Counted, Promise, Violation};

/// Violations that are told in words; the rest is counted.
const TOLD: usize = 10;

const HEAD: [&str; 17] = [
    "run", "changes", "matching", "refused", "recorded", "jobs", "dead", "aside", "ends", "cut", "once", "effects", "doubles",
    "broken", "recovery", "stop", "seconds",
];

const LEGEND: &str = "\
refused: payloads that were answered and had to be sent again; aside: changes that saw too many deaths of the program
cut: attempts in whose middle it ended; once: jobs of these that must not run twice, and are left to people
recovery: from a start to the first effect; stop: from SIGTERM to the end (median..longest)
";

/// What a run came to.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// What was done, as `--kind` has it.
    pub(crate) kind: &'static str,
    /// With what: a source of changes, a point.
    pub(crate) with: String,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    /// What must be found broken, where the program was told to break a promise.
    pub(crate) spoilt: Option<Promise>,
    #[serde(flatten)]
    pub(crate) end: End,
    /// Where the files of the run are, when something is wrong.
    pub(crate) kept: Option<PathBuf>,
}

/// How a run ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "end")]
pub(crate) enum End {
    /// It was judged.
    Judged {
        counted: Counted,
        /// How often the program ended.
        ends: usize,
        /// How often a payload was answered, and had to be sent again.
        refused: usize,
        /// From a start to the first effect.
        recovery: Times,
        /// From the word to stop to the end.
        stop: Times,
        violations: Vec<Violation>,
        /// What the numbers do not say.
        remark: Option<String>,
    },
    /// It could not be brought to its end.
    Failed { why: String },
    /// The machine lacks something.
    Skipped { why: String },
}

/// How long something took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Times {
    pub(crate) median_ms: u128,
    pub(crate) longest_ms: u128,
}

impl Times {
    /// Of these times.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |place: usize| times.get(place).map_or(0, Duration::as_millis);
        Self { median_ms: at(times.len() / 2), longest_ms: at(times.len().saturating_sub(1)) }
    }
}

impl Outcome {
    /// Whether all promises were kept; with a promise that is broken on purpose, whether that was noticed.
    pub(crate) fn went_well(&self) -> bool {
        match (&self.end, self.spoilt) {
            (End::Judged { violations, .. }, None) => violations.is_empty(),
            // Whatever else is broken may have another cause.
            (End::Judged { violations, .. }, Some(spoilt)) => violations.iter().any(|violation| violation.promise == spoilt),
            (End::Failed { .. }, _) => false,
            (End::Skipped { .. }, spoilt) => spoilt.is_none(),
        }
    }

    /// What is to be said besides the numbers.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        let Self { kind, with, .. } = self;
        let _never_fails = match &self.end {
            End::Failed { why } => writeln!(words, "torture: {kind} {with}: FAILED: {why}"),
            End::Skipped { why } => writeln!(words, "torture: {kind} {with}: SKIPPED: {why}"),
            End::Judged { violations, .. } if violations.is_empty() && self.spoilt.is_none() => Ok(()),
            End::Judged { violations, .. } => {
                let verdict = match self.spoilt {
                    None => "BROKEN".to_owned(),
                    Some(_) if self.went_well() => "noticed".to_owned(),
                    Some(spoilt) => format!("the broken promise was NOT NOTICED: {spoilt:?} is not among what was found"),
                };
                let told = violations.iter().take(TOLD).map(|Violation { promise, what }| format!("  {promise:?}: {what}\n"));
                let rest = violations.len().saturating_sub(TOLD);
                let rest = if rest > 0 { format!("  and {rest} more\n") } else { String::new() };
                write!(words, "torture: {kind} {with}: {verdict}:\n{}{rest}", told.collect::<String>())
            }
        };
        if let End::Judged { remark: Some(remark), .. } = &self.end {
            let _never_fails = writeln!(words, "torture: {kind} {with}: {remark}");
        }
        if let Some(kept) = &self.kept {
            let _never_fails = writeln!(words, "  the files of this run are in {}", kept.display());
        }
        words
    }
}

/// The numbers of all runs.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for Outcome { kind, with, seconds, end, .. } in outcomes {
        let mut row = vec![format!("{kind} {with}")];
        match end {
            End::Judged { counted, ends, refused, recovery, stop, violations, .. } => {
                let Counted { written, matching, recorded, jobs, dead_letters, set_aside, .. } = *counted;
                let Counted { interrupted, once_interrupted, effects, doubles, .. } = *counted;
                let of_ledger = [written, matching, *refused, recorded, jobs, dead_letters, set_aside];
                let of_effects = [*ends, interrupted, once_interrupted, effects, doubles, violations.len()];
                row.extend(of_ledger.iter().chain(&of_effects).map(usize::to_string));
                row.extend([recovery, stop].map(|times| format!("{}..{} ms", times.median_ms, times.longest_ms)));
            }
            End::Failed { .. } => row.push("failed".to_owned()),
            End::Skipped { .. } => row.push("skipped".to_owned()),
        }
        row.resize(HEAD.len() - 1, String::new());
        row.push(format!("{seconds:.1}"));
        rows.push(row);
    }
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default()).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("  {cell:>width$}"),
        });
        format!("{}\n", cells.collect::<String>().trim_end())
    });
    lines.collect::<String>() + LEGEND
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(end: End) -> Outcome {
        Outcome { kind: "http", with: "20 kills".to_owned(), seed: 1, seconds: 2.0, spoilt: None, end, kept: None }
    }

    fn judged(broken: usize) -> Outcome {
        let violation =
            Violation { promise: Promise::NothingLost, what: "w1 version 2 was written, and is not recorded".to_owned() };
        let (counted, recovery) = (Counted { written: 77, ..Counted::default() }, Times { median_ms: 3, longest_ms: 9 });
        let (stop, violations) = (Times::default(), vec![violation; broken]);
        outcome(End::Judged { counted, ends: 20, refused: 0, recovery, stop, violations, remark: None })
    }

    #[test]
    fn a_broken_promise_is_told_with_the_first_places() {
        let words = judged(12).words();

        assert!(words.contains("BROKEN"), "{words}");
        assert!(words.contains("NothingLost: w1 version 2 was written"), "{words}");
        assert!(words.contains("and 2 more"), "{words}");
        assert!(!judged(12).went_well());
    }

    #[test]
    fn what_is_broken_on_purpose_goes_well_only_when_that_is_noticed() {
        let spoilt = |promise, outcome| Outcome { spoilt: Some(promise), ..outcome };

        assert!(spoilt(Promise::NothingLost, judged(1)).went_well());
        let skipped = outcome(End::Skipped { why: "no MongoDB".to_owned() });
        assert!(!spoilt(Promise::NothingLost, skipped).went_well());
        for unnoticed in [spoilt(Promise::NothingLost, judged(0)), spoilt(Promise::RecordedOnce, judged(1))] {
            assert!(!unnoticed.went_well());
            assert!(unnoticed.words().contains("NOT NOTICED"), "{}", unnoticed.words());
        }
    }

    #[test]
    fn the_table_has_every_number_under_its_name() {
        let table = table(&[judged(0), outcome(End::Failed { why: "the program ended by itself".to_owned() })]);

        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 6, "{table}");
        assert_eq!(lines[0].find("changes").unwrap() + "changes".len(), lines[1].find("77").unwrap() + 2, "{table}");
        assert!(lines[1].contains("3..9 ms"), "{table}");
    }

    #[test]
    fn times_are_told_by_the_median_and_the_longest() {
        let times = [5, 1, 3].map(Duration::from_millis).to_vec();

        assert_eq!(Times::of(times), Times { median_ms: 3, longest_ms: 5 });
        assert_eq!(Times::of(Vec::new()), Times::default());
    }
}
