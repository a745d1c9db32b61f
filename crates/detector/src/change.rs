//! What is a change: the bytes it came in, and what everybody may ask of it?

mod after;
mod build;
mod cure;
mod decode;
mod delivery;
mod images;
mod memo;
mod query;
mod reads;
mod same;
mod stored;
mod touched;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use uuid::Uuid;

use crate::number::Number;
use crate::raw::json::Span;
use crate::raw::{Kind, Malformed, Raw};
use crate::value::{Origin, Reading, Value};

pub use build::ChangeBuilder;
pub use cure::nearest;
pub use decode::DecodeError;
use images::{Image, Slot};
use memo::Memo;
pub use reads::{ChangedColumns, Side};
pub use stored::{StoredChange, StoredForm};
pub(crate) use touched::Others;

/// One change of one document or row, as a source delivered it.
///
/// It keeps the bytes it came in and decodes a field when it is asked for. `Change` is `Send + Sync`; what it remembers of
/// earlier reads never depends on who asked.
pub struct Change {
    body: Body,
    shape: Shape,
    operation: Operation,
    replacement: bool,
    id: Text,
    own_id: bool,
    database: Text,
    collection: Text,
    key: Option<Slot>,
    before: Image,
    after: Image,
    after_image: AfterImage,
    description: Option<Description>,
    committed: Option<Slot>,
    transaction: Option<(Slot, Slot)>,
    session: Option<Slot>,
    /// What the correlation id is taken from: a record's own, or a payload's trace.
    cause: Option<Slot>,
    delivery: Option<Slot>,
    unwrapped: bool,
    source: Option<Arc<str>>,
    context: serde_json::Map<String, serde_json::Value>,
    /// The names in the context that are the program's own, and no part of what was delivered.
    default_context: Vec<Box<str>>,
    given_correlation: Option<Box<str>>,
    correlation: OnceLock<String>,
    session_values: OnceLock<BTreeMap<String, String>>,
    memo: Memo,
    value: OnceLock<Result<serde_json::Value, Malformed>>,
}

/// The bytes a change came in.
enum Body {
    /// The first `event` bytes are what came; behind them stands what was computed from it.
    Bson {
        bytes: Vec<u8>,
        event: usize,
    },
    Json(String),
}

/// Who wrote the bytes, and so what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    MongoDb,
    Hasura,
    /// Hasura's too, of a trigger that has a schedule and no table.
    Scheduled,
    /// The form of this crate: what [`Change::to_json`] writes, with extended JSON values.
    Recorded,
}

/// A text inside the body, or beside it where the body has it in another form.
enum Text {
    At(Span),
    Owned(Box<str>),
}

/// MongoDB's account of an update: what was written, removed and cut.
#[derive(Debug, Clone, Copy, Default)]
struct Description {
    updated: Option<Slot>,
    removed: Option<Slot>,
    truncated: Option<Slot>,
    /// The steps of paths that could be read in two ways.
    disambiguated: Option<Slot>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Operation {
    /// A document or row came into being.
    Insert,
    /// A document or row changed; a MongoDB `replace` is an update too.
    Update,
    /// A document or row is gone.
    Delete,
    /// Somebody asked for the event by hand.
    Manual,
    /// A collection came into being.
    Create,
    /// A collection is gone.
    Drop,
    /// A collection has another name.
    Rename,
    /// A database is gone.
    DropDatabase,
    /// The stream ended because what it watched is gone.
    Invalidate,
    /// A collection's options changed.
    Modify,
    /// Indexes were made.
    CreateIndexes,
    /// Indexes were dropped.
    DropIndexes,
    /// A collection was sharded, or sharded anew.
    Shard,
    /// A kind of change that this version does not know.
    Other,
}

/// Where the document after an update comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterImage {
    /// It is the document as this change left it.
    Exact,
    /// It was computed from the document before the change and the update's description; as good as exact.
    Computed,
    /// It was looked up later, and may contain later changes.
    Lookup,
    /// The change carries none, and none can be computed: a field name has a dot, so that the update's description means two
    /// things.
    Ambiguous,
    /// The change carries none, or there is none to carry.
    None,
}

