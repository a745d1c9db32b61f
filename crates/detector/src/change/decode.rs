//! How do bytes become a change, and what is said when they do not?

mod bson;
mod json;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use uuid::Uuid;

use crate::raw::json::{JsonFault, JsonFaultKind};

use super::images::Image;
use super::{AfterImage, Body, Change, Description, Operation, Shape, Text};

/// The largest body, so that places in it fit 32 bits.
const MAX_BYTES: usize = u32::MAX as usize;

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
    #[error("at `{pointer}`: {problem}")]
    Unacceptable {
        /// The JSON pointer (RFC 6901) of the value.
        pointer: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The object is none of the forms a change can have.
    #[error(
        "this JSON object is not a change: a Hasura payload has `event`, a MongoDB change event has `operationType`, \
         a recorded change has `operation`; found the keys {}{hint}", list(.keys)
    )]
    UnknownForm {
        /// The keys that were found.
        keys: Vec<String>,
        /// What to do about a form that is known but is no change.
        hint: &'static str,
    },
    /// A field that every change of this form has is not there, or is of another type.
    #[error("`{pointer}` is missing or is not {expected}")]
    MissingField {
        /// The JSON pointer of the field.
        pointer: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The operation is none that this form has.
    #[error("`{pointer}` is {found:?}; expected one of {expected}")]
    UnknownOperation {
        /// The JSON pointer of the field.
        pointer: &'static str,
        /// What was found.
        found: String,
        /// The operations of this form.
        expected: &'static str,
    },
    /// The images do not fit the operation.
    #[error("`{pointer}` does not fit the operation: {rule}")]
    InconsistentEvent {
        /// The JSON pointer of the image.
        pointer: &'static str,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The id is too long or has control characters.
    #[error("`{pointer}` is not usable as an id: expected 1 to 256 bytes without control characters")]
    BadId {
        /// The JSON pointer of the id.
        pointer: &'static str,
    },
    /// The bytes are not UTF-8, so they are not JSON.
    #[error("not UTF-8 at byte {at}; expected JSON text")]
    NotUtf8 {
        /// The offset of the first wrong byte.
        at: usize,
    },
    /// The bytes are not BSON.
    #[error("not BSON at byte {at}: expected {expected}")]
    InvalidBson {
        /// The offset of what is wrong.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
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
            Self::TooLarge => "too_large",
        }
    }
}

impl Change {
    /// Reads a MongoDB change event from its raw BSON, as `with_type::<RawDocumentBuf>()` delivers it.
    ///
    /// Only the envelope is looked at; the images are walked when a field is asked for.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are not BSON or not a change event.
    pub fn from_bson(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        bson::decode(bytes)
    }

    /// Reads a change from JSON text: a Hasura event trigger payload, a MongoDB change event in extended JSON (relaxed or
    /// canonical), or a change as [`to_json`](Self::to_json) writes it.
    ///
    /// The text is checked once, whole: it is JSON by RFC 8259, at most 128 deep, and no object repeats a key.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is not JSON or none of these forms.
    pub fn from_json(text: impl Into<String>) -> Result<Self, DecodeError> {
        json::decode(text.into())
    }

    /// As [`from_json`](Self::from_json), from bytes that should be UTF-8.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when they are not, or as there.
    pub fn from_json_bytes(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        String::from_utf8(bytes)
            .map_err(|error| DecodeError::NotUtf8 { at: error.utf8_error().valid_up_to() })
            .and_then(Self::from_json)
    }

    #[inline]
    fn new(body: Body, shape: Shape, operation: Operation) -> Self {
        Self {
            body,
            shape,
            operation,
            replacement: false,
            id: Text::Owned(Box::default()),
            own_id: true,
            database: Text::Owned(Box::default()),
            collection: Text::Owned(Box::default()),
            key: None,
            before: Image::NotCarried,
            after: Image::NotCarried,
            after_image: AfterImage::None,
            description: None,
            committed: None,
            transaction: None,
            session: None,
            found_correlation: None,
            source: None,
            context: serde_json::Map::new(),
            given_correlation: None,
            correlation: OnceLock::new(),
            session_values: OnceLock::<BTreeMap<_, _>>::new(),
            value: OnceLock::new(),
        }
    }

