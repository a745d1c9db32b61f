//! How are recorded changes played, one JSON object a line?

use std::io::Cursor;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use event_detector::{Change, DecodeError};
use event_detector_runtime::{Intake, LedgerError, NotTaken, Source, SourceEnd, SourceError};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

/// The longest line in bytes; the largest MongoDB event is 16 MiB, and JSON is longer than BSON.
pub const MAX_LINE: usize = 64 * 1024 * 1024;

/// Bytes that are read at a time.
const BUFFER: usize = 256 * 1024;

/// Changes recorded as JSON Lines: Hasura payloads, MongoDB change events, or changes as `Change::to_json` writes them.
///
/// Blank lines are skipped. A line that is not a change is rejected with its number, and the next one is read.
pub struct Recorded {
    name: String,
    /// What stands before the line's number in the id of a change that has none.
    place: String,
    lines: Box<dyn AsyncBufRead + Send + Unpin>,
    strict: bool,
    /// Whether a change that has no id is known by what it says, and not by where it stands.
    by_content: bool,
    bytes: u64,
}

/// A file of recorded changes that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read")]
pub struct OpenError {
    path: String,
    source: std::io::Error,
}

/// A line that ends a strict source.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not a change that can be taken, and the source is strict")]
struct Malformed {
    line: u64,
}

impl Recorded {
    /// The changes in the file at `path`.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let error = |source| OpenError { path: path.display().to_string(), source };
        let file = tokio::fs::File::open(path).await.map_err(error)?;
        if file.metadata().await.map_err(error)?.is_dir() {
            return Err(error(std::io::ErrorKind::IsADirectory.into()));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self::new(name, BufReader::with_capacity(BUFFER, file)))
    }

    /// The changes on standard input. What comes there at another time is something else, so the ids of changes that have none are of
    /// this process alone.
    pub fn stdin() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let place = format!("stdin-{}-{}", since.as_millis(), std::process::id());
        Self { place, ..Self::new("stdin", BufReader::with_capacity(BUFFER, tokio::io::stdin())) }
    }

    /// The changes in `text`.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(name, BufReader::new(Cursor::new(text.into().into_bytes())))
    }

    /// The changes that `lines` gives, from a source called `name`.
    pub fn new(name: impl Into<String>, lines: impl AsyncBufRead + Send + Unpin + 'static) -> Self {
        let name = name.into();
        Self { place: name.clone(), name, lines: Box::new(lines), strict: false, by_content: false, bytes: 0 }
    }

    /// Knows changes that have no id by what they say, so that equal ones have equal ids wherever they stand: for comparing runs.
    #[must_use]
    pub fn by_content(mut self) -> Self {
        self.by_content = true;
        self
    }

    /// The bytes that were read as lines so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends at the first line that is not a change, with an error.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// The next change or the reason why a line is none, with the line's number in `line`; `None` at the end.
    ///
    /// # Errors
    ///
    /// What kept the lines from being read.
    pub async fn next(&mut self, line: &mut u64) -> std::io::Result<Option<Result<Change, String>>> {
        let mut text = Vec::new();
        loop {
            text.clear();
            let taken = read_line(&mut self.lines, &mut text).await?;
            if taken == 0 {
                return Ok(None);
            }
            self.bytes += taken;
            *line += 1;
            if text.len() > MAX_LINE {
                return Ok(Some(Err(format!("the line is longer than {MAX_LINE} bytes"))));
            }
            if text.iter().any(|byte| !byte.is_ascii_whitespace()) {
                // The end of the line is no part of what is wrong with it.
                text.truncate(text.trim_ascii_end().len());
                let change = Change::from_json_bytes(text).map_err(|error| problem(&error));
                // Equal lines are different changes, so a change without an id is known by its place.
                let named = |change: Change| match change.has_own_id() || self.by_content {
                    true => change,
                    false => change.with_id(format!("{}:{line}", self.place)),
                };
                return Ok(Some(change.map(named)));
            }
        }
    }
}

/// What is wrong with a line; the line's own number is told beside it.
fn problem(error: &DecodeError) -> String {
    match error {
        DecodeError::InvalidJson { column, near, expected, .. } => {
            format!("not JSON at column {column}, near `{near}`: expected {expected}")
        }
        other => other.to_string(),
    }
}

