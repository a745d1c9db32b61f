//! What may be said on the command line of what was recorded?

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use event_detector_ledger::Status;

use super::Limits;
use super::values::{Rate, Time, rate, time};

/// What there is to say of listing changes.
const EVENTS: &str = "\
The newest changes are shown, the last one at the bottom. What was detected, failed or undecided
stands behind the change, then what its jobs came to.

Examples:
  detector events                                    the last 50 changes
  detector events --since 1h --status failed         what went wrong in the last hour
  detector events --event 'move.*' --key 13107       what happened to one document
  detector events -f                                 each change, once nothing of it runs any more
  detector events --json | jq .id

--status: ok, failed (an event's own code, or a job in its last attempt), running, waiting (for
the next attempt), dead (a dead letter), undecided.";

/// What there is to say of showing a change.
const SHOW: &str = "\
A change is named by its row, as `events` shows it, by its id or correlation id, or by what one
of these begins with, where that is enough.

Examples:
  detector show 42
  detector show 826748
  detector show 42 --explain     why its events are what they are; `why` asks about others, too
  detector show 42 --json | jq .jobs";

/// What there is to say of trying again.
const RETRY: &str = "\
Jobs that are dead letters, or wait for their next attempt, are tried again, with all of their
retries before them. The verdict that was recorded stands: no event is detected anew (`replay`
does that). Where no program owns the ledger, the jobs run right here, with the events of this
program, and so does whatever else in the ledger is due; else the program that runs takes them up
within a second, and this one tells how they end. Where nothing happens to them for 30 s, because
that program watches for other events, this one waits no longer.

Examples:
  detector retry 42
  detector retry --event parcel.delivered --since 1h --dry-run
  detector retry --status waiting

Exit codes: 0 all succeeded; 1 a job failed again, waits for its next attempt, or was not taken
up; 66 no such change; 69 the ledger cannot go on.";

/// What there is to say of replaying.
const REPLAY: &str = "\
Recorded changes go through the events of this program as they are now, as a run of their own:
what was recorded stays. A job that has succeeded for a change, or whose effect is `once`, is
left out, unless it is asked for. A dead letter whose job is replayed is decided on with that.
--event names the events that are asked; all of this program, where it is left out.

Where no program owns the ledger, the jobs run here, and so does whatever else in it is due. Beside
a program that runs, what the events say is this program's word, and their jobs are those of the
program that runs.

Examples:
  detector replay --event parcel.lost --since 7d --dry-run
  detector replay 42 43
  detector replay --since 2026-11-26 --rate 100/s
  detector replay --resume 3                         go on where run 3 was cut off
  detector replay --all --yes                        everything that was recorded

Exit codes: 0 all went well; 1 a job or an event's own code failed; 2 nothing says which
changes, and --all is missing; 66 no such change or run; 69 the ledger cannot go on.";

/// What there is to say of dead letters.
const LETTERS: &str = "\
A job becomes a dead letter where its last attempt failed, where it was interrupted and must not
be done twice, or where nothing can run it any more. It stays until somebody decides: it is
tried again, or dropped. A `replay` that has its job anew decides on it, too.

Where no program owns the ledger, `retry` runs the jobs here, and whatever else in it is due.

Examples:
  detector dead-letters list
  detector dead-letters show 3
  detector dead-letters retry 3 4
  detector dead-letters retry --all
  detector dead-letters drop --event parcel.delivered --yes";

/// What there is to say of trying dead letters again.
const LETTERS_RETRY: &str = "\
Where no program owns the ledger, the jobs run here, and so does whatever else in the ledger is due;
else the program that runs takes them up, and this one tells how they end.";

/// What there is to say of the ledger itself.
const UPKEEP: &str = "\
Examples:
  detector ledger check                 reads every row, and says what is damaged
  detector ledger backup ledger.backup  a copy of it, while it is in use
  detector ledger migrate               brings its tables to the version of this program

Exit codes: 0 healthy; 65 damaged; 66 there is none; 73 the copy's file is there already; 75
another program owns it; 78 a newer program wrote it.";

/// Where the ledger is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Ledger")]
pub(crate) struct Kept {
    /// The directory of the ledger [default: detector-data]
    #[arg(long, value_name = "DIR", env = "DETECTOR_DATA", hide_env_values = true, value_parser = folder())]
    pub(crate) data: Option<PathBuf>,
}

/// A path; one that is set to nothing is not set.
fn folder() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Which changes are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which changes (all of it must hold)")]
pub(crate) struct Selected {
    /// The event's name; `*` stands for any text (several: repeat it, or `a,b`)
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub(crate) event: Vec<String>,
    /// Recorded since: how long ago (1h, 7d), or a time (2026-11-26, 2026-11-26T14:30:00Z)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Time>,
    /// Recorded before
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Time>,
    /// Where one of its events or jobs is
    #[arg(long, value_name = "STATUS", value_enum)]
    pub(crate) status: Option<Stand>,
    /// The document key: a number, text, an ObjectId, or JSON
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) key: Option<String>,
    /// The collection or table
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// The correlation id
    #[arg(long, value_name = "ID")]
    pub(crate) correlation_id: Option<String>,
    /// The name of the source
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
}

impl Selected {
    /// Whether nothing is said, so that every change is meant.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { event, since, until, status, key, collection, correlation_id, source } = self;
        let texts = [key, collection, correlation_id, source];
        event.is_empty() && since.is_none() && until.is_none() && status.is_none() && texts.into_iter().all(Option::is_none)
    }
}

/// What may be said of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stand {
    Ok,
    Failed,
    Running,
    Waiting,
    Dead,
    Undecided,
}

