//! What does somebody start with? An event, a job or a whole workspace, written as files that compile at once.

mod app;
mod edit;
mod event;
mod job;
mod names;
mod paths;
mod plan;
mod text;

use std::fmt::{Display, Write as _};
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::args::{New, Options};
use crate::exit::{Exit, Failure};
use crate::terminal::{clean_lines, json as json_line, out};

use plan::Plan;

/// What will be written, and what one does then: a command and why, or what is to be done by hand.
struct Made {
    plan: Plan,
    next: Vec<(String, String)>,
}

/// Writes the files, and names them.
pub(crate) fn new(what: &New, options: &Options) -> Result<Exit, Failure> {
    let Made { plan, next } = match what {
        New::Event { name } => event::event(name)?,
        New::Job { name } => job::job(name)?,
        New::App { dir, path, git } => app::app(dir, path.as_deref(), git.as_deref())?,
    };
    let written = plan.write()?;
    if options.json {
        out(&(json_line(&json!({ "created": written.created, "changed": written.changed })) + "\n"));
        return Ok(Exit::Success);
    }
    let mut text = String::new();
    for (what, paths) in [("created", &written.created), ("changed", &written.changed)] {
        for path in paths {
            let _infallible = writeln!(text, "{what}  {path}");
        }
    }
    if !options.quiet {
        text.push_str("\nNext:\n");
        let width = next.iter().filter(|(_, why)| !why.is_empty()).map(|(line, _)| line.chars().count()).max().unwrap_or(0);
        for (line, why) in &next {
            let line = if why.is_empty() { line.clone() } else { format!("{line:width$}   {why}") };
            let _infallible = writeln!(text, "  {line}");
        }
    }
    out(&(clean_lines(&text) + "\n"));
    Ok(Exit::Success)
}

/// Nothing is overwritten.
fn refused(message: impl Display) -> Failure {
    Failure::new(Exit::CannotCreate, message)
}

/// How to add the crates that what was written needs, and the package in `folder` does not list.
fn lacking(folder: &Path, needed: &[(&str, &str)]) -> Vec<(String, String)> {
    let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) else { return Vec::new() };
    let lists =
        |name: &str| manifest.lines().any(|line| line.trim_start().starts_with(name) || line.contains(&format!(".{name}]")));
    let package = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.split('"').next()).unwrap_or("PACKAGE");
    let missing = needed.iter().filter(|(name, _)| !lists(name));
    let add = |(name, flags): &(&str, &str)| {
        let flags = if flags.is_empty() { String::new() } else { format!(" {flags}") };
        (format!("cargo add --package {package} {name}{flags}"), "what was written needs it".to_owned())
    };
    missing.map(add).collect()
}
