//! What do people do with what was recorded?

mod diff;
mod events;
mod gaps;
mod letters;
mod objects;
mod replay;
mod retry;
mod select;
mod settle;
mod show;
mod upkeep;
mod words;

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use event_detector_ledger::{Desk, OpenError, Reader};
use event_detector_runtime::LedgerError;

pub(super) use show::whole;

use crate::app::Program;
use crate::args::Recorded;
use crate::exit::{Exit, Failure};
use crate::terminal::say_part;

pub(super) use words::{moment, second};

/// Does what was asked for with the ledger of the settings.
pub(crate) async fn recorded(program: Program, command: Recorded) -> Result<Exit, Failure> {
    match command {
        Recorded::Events { selected, limit, follow, .. } => events::events(&program, &selected, limit, follow).await,
        Recorded::Show { id, explain, .. } => show::show(&program, &id, explain),
        Recorded::Retry { id, selected, dry_run, .. } => retry::retry(program, &id, &selected, dry_run).await,
        Recorded::Replay(what) => replay::replay(program, *what).await,
        Recorded::DeadLetters { what } => letters::letters(program, what).await,
        Recorded::Gaps { .. } => gaps::gaps(&program),
        Recorded::Ledger { what } => upkeep::upkeep(&program, what),
    }
}

/// The ledger of the settings, to be read.
pub(super) fn open(program: &Program) -> Result<Reader, Failure> {
    Reader::open(&program.ledger.dir).map_err(|error| open_failure(&error))
}

/// The ledger of the settings, to be decided on.
fn desk(program: &Program) -> Result<Desk, Failure> {
    Desk::open(&program.ledger.dir).map_err(|error| open_failure(&error))
}

/// The failure of the program that a ledger is which cannot be opened.
pub(crate) fn open_failure(error: &OpenError) -> Failure {
    let exit = match error {
        OpenError::Locked { .. } => Exit::Locked,
        OpenError::Newer { .. } | OpenError::Older { .. } => Exit::Config,
        OpenError::Damaged(_) => Exit::BadData,
        OpenError::Missing { dir } => return missing(dir),
        OpenError::File { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => Exit::Permission,
        OpenError::File { .. } => Exit::CannotCreate,
        _ => Exit::Unavailable,
    };
    let message = match error {
        OpenError::Locked { pid, host, since } => {
            format!("the ledger belongs to process {pid} on `{host}` since {}", words::moment(*since))
        }
        _ => with_causes(error),
    };
    let failure = Failure::new(exit, message);
    match error {
        OpenError::Locked { .. } => failure.with_hint("stop that one first, or name another directory with `--data DIR`"),
        OpenError::File { .. } => failure.with_hint("name a directory that this user may write to with `--data DIR`"),
        _ => failure,
    }
}

/// The failure of the program that a ledger is which cannot be used.
pub(super) fn failure(error: LedgerError) -> Failure {
    let exit = match error {
        LedgerError::Damaged(_) => Exit::BadData,
        _ => Exit::Unavailable,
    };
    Failure::new(exit, error)
}

fn missing(dir: &Path) -> Failure {
    Failure::new(Exit::NoInput, format!("there is no ledger in `{}`", dir.display())).with_hint(
        "name its directory with `--data DIR`, in the environment variable DETECTOR_DATA, or as `dir` under `[ledger]` in the config \
         file; `run` makes one",
    )
}

/// An error and what it comes from, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// Asks at the terminal; nobody answers where there is none.
fn confirm(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "nobody is there to confirm this: standard input is no terminal")
            .with_hint("`--yes` does it without asking"));
    }
    say_part(&format!("{question} [y/N] "));
    let mut answer = String::new();
    // What cannot be read is no consent.
    let _unread = io::stdin().lock().read_line(&mut answer);
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
