//! What does an error of a change stream mean?
//! (Codes: MongoDB's `error_codes.yml`; what a server was seen to answer is tabled in the tests.)

use std::fmt;
use std::time::Duration;

use mongodb::error::{Error, ErrorKind};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It passes: open the stream again behind the last change.
    Resume,
    /// The history after the last change is gone.
    Lost,
    /// The position is none of this stream.
    Elsewhere,
    /// The next change is too large for one message.
    Oversize,
    /// The user may not do this, or is none.
    Denied,
    /// What was asked for cannot be had here.
    Config,
    /// None of these.
    Unknown,
}

/// Why a change stream is not read any further.
#[derive(Debug)]
pub(super) enum Fault {
    Driver(Error),
    /// The server has not answered for this long.
    Stalled(Duration),
}

/// Why the changes of a MongoDB deployment cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MongoDbError {
    /// The connection string is none.
    #[error("the connection string is not valid: {reason}; expected e.g. `mongodb://host:27017/?replicaSet=rs0`")]
    ConnectionString {
        /// What is wrong with it; no password is in it.
        reason: String,
    },
    /// No server answers.
    #[error("no MongoDB answers at {hosts}: {reason}")]
    Unreachable {
        /// The hosts that were asked.
        hosts: String,
        /// What the driver says.
        reason: String,
    },
    /// The server is alone, and so has no change streams.
    #[error(
        "the server at {hosts} is no member of a replica set, and change streams need one (server code 40573); start it with \
         `mongod --replSet rs0` and run `rs.initiate()` once in mongosh, also for a single server"
    )]
    Standalone {
        /// The hosts that were asked.
        hosts: String,
    },
    /// The server is too old.
    #[error("the server is MongoDB {version}, and documents before a change need 6.0 or newer")]
    TooOld {
        /// The server's version.
        version: String,
    },
    /// The user may not watch, or is none.
    #[error(
        "the server denies access (code {code}): {reason}; watching a database needs the actions `changeStream` and `find` on it \
         (the built-in role `read` has both), and watching several needs them on all (`readAnyDatabase`)"
    )]
    Denied {
        /// The server's code: 13 or 18.
        code: i32,
        /// What the server says.
        reason: String,
    },
    /// The oplog no longer has what came after the last change that was handed over.
    #[error(
        "the changes after {after} are no longer in the server's oplog (code {code}), so some were missed; compare what was \
         written since, and go on from now with `on_gap = \"skip\"` under `[mongodb]`; a larger oplog (`replSetResizeOplog`) or a \
         faster restart prevents it"
    )]
    HistoryLost {
        /// The cluster time of the last change that was handed over.
        after: String,
        /// The server's code: 286 or 280.
        code: i32,
    },
    /// What was asked for cannot be had here.
    #[error("the server refuses the change stream (code {code}): {reason}")]
    Refused {
        /// The server's code.
        code: i32,
        /// What the server says.
        reason: String,
    },
    /// An error of an unknown kind that does not pass.
    #[error("the change stream cannot be kept open after {after}: {reason}")]
    Failed {
        /// The cluster time of the last change that was handed over.
        after: String,
        /// What the driver or server says.
        reason: String,
    },
    /// The position that was kept is of another deployment.
    #[error(
        "the position that was kept for the source is of {kept}, and this is {here}, whose history is another; name the deployment \
         that was watched before, or say where to begin in this one: `--start now`, or `--start TIME`"
    )]
    OtherDeployment {
        /// Where the position is of.
        kept: String,
        /// What is watched now.
        here: String,
    },
    /// The source is to begin where nothing has happened yet.
    #[error("the source is to start at {start}, and the server's time is {now}; expected a time that is over, or `now`")]
    Start {
        /// Where it was to begin.
        start: String,
        /// The server's cluster time.
        now: String,
    },
    /// What was kept as a position is none.
    #[error("the position that was kept for the source is not one that it wrote")]
    Position,
}

