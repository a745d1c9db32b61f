//! Why can a ledger not be opened?

use std::io;
use std::path::PathBuf;

use event_detector_runtime::Millis;

use crate::fault::Fault;

/// Why a ledger cannot be opened. It is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process owns it.
    #[error("the ledger belongs to process {pid} on `{host}` since {since} ms; stop that one first, or use another folder")]
    Locked {
        /// Its process number; 0 while it has not written it down.
        pid: u32,
        /// The machine it runs on.
        host: String,
        /// When it took the ledger, in milliseconds since 1970.
        since: Millis,
    },
    /// A later version of this program wrote it.
    #[error("the ledger's tables are of version {found}, and this program knows up to version {supported}; use a newer program")]
    Newer {
        /// The version of the tables.
        found: u32,
        /// The newest version that this program knows.
        supported: u32,
    },
    /// An earlier version of this program wrote it, and whoever opens it may not change its tables.
    #[error("the ledger's tables are of version {found}, and this program needs version {needed}; `ledger migrate` changes them")]
    Older {
        /// The version of the tables.
        found: u32,
        /// The version that is needed.
        needed: u32,
    },
    /// It is damaged, or is no ledger.
    #[error("the ledger is damaged: {0}; `ledger check` says what is left of it, and a backup can be put in its place")]
    Damaged(String),
    /// There is none.
    #[error("there is no ledger in `{}`", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// A file of it cannot be used.
    #[error("`{}` cannot be used", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Anything else that the store says.
    #[error("the ledger cannot be opened: {0}")]
    Failed(String),
}

impl OpenError {
    /// The error of a file.
    pub(crate) fn file(path: PathBuf) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path, source }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged(what) => Self::Damaged(what),
            Fault::Full(what) => Self::Failed(format!("the disk is full or does not write: {what}")),
            other => Self::Failed(other.into_error().to_string()),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Fault::from(error).into()
    }
}
