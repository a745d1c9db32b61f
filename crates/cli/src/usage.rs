//! What is wrong with the command line, and what was probably meant?

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;
use crate::exit::{Exit, Failure};

/// Options whose values may be secret; a message says which option is wrong, and not what it holds.
const PRIVATE: [&str; 3] = ["--context", "--session", "--data"];

/// Edits between a command and what was written for it.
const TYPOS: usize = 2;

/// Says what is wrong with the command line; asking for help or the version is no failure.
pub(crate) fn explain(mut error: clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody reads the help: `detector --help | head -1`.
        let _unread = error.print();
        return Exit::Success.into();
    }
    let json = std::env::args_os().any(|argument| argument == "--json");
    let failure = failure(&mut error, |name| std::env::var_os(name).is_some());
    failure.print(json);
    failure.exit.into()
}

fn failure(error: &mut clap::Error, is_set: impl Fn(&str) -> bool) -> Failure {
    let argument = text(error, ContextKind::InvalidArg);
    let is_private = argument.as_ref().is_some_and(|argument| PRIVATE.iter().any(|private| argument.starts_with(private)));
    if is_private && error.get(ContextKind::InvalidValue).is_some() {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    let rendered = error.to_string();
    let mut paragraphs = rendered.trim_end().split("\n\n");
    let message = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let mut hints = Vec::new();
    for paragraph in paragraphs {
        if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            if error.kind() == ErrorKind::MissingRequiredArgument {
                hints.push(format!("usage: {}", usage.trim()));
            }
        } else {
            hints.extend(paragraph.lines().filter_map(|line| line.trim().strip_prefix("tip: ").map(str::to_owned)));
        }
    }
    match (error.kind(), argument) {
        (ErrorKind::InvalidSubcommand, _) => {
            hints = vec![commands(&group(&rendered), &text(error, ContextKind::InvalidSubcommand).unwrap_or_default())]
        }
        (ErrorKind::UnknownArgument, Some(argument)) => {
            if let Some(owners) = owners(&argument) {
                hints = vec![owners];
            }
        }
        (_, Some(argument)) => {
            if let Some(variable) = variable(&built(), &argument).filter(|name| is_set(name)) {
                hints.insert(0, format!("the environment variable {variable} is set; a flag goes over it"));
            }
        }
        (_, None) => {}
    }
    hints.push("`--help` shows more".to_owned());
    Failure::new(Exit::Usage, message).with_hint(hints.join("; "))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

/// The command whose usage `rendered` shows.
fn group(rendered: &str) -> Command {
    let usage = rendered.split("Usage: ").nth(1).and_then(|usage| usage.lines().next()).unwrap_or_default();
    let descend = |command: Command, word| command.find_subcommand(word).cloned().unwrap_or(command);
    usage.split_whitespace().skip(1).fold(Cli::command(), descend)
}

/// The commands of `command`, the one that is most like `wanted` first.
fn commands(command: &Command, wanted: &str) -> String {
    let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    let scored = names.iter().map(|name| (strsim::osa_distance(wanted, name), name));
    let near = scored.filter(|(distance, _)| *distance <= TYPOS).min().map(|(_, name)| format!("did you mean `{name}`? "));
    let what = match command.get_name() {
        "new" => "what can be made is",
        name if name == Cli::command().get_name() => "the commands are",
        _ => "its commands are",
    };
    format!("{}{what} {}", near.unwrap_or_default(), names.join(", "))
}

/// The commands that understand `flag`, when some do.
fn owners(flag: &str) -> Option<String> {
    let flag = flag.split('=').next().unwrap_or(flag);
    let owners = owners_below(&Cli::command(), "", flag.strip_prefix("--")?);
    (!owners.is_empty()).then(|| format!("it stands behind a command that knows it: {}", owners.join(", ")))
}

/// The commands below `command` that understand the flag `long`, as they are written behind `path`.
fn owners_below(command: &Command, path: &str, long: &str) -> Vec<String> {
    let below = command.get_subcommands().flat_map(|command| {
        let path = format!("{path}{} ", command.get_name());
        let has_it = command.get_arguments().any(|argument| argument.get_long() == Some(long));
        has_it.then(|| format!("`{path}--{long}`")).into_iter().chain(owners_below(command, &path, long))
    });
    below.collect()
}

/// The command line with everything that clap adds to it; only then its arguments know how they are written.
fn built() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// The environment variable that stands for `argument`, which is written as clap does: `--in-flight <N>`.
fn variable(command: &Command, argument: &str) -> Option<String> {
    let own = command.get_arguments().find(|own| own.to_string() == argument).and_then(Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.or_else(|| command.get_subcommands().find_map(|command| variable(command, argument)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::failure;
    use crate::args::Cli;

    /// What is said to `arguments`, in a program without environment.
    fn said(arguments: &[&str]) -> String {
        let mut error = Cli::try_parse_from([&["detector"], arguments].concat()).unwrap_err();
        let failure = failure(&mut error, |_| false);
        format!("{}\n{}", failure.message, failure.hint.unwrap())
    }

    #[test]
    fn a_command_that_is_none_is_answered_with_the_nearest_and_with_all() {
        for (wanted, meant) in
            [("rn", "run"), ("rnu", "run"), ("lst", "list"), ("dtect", "detect"), ("Demo", "demo"), ("emti", "emit")]
        {
            let said = said(&[wanted]);

            assert!(
                said.contains(&format!("`{meant}`? the commands are demo, run, check, detect, backtest, record, why, list, catalogue, emit, events, show, retry, replay, dead-letters, gaps, ledger, new, completions;")),
                "{said}"
            );
        }
        assert!(!said(&["subscribe"]).contains("did you mean"), "{}", said(&["subscribe"]));
    }

    #[test]
    fn what_cannot_be_made_is_answered_with_what_can() {
        insta::assert_snapshot!(said(&["new", "evnt", "a.b"]), @r"
        unrecognized subcommand 'evnt'
        did you mean `event`? what can be made is event, job, app; `--help` shows more
        ");
        insta::assert_snapshot!(said(&["new"]), @r"
        'detector new' requires a subcommand but one was not provided [subcommands: event, job, app]
        `--help` shows more
        ");
        insta::assert_snapshot!(said(&["new", "event", "a.b", "--git=x"]), @r"
        unexpected argument '--git' found
        it stands behind a command that knows it: `new app --git`; `--help` shows more
        ");
    }

    #[test]
    fn a_command_below_another_is_answered_with_those_beside_it() {
        insta::assert_snapshot!(said(&["ledger", "chekc"]), @r"
        unrecognized subcommand 'chekc'
        did you mean `check`? its commands are check, backup, migrate; `--help` shows more
        ");
        insta::assert_snapshot!(said(&["dead-letters", "lst"]), @r"
        unrecognized subcommand 'lst'
        did you mean `list`? its commands are list, show, retry, drop; `--help` shows more
        ");
    }

    #[test]
    fn a_flag_that_is_none_is_answered_with_the_nearest() {
        insta::assert_snapshot!(said(&["run", "--flie", "x"]), @r"
        unexpected argument '--flie' found
        a similar argument exists: '--file'; `--help` shows more
        ");
        insta::assert_snapshot!(said(&["--in-flight", "3", "run"]), @r"
        unexpected argument '--in-flight' found
        it stands behind a command that knows it: `demo --in-flight`, `run --in-flight`, `emit --in-flight`, `retry --in-flight`, `replay --in-flight`, `dead-letters retry --in-flight`; `--help` shows more
        ");
        insta::assert_snapshot!(said(&["list", "--drain=5s"]), @r"
        unexpected argument '--drain' found
        it stands behind a command that knows it: `demo --drain`, `run --drain`, `emit --drain`, `retry --drain`, `replay --drain`, `dead-letters retry --drain`; `--help` shows more
        ");
        insta::assert_snapshot!(said(&["run", "--strict"]), @r"
        the following required arguments were not provided: --file <FILE>
        usage: detector run --file <FILE> --strict; `--help` shows more
        ");
        insta::assert_snapshot!(said(&["emit"]), @r"
        the following required arguments were not provided: <COLLECTION>
        usage: detector emit <COLLECTION>; `--help` shows more
        ");
    }

    #[test]
    fn a_wrong_value_names_its_option_and_says_what_is_right() {
        insta::assert_snapshot!(said(&["run", "--in-flight", "0"]), @r"
        invalid value '0' for '--in-flight <N>': 0 is not in 1..=10000
        `--help` shows more
        ");
        insta::assert_snapshot!(said(&["run", "--job-timeout", "5"]), @r"
        invalid value '5' for '--job-timeout <DURATION>': a duration needs its unit: write `5s` or `5ms`
        `--help` shows more
        ");
        insta::assert_snapshot!(said(&["run", "--quiet", "--json"]), @r"
        the argument '--quiet' cannot be used with '--json'
        `--help` shows more
        ");
    }

    #[test]
    fn a_value_that_may_be_secret_is_not_repeated() {
        for arguments in
            [["emit", "x", "--context", "S3CR3T"], ["emit", "x", "--session", "=S3CR3T"], ["emit", "x", "--data", "[\"S3CR3T\"]"]]
        {
            let said = said(&arguments);

            assert!(said.contains(arguments[2]) && !said.contains("S3CR3T"), "{said}");
        }
    }

    #[test]
    fn a_wrong_value_from_the_environment_names_the_variable() {
        let mut error = Cli::try_parse_from(["detector", "run", "--in-flight", "x"]).unwrap_err();

        let failure = failure(&mut error, |name| name == "DETECTOR_IN_FLIGHT");

        assert!(failure.hint.unwrap().starts_with("the environment variable DETECTOR_IN_FLIGHT is set"));
    }
}
