//! Which change does somebody mean: one of a file, or one of the ledger?

use std::io::Cursor;
use std::path::Path;

use event_detector::Change;
use event_detector_sources::{MAX_LINE, Recorded};
use serde::de::IgnoredAny;
use tokio::io::AsyncReadExt;

use crate::app::Program;
use crate::exit::{Exit, Failure};

use super::super::{recorded, run};

/// The changes that are meant, one after another.
pub(super) enum Changes {
    /// Those of a file, or one line of it.
    File { name: String, recorded: Recorded, wanted: Option<u64>, line: u64 },
    /// One of the ledger, until it was given.
    Ledger(Option<Box<Met>>),
}

/// A change, and where it stands.
pub(super) struct Met {
    pub(super) place: String,
    pub(super) change: Change,
}

impl Changes {
    /// What `text` names: a file, a line of it, standard input, or a change of the ledger.
    pub(super) async fn find(program: &Program, text: &str) -> Result<Self, Failure> {
        let file = |recorded, wanted, name: &str| Self::File { name: name.to_owned(), recorded, wanted, line: 0 };
        if text == "-" {
            let mut bytes = Vec::new();
            let read = tokio::io::stdin().read_to_end(&mut bytes).await;
            read.map_err(|error| Failure::input("standard input cannot be read", &error))?;
            return Ok(file(lines("stdin", bytes), None, "stdin"));
        }
        if Path::new(text).exists() {
            return Ok(file(open(Path::new(text)).await?, None, text));
        }
        if let Some((path, line)) = text.rsplit_once(':')
            && let Ok(line) = line.parse::<u64>()
            && Path::new(path).exists()
        {
            return Ok(file(run::open(Path::new(path)).await?, Some(line), path));
        }
        let whole = recorded::whole(program, text).map_err(|failure| match failure.exit {
            Exit::NoInput => Failure { message: format!("there is no file `{text}`, and {}", failure.message), ..failure },
            _ => failure,
        })?;
        let change = whole.change.map_err(|error| {
            Failure::new(Exit::BadData, format!("the change `{text}` of the ledger cannot be read any more: {error}"))
        })?;
        Ok(Self::Ledger(Some(Box::new(Met { place: format!("change {} of the ledger", whole.recorded.row), change }))))
    }

    /// What is told of lines that are no change.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::File { name, .. } => name,
            Self::Ledger(_) => "ledger",
        }
    }

    /// The next change, or the place of a line that is none and why.
    pub(super) async fn next(&mut self) -> Result<Option<Result<Met, (String, String)>>, Failure> {
        let Self::File { name, recorded, wanted, line } = self else {
            let Self::Ledger(met) = self else { return Ok(None) };
            return Ok(met.take().map(|met| Ok(*met)));
        };
        loop {
            let next = recorded.next(line).await;
            let next = next.map_err(|error| Failure::input(format!("`{name}` cannot be read"), &error))?;
            match (next, *wanted) {
                (None, None) => return Ok(None),
                (None, Some(wanted)) => {
                    return Err(Failure::new(Exit::NoInput, format!("`{name}` has no change in line {wanted}"))
                        .with_hint(format!("it has {}", super::super::count(*line, "line"))));
                }
                (Some(_), Some(wanted)) if *line < wanted => {}
                (Some(_), Some(wanted)) if *line > wanted => {
                    return Err(Failure::new(Exit::NoInput, format!("line {wanted} of `{name}` is empty"))
                        .with_hint(format!("the next change is in line {line}")));
                }
                (Some(change), found) => {
                    if found.is_some() {
                        // The rest of the file is of no interest.
                        (*recorded, *wanted) = (Recorded::text("", ""), None);
                    }
                    let place = if name == "stdin" { format!("line {line}") } else { format!("{name}:{line}") };
                    let met = change.map(|change| Met { place, change });
                    return Ok(Some(met.map_err(|error| (format!("line {line}"), error))));
                }
            }
        }
    }
}

/// The changes of a file, which may be one change over several lines, where it is no longer than a line may be.
async fn open(file: &Path) -> Result<Recorded, Failure> {
    let is_short = file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_LINE as u64);
    if !is_short {
        return run::open(file).await;
    }
    let bytes = tokio::fs::read(file).await;
    let bytes = bytes.map_err(|error| Failure::input(format!("`{}` cannot be read", file.display()), &error))?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    Ok(lines(&name, bytes))
}

/// Changes in lines; one that stands over several of them is brought into one.
fn lines(name: &str, mut bytes: Vec<u8>) -> Recorded {
    let is_of_several = bytes.trim_ascii().contains(&b'\n');
    if is_of_several && serde_json::from_slice::<IgnoredAny>(&bytes).is_ok() {
        // In JSON, the end of a line stands between tokens alone.
        bytes.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    }
    Recorded::new(name, Cursor::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::lines;

    async fn keys(text: &str) -> Vec<Result<String, u64>> {
        let mut recorded = lines("t", text.as_bytes().to_vec());
        let (mut keys, mut line) = (Vec::new(), 0);
        while let Some(next) = recorded.next(&mut line).await.unwrap() {
            keys.push(next.map(|change| change.key().to_string()).map_err(|_| line));
        }
        keys
    }

    #[tokio::test]
    async fn a_change_may_stand_over_several_lines() {
        let pretty = "\n{\n  \"operation\": \"insert\",\r\n  \"collection\": \"a\",\n  \"key\": \"a\\nb\",\n  \"after\": {}\n}\n";

        assert_eq!(keys(pretty).await, [Ok("a\nb".to_owned())]);
    }

    #[tokio::test]
    async fn several_changes_stand_in_a_line_each() {
        let change = |key: u8| format!("{{\"operation\":\"insert\",\"collection\":\"a\",\"key\":{key},\"after\":{{}}}}\n");

        assert_eq!(keys(&(change(1) + "{\n" + &change(2))).await, [Ok("1".to_owned()), Err(2), Ok("2".to_owned())]);
    }
}
