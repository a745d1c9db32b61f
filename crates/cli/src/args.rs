//! What may be said on the command line?

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Turns database changes into named business events, and runs their jobs.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const AFTER_HELP: &str = "\
Settings are taken from flags, then the environment, then the config file, then the defaults.

Exit codes: 0 all went well; 1 a job or an event's own code failed; 2 wrong command line; 65 malformed input;
66 no input; 69 a source cannot go on; 77 not permitted; 78 wrong configuration or set of events.";

/// What every command understands.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Options {
    /// Config file (TOML); without the flag `detector.toml` is read when it is there
    #[arg(long, global = true, value_name = "FILE", env = "DETECTOR_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Watch only for events whose name matches; `*` stands for any text (may be repeated)
    #[arg(long, global = true, value_name = "GLOB", env = "DETECTOR_ONLY", value_delimiter = ',')]
    pub(crate) only: Option<Vec<String>>,
    /// Do not watch for events whose name matches (may be repeated)
    #[arg(long, global = true, value_name = "GLOB", env = "DETECTOR_EXCEPT", value_delimiter = ',')]
    pub(crate) except: Option<Vec<String>>,
    /// Print JSON on standard output, one object a line, and nothing else there
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print one line a change
    #[arg(long, short, global = true, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// What to log to standard error: off, error, warn, info, debug, trace, or a filter such as `warn,jobs=debug`
    #[arg(long, global = true, value_name = "FILTER", env = "DETECTOR_LOG")]
    pub(crate) log: Option<String>,
    /// Put a value into the context of every change: NAME=JSON, or NAME=text (may be repeated)
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = context_value)]
    pub(crate) context: Vec<(String, serde_json::Value)>,
    /// Cut each attempt of a job that sets no timeout of its own [default: 30s]
    #[arg(long, global = true, value_name = "DURATION", env = "DETECTOR_JOB_TIMEOUT", value_parser = duration)]
    pub(crate) job_timeout: Option<Duration>,
    /// Retries of a job that sets none of its own [default: 0]
    #[arg(long, global = true, value_name = "N", env = "DETECTOR_JOB_RETRIES")]
    pub(crate) job_retries: Option<u32>,
    /// Changes handled at a time [default: 64]
    #[arg(long, global = true, value_name = "N", env = "DETECTOR_IN_FLIGHT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) in_flight: Option<u32>,
    /// Cut what is unfinished of a change after this long [default: never]
    #[arg(long, global = true, value_name = "DURATION", env = "DETECTOR_CHANGE_DEADLINE", value_parser = duration)]
    pub(crate) change_deadline: Option<Duration>,
    /// How long a stop waits for the changes in flight [default: 25s]
    #[arg(long, global = true, value_name = "DURATION", env = "DETECTOR_DRAIN", value_parser = duration)]
    pub(crate) drain: Option<Duration>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play the recorded changes bundled with this program, and show what happens
    Demo,
    /// Handle changes as they come: from a file of recorded changes, and from the program's own sources
    Run {
        /// Recorded changes, one JSON object a line; `-` is standard input
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Stop at the first line that is not a change
        #[arg(long, requires = "file")]
        strict: bool,
    },
    /// Show which events recorded changes would be; no job runs
    Detect {
        /// Recorded changes, one JSON object a line; `-` is standard input
        file: PathBuf,
        /// Show every event with its verdict, and the values it read
        #[arg(long, short)]
        verbose: bool,
        /// Stop at the first line that is not a change
        #[arg(long)]
        strict: bool,
    },
    /// Show the events of this program, where they are declared, and their jobs
    List,
    /// Handle a MANUAL change made on the command line
    Emit {
        /// The collection or table
        collection: String,
        /// The document, as JSON
        #[arg(long, value_name = "JSON", default_value = "{}", value_parser = document)]
        data: serde_json::Value,
        /// The database or schema
        #[arg(long, value_name = "NAME", default_value = "")]
        database: String,
        /// A session variable such as x-hasura-role=admin (may be repeated)
        #[arg(long, value_name = "NAME=TEXT", value_parser = pair)]
        session: Vec<(String, String)>,
        /// The correlation id; a new one by default
        #[arg(long, value_name = "ID")]
        correlation_id: Option<String>,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
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

/// A duration with its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).map_err(|_| match text.parse::<f64>() {
        Ok(_) => format!("a duration needs its unit: write `{text}s` or `{text}ms`"),
        Err(_) => "expected a duration such as `500ms`, `30s`, `5m`, `1h 30m`".to_owned(),
    })?;
    if parsed.is_zero() { Err("a duration must be longer than zero".to_owned()) } else { Ok(parsed) }
}