impl Fault {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Stalled(_) => Class::Resume,
            Self::Driver(error) => classify(error),
        }
    }

    /// The error that ends a source whose last change was at `after`.
    pub(super) fn into_error(self, class: Class, after: String) -> MongoDbError {
        let (code, reason) = match &self {
            Self::Driver(error) => (code(error).unwrap_or(0), words(error)),
            Self::Stalled(_) => (0, self.to_string()),
        };
        match class {
            Class::Lost | Class::Elsewhere => MongoDbError::HistoryLost { after, code },
            Class::Denied => MongoDbError::Denied { code: denied_code(code), reason },
            Class::Config => MongoDbError::Refused { code, reason },
            Class::Resume | Class::Oversize | Class::Unknown => MongoDbError::Failed { after, reason },
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) => formatter.write_str(&words(error)),
            Self::Stalled(limit) => write!(formatter, "the server has not answered for {}", humantime::format_duration(*limit)),
        }
    }
}

/// What the server or driver says, without the driver's account of labels and replies.
pub(super) fn words(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::Command(command) => format!("{} ({} {})", command.message, command.code, command.code_name),
        kind => kind.to_string(),
    }
}

/// The server's code, if it answered with one.
pub(super) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

/// The code of an authentication that failed on the driver's side, where the server's own is not told.
fn denied_code(code: i32) -> i32 {
    if code == 0 { 18 } else { code }
}

pub(super) fn classify(error: &Error) -> Class {
    match &*error.kind {
        ErrorKind::Authentication { .. } => Class::Denied,
        ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } | ErrorKind::IncompatibleServer { .. } => {
            Class::Config
        }
        ErrorKind::Command(command) => classify_code(command.code, error.contains_label("ResumableChangeStreamError")),
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::InvalidResponse { .. } => Class::Resume,
        _ => Class::Unknown,
    }
}

fn classify_code(code: i32, resumable: bool) -> Class {
    match code {
        // BSONObjectTooLarge; since 6.1 ChangeStreamFatalError is 280 and never this.
        10_334 => Class::Oversize,
        // ChangeStreamHistoryLost. Where a cursor fell off the oplog, CappedPositionLost, the next stream is told it.
        286 => Class::Lost,
        // ChangeStreamFatalError: the event of the position is not in the stream.
        280 => Class::Elsewhere,
        // Unauthorized, AuthenticationFailed.
        13 | 18 => Class::Denied,
        // BadValue, FailedToParse, unknown stage or operator, no replica set, not last, resume tokens that are none.
        2 | 9 | 15 | 20 | 72 | 73 | 166 | 260 | 40_324 | 40_573 | 40_647 | 7_182_802 => Class::Config,
        // HostUnreachable, HostNotFound, CursorNotFound, NetworkTimeout, ShutdownInProgress, PrimarySteppedDown, and their kin.
        6 | 7 | 43 | 63 | 89 | 91 | 133 | 136 | 150 | 189 | 234 | 237 | 262 | 9_001 | 10_107 | 11_600 | 11_602 | 13_388
        | 13_435 | 13_436 => Class::Resume,
        _ if resumable => Class::Resume,
        _ => Class::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, classify_code};

    #[test]
    fn what_a_server_was_seen_to_answer_has_its_class() {
        for (code, resumable, class) in [
            (286, false, Class::Lost),
            (136, false, Class::Resume),
            (280, false, Class::Elsewhere),
            (10_334, false, Class::Oversize),
            (13, false, Class::Denied),
            (18, false, Class::Denied),
            (2, false, Class::Config),
            (9, false, Class::Config),
            (15, false, Class::Config),
            (20, false, Class::Config),
            (73, false, Class::Config),
            (166, false, Class::Config),
            (260, false, Class::Config),
            (40_573, false, Class::Config),
            (40_647, false, Class::Config),
            (7_182_802, false, Class::Config),
            (43, false, Class::Resume),
            (189, true, Class::Resume),
            (11_602, true, Class::Resume),
            (99_999, true, Class::Resume),
            (47, false, Class::Unknown),
            (99_999, false, Class::Unknown),
        ] {
            assert_eq!(classify_code(code, resumable), class, "{code}");
        }
    }
}