impl From<Stand> for Status {
    fn from(stand: Stand) -> Self {
        match stand {
            Stand::Ok => Self::Ok,
            Stand::Failed => Self::Failed,
            Stand::Running => Self::Running,
            Stand::Waiting => Self::Waiting,
            Stand::Dead => Self::Dead,
            Stand::Undecided => Self::Undecided,
        }
    }
}

/// What to do with what was recorded.
#[derive(Debug, Subcommand)]
pub(crate) enum Recorded {
    /// List recorded changes, with their events and what their jobs came to
    #[command(after_help = EVENTS)]
    Events {
        /// Show at most so many, the newest
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Go on with each change that is recorded; Ctrl-C ends
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        selected: Selected,
        #[command(flatten)]
        kept: Kept,
    },
    /// Show all that is known of a change: what it changed, its verdicts, its jobs and their attempts
    #[command(after_help = SHOW)]
    Show {
        /// The change: its row, its id, its correlation id, or what one of these begins with
        id: String,
        /// Explain its events: each clause of their rules as they are now, beside what the change holds
        #[arg(long)]
        explain: bool,
        #[command(flatten)]
        kept: Kept,
    },
    /// Try jobs again that failed
    #[command(after_help = RETRY)]
    Retry {
        /// The changes: their rows, their ids, or what these begin with
        id: Vec<String>,
        /// Show which jobs would be tried again, and try none
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        selected: Selected,
        #[command(flatten)]
        kept: Kept,
        #[command(flatten)]
        limits: Limits,
    },
    /// Let recorded changes go through the events of this program as they are now
    #[command(after_help = REPLAY)]
    Replay(Box<Replay>),
    /// Decide on jobs that cannot go on by themselves
    #[command(after_help = LETTERS, disable_help_subcommand = true)]
    DeadLetters {
        #[command(subcommand)]
        what: Letters,
    },
    /// Show which parts of sources' histories were lost
    Gaps {
        #[command(flatten)]
        kept: Kept,
    },
    /// Check the ledger, copy it, or bring it to this version
    #[command(after_help = UPKEEP, disable_help_subcommand = true)]
    Ledger {
        #[command(subcommand)]
        what: Upkeep,
    },
}

/// Which changes go through the events again, and how.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The changes: their rows, their ids, or what these begin with
    pub(crate) id: Vec<String>,
    /// At most so many changes: 100/s, 30/m
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) rate: Option<Rate>,
    /// Run jobs, too, whose effect is `once`
    #[arg(long)]
    pub(crate) include_once: bool,
    /// Run jobs, too, that have succeeded for the change
    #[arg(long)]
    pub(crate) include_succeeded: bool,
    /// Go on with a run that was cut off, with what it was started with
    #[arg(long, value_name = "RUN", conflicts_with_all = ["id", "event", "since", "until", "status", "key", "collection", "correlation_id", "source", "include_once", "include_succeeded", "all"])]
    pub(crate) resume: Option<i64>,
    /// Show which events would fire and which jobs would run or be left out, and run none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take every change that was recorded
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) selected: Selected,
    #[command(flatten)]
    pub(crate) kept: Kept,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Letters {
    /// List dead letters
    List {
        /// Also those that somebody has decided on
        #[arg(long)]
        all: bool,
        /// The event's name; `*` stands for any text
        #[arg(long, value_name = "GLOB", value_delimiter = ',')]
        event: Vec<String>,
        #[command(flatten)]
        kept: Kept,
    },
    /// Show a dead letter with its job, and the attempts of that
    Show {
        /// Its number, as `list` shows it
        letter: i64,
        #[command(flatten)]
        kept: Kept,
    },
    /// Try the jobs of dead letters again
    #[command(after_help = LETTERS_RETRY)]
    Retry {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        kept: Kept,
        #[command(flatten)]
        limits: Limits,
    },
    /// Decide that the jobs of dead letters are not to be run
    Drop {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        kept: Kept,
    },
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Which {
    /// Their numbers, as `list` shows them
    pub(crate) letter: Vec<i64>,
    /// Those of the event; `*` stands for any text
    #[arg(long, value_name = "GLOB", value_delimiter = ',', conflicts_with = "letter")]
    pub(crate) event: Vec<String>,
    /// All that nobody has decided on
    #[arg(long, conflicts_with_all = ["letter", "event"])]
    pub(crate) all: bool,
}

/// What to do with the ledger itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Upkeep {
    /// Read every row, and say what is damaged
    Check {
        #[command(flatten)]
        kept: Kept,
    },
    /// Copy the ledger into a file, while it is in use
    Backup {
        /// The file, which is not there yet
        file: PathBuf,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        kept: Kept,
    },
    /// Bring the ledger's tables to the version of this program
    Migrate {
        #[command(flatten)]
        kept: Kept,
    },
}

impl Recorded {
    /// Where the ledger is.
    pub(crate) fn kept(&self) -> &Kept {
        match self {
            Self::Events { kept, .. } | Self::Show { kept, .. } | Self::Retry { kept, .. } | Self::Gaps { kept } => kept,
            Self::Replay(replay) => &replay.kept,
            Self::DeadLetters { what } => match what {
                Letters::List { kept, .. }
                | Letters::Show { kept, .. }
                | Letters::Retry { kept, .. }
                | Letters::Drop { kept, .. } => kept,
            },
            Self::Ledger { what } => match what {
                Upkeep::Check { kept } | Upkeep::Backup { kept, .. } | Upkeep::Migrate { kept } => kept,
            },
        }
    }

    /// The limits it was given; none where it runs no job.
    pub(crate) fn limits(&self) -> Limits {
        match self {
            Self::Retry { limits, .. } | Self::DeadLetters { what: Letters::Retry { limits, .. } } => limits.clone(),
            Self::Replay(replay) => replay.limits.clone(),
            _ => Limits::default(),
        }
    }
}
