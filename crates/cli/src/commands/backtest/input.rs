//! Where do the changes come from that events are tried on?

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use event_detector::Change;
use event_detector_ledger::{Content, Coverage, LostPart, Reader};
use event_detector_runtime::ChangeRow;
use event_detector_sources::Recorded;
use serde_json::{Map, Value};

use crate::app::Program;
use crate::args::Backtest;
use crate::commands::recorded::{failure, open as open_ledger};
use crate::commands::run::open;
use crate::exit::{Exit, Failure};

/// So many changes of a ledger are read at a time.
const PAGE: u32 = 500;

/// What a file that is packed begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The changes that events are tried on, one after another.
pub(super) struct Input {
    from: From,
    /// The program's own context, which is not recorded.
    context: Map<String, Value>,
}

enum From {
    Files(Files),
    Ledger(Box<Stored>),
}

struct Files {
    names: std::vec::IntoIter<PathBuf>,
    open: Option<(PathBuf, Recorded)>,
    line: u64,
    /// The bytes of the files before the one that is open.
    before: u64,
    total: Option<u64>,
}

struct Stored {
    reader: Reader,
    page: std::vec::IntoIter<Content>,
    row: ChangeRow,
    met: u64,
    covers: Covers,
}

/// What a ledger holds, and what it does not.
#[derive(Debug, Clone)]
pub(super) struct Covers {
    pub(super) coverage: Coverage,
    pub(super) gaps: Vec<LostPart>,
}

impl Input {
    /// Finds all that is named, so that what is not there is told first.
    pub(super) fn find(program: &Program, what: &Backtest) -> Result<Self, Failure> {
        let context = program.settings.context.clone();
        if what.is_of_ledger() {
            let reader = open_ledger(program)?;
            let covers = Covers { coverage: reader.coverage().map_err(failure)?, gaps: reader.gaps().map_err(failure)? };
            let stored = Stored { reader, page: Vec::new().into_iter(), row: 0, met: 0, covers };
            return Ok(Self { from: From::Ledger(Box::new(stored)), context });
        }
        if what.file.is_empty() {
            return Err(Failure::new(Exit::Usage, "nothing says on which changes the events are to be tried").with_hint(
                "name a file of recorded changes (`-` is standard input), or say `--ledger`; `record` makes such a file",
            ));
        }
        let sizes = what.file.iter().map(|file| size(file)).collect::<Result<Vec<_>, _>>()?;
        let files =
            Files { names: what.file.clone().into_iter(), open: None, line: 0, before: 0, total: sizes.into_iter().sum() };
        Ok(Self { from: From::Files(files), context })
    }

    /// The next change, or why what stands in its place is none; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Result<Change, String>>, Failure> {
        let next = match &mut self.from {
            From::Files(files) => files.next().await?,
            From::Ledger(stored) => stored.next()?,
        };
        Ok(next.map(|change| {
            change.map(|mut change| {
                change.add_default_context(&self.context);
                change
            })
        }))
    }

    /// Where the change stands that came last.
    pub(super) fn place(&self) -> String {
        match &self.from {
            From::Files(files) => {
                let name = files.open.as_ref().map(|(path, _)| name(path)).unwrap_or_default();
                format!("{name}:{}", files.line)
            }
            From::Ledger(stored) => format!("row {}", stored.row),
        }
    }

    /// What all of it is called.
    pub(super) fn name(&self, what: &Backtest) -> String {
        match (&self.from, what.file.as_slice()) {
            (From::Ledger(_), _) => "the ledger".to_owned(),
            (From::Files(_), [one]) => name(one),
            (From::Files(_), several) => format!("{} files", several.len()),
        }
    }

    /// How far it has been read, of [`total`](Self::total).
    pub(super) fn position(&self) -> u64 {
        match &self.from {
            From::Files(files) => files.before + files.open.as_ref().map_or(0, |(_, open)| open.bytes()),
            From::Ledger(stored) => stored.met,
        }
    }

    /// How much there is, where that is known.
    pub(super) fn total(&self) -> Option<u64> {
        match &self.from {
            From::Files(files) => files.total,
            From::Ledger(stored) => Some(stored.covers.coverage.changes),
        }
    }

    /// What the ledger holds; nothing for files.
    pub(super) fn covers(&self) -> Option<&Covers> {
        match &self.from {
            From::Files(_) => None,
            From::Ledger(stored) => Some(&stored.covers),
        }
    }
}

impl Files {
    async fn next(&mut self) -> Result<Option<Result<Change, String>>, Failure> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.names.next() else { return Ok(None) };
                let recorded = open(&path).await?.by_content();
                self.open = Some((path, recorded));
                self.line = 0;
            }
            let Some((path, recorded)) = &mut self.open else { return Ok(None) };
            let next = recorded.next(&mut self.line).await;
            match next.map_err(|error| Failure::input(format!("`{}` cannot be read", path.display()), &error))? {
                Some(next) => return Ok(Some(next)),
                None => {
                    self.before += recorded.bytes();
                    self.open = None;
                }
            }
        }
    }
}

impl Stored {
    fn next(&mut self) -> Result<Option<Result<Change, String>>, Failure> {
        if self.page.len() == 0 {
            self.page = self.reader.contents(self.row, PAGE).map_err(failure)?.into_iter();
        }
        Ok(self.page.next().map(|Content { row, change }| {
            self.row = row;
            self.met += 1;
            change
        }))
    }
}

/// The size of a file that has one; standard input has none, nor has a pipe.
fn size(path: &Path) -> Result<Option<u64>, Failure> {
    if path == Path::new("-") {
        return Ok(None);
    }
    let cannot = |error: std::io::Error| Failure::input(format!("`{}` cannot be read", path.display()), &error);
    let about = std::fs::metadata(path).map_err(cannot)?;
    if about.is_dir() {
        return Err(cannot(std::io::ErrorKind::IsADirectory.into()));
    }
    if !about.is_file() {
        return Ok(None);
    }
    let mut begins = [0; GZIP.len()];
    if File::open(path).map_err(cannot)?.read_exact(&mut begins).is_ok() && begins == GZIP {
        let name = path.display();
        return Err(Failure::new(Exit::BadData, format!("`{name}` is packed"))
            .with_hint(format!("unpack it on the way: `gzip -dc {name} | … backtest -`")));
    }
    Ok(Some(about.len()))
}

/// What a file is called in messages.
fn name(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}