    /// Sets the images, and says where the one from after comes from.
    fn set_images(&mut self, (before, after): (Image, Image)) {
        self.after_image = if matches!(after, Image::Row(_)) { AfterImage::Exact } else { AfterImage::None };
        self.before = before;
        self.after = after;
    }

    /// An id for a change that has none of its own: the same bytes give the same id.
    fn content_id(bytes: &[u8]) -> Text {
        Text::Owned(Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes).to_string().into())
    }
}

fn is_empty(text: &Text) -> bool {
    match text {
        Text::Owned(text) => text.is_empty(),
        Text::At(span) => span.start == span.end,
    }
}

impl Operation {
    /// Whether it is one of a single document or row.
    fn of_rows(self) -> bool {
        matches!(self, Self::Insert | Self::Update | Self::Delete | Self::Manual)
    }
}

/// Whether a text can be an id: it is there, and does not garble a log.
fn is_id(text: &str) -> bool {
    is_token(text.as_bytes()) || (!text.is_empty() && !text.chars().any(char::is_control))
}

/// Whether bytes are visible ASCII, as every resume token is. (Looking at all of them is faster than stopping.)
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().fold(true, |all, byte| all & byte.is_ascii_graphic())
}

/// What MongoDB calls an operation; the second says that it is a replacement.
fn mongodb_operation(name: &str) -> (Operation, bool) {
    let operation = match name {
        "insert" => Operation::Insert,
        "update" => Operation::Update,
        "replace" => return (Operation::Update, true),
        "delete" => Operation::Delete,
        "create" => Operation::Create,
        "drop" => Operation::Drop,
        "rename" => Operation::Rename,
        "dropDatabase" => Operation::DropDatabase,
        "invalidate" => Operation::Invalidate,
        "modify" => Operation::Modify,
        "createIndexes" => Operation::CreateIndexes,
        "dropIndexes" => Operation::DropIndexes,
        "shardCollection" | "refineCollectionShardKey" | "reshardCollection" => Operation::Shard,
        _ => Operation::Other,
    };
    (operation, false)
}

impl Description {
    /// The description, unless it does not name what was written (a pipeline may have cut that away).
    fn said(self) -> Option<Self> {
        self.updated.map(|_| self)
    }
}

/// The images of a MongoDB change: what the operation has none of is absent, what the event lacks is not carried.
fn mongodb_images(operation: Operation, before: Image, after: Image) -> (Image, Image) {
    match operation {
        Operation::Insert => (Image::Absent, after),
        Operation::Update => (before, after),
        Operation::Delete => (before, Image::Absent),
        _ => (Image::Absent, Image::Absent),
    }
}

fn json_error(text: &str, fault: JsonFault) -> DecodeError {
    let problem = match &fault.kind {
        JsonFaultKind::Expected(expected) => {
            let mut at = fault.at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let head = &text[..at];
            let line_start = head.rfind('\n').map_or(0, |newline| newline + 1);
            let near = text[at..].chars().take(20).collect::<String>();
            return DecodeError::InvalidJson {
                line: head.matches('\n').count() + 1,
                column: head[line_start..].chars().count() + 1,
                near: if near.is_empty() { "the end".to_owned() } else { near.escape_debug().to_string() },
                expected,
            };
        }
        JsonFaultKind::TooDeep => format!("nested deeper than {} levels", crate::raw::json::MAX_DEPTH),
        JsonFaultKind::DuplicateKey(key) => format!("the key {key:?} stands twice in one object"),
        JsonFaultKind::LoneSurrogate => "text with half of a surrogate pair".to_owned(),
    };
    DecodeError::Unacceptable { pointer: fault.pointer(), problem }
}

fn list(keys: &[String]) -> String {
    if keys.is_empty() {
        "none".to_owned()
    } else {
        keys.iter().map(|key| format!("`{}`", key.escape_debug())).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests;
