//! What may be said on the command line of why an event happened or not?

use clap::Args;

use super::Kept;

/// What there is to say of asking why.
pub(crate) const WHY: &str = "\
Every clause of an event's `detect` is shown with its source code and place, what it expects, what
the change holds, and whether that holds: yes, no, or unknown, because the change does not say. The
first clause that decided is marked; those behind it are not asked by the event, and shown all the
same. What would have to be known stands at the end, with the setting that makes it known. The
verdict is the event's own. No job runs.

A FILE has one change a line, as for `detect`, or is one change over several lines; FILE:LINE takes
one of them, and `-` is standard input. An ID is a change of the ledger, as for `show`. Where both
are there, it is the file.

Examples:
  detector why --change changes.jsonl                             which events, and which nearly
  detector why --change changes.jsonl --event parcel.delivered    each clause of one event
  detector why --change changes.jsonl:3 --event 'parcel.*'        the third line alone
  detector why --change 42 --event parcel.delivered               a change of the ledger
  curl ... | detector why --change - --event parcel.delivered --json | jq .events[].rule

Exit codes: 0 it is explained, whatever it is; 1 an event's own code failed; 2 no such event; 65 a
line is no change; 66 no such file or change.";

/// Which change and which events are explained.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The change: in a FILE of recorded changes (one of its lines as FILE:LINE; `-` is standard input), or the ID of one in the
    /// ledger
    #[arg(long, value_name = "FILE|ID")]
    pub(crate) change: String,
    /// The event's name; `*` stands for any text (several: repeat it, or `a,b`) [default: all, in a line each]
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) event: Vec<String>,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// What is shown of the events.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Listed {
    /// Show each event's rule: the clauses of its `detect`, which of them are opaque and why, and which changes it is asked about
    #[arg(long)]
    pub(crate) plans: bool,
}