/// Reads a line with its end into `text`, at most one byte more than [`MAX_LINE`] of it; returns its whole length, which is none at
/// the end of the input.
async fn read_line(lines: &mut (dyn AsyncBufRead + Send + Unpin), text: &mut Vec<u8>) -> std::io::Result<u64> {
    let mut length = 0;
    loop {
        let chunk = lines.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(length);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        let room = (MAX_LINE + 1).saturating_sub(text.len());
        text.extend_from_slice(&chunk[..taken.min(room)]);
        lines.consume(taken);
        length += taken as u64;
        if end.is_some() {
            return Ok(length);
        }
    }
}

impl Source for Recorded {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn run(mut self, intake: Intake) -> Result<SourceEnd, SourceError> {
        let mut line = 0;
        loop {
            let next = tokio::select! {
                biased;
                () = intake.stopping() => return Ok(stopped(line)),
                next = self.next(&mut line) => next?,
            };
            match next {
                None => return Ok(SourceEnd::Exhausted),
                Some(Ok(change)) => match intake.submit(change).await {
                    Ok(_taken) => {}
                    Err(NotTaken::Stopping) => return Ok(stopped(line - 1)),
                    // The file is another one than that of the same name that was read before.
                    Err(NotTaken::Ledger(error @ LedgerError::IdReused { .. })) => {
                        intake.reject(
                            format!("line {line}"),
                            format!("{error}; give the change an `id` of its own, or the file another name"),
                        );
                        if self.strict {
                            return Err(Malformed { line }.into());
                        }
                    }
                    Err(NotTaken::Ledger(error)) => return Err(error.into()),
                },
                Some(Err(problem)) => {
                    intake.reject(format!("line {line}"), &problem);
                    if self.strict {
                        return Err(Malformed { line }.into());
                    }
                }
            }
        }
    }
}

fn stopped(last: u64) -> SourceEnd {
    SourceEnd::Stopped { left: format!("everything from line {} on", last + 1) }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINE, Recorded};

    async fn all(mut recorded: Recorded) -> Vec<(u64, Result<String, String>)> {
        let mut line = 0;
        let mut all = Vec::new();
        while let Some(next) = recorded.next(&mut line).await.unwrap() {
            all.push((line, next.map(|change| change.id().to_owned())));
        }
        all
    }

    #[tokio::test]
    async fn lines_are_counted_blank_ones_too_and_a_bad_one_does_not_end_the_file() {
        let text = "{\"operation\":\"insert\",\"collection\":\"a\",\"after\":{}}\n\n  \r\nnonsense\n{\"id\":\"x\",\"operation\":\"delete\",\"collection\":\"a\"}";

        let all = all(Recorded::text("t.jsonl", text)).await;

        assert_eq!(all.len(), 3);
        assert_eq!(all[0], (1, Ok("t.jsonl:1".to_owned())));
        assert!(
            matches!(&all[1], (4, Err(problem)) if problem.contains("not JSON at column 1, near `nonsense`:")),
            "{:?}",
            all[1]
        );
        assert_eq!(all[2], (5, Ok("x".to_owned())));
    }

    #[tokio::test]
    async fn where_runs_are_compared_equal_changes_have_equal_ids_and_every_byte_is_counted() {
        let insert = r#"{"operation":"insert","collection":"a","after":{}}"#;
        let text = format!("{insert}\n\n{insert}\n{{\"id\":\"x\",\"operation\":\"delete\",\"collection\":\"a\"}}");
        let mut recorded = Recorded::text("t", text.as_str()).by_content();

        let mut ids = Vec::new();
        while let Some(next) = recorded.next(&mut 0).await.unwrap() {
            ids.push(next.unwrap().id().to_owned());
        }

        assert!(ids[0] == ids[1] && ids[2] == "x" && !ids[0].starts_with("t:"), "{ids:?}");
        assert_eq!(recorded.bytes(), text.len() as u64);
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused_and_its_memory_is_bounded() {
        let mut text = "x".repeat(MAX_LINE + 1_000);
        text.push_str("\n{\"operation\":\"delete\",\"collection\":\"a\"}\n");

        let all = all(Recorded::text("t", text)).await;

        assert!(matches!(&all[0], (1, Err(problem)) if problem.contains("longer than")));
        assert_eq!(all[1], (2, Ok("t:2".to_owned())));
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_names_its_path() {
        let error = Recorded::open(std::path::Path::new("no/such.jsonl")).await.err().unwrap();

        assert_eq!(error.to_string(), "`no/such.jsonl` cannot be read");
    }
}
