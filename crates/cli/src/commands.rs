//! What does each command do?

mod backtest;
mod catalogue;
mod check;
mod completions;
mod demo;
mod detect;
mod emit;
mod list;
mod new;
mod record;
mod recorded;
mod rule;
mod run;
mod why;

pub(crate) use backtest::backtest;
pub(crate) use catalogue::catalogue;
pub(crate) use check::check;
pub(crate) use completions::completions;
pub(crate) use demo::demo;
pub(crate) use detect::detect;
pub(crate) use emit::{Emitted, emit};
pub(crate) use list::list;
pub(crate) use new::new;
pub(crate) use record::record;
pub(crate) use recorded::recorded;
pub(crate) use run::run;
pub(crate) use why::why;

use crate::args::ABOUT;
use crate::exit::{Exit, Failure};
use crate::terminal::out;

/// Says what one can do next.
pub(crate) fn welcome(has_demo: bool) -> Result<Exit, Failure> {
    let program = program();
    let demo = format!("  {program}demo               play recorded changes, and watch events being detected and jobs run\n");
    out(&format!(
        "{ABOUT}.\n\n\
         Try:\n\
         {}\
         \x20 {program}list               see the events of this program, and where they are declared\n\
         \x20 {program}detect FILE        see which events recorded changes would be; no job runs\n\
         \x20 {program}why --change FILE  see why events happened or not, clause by clause\n\
         \x20 {program}run --file FILE    handle recorded changes, one JSON object a line\n\
         \x20 {program}run --listen 127.0.0.1:8080  take what Hasura's event triggers post\n\
         \x20 {program}run --mongodb URI --database NAME  watch a database\n\
         \x20 {program}new app DIR        make a workspace of your own, with an event, a job and their tests\n\
         \x20 {program}--help             see everything else\n",
        if has_demo { demo.as_str() } else { "" },
    ));
    Ok(Exit::Success)
}

/// How this program is called, for words that can be copied.
fn program() -> String {
    if std::env::var_os("CARGO").is_some() {
        return "cargo run -- ".to_owned();
    }
    file_name() + " "
}

/// The name of the file that runs.
fn file_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    std::path::Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `1 change`, `1,000 changes`.
fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", indicatif::HumanCount(number), if number == 1 { "" } else { "s" })
}

/// `1 line was no change`, `2 lines were no change`.
fn no_change(lines: u64) -> String {
    format!("{} {} no change", count(lines, "line"), if lines == 1 { "was" } else { "were" })
}
