//! What does each command do?

mod demo;
mod detect;
mod emit;
mod list;
mod run;

pub(crate) use demo::demo;
pub(crate) use detect::detect;
pub(crate) use emit::emit;
pub(crate) use list::list;
pub(crate) use run::run;

use crate::console::print;
use crate::exit::{Exit, Failure};

/// Says what one can do next.
pub(crate) fn welcome(has_demo: bool) -> Result<Exit, Failure> {
    let program = program();
    let demo = format!("  {program}demo                 play recorded changes, and watch events being detected and jobs run\n");
    print(&format!(
        "Turns database changes into named business events, and runs their jobs.\n\n\
         Try:\n\
         {}  {program}list                 the events of this program, and where they are declared\n\
         {}  {program}run --file FILE      handle recorded changes, one JSON object a line\n\
         {}  {program}detect FILE          the same without running any job\n\
         {}  {program}--help               everything else\n",
        if has_demo { demo.as_str() } else { "" }, "", "", ""
    ));
    Ok(Exit::Success)
}

/// How this program is called, for words that can be copied.
fn program() -> String {
    if std::env::var_os("CARGO").is_some() {
        return "cargo run -- ".to_owned();
    }
    let path = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{name} ")
}

/// `1 change`, `1,000 changes`.
fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", indicatif::HumanCount(number), if number == 1 { "" } else { "s" })
}
