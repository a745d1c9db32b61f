//! What is said of bytes that are no change: what is wrong, where, what was expected, and the cure?

use std::borrow::Cow;

use crate::raw::json::{JsonFault, JsonFaultKind, MAX_DEPTH};

/// How much of a text that somebody sent is shown to him again.
const SHOWN_CHARS: usize = 60;

/// How many keys of an object that is no change are shown.
const SHOWN_KEYS: usize = 12;

/// The most bytes of a JSON pointer, whose steps are keys of any length.
const POINTER_BYTES: usize = 512;

/// Why bytes are not a change. Each says what was wrong, where, and what was expected; [`code`](Self::code) is stable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes, or only white space.
    #[error(
        "the body is empty; expected a change as JSON: a Hasura event trigger payload, a MongoDB change event, or a recorded change"
    )]
    EmptyBody,
    /// The text is not JSON.
    #[error("not JSON at line {line}, column {column}, near `{near}`: expected {expected}")]
    InvalidJson {
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// What stands there.
        near: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The text is JSON but no object.
    #[error("expected a JSON object, found {found}")]
    NotAnObject {
        /// The type that was found.
        found: &'static str,
    },
    /// The text nests deeper than readers agree to follow, repeats a key, or holds text that cannot be written back.
    #[error("at {}: {problem}", place(.pointer))]
    Unacceptable {
        /// The JSON pointer (RFC 6901) of the value; one of more than 512 bytes is cut and ends in `…`.
        pointer: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The object is none of the forms that are read here.
    #[error("this JSON object is not a change: {expected}; found {}{}", list(.keys), and(.hint))]
    UnknownForm {
        /// How the forms that are read here are known.
        expected: &'static str,
        /// The keys that were found.
        keys: Vec<String>,
        /// What to do about a form that is known but not read here; empty for a form that is not known.
        hint: &'static str,
    },
    /// A field that every change of this form has is not there, or is of another type.
    #[error("`{pointer}` is missing or is not {expected}")]
    MissingField {
        /// The JSON pointer of the field.
        pointer: Cow<'static, str>,
        /// What it should be.
        expected: &'static str,
    },
    /// The operation is none that this form has.
    #[error("`{pointer}` is {:?}; expected one of {expected}", cut(.found))]
    UnknownOperation {
        /// The JSON pointer of the field.
        pointer: Cow<'static, str>,
        /// What was found.
        found: String,
        /// The operations of this form.
        expected: &'static str,
    },
    /// The images do not fit the operation.
    #[error("`{pointer}` does not fit the operation: {rule}")]
    InconsistentEvent {
        /// The JSON pointer of the image.
        pointer: Cow<'static, str>,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The id is too long, has control characters, or is no UUID where every id is one.
    #[error("`{pointer}` is not usable as an id: expected {expected}")]
    BadId {
        /// The JSON pointer of the id.
        pointer: Cow<'static, str>,
        /// What an id is here, with its limits.
        expected: &'static str,
    },
    /// The bytes are not UTF-8, so they are not JSON.
    #[error("not UTF-8 at byte {at}; expected JSON text")]
    NotUtf8 {
        /// The offset of the first wrong byte.
        at: usize,
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
    },
    /// The bytes are not BSON.
    #[error("not BSON at byte {at}: expected {expected}")]
    InvalidBson {
        /// The offset of what is wrong.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// What stands beside the bytes of a stored change was not written here.
    #[error("what is stored beside the change is not what was written: the store is damaged")]
    NotStored,
    /// The body is larger than 4 GiB.
    #[error("the body is larger than 4 GiB")]
    TooLarge,
}

impl DecodeError {
    /// The stable name of the problem, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptyBody => "empty_body",
            Self::InvalidJson { .. } | Self::NotUtf8 { .. } => "invalid_json",
            Self::NotAnObject { .. } => "not_an_object",
            Self::Unacceptable { .. } => "unacceptable_json",
            Self::UnknownForm { .. } => "unknown_form",
            Self::MissingField { .. } => "missing_field",
            Self::UnknownOperation { .. } => "unknown_op",
            Self::InconsistentEvent { .. } => "inconsistent_event",
            Self::BadId { .. } => "bad_id",
            Self::InvalidBson { .. } => "invalid_bson",
            Self::NotStored => "not_stored",
            Self::TooLarge => "too_large",
        }
    }

    /// The JSON pointer (RFC 6901) of the value that is wrong, where it is one value of a JSON text; the whole text is `""`.
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Self::Unacceptable { pointer, .. } => Some(pointer),
            Self::MissingField { pointer, .. }
            | Self::UnknownOperation { pointer, .. }
            | Self::InconsistentEvent { pointer, .. }
            | Self::BadId { pointer, .. } => Some(pointer),
            _ => None,
        }
    }

    /// The line of what is not JSON, counted from 1.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::InvalidJson { line, .. } | Self::NotUtf8 { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// The column of what is not JSON, in characters, counted from 1.
    pub fn column(&self) -> Option<usize> {
        match self {
            Self::InvalidJson { column, .. } | Self::NotUtf8 { column, .. } => Some(*column),
            _ => None,
        }
    }

    /// What to do about a body of a known form that is not read here; the message ends with it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownForm { hint, .. } => Some(*hint).filter(|hint| !hint.is_empty()),
            _ => None,
        }
    }

    /// The same, of an object that stands under `prefix` of what was sent.
    pub(super) fn under(mut self, prefix: &str) -> Self {
        match &mut self {
            Self::Unacceptable { pointer, .. } => pointer.insert_str(0, prefix),
            Self::MissingField { pointer, .. }
            | Self::UnknownOperation { pointer, .. }
            | Self::InconsistentEvent { pointer, .. }
            | Self::BadId { pointer, .. } => pointer.to_mut().insert_str(0, prefix),
            _ => {}
        }
        self
    }

    pub(super) fn missing(pointer: &'static str, expected: &'static str) -> Self {
        Self::MissingField { pointer: pointer.into(), expected }
    }

    pub(super) fn inconsistent(pointer: &'static str, rule: &'static str) -> Self {
        Self::InconsistentEvent { pointer: pointer.into(), rule }
    }

    pub(super) fn not_utf8(bytes: &[u8], at: usize) -> Self {
        let head = String::from_utf8_lossy(&bytes[..at]);
        let (line, column) = line_and_column(&head);
        Self::NotUtf8 { at, line, column }
    }

    pub(super) fn of_json(text: &str, fault: JsonFault) -> Self {
        let problem = match &fault.kind {
            JsonFaultKind::Expected(expected) => {
                let mut at = fault.at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                let (line, column) = line_and_column(&text[..at]);
                let near = text[at..].chars().take(20).collect::<String>();
                let near = if near.is_empty() { "the end".to_owned() } else { near.escape_debug().to_string() };
                return Self::InvalidJson { line, column, near, expected };
            }
            JsonFaultKind::TooDeep => format!("nested deeper than {MAX_DEPTH} levels"),
            JsonFaultKind::DuplicateKey(key) => format!("the key {:?} stands twice in one object", cut(key)),
            JsonFaultKind::LoneSurrogate => "text with half of a surrogate pair".to_owned(),
            JsonFaultKind::Nul => "the character \\u0000, which no text of PostgreSQL can hold".to_owned(),
        };
        Self::Unacceptable { pointer: bounded(fault.pointer()), problem }
    }
}

