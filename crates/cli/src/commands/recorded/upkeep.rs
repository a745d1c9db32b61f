//! Is the ledger whole, and how is it copied or brought to this version?

use std::path::Path;

use event_detector_ledger::{Sqlite, backup, check};
use serde_json::json;

use crate::app::Program;
use crate::args::Upkeep;
use crate::console::Form;
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out, say, say_json};

use super::super::count;
use super::{open, open_failure, read_failure};

/// Does what was asked for with the ledger itself.
pub(super) fn upkeep(program: &Program, what: Upkeep) -> Result<Exit, Failure> {
    match what {
        Upkeep::Check { .. } => check_it(program),
        Upkeep::Backup { file, force, .. } => back_up(program, &file, force),
        Upkeep::Migrate { .. } => migrate(program),
    }
}
