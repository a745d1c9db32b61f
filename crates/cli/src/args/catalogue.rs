//! What may be said on the command line of the catalogue of events?

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What there is to say of the catalogue.
pub(super) const CATALOGUE: &str = "\
For each event: what happened, when that is said (its rule, as it is read from the source), which
jobs run, what it looks at, and where it is declared. The JSON form is the same for the same events,
whatever the place of their lines, so that it can be kept beside the code and compared:

  detector catalogue --out EVENTS.md
  detector catalogue --format json --out events.json      keep it, then change something, and
  detector catalogue diff events.json --fail-on removed,changed";

/// What there is to say of comparing catalogues.
const DIFF: &str = "\
A rule is changed where its conditions are other ones, however they are written; of code that is not
understood, the text is compared. An event whose rule cannot be read at all is compared by its
options and jobs alone.

Examples:
  detector catalogue diff events.json
  detector catalogue diff events.json --fail-on removed,changed --json

Exit codes: 0 as it was, or nothing that --fail-on names; 1 something that --fail-on names; 65 the
file is no catalogue; 66 it is not there; 78 it is of another version.";

/// The catalogue, or what is done with it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Catalogue {
    #[command(subcommand)]
    pub(crate) what: Option<Compare>,
    /// The form
    #[arg(long, value_name = "FORM", value_enum)]
    pub(crate) format: Option<Format>,
    /// Write it into this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What is done with a catalogue.
#[derive(Debug, Subcommand)]
pub(crate) enum Compare {
    /// Say which events appeared, vanished or have another rule since a catalogue was kept
    #[command(after_help = DIFF)]
    Diff {
        /// A catalogue that `--format json` wrote
        old: PathBuf,
        /// Exit with 1 where there are such events (several: `a,b`)
        #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
        fail_on: Vec<Became>,
    },
}

/// A form of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Markdown,
    Json,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Became {
    /// It was not there
    Added,
    /// It is not there any more
    Removed,
    /// It has another rule, other options or other jobs
    Changed,
}