/// Where `head` ends, both counted from 1.
fn line_and_column(head: &str) -> (usize, usize) {
    let line_start = head.rfind('\n').map_or(0, |newline| newline + 1);
    (head.matches('\n').count() + 1, head[line_start..].chars().count() + 1)
}

/// A JSON pointer in a sentence.
fn place(pointer: &str) -> Cow<'_, str> {
    if pointer.is_empty() { "the top level".into() } else { format!("`{}`", pointer.escape_debug()).into() }
}

fn bounded(mut pointer: String) -> String {
    if pointer.len() > POINTER_BYTES {
        let end = (0..=POINTER_BYTES).rev().find(|at| pointer.is_char_boundary(*at)).unwrap_or_default();
        pointer.truncate(end);
        pointer.push('…');
    }
    pointer
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

fn list(keys: &[String]) -> String {
    if keys.is_empty() {
        return "no keys".to_owned();
    }
    let mut shown: Vec<String> = keys.iter().take(SHOWN_KEYS).map(|key| format!("`{}`", cut(key).escape_debug())).collect();
    match keys.len().saturating_sub(SHOWN_KEYS) {
        0 => {}
        more => shown.push(format!("{more} more")),
    }
    format!("the keys {}", shown.join(", "))
}

fn and(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; {hint}") }
}
