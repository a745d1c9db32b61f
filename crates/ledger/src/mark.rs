//! How many transactions were promised to be on disk?
//!
//! SQLite drops the end of a damaged write-ahead log without a word. So the number of transactions stands in a file beside it, too, and
//! a database that knows of fewer has lost some.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::files::open_private;

/// So old a mark may be on disk; a younger one is there as well, unless the power fails.
const SYNCED_WITHIN: Duration = Duration::from_secs(1);

const LENGTH: usize = 28;
const MAGIC: [u8; 8] = *b"detmark1";

/// What a mark says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Promised {
    pub(crate) commits: u64,
    pub(crate) generation: u64,
}

/// What stands in the file of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is none.
    Missing,
    /// It is no mark, or not one that was written whole.
    Damaged,
    /// This was promised.
    Promised(Promised),
}

/// The file that holds the mark.
#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    synced_at: Instant,
    is_synced: bool,
    is_failing: bool,
}

impl Mark {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: open_private(path)?, synced_at: Instant::now(), is_synced: true, is_failing: false })
    }

    /// Writes down what is promised from here on. A mark that cannot be written is said once: the ledger goes on without it.
    pub(crate) fn write(&mut self, promised: Promised) {
        let bytes = encode(promised);
        let written = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(&bytes));
        self.is_synced = false;
        match written {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::error!(%error, "the ledger's mark cannot be written, so the loss of its last transactions would go unnoticed");
            }
            Err(_) => {}
        }
    }

    /// Waits until the mark is on disk, where that was not seen to for a second.
    pub(crate) fn sync_now_and_then(&mut self) {
        if !self.is_synced && self.synced_at.elapsed() >= SYNCED_WITHIN {
            self.sync();
        }
    }

    /// Waits until the mark is on disk.
    pub(crate) fn sync(&mut self) {
        if let Err(error) = self.file.sync_data() {
            tracing::warn!(%error, "the ledger's mark may not be on disk");
        }
        self.is_synced = true;
        self.synced_at = Instant::now();
    }
}

/// What stands in the file.
pub(crate) fn read(path: &Path) -> io::Result<Found> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(LENGTH as u64 + 1).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    Ok(if bytes.is_empty() { Found::Missing } else { decode(&bytes).map_or(Found::Damaged, Found::Promised) })
}

fn encode(promised: Promised) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&promised.commits.to_le_bytes());
    bytes[16..24].copy_from_slice(&promised.generation.to_le_bytes());
    let sum = crc32fast::hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Promised> {
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let promised = Promised { commits: number(8)?, generation: number(16)? };
    (bytes == encode(promised)).then_some(promised)
}

#[cfg(test)]
mod tests {
    use super::{Found, Mark, Promised, read};

    #[test]
    fn a_mark_is_read_as_it_was_written_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        assert_eq!(read(&path).unwrap(), Found::Missing);

        let mut mark = Mark::open(&path).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Missing);
        for commits in [7, 300] {
            mark.write(Promised { commits, generation: 2 });
            mark.sync();
            assert_eq!(read(&path).unwrap(), Found::Promised(Promised { commits, generation: 2 }));
        }
    }

    #[test]
    fn a_mark_with_any_other_byte_or_length_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        Mark::open(&path).unwrap().write(Promised { commits: 9, generation: 1 });
        let whole = std::fs::read(&path).unwrap();

        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            std::fs::write(&path, flipped).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Damaged, "byte {at}");
            if at > 0 {
                std::fs::write(&path, &whole[..at]).unwrap();
                assert_eq!(read(&path).unwrap(), Found::Damaged, "{at} bytes");
            }
        }
        std::fs::write(&path, [whole, vec![0]].concat()).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Damaged);
    }
}
