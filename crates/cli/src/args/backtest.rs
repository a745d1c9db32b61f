//! What may be said on the command line of trying the events on what was recorded?

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Kept;

/// What there is to say of trying events.
pub(super) const BACKTEST: &str = "\
No job runs, and none is asked for: only whether each event fired, did not, could not be decided,
or failed. Changes come from files, or with --ledger from what was recorded there.

--save keeps what was said of each change; --against compares with that, event by event. A firing
that is gone is shown with the clause of today's rule that says no. Changes are known by their ids,
and those without one by what they say. What is in one run alone is told, and not compared.

On the way it is checked that no rule as it is read says no where the event's own code does not.

Examples:
  detector backtest changes.jsonl                         how often each event fires
  detector backtest changes.jsonl --save before.json      then change a rule, and
  detector backtest changes.jsonl --against before.json --fail-on removed,added
  zcat week.jsonl.gz | detector backtest - --event 'move.*' --near-misses
  detector backtest --ledger --data detector-data --json

Exit codes: 0 all went well; 1 the comparison has what --fail-on names, or an event's own code
failed; 2 wrong command line; 65 a line is no change; 66 no input, or with --fail-on none that the
kept run has; 70 a rule contradicts its event, which is a fault of this program.";

/// Which changes the events are tried on, and what is made of that.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// Recorded changes, one JSON object a line; `-` is standard input
    pub(crate) file: Vec<PathBuf>,
    /// Take the changes that the ledger holds
    #[arg(long, conflicts_with = "file")]
    pub(crate) ledger: bool,
    /// Try the events whose name matches; `*` stands for any text (several: repeat it, or `a,b`)
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) event: Vec<String>,
    /// Keep what was said of each change in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Compare with what `--save` kept
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Exit with 1 where the comparison has such (several: `a,b`)
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',', requires = "against")]
    pub(crate) fail_on: Vec<Difference>,
    /// Show at most so many firings that differ, of each event and kind
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) limit: usize,
    /// Count for each event the changes that all but one clause of its rule hold of, and show which that is
    #[arg(long)]
    pub(crate) near_misses: bool,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// How what is said of a change may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Difference {
    /// The event fires that did not
    Added,
    /// The event does not fire that did
    Removed,
    /// The event is undecided that was not
    Undecided,
}

impl Difference {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Undecided => "undecided",
        }
    }
}

impl Backtest {
    /// Whether the changes of the ledger are meant.
    pub(crate) fn is_of_ledger(&self) -> bool {
        self.ledger || (self.file.is_empty() && self.kept.data.is_some())
    }
}
