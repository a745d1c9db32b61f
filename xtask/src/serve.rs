//! What does `cargo xtask mongod` do?

use std::process::{Command, ExitCode};
use std::thread;

use xtask::Failure;
use xtask::mongod::{Deployment, Options, Topology};

use crate::run;
use crate::source::{self, Consent};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// Where it is said.
    topology: Option<Topology>,
    consent: Consent,
    /// Empty: to wait.
    command: Vec<String>,
}

/// Starts servers and runs the command that `args` give, or waits; a MongoDB that is given serves the command as it is.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let asked = asked(args)?;
    if run::has_mongodb_uri() {
        check_given(&asked)?;
        eprintln!("xtask: the command uses the MongoDB of MONGODB_URI");
        return run::run(&mut command(&asked.command));
    }
    let program = source::find(asked.consent)
        .map_err(|why| Failure::unavailable(format!("no MongoDB: {why}. {}", source::HOW_TO_GET_IT)))?;
    let options = Options { topology: asked.topology.unwrap_or_default(), ..Options::default() };
    let deployment = Deployment::start(&program, &options)?;
    if !asked.command.is_empty() {
        let mut command = command(&asked.command);
        program.hand_on(&mut command);
        return run::run(command.env("MONGODB_URI", deployment.uri()));
    }
    println!("MONGODB_URI='{}'", deployment.uri());
    eprintln!("xtask: {program} runs until Ctrl-C");
    loop {
        thread::park();
    }
}

fn asked(args: &[String]) -> Result<Asked, Failure> {
    let mut asked = Asked { topology: None, consent: Consent::Ask, command: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--" => {
                asked.command = args.cloned().collect();
                break;
            }
            "--yes" => asked.consent = Consent::Given,
            "--nodes" => asked.topology = Some(topology(args.next().map_or("", String::as_str))?),
            option if option.starts_with("--nodes=") => asked.topology = Some(topology(&option["--nodes=".len()..])?),
            option if option.starts_with('-') => {
                let message =
                    format!("`mongod` has no option `{option}`; it takes `--nodes N`, `--yes`, and a command after `--`");
                return Err(Failure::usage(message));
            }
            program => {
                asked.command = std::iter::once(program.to_owned()).chain(args.cloned()).collect();
                break;
            }
        }
    }
    Ok(asked)
}

fn topology(nodes: &str) -> Result<Topology, Failure> {
    match nodes {
        "1" => Ok(Topology::OneNode),
        "3" => Ok(Topology::ThreeNodes),
        _ => Err(Failure::usage(format!("`--nodes` takes 1 or 3, not `{nodes}`"))),
    }
}

/// Whether a MongoDB that is given can serve what is asked for.
fn check_given(asked: &Asked) -> Result<(), Failure> {
    if asked.topology.is_some() {
        return Err(Failure::usage("`--nodes` starts servers, and MONGODB_URI names one that runs: leave one of them out"));
    }
    if asked.command.is_empty() {
        return Err(Failure::usage(
            "MONGODB_URI names a MongoDB that runs, and there is no command to run with it: unset it, or give one",
        ));
    }
    Ok(())
}

/// The caller's command, in the caller's folder.
fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

#[cfg(test)]
mod cases {
    use super::*;

    fn asked_by(words: &str) -> Result<Asked, String> {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        asked(&args).map_err(|failure| failure.to_string())
    }

    fn command_of(words: &str) -> Vec<String> {
        asked_by(words).unwrap().command
    }

    #[test]
    fn the_command_line_asks_for_nodes_consent_and_a_command() {
        let nothing = Asked { topology: None, consent: Consent::Ask, command: vec![] };

        assert_eq!(asked_by(""), Ok(nothing));
        assert_eq!(asked_by("--nodes 1").unwrap().topology, Some(Topology::OneNode));
        assert_eq!(asked_by("--yes --nodes=3").unwrap().topology, Some(Topology::ThreeNodes));
        assert_eq!(asked_by("--nodes 3 --yes").unwrap().consent, Consent::Given);
        assert_eq!(command_of("--nodes 3 -- env --yes"), ["env", "--yes"]);
        assert_eq!(command_of("--yes env --nodes 2 -- x"), ["env", "--nodes", "2", "--", "x"]);
        assert!(command_of("--").is_empty());
    }

    #[test]
    fn a_wrong_option_is_answered_with_the_right_ones() {
        for wrong in ["--nodes", "--nodes 2", "--nodes=", "--nodes -- env", "--nodes three"] {
            assert!(asked_by(wrong).is_err_and(|message| message.contains("takes 1 or 3")), "{wrong}");
        }
        for wrong in ["--json", "-y", "--node 3"] {
            assert!(asked_by(wrong).is_err_and(|message| message.contains("`--nodes N`, `--yes`")), "{wrong}");
        }
    }

    #[test]
    fn a_given_mongodb_serves_a_command_and_nothing_else() {
        let refused = |words: &str| check_given(&asked_by(words).unwrap()).map_err(|failure| failure.to_string());

        assert_eq!(refused("-- env"), Ok(()));
        assert!(refused("--nodes 3 -- env").is_err_and(|message| message.contains("`--nodes` starts servers")));
        assert!(refused("").is_err_and(|message| message.contains("no command")));
    }
}
