//! What may be said on the command line?

mod backtest;
mod catalogue;
mod explaining;
mod record;
mod recorded;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde::Deserialize;

pub(crate) use backtest::{Backtest, Difference};
pub(crate) use catalogue::{Became, Catalogue, Compare, Format};
pub(crate) use explaining::{Listed, WHY, Why};
pub(crate) use record::Record;
pub(crate) use recorded::{Kept, Letters, Recorded, Replay, Selected, Upkeep, Which};
use values::beginning;
pub(crate) use values::{Beginning, Rate, Time, duration, size};

/// Turns database changes into named business events, and runs their jobs.
#[derive(Debug, Parser)]
#[command(name = "event-detector", version, about = ABOUT, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

pub(crate) const ABOUT: &str = "Turns database changes into named business events, and runs their jobs";

const AFTER_HELP: &str = "\
Each command has its own --help.

Settings come from flags, else from the environment, else from the config file, else they are the
defaults.
A config file with everything it may hold:
  only = [\"move.*\"]
  except = [\"*.deleted\"]
  log = \"warn\"
  job_timeout = \"30s\"
  job_retries = 0
  in_flight = 64
  change_deadline = \"5m\"
  drain = \"25s\"
  listen = \"127.0.0.1:8080\"

  [hasura]  # what is agreed with Hasura, where `listen` is set
  passphrase_header = \"x-passphrase\"
  passphrases = [\"${HASURA_PASSPHRASE}\"]  # from the environment; several while they are rotated
  answer_within = \"50s\"
  body_limit = 1048576
  body_timeout = \"20s\"

  [hasura.triggers]  # POST /hasura/moves is watched for these events alone
  moves = [\"move.*\"]

  [http]
  header_timeout = \"10s\"
  header_limit = 16384
  idle_timeout = \"75s\"
  connections = 1024

  [mongodb]  # whose changes are taken
  uri = \"${MONGODB_URI}\"
  databases = [\"app\"]
  collections = [\"moves\", \"orders\"]  # all, where this is left out
  images = \"computed\"
  on_gap = \"stop\"  # or \"skip\", where a part of the history is lost

  [ledger]  # what happened, on disk
  dir = \"detector-data\"
  retention = \"30d\"
  max_size = \"10GiB\"  # for example; no limit unless set
  record = \"matched\"  # or \"all\": also changes that no event wanted

  [context]  # what jobs and events find with `context(\"webhook_url\")`
  webhook_url = \"https://example.com/hook\"

Exit codes: 0 all went well, or it was told to stop; 1 a job or an event's own code failed; 2 wrong
command line; 65 malformed input; 66 no input; 69 a source cannot go on; 70 a fault of this program;
73 a file cannot be created; 75 another program owns the ledger; 77 not permitted; 78 wrong
configuration or set of events.";

/// What a line of recorded changes may be.
const RECORDED: &str = "\
a payload of Hasura, a change event of MongoDB as extended JSON, or simply
  {\"operation\": \"insert\", \"collection\": \"users\", \"key\": 7, \"after\": {\"active\": true}}
where an update has \"before\" and \"after\".";

/// What there is to say of listening.
const LISTENING: &str = "\
With --listen, Hasura's event triggers post to /hasura, or to /hasura/NAME for a trigger of the
config file, and get the report as answer. GET /healthz, /readyz, /metrics and /version are for
those who operate it. Where other machines can reach the address, a passphrase is needed: in the
environment variable DETECTOR_PASSPHRASES (several: `a,b`), or in the config file. Hasura sends it
in the header x-passphrase, unless the config file names another. TLS is the work of a proxy in
front.";

/// What there is to say of watching a database.
const WATCHING: &str = "\
With --mongodb, every change of the databases is taken from one change stream, from now on, whatever
happens to the servers meanwhile. `check` says beforehand whether all is there that this needs. What
was before a change is known where the collection stores it: --enable-images turns that on, for the
changes to come. Without, an event that asks for it is undecided, and says so.";

/// What there is to say of the ledger.
const KEEPING: &str = "\
What is recorded, and where a source has got to, is on disk before it is acted on: in the ledger,
in the directory of --data. A program that is started again goes on where the last one was, however
it ended; `events` and `show` tell what happened. With --file alone there is a ledger only where its
directory is named, so that a file can be played again.";

/// What there is to say of checking a database.
const CHECKING: &str = "\
Looks at the server, its version, the user's rights, and each collection, and says what is missing
and how to get it. A user needs the actions `changeStream` and `find` on the database, which the
role `read` has; for --enable-images also `dbAdmin`.

Examples:
  detector check --mongodb mongodb://127.0.0.1:27017/?replicaSet=rs0 --database app
  detector check --mongodb ... --database app --collection moves --enable-images

Exit codes: 0 it can be watched; 2 the connection string is none; 69 no server answers; 77 access is
denied; 78 no replica set, too old, or a collection that has no changes.";

/// What there is to say of writing code.
const NEW: &str = "\
Examples:
  cargo run -- new app ../shop              a workspace with an event, a job, tests and a demo
  cargo run -- new event parcel.delivered   `pub mod delivered` in events/src/parcel.rs
  cargo run -- new job send_receipt         `pub async fn send_receipt` in jobs/src/send_receipt.rs

What is written compiles at once and has tests that pass. Nothing is ever overwritten, and where
one of the files cannot be written, none is. --json prints {\"created\": [...], \"changed\": [...]}.";

/// What there is to say of an event's name.
const NEW_EVENT: &str = "\
A name is lower-case segments of a-z, 0-9, _ and -, joined by dots: subject, object, what happened.
The last one names the module, the others its file. A file that is there gets one more module.

Examples:
  cargo run -- new event parcel.delivered       `pub mod delivered` in events/src/parcel.rs
  cargo run -- new event parcel.returned        `pub mod returned` beside it
  cargo run -- new event parcel.pickup.failed   `pub mod failed` in events/src/parcel_pickup.rs

The first one watches the collection `parcels` for the status `delivered`, until you write the rule
that you mean, and its tests. `events/src/lib.rs` is found in the current folder or above it.";

/// What there is to say of a job's name.
const NEW_JOB: &str = "\
Examples:
  cargo run -- new job send_receipt   `pub async fn send_receipt` in jobs/src/send_receipt.rs

An event starts it once its `jobs` says so: `vec![jobs::send_receipt()]`.";

/// What there is to say of a workspace.
const NEW_APP: &str = "\
The folder is empty or not there yet; its name is the program's. Without --path and --git, the
workspace takes event-detector from the checkout that this program was built from, and starts with
the versions that this is tried with (Cargo.lock).

Examples:
  cargo run -- new app ../shop
  cargo run -- new app ../shop --path ../event-detector
  cargo run -- new app ../shop --git https://example.com/event-detector.git

Then: cd ../shop && cargo run -- demo";

/// What there is to say of completions.
const COMPLETIONS: &str = "\
Examples, for a program `detector` on the PATH:
  detector completions bash > ~/.local/share/bash-completion/completions/detector
  detector completions zsh > ~/.zfunc/_detector        # a folder of $fpath
  detector completions fish > ~/.config/fish/completions/detector.fish
  detector completions powershell >> $PROFILE
  detector completions elvish >> ~/.config/elvish/rc.elv";

/// What every command understands.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Options {
    /// Config file (TOML) [default: detector.toml, where it is there]
    #[arg(long, global = true, value_name = "FILE", env = "DETECTOR_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Watch only for events whose name matches; `*` stands for any text (several: repeat it, or `a,b`)
    #[arg(long, global = true, value_name = "GLOB", env = "DETECTOR_ONLY", hide_env_values = true, value_delimiter = ',')]
    pub(crate) only: Option<Vec<String>>,
    /// Do not watch for events whose name matches
    #[arg(long, global = true, value_name = "GLOB", env = "DETECTOR_EXCEPT", hide_env_values = true, value_delimiter = ',')]
    pub(crate) except: Option<Vec<String>>,
    /// Put a value into the context of every change, where events and jobs find it: JSON, else text (may be repeated)
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = context_value)]
    pub(crate) context: Vec<(String, serde_json::Value)>,
    /// Print JSON on standard output, one object a line, and nothing else there; errors are JSON too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print one line for each change that comes to something
    #[arg(long, short, global = true, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// Log to standard error: off, error, warn, info, debug, trace, or for each target, as `warn,jobs=debug` [default: warn]
    #[arg(long, global = true, value_name = "FILTER", env = "DETECTOR_LOG", hide_env_values = true)]
    pub(crate) log: Option<String>,
}

/// What commands that run jobs understand besides. Durations have units: 500ms, 30s, 5m, 1h 30m.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits (durations as 500ms, 30s, 5m)")]
pub(crate) struct Limits {
    /// Cut each attempt of a job that sets no timeout of its own [default: 30s]
    #[arg(long, value_name = "DURATION", env = "DETECTOR_JOB_TIMEOUT", hide_env_values = true, value_parser = duration)]
    pub(crate) job_timeout: Option<Duration>,
    /// Retries of a job that sets none of its own [default: 0]
    #[arg(long, value_name = "N", env = "DETECTOR_JOB_RETRIES", hide_env_values = true, allow_negative_numbers = true)]
    pub(crate) job_retries: Option<u32>,
    /// Changes handled at a time, 1 to 10000 [default: 64]
    #[arg(long, value_name = "N", env = "DETECTOR_IN_FLIGHT", hide_env_values = true, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) in_flight: Option<u32>,
    /// Cut what is unfinished of a change after this long [default: never]
    #[arg(long, value_name = "DURATION", env = "DETECTOR_CHANGE_DEADLINE", hide_env_values = true, value_parser = duration)]
    pub(crate) change_deadline: Option<Duration>,
    /// Time for the changes in flight after Ctrl-C or SIGTERM; then they are cut [default: 25s]
    #[arg(long, value_name = "DURATION", env = "DETECTOR_DRAIN", hide_env_values = true, value_parser = duration)]
    pub(crate) drain: Option<Duration>,
}

/// Which MongoDB is watched, and what of it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "MongoDB")]
pub(crate) struct Watched {
    /// Take the changes of this deployment: a replica set or a sharded cluster
    #[arg(long, value_name = "URI", env = "DETECTOR_MONGODB", hide_env_values = true)]
    pub(crate) mongodb: Option<String>,
    /// Watch this database (several: repeat it, or `a,b`) [default: the one in the URI]
    #[arg(long, value_name = "NAME", env = "DETECTOR_DATABASE", hide_env_values = true, value_delimiter = ',')]
    pub(crate) database: Vec<String>,
    /// Watch this collection alone (several: repeat it, or `a,b`) [default: all of the database]
    #[arg(long, value_name = "NAME", env = "DETECTOR_COLLECTION", hide_env_values = true, value_delimiter = ',')]
    pub(crate) collection: Vec<String>,
    /// Which documents changes carry: computed (before as it was stored, after computed from the change), stored (both as the
    /// server has them), lookup (after looked up later) or none [default: computed]
    #[arg(long, value_name = "WHICH", value_enum, hide_possible_values = true)]
    pub(crate) images: Option<Shown>,
    /// Look the document after an update up, which may then be newer than the change: for collections that store no images
    #[arg(long, conflicts_with = "images")]
    pub(crate) lookup: bool,
    /// Turn on that the collections store the documents before their changes
    #[arg(long)]
    pub(crate) enable_images: bool,
}

/// Which documents changes carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shown {
    /// Before as it was stored, after computed from the change: exact, and the cheapest
    #[default]
    Computed,
    /// Both as the server stored them: for field names with dots
    Stored,
    /// Before as it was stored, after looked up later
    Lookup,
    /// None: an update says what it wrote
    None,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play the recorded changes bundled with this program, and show what happens
    Demo {
        #[command(flatten)]
        limits: Limits,
    },
    /// Handle changes as they come: of a MongoDB with --mongodb, over HTTP with --listen, recorded ones with --file, and those of
    /// the program's own sources
    #[command(after_help = format!("{WATCHING}\n\n{LISTENING}\n\n{KEEPING}\n\nWith --file, a line is {RECORDED}"))]
    Run(Box<Run>),
    /// Say whether a MongoDB can be watched, and what is missing
    #[command(after_help = CHECKING)]
    Check {
        #[command(flatten)]
        watched: Watched,
    },
    /// Show which events recorded changes would be; no job runs
    #[command(after_help = format!("A line is {RECORDED}"))]
    Detect {
        /// Recorded changes, one JSON object a line; `-` is standard input
        file: PathBuf,
        /// Show every event with its verdict, and the values it read
        #[arg(long, short)]
        verbose: bool,
        /// Stop at the first line that is not a change; otherwise it is reported, and the next is read
        #[arg(long)]
        strict: bool,
    },
    /// Try the events on recorded changes, and compare with how it was before; no job runs
    #[command(after_help = backtest::BACKTEST)]
    Backtest(Box<Backtest>),
    /// Keep real changes of a MongoDB as a file, for trying events on
    #[command(after_help = record::RECORD)]
    Record(Box<Record>),
    /// Say why events happened or not: each clause of their rule, beside what the change holds
    #[command(after_help = WHY)]
    Why(Why),
    /// Show the events of this program, where they are declared, and their jobs
    List(Listed),
    /// Put the events down for those who read no code, or compare them with how they were
    #[command(after_help = catalogue::CATALOGUE)]
    Catalogue(Catalogue),
    /// Handle a MANUAL change made on the command line: for events that ask `change.is_manual()`
    Emit {
        /// The collection or table
        collection: String,
        /// The document, as JSON
        #[arg(long, value_name = "JSON", default_value = "{}", value_parser = document)]
        data: serde_json::Value,
        /// The database or schema
        #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
        database: String,
        /// A session variable, such as x-hasura-role=admin (may be repeated)
        #[arg(long, value_name = "NAME=TEXT", value_parser = pair)]
        session: Vec<(String, String)>,
        /// The correlation id [default: a new one]
        #[arg(long, value_name = "ID")]
        correlation_id: Option<String>,
        #[command(flatten)]
        limits: Limits,
    },
    #[command(flatten)]
    Recorded(Recorded),
    /// Write an event, a job or a workspace of your own, with tests that pass
    #[command(after_help = NEW, disable_help_subcommand = true, arg_required_else_help = false)]
    New {
        #[command(subcommand)]
        what: New,
    },
    /// Print the script with which a shell completes commands and flags
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Where changes come from, and what is kept of them.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Take what Hasura's event triggers post to http://HOST:PORT/hasura
    #[arg(long, value_name = "HOST:PORT", env = "DETECTOR_LISTEN", hide_env_values = true)]
    pub(crate) listen: Option<String>,
    /// Recorded changes, one JSON object a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Stop at the first line that is not a change; otherwise it is reported, and the next is read
    #[arg(long, requires = "file")]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Keep nothing: what is in flight is lost in a crash, and a repeat is handled again
    #[arg(long, help_heading = "Ledger")]
    pub(crate) no_ledger: bool,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// Where a MongoDB begins that was not watched before: `now`, how long ago (1h), or a time (2026-11-26T14:30:00Z), as far as
    /// its oplog reaches back [default: now]
    #[arg(long, value_name = "TIME", help_heading = "MongoDB", value_parser = beginning)]
    pub(crate) start: Option<Beginning>,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// What can be written.
#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// Write an event with its tests into `events/`
    #[command(after_help = NEW_EVENT)]
    Event {
        /// The event's name, such as parcel.delivered
        name: String,
    },
    /// Write a job with its test into `jobs/`
    #[command(after_help = NEW_JOB)]
    Job {
        /// The job's name, such as send_receipt
        name: String,
    },
    /// Write a workspace of your own: an event, a job, tests, and the program around them
    #[command(after_help = NEW_APP)]
    App {
        /// The folder, empty or not there yet
        dir: PathBuf,
        /// Take event-detector from this checkout of it
        #[arg(long, value_name = "CHECKOUT")]
        path: Option<PathBuf>,
        /// Take event-detector from this repository
        #[arg(long, value_name = "URL", conflicts_with = "path")]
        git: Option<String>,
    },
}

impl Command {
    /// The address to listen at, if it was given one.
    pub(crate) fn listen(&self) -> Option<String> {
        match self {
            Self::Run(run) => run.listen.clone(),
            _ => None,
        }
    }

    /// What it was given to watch; nothing where it watches nothing.
    pub(crate) fn watched(&self) -> Watched {
        match self {
            Self::Run(run) => run.watched.clone(),
            Self::Check { watched } => watched.clone(),
            Self::Record(record) => record.watched.clone(),
            _ => Watched::default(),
        }
    }

    /// Where it was told that the ledger is.
    pub(crate) fn kept(&self) -> Kept {
        match self {
            Self::Run(run) => run.kept.clone(),
            Self::Recorded(recorded) => recorded.kept().clone(),
            Self::Backtest(backtest) => backtest.kept.clone(),
            Self::Why(why) => why.kept.clone(),
            _ => Kept::default(),
        }
    }

    /// The limits it was given; none where it runs no job.
    pub(crate) fn limits(&self) -> Limits {
        match self {
            Self::Demo { limits } | Self::Emit { limits, .. } => limits.clone(),
            Self::Run(run) => run.limits.clone(),
            Self::Recorded(recorded) => recorded.limits(),
            _ => Limits::default(),
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected a name, `=` and a value".to_owned()),
    }
}

fn context_value(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = pair(text)?;
    Ok((name, serde_json::from_str(&value).unwrap_or_else(|_| value.into())))
}

fn document(text: &str) -> Result<serde_json::Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ serde_json::Value::Object(_)) => Ok(value),
        Ok(_) => Err("expected a JSON object, such as '{\"id\": 1}'".to_owned()),
        Err(error) => Err(format!("not JSON: {error}; expected an object, such as '{{\"id\": 1}}'")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{CommandFactory, Parser};

    use super::{AFTER_HELP, Cli, Command};

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_config_file_in_the_help_is_a_config_file() {
        let block = AFTER_HELP.lines().skip_while(|line| !line.ends_with("may hold:")).skip(1);
        let text: String = block.take_while(|line| !line.starts_with("Exit")).map(|line| format!("{}\n", line.trim())).collect();

        crate::settings::check(&text).unwrap();
    }

    #[test]
    fn a_context_value_is_json_where_it_can_be_and_else_text() {
        let cli = Cli::parse_from(["p", "list", "--context", "a=true", "--context", "b=http://x/?y=1", "--context", "c="]);

        let values: Vec<_> = cli.options.context.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
        assert_eq!(values, [("a", "true".to_owned()), ("b", "\"http://x/?y=1\"".to_owned()), ("c", "\"\"".to_owned())]);
    }

    #[test]
    fn limits_belong_to_the_commands_that_run_jobs() {
        let limits = |arguments: &[&str]| Cli::try_parse_from(arguments).map(|cli| cli.command.as_ref().map(Command::limits));

        assert_eq!(limits(&["p", "run", "--drain", "1m"]).unwrap().unwrap().drain, Some(Duration::from_secs(60)));
        assert!(limits(&["p", "list", "--drain", "1m"]).is_err());
        for bad in ["0", "10001", "-1", "many"] {
            assert!(limits(&["p", "run", &format!("--in-flight={bad}")]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_help_says_at_its_end_is_no_wider_than_help_is_at_most() {
        fn wider(command: &clap::Command) -> Vec<String> {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines = text.lines().filter(|line| line.chars().count() > 100).map(str::to_owned);
            lines.chain(command.get_subcommands().flat_map(wider)).collect()
        }

        assert_eq!(wider(&Cli::command()), Vec::<String>::new());
    }
}