impl Change {
    /// The id of the change, unique in its source and the same when it is delivered again.
    ///
    /// MongoDB: the resume token. Hasura: the id of the event, also of a scheduled one.
    pub fn id(&self) -> &str {
        self.text(&self.id)
    }

    /// Whether the source gave the id; else it follows from the content, and equal changes have equal ids.
    pub fn has_own_id(&self) -> bool {
        self.own_id
    }

    /// The name of the source that delivered it; empty when nobody said.
    pub fn source(&self) -> &str {
        self.source.as_deref().unwrap_or_default()
    }

    /// The database (MongoDB) or schema (Hasura); empty for a scheduled trigger.
    pub fn database(&self) -> &str {
        self.text(&self.database)
    }

    /// The collection (MongoDB) or table (Hasura), or the name of a scheduled trigger.
    pub fn collection(&self) -> &str {
        self.text(&self.collection)
    }

    /// What was done.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Whether a document or row came into being.
    pub fn is_insert(&self) -> bool {
        self.operation == Operation::Insert
    }

    /// Whether a document or row changed.
    pub fn is_update(&self) -> bool {
        self.operation == Operation::Update
    }

    /// Whether a document or row is gone.
    pub fn is_delete(&self) -> bool {
        self.operation == Operation::Delete
    }

    /// Whether somebody asked for the event by hand.
    pub fn is_manual(&self) -> bool {
        self.operation == Operation::Manual
    }

    /// Whether a MongoDB update came as a `replace`. The server itself turns an update by pipeline into one when that is
    /// shorter, so it does not say that somebody called `replaceOne`.
    pub fn is_replacement(&self) -> bool {
        self.replacement
    }

