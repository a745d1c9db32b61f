//! Is the ledger whole, and how is it copied or brought to this version?

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use event_detector_ledger::{CheckReport, OpenError, Reader, SourcePosition, Sqlite, backup, check};
use serde_json::{Map, Value, json};

use crate::app::Program;
use crate::args::Upkeep;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out, say, say_json};

use super::super::count;
use super::words::moment;
use super::{failure, open, open_failure};

/// Does what was asked for with the ledger itself.
pub(super) fn upkeep(program: &Program, what: Upkeep) -> Result<Exit, Failure> {
    match what {
        Upkeep::Check { .. } => check_it(program),
        Upkeep::Backup { file, force, .. } => back_up(program, &file, force),
        Upkeep::Migrate { .. } => migrate(program),
    }
}

fn check_it(program: &Program) -> Result<Exit, Failure> {
    let report = check(&program.ledger.dir).map_err(|error| open_failure(&error))?;
    // Where the ledger is damaged these may be, too; the report says so.
    let positions = open(program).and_then(|reader| reader.positions().map_err(failure)).unwrap_or_default();
    match Form::choose(&program.options) {
        Form::Json => {
            let rows: Map<String, Value> =
                report.rows.iter().map(|(table, rows)| ((*table).to_owned(), Value::from(*rows))).collect();
            let sources =
                positions.iter().map(|at| json!({ "source": at.source, "changes": at.seq, "updated_at": moment(at.updated_at) }));
            let object = json!({
                "is_whole": report.is_whole(), "rows": rows, "sources": sources.collect::<Vec<_>>(), "problems": report.problems,
            });
            out(&(json_line(&object) + "\n"));
        }
        Form::Quiet(look) | Form::Full(look) => out(&text(&report, &positions, &program.ledger.dir, look)),
    }
    Ok(if report.is_whole() { Exit::Success } else { Exit::BadData })
}

fn text(report: &CheckReport, positions: &[SourcePosition], dir: &Path, look: Look) -> String {
    let mut text = String::new();
    for problem in &report.problems {
        let _infallible = writeln!(text, "{}{}", look.sign("❌ ", "damaged  "), look.bad(&clean(problem)));
    }
    for (table, rows) in &report.rows {
        let _infallible = writeln!(text, "{table:<14}{:>12}", indicatif::HumanCount(*rows).to_string());
    }
    for at in positions {
        let _infallible = writeln!(
            text,
            "{}",
            look.dim(&format!(
                "source {}: {} recorded, last at {}",
                clean(&at.source),
                count(at.seq.unsigned_abs(), "change"),
                moment(at.updated_at)
            ))
        );
    }
    let dir = clean(&dir.display().to_string()).into_owned();
    let _infallible = match report.problems.len() as u64 {
        0 => writeln!(text, "{}The ledger in `{dir}` is whole.", look.sign("✅ ", "ok  ")),
        problems => writeln!(text, "\nThe ledger in `{dir}` is damaged: {}.", count(problems, "problem")),
    };
    text
}

fn back_up(program: &Program, file: &Path, force: bool) -> Result<Exit, Failure> {
    let copy = |to: &Path| {
        backup(&program.ledger.dir, to).map_err(|error| match &error {
            OpenError::File { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Failure::new(Exit::CannotCreate, format!("`{}` is there already", to.display()))
                    .with_hint("name another file, or write over this one with `--force`")
            }
            _ => open_failure(&error),
        })
    };
    if force && file.exists() {
        // The old copy goes only when the new one is there.
        let beside = beside(file);
        let cannot =
            |error: std::io::Error| Failure::new(Exit::CannotCreate, format!("`{}` cannot be replaced: {error}", file.display()));
        copy(&beside)?;
        std::fs::rename(&beside, file).map_err(cannot)?;
    } else {
        copy(file)?;
    }
    let name = file.display().to_string();
    match Form::choose(&program.options) {
        Form::Json => say_json(&json!({ "backup": name })),
        Form::Quiet(_) | Form::Full(_) => say(&format!(
            "Copied to `{}`. To restore it: stop the program, and put it in the place of `ledger.db`, and remove `ledger.db-wal` and `ledger.db-shm`.",
            clean(&name)
        )),
    }
    Ok(Exit::Success)
}

/// Where a copy is made that is to take the place of `file`: a name that no other program takes.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}

fn migrate(program: &Program) -> Result<Exit, Failure> {
    let dir = &program.ledger.dir;
    let brought = match Reader::open(dir) {
        Ok(_current) => false,
        Err(OpenError::Older { .. }) => {
            drop(Sqlite::open(dir, program.ledger.options()).map_err(|error| open_failure(&error))?);
            true
        }
        Err(error) => return Err(open_failure(&error)),
    };
    match Form::choose(&program.options) {
        Form::Json => say_json(&json!({ "migrated": brought })),
        Form::Quiet(_) | Form::Full(_) => {
            let words = if brought { "has now" } else { "has already" };
            say(&format!("The ledger in `{}` {words} the tables of this version.", clean(&dir.display().to_string())));
        }
    }
    Ok(Exit::Success)
}
