//! How does a shell complete what is typed behind the program's name?

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::terminal::out;

use super::file_name;

/// Prints the script with which `shell` completes commands, flags and their values.
pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let name = file_name();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), name.trim_end_matches(".exe"), &mut script);
    out(&String::from_utf8_lossy(&script));
    Ok(Exit::Success)
}