    /// The document key: the `_id`, the whole key where a sharded collection has more, or the column `id` of a row (`_id`, where
    /// it has no `id`).
    pub fn key(&self) -> Value<'_> {
        Value::new(self.key_reading(), Origin::Key(self))
    }

    /// Where [`after`](Self::after) takes its values from.
    pub fn after_image(&self) -> AfterImage {
        self.after_image
    }

    /// When the change was committed, as far as the source says: MongoDB's wall time, Hasura's `created_at` or `scheduled_time`.
    pub fn committed_at(&self) -> Option<bson::DateTime> {
        self.slot_value(self.committed?).as_datetime()
    }

    /// What ties together the changes of one MongoDB transaction: its session and number.
    pub fn transaction(&self) -> Option<String> {
        let (session, number) = self.transaction?;
        Some(format!("{}:{}", self.slot_value(session), self.slot_value(number)))
    }

    /// The user on whose behalf the change was made: the session's email, `system` for the role `admin`.
    pub fn user(&self) -> Option<String> {
        let user = self.session("x-hasura-user-email").or_else(|| self.role().filter(|role| *role == "admin").map(|_| "system"));
        user.map(str::to_owned)
    }

    /// The role of the session that made the change.
    pub fn role(&self) -> Option<&str> {
        self.session("x-hasura-role")
    }

    /// A session variable; names are compared without regard to case.
    pub fn session(&self, name: &str) -> Option<&str> {
        let values = self.session_values.get_or_init(|| {
            let members = self.session.map(|slot| self.raw(slot).entries().unwrap_or_default()).unwrap_or_default();
            let text = |raw: Raw<'_>| Value::new(Reading::Known(raw), Origin::Inside).to_string();
            let given = members.into_iter().filter(|(_, raw)| !matches!(raw.kind(), Ok(Kind::Null)));
            given.map(|(key, raw)| (key.to_ascii_lowercase(), text(raw))).collect()
        });
        values.get(name.to_ascii_lowercase().as_str()).map(String::as_str)
    }

    /// A value of the injected context, such as a feature flag.
    ///
    /// `current_retry` and `max_retries` of Hasura's delivery are found here too, where nobody injected a value of that name.
    pub fn context(&self, name: &str) -> Value<'_> {
        let reading = self.context.get(name).map_or_else(|| self.of_delivery(name), |value| Reading::Known(Raw::Tree(value)));
        Value::new(reading, Origin::Inside)
    }

    /// The whole injected context; what is of the delivery is not in it.
    pub fn contexts(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.context
    }

    /// The id that ties together everything that follows from one cause: the one given, else the one found in the change
    /// (session variable `x-correlation-id` or `x-request-id`, the trace id), else a new UUID of version 7.
    pub fn correlation_id(&self) -> &str {
        self.correlation.get_or_init(|| self.known_correlation_id().unwrap_or_else(|| Uuid::now_v7().to_string()))
    }

    /// The correlation id that was given, or that the change itself carries.
    fn known_correlation_id(&self) -> Option<String> {
        let usable = |id: &str| Some(id.to_owned()).filter(|id| !id.is_empty());
        let found = || match self.shape {
            Shape::Recorded => self.slot_value(self.cause?).as_str(),
            _ => self.trace_id()?.as_str(),
        };
        let given = self.given_correlation.as_deref().and_then(usable);
        given
            .or_else(|| self.session("x-correlation-id").and_then(usable))
            .or_else(|| self.session("x-request-id").and_then(usable))
            .or_else(|| found().as_deref().and_then(usable))
    }

    /// Adds a value to the context; an existing one of the name is replaced.
    #[must_use]
    pub fn with_context(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.add_context(name, value);
        self
    }

    /// Adds a value to the context; an existing one of the name is replaced.
    pub fn add_context(&mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) {
        let name = name.into();
        self.default_context.retain(|default| **default != name);
        self.context.insert(name, value.into());
        self.value.take();
    }

    /// Adds those of `defaults` that the context has no value of that name for. They are the program's own: a stored change lacks
    /// them, and whoever reads it again adds those of his time.
    pub fn add_default_context(&mut self, defaults: &serde_json::Map<String, serde_json::Value>) {
        for (name, value) in defaults {
            if !self.context.contains_key(name) {
                self.add_context(name.clone(), value.clone());
                self.default_context.push(name.as_str().into());
            }
        }
    }

    /// Gives the correlation id, over what the change itself carries.
    #[must_use]
    pub fn with_correlation_id(mut self, id: impl Into<String>) -> Self {
        self.given_correlation = Some(id.into().into());
        self.correlation.take();
        self.value.take();
        self
    }

    /// Names the source that delivered the change.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.source = Some(source.into());
        self.value.take();
        self
    }

    /// Gives the id, for a source whose changes carry none.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.id = Text::Owned(id.into());
        self.own_id = true;
        self.value.take();
        self
    }

    /// Says where the document after an update comes from, for a source that looks it up.
    ///
    /// An insert and a replacement always carry their own document, and where none is carried none was looked up or computed:
    /// there [`AfterImage::Lookup`] and [`AfterImage::Computed`] change nothing.
    #[must_use]
    pub fn with_after_image(mut self, image: AfterImage) -> Self {
        let can_be_derived = self.is_update() && !self.replacement && matches!(self.after, Image::Row(_));
        if !matches!(image, AfterImage::Lookup | AfterImage::Computed) || can_be_derived {
            self.after_image = image;
            self.value.take();
            self.memo.clear();
        }
        self
    }

    /// The bytes as they came: BSON from [`from_bson`](Self::from_bson), JSON text otherwise; of an unwrapped payload, its own.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bson { bytes, event } => &bytes[..*event],
            Body::Json(text) => text.as_bytes(),
        }
    }

    /// A number that is equal for changes of the same document, to keep their order; `None` without a document key.
    pub fn lane(&self) -> Option<u64> {
        let Reading::Known(key) = self.key_reading() else { return None };
        let mut hasher = DefaultHasher::new();
        (self.database(), self.collection()).hash(&mut hasher);
        // By value, so that it does not matter in which form a key came.
        match (key.kind(), key) {
            (Ok(Kind::ObjectId(id)), _) => id.hash(&mut hasher),
            (Ok(Kind::Text(text)), _) => text.hash(&mut hasher),
            (Ok(Kind::Number(Number::Int(int))), _) => int.hash(&mut hasher),
            // Some forms write of a number what a double holds of it, as the shortest decimal that reads back as that double.
            (Ok(Kind::Number(number)), _) => match number.as_f64().filter(|double| !double.is_nan()) {
                Some(double) => match Number::Decimal(double.to_string().into()).as_i64() {
                    Some(int) => int.hash(&mut hasher),
                    None => double.to_bits().hash(&mut hasher),
                },
                None => number.text().hash(&mut hasher),
            },
            (Err(Malformed), Raw::Bson { tag, bytes }) => (tag, bytes).hash(&mut hasher),
            _ => key.to_json().map(|json| json.to_string()).unwrap_or_default().hash(&mut hasher),
        }
        Some(hasher.finish())
    }

    fn text<'c>(&'c self, text: &'c Text) -> &'c str {
        match (text, &self.body) {
            (Text::Owned(text), _) => text,
            (Text::At(span), Body::Json(body)) => span.of(body),
            (Text::At(span), Body::Bson { bytes, .. }) => bytes
                .get(span.start as usize..span.end as usize)
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or_default(),
        }
    }

    fn raw(&self, slot: Slot) -> Raw<'_> {
        match &self.body {
            Body::Bson { bytes, .. } => {
                Raw::Bson { tag: slot.tag, bytes: &bytes[slot.span.start as usize..slot.span.end as usize] }
            }
            Body::Json(text) => {
                Raw::Json { text: slot.span.of(text), extended: !matches!(self.shape, Shape::Hasura | Shape::Scheduled) }
            }
        }
    }

    fn slot_value(&self, slot: Slot) -> Value<'_> {
        Value::new(Reading::Known(self.raw(slot)), Origin::Inside)
    }

    fn key_reading(&self) -> Reading<'_> {
        let Some(key) = self.key else { return Reading::Missing };
        let raw = self.raw(key);
        match (self.shape, raw.entries()) {
            (Shape::MongoDb, Ok(members)) if members.len() == 1 => Reading::Known(members[0].1),
            _ => Reading::Known(raw),
        }
    }
}

impl AfterImage {
    /// What [`Change::to_json`] says of it, beside the document that is there.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Lookup => Some("lookup"),
            Self::Computed => Some("computed"),
            Self::Exact | Self::Ambiguous | Self::None => None,
        }
    }
}

impl Operation {
    /// Every operation, in the order of their declaration.
    pub(crate) const ALL: [Self; 14] = [
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Manual,
        Self::Create,
        Self::Drop,
        Self::Rename,
        Self::DropDatabase,
        Self::Invalidate,
        Self::Modify,
        Self::CreateIndexes,
        Self::DropIndexes,
        Self::Shard,
        Self::Other,
    ];

    /// The operation's name, as MongoDB writes it; `manual` for Hasura's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Manual => "manual",
            Self::Create => "create",
            Self::Drop => "drop",
            Self::Rename => "rename",
            Self::DropDatabase => "dropDatabase",
            Self::Invalidate => "invalidate",
            Self::Modify => "modify",
            Self::CreateIndexes => "createIndexes",
            Self::DropIndexes => "dropIndexes",
            Self::Shard => "shard",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Change")
            .field("id", &self.id())
            .field("operation", &self.operation)
            .field("database", &self.database())
            .field("collection", &self.collection())
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
