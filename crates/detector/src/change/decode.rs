//! How do bytes become a change, and what is said when they do not?

mod bson;
mod error;
mod hasura;
mod json;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use uuid::Uuid;

use super::images::Image;
use super::memo::Memo;
use super::{AfterImage, Body, Change, Description, Operation, Shape, Text};

pub use error::DecodeError;

/// The largest body, so that places in it fit 32 bits.
const MAX_BYTES: usize = u32::MAX as usize;

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

    /// Reads a change from JSON text: a payload that Hasura posts, for an event trigger or for a scheduled trigger that has a
    /// name; a MongoDB change event in extended JSON (relaxed or canonical); or a change as [`to_json`](Self::to_json)
    /// writes it.
    ///
    /// A payload inside `{"payload": …, "version": "2"}` or `{"request": {"payload": …}}`, as Hasura's documentation and
    /// invocation log have it, is taken out; [`is_unwrapped`](Self::is_unwrapped) then says so. A scheduled trigger is a
    /// manual change of the collection of its name: the payload is the document after it, one that is no object is the
    /// document's one field `payload`, and a null is no document.
    ///
    /// The text is checked once, whole: it is JSON by RFC 8259, at most 128 deep, and no object repeats a key. Numbers may be
    /// of any size and are kept as they are written.
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
        utf8(bytes).and_then(Self::from_json)
    }

    /// Reads the body of a request that Hasura posts, more strictly than [`from_json`](Self::from_json), because its sender
    /// is there to be told.
    ///
    /// Only what Hasura posts is read: no MongoDB change event and no recorded change. The id is a UUID, and no text has the
    /// character `\u0000`, which PostgreSQL cannot hold. A scheduled trigger that has no name takes that of the `trigger` it
    /// was posted for.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is not JSON or none of these payloads.
    pub fn from_hasura(body: Vec<u8>, trigger: Option<&str>) -> Result<Self, DecodeError> {
        utf8(body).and_then(|text| hasura::decode(text, trigger))
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
            cause: None,
            delivery: None,
            unwrapped: false,
            source: None,
            context: serde_json::Map::new(),
            default_context: Vec::new(),
            given_correlation: None,
            correlation: OnceLock::new(),
            session_values: OnceLock::<BTreeMap<_, _>>::new(),
            memo: Memo::default(),
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

fn utf8(bytes: Vec<u8>) -> Result<String, DecodeError> {
    String::from_utf8(bytes).map_err(|error| DecodeError::not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()))
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

/// The operation that MongoDB calls so, by a name that need not be seen to be text; the second says that it is a replacement.
fn mongodb_operation(name: &[u8]) -> (Operation, bool) {
    let operation = match name {
        b"insert" => Operation::Insert,
        b"update" => Operation::Update,
        b"replace" => return (Operation::Update, true),
        b"delete" => Operation::Delete,
        b"create" => Operation::Create,
        b"drop" => Operation::Drop,
        b"rename" => Operation::Rename,
        b"dropDatabase" => Operation::DropDatabase,
        b"invalidate" => Operation::Invalidate,
        b"modify" => Operation::Modify,
        b"createIndexes" => Operation::CreateIndexes,
        b"dropIndexes" => Operation::DropIndexes,
        b"shardCollection" | b"refineCollectionShardKey" | b"reshardCollection" => Operation::Shard,
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

#[cfg(test)]
mod tests;
