//! What went wrong in a transaction, and what follows from it?

use event_detector_runtime::LedgerError;
use rusqlite::{Error, ErrorCode};

/// Why a piece of work was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It cannot be done, and nothing of it was; what else stands in the transaction goes on.
    Refused(LedgerError),
    /// There is no space, or the disk does not write: the transaction is gone, and is tried again.
    Full(String),
    /// Another process writes for longer than is waited for: the transaction is tried again.
    Busy,
    /// What was read is not what was written: the transaction is gone.
    Damaged(String),
    /// Anything else: the transaction is gone.
    Failed(String),
}

impl Fault {
    /// What somebody is told who asked for the work.
    pub(crate) fn into_error(self) -> LedgerError {
        match self {
            Self::Refused(error) => error,
            Self::Full(_) => LedgerError::Full,
            Self::Busy => LedgerError::Failed("another process has been writing to it for too long".to_owned()),
            Self::Damaged(what) => LedgerError::Damaged(what),
            Self::Failed(what) => LedgerError::Failed(what),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match &error {
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull | ErrorCode::SystemIoFailure => Self::Full(text),
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(text),
                _ => Self::Failed(text),
            },
            Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::Utf8Error(..) => Self::Damaged(text),
            _ => Self::Failed(text),
        }
    }
}
