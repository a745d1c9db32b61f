//! What may be said on the command line of recording real changes?

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{Beginning, beginning};
use super::{Watched, duration};

/// There is no change with fewer names.
const NO_NAME: &str = "expected names joined by dots, such as `after.email`, `address.street`, `items.price`";

/// What there is to say of recording.
pub(super) const RECORD: &str = "\
Each change becomes a line of the file, with all that it says, for `backtest`, `detect` and
`run --file`. No event is asked and no job runs. Ctrl-C ends, and the file has every change up to
then. `check` says beforehand whether all is there that this needs.

--redact names a field by its path, as events do: `after.email`, or `email`, which is the same. It
is replaced wherever a document or an update says it (before, after, what was written, the key), in
elements of arrays too, and with everything below it; the names of fields stay. In its place stands
something of the same type that is made from the value with a random key of this run, which is kept
nowhere: equal values stay equal, so that what changed still changes, and nobody can tell what they
were, nor compare them with another file. Null stays null. Where a key is replaced, so is the
change's id, which holds it. An event whose rule compares such a field with a value does not fire
any more.

Examples:
  detector record --mongodb $URI --database app --for 10m --out changes.jsonl
  detector record --mongodb $URI --database app --collection users --max 1000 \\
      --redact after.email --redact address --out users.jsonl

Exit codes: 0 recorded; 69 the database cannot be watched any more; 73 the file cannot be written,
or is there already; else as `check`.";

/// What is recorded, for how long, and into which file.
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The file to write, one change a line
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// End after this long, as 10m, 1h [default: Ctrl-C ends]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// End after so many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max: Option<u64>,
    /// Replace what a field holds, wherever it stands, by its path: after.email (several: repeat it, or `a,b`)
    #[arg(long, value_name = "PATH", value_delimiter = ',', value_parser = path)]
    pub(crate) redact: Vec<String>,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// Where to begin: `now`, how long ago (1h), or a time (2026-11-26T14:30:00Z), as far as the oplog reaches back [default: now]
    #[arg(long, value_name = "TIME", help_heading = "MongoDB", value_parser = beginning)]
    pub(crate) start: Option<Beginning>,
}

/// The dotted path of a field.
fn path(text: &str) -> Result<String, String> {
    let text = text.trim();
    let names: Vec<&str> = text.split('.').collect();
    let is_image = matches!(names.as_slice(), ["after" | "before" | "key"]);
    match names.iter().any(|name| name.is_empty()) || is_image {
        true => Err(NO_NAME.to_owned()),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_path_is_names_joined_by_dots() {
        for good in ["email", "after.email", " address.street ", "items.0.price", "_id"] {
            assert_eq!(path(good), Ok(good.trim().to_owned()));
        }
        for bad in ["", ".", "after.", "a..b", "after", "key"] {
            assert!(path(bad).unwrap_err().contains("after.email"), "{bad}");
        }
    }
}
