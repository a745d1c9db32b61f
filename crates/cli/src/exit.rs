//! With which code and words does the program end?
//! (Codes: sysexits.h for 65 and above.)

use std::fmt;
use std::process::ExitCode;

use crate::terminal::{clean_lines, say, say_json};

/// What the program's exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    /// A job or an event's own code failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// An input is not what it should be.
    BadData = 65,
    /// An input is not there or cannot be read.
    NoInput = 66,
    /// A source cannot go on.
    Unavailable = 69,
    /// The program contradicts itself: a fault of its own.
    Internal = 70,
    /// A file cannot be written, or would have to be overwritten.
    CannotCreate = 73,
    /// Another program owns the ledger: later it may work.
    Locked = 75,
    /// An input may not be read.
    Permission = 77,
    /// The configuration, or the set of events, is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early: what was wrong, and how to cure it where that is not in the words.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), hint: None }
    }

    /// An input that cannot be read, by the reason.
    pub(crate) fn input(message: impl fmt::Display, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::NoInput,
        };
        Self::new(exit, format!("{message}: {error}"))
    }

    pub(crate) fn with_hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Says it on standard error, as JSON where the output is JSON.
    pub(crate) fn print(&self, json: bool) {
        let message = self.message.trim_end();
        if json {
            say_json(&serde_json::json!({ "error": { "code": self.exit as u8, "message": message, "hint": self.hint } }));
        } else {
            let hint = self.hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            say(&clean_lines(&format!("error: {message}{hint}")));
        }
    }
}
