//! Is what is promised of a program that is killed, stopped and starved of its disk kept? `cargo xtask torture` builds both and runs
//! this one.

mod check;
mod damage;
mod history;
mod kinds;
mod load;
mod plan;
mod program;
mod receiver;
mod report;
mod run;
mod servers;
mod suite;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use report::{Outcome, table};
use suite::Suite;

/// Kills a program again and again, and compares what was written, what its ledger holds and what its jobs did
#[derive(Debug, Clone, Parser)]
#[command(name = "torture", bin_name = "cargo xtask torture", max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    /// What is done to the program
    #[arg(long, value_enum, default_value_t = Kind::All)]
    kind: Kind,
    /// Repeats the random choices of a run [default: others each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Changes of a run; one with a full disk, a single point, damage or a broken promise has fewer
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = number)]
    changes: usize,
    /// How often the program is killed in such a run
    #[arg(long, value_name = "N", default_value_t = 20)]
    kills: usize,
    /// How often it is told to stop, with each source of changes
    #[arg(long, value_name = "N", default_value_t = 25)]
    stops: usize,
    /// How often its ledger is damaged
    #[arg(long, value_name = "N", default_value_t = 100)]
    damages: usize,
    /// Breaks this promise in the program: the comparison is to notice it, and fails when it does not
    #[arg(long, value_enum, value_name = "PROMISE", conflicts_with = "kind")]
    spoil: Option<Spoil>,
    /// Prints one JSON object a run on standard output, and nothing else there
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
What must hold in the end, whatever was done:
  each change that an event is in is in the ledger once, and no other; sequence numbers have no gaps
  each of its jobs has succeeded or is a dead letter for a reason, and the receiver has seen each attempt
  an effect is repeated only where an attempt was interrupted, and `once` jobs never are
  changes of one document begin in order; all attempts of an ordered event keep it
  what happens to the files of a ledger is told, or the ledger holds what it held

Exit codes: 0 all held (with --spoil: it was noticed); 1 it did not; 2 wrong usage.";

/// What is done to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// SIGKILL at random moments, while changes are written to a MongoDB
    Mongodb,
    /// SIGKILL at random moments, while payloads are sent again until they are acknowledged
    Http,
    /// Death at each named point
    Points,
    /// SIGTERM at random moments
    Stop,
    /// A full disk, ten times (needs root, for a small disk in memory)
    Disk,
    /// Damage to the files of a ledger
    Damage,
    /// All of these
    All,
}

/// A promise that the program can be told to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Spoil {
    /// A change is recorded again when it comes again
    UniqueKey,
    /// What was asked for is called done before it is on disk
    CommitBeforeReceipt,
    /// A position is stored before the changes that it covers
    PositionWithRows,
    /// Each of these, one after another
    All,
}

impl Spoil {
    /// As the program has it, where it is one.
    fn name(self) -> &'static str {
        match self {
            Self::UniqueKey => "unique-key",
            Self::CommitBeforeReceipt => "commit-before-receipt",
            Self::PositionWithRows => "position-with-rows",
            Self::All => "all",
        }
    }
}

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("a whole number from 1 is expected".to_owned()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match torture(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went as it should.
fn torture(arguments: &Arguments) -> anyhow::Result<bool> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    eprintln!("torture: the seed is {seed}");
    let outcomes = Suite::new(arguments, seed)?.run()?;
    if arguments.json {
        for outcome in &outcomes {
            println!("{}", serde_json::to_string(outcome).context("an outcome is no JSON")?);
        }
    } else {
        print!("{}", table(&outcomes));
    }
    for outcome in &outcomes {
        eprint!("{}", outcome.words());
    }
    let went_well = outcomes.iter().all(Outcome::went_well);
    if !went_well {
        eprintln!("torture: again with the same choices: cargo xtask torture {}", repeat(arguments, seed, &outcomes));
    }
    Ok(went_well)
}

/// The arguments that repeat the choices of the run.
fn repeat(arguments: &Arguments, seed: u64, outcomes: &[Outcome]) -> String {
    let Arguments { changes, kills, stops, damages, .. } = arguments;
    let wrong = outcomes.iter().find(|outcome| !outcome.went_well());
    let what = match (arguments.spoil, wrong) {
        (Some(spoil), _) => format!("--spoil {}", spoil.name()),
        (None, Some(outcome)) => format!("--kind {}", outcome.kind),
        (None, None) => String::new(),
    };
    format!("{what} --seed {seed} --changes {changes} --kills {kills} --stops {stops} --damages {damages}")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_spoilt_is_called_as_the_program_has_it() {
        for spoil in Spoil::value_variants() {
            assert_eq!(spoil.to_possible_value().unwrap().get_name(), spoil.name());
        }
    }
}
