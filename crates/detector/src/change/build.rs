//! How does a test write down a change in a line?

use serde_json::{Map, Value, json};

use super::{Change, DecodeError};

/// A change in the making, for tests and for changes made by hand.
///
/// ```
/// use event_detector::Change;
/// use serde_json::json;
///
/// let change: Change = Change::update("moves").before(json!({ "status": "en route" })).after(json!({ "status": "done" })).into();
/// assert!(change.became("status", "done"));
/// ```
#[derive(Debug, Clone)]
pub struct ChangeBuilder {
    members: Map<String, Value>,
}

impl Change {
    /// An insert into `collection`.
    pub fn insert(collection: &str) -> ChangeBuilder {
        ChangeBuilder::new("insert", collection)
    }

    /// An update in `collection`. An image that is not given is not carried, so what depends on it is unknown.
    pub fn update(collection: &str) -> ChangeBuilder {
        ChangeBuilder::new("update", collection)
    }

    /// A delete from `collection`.
    pub fn delete(collection: &str) -> ChangeBuilder {
        ChangeBuilder::new("delete", collection)
    }

    /// A change that somebody asks for by hand.
    pub fn manual(collection: &str) -> ChangeBuilder {
        ChangeBuilder::new("manual", collection)
    }
}

impl ChangeBuilder {
    fn new(operation: &str, collection: &str) -> Self {
        let members = [("operation", operation), ("collection", collection)];
        Self { members: members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect() }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The document before the change; `{"$oid": …}` and its kin are extended JSON.
    #[must_use]
    pub fn before(self, document: Value) -> Self {
        self.with("before", document)
    }

    /// The document after the change; `{"$oid": …}` and its kin are extended JSON.
    #[must_use]
    pub fn after(self, document: Value) -> Self {
        self.with("after", document)
    }

    /// The document key; without one it is the document's `_id` or `id`.
    #[must_use]
    pub fn key(self, key: impl Into<Value>) -> Self {
        self.with("key", key)
    }

    /// The id; without one it follows from the content.
    #[must_use]
    pub fn id(self, id: &str) -> Self {
        self.with("id", id)
    }

    /// The database or schema.
    #[must_use]
    pub fn database(self, name: &str) -> Self {
        self.with("database", name)
    }

    /// A session variable, such as `x-hasura-role`.
    #[must_use]
    pub fn session(mut self, name: &str, value: &str) -> Self {
        self.members.entry("session").or_insert_with(|| json!({}))[name] = value.into();
        self
    }

    /// A value of the context.
    #[must_use]
    pub fn context(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.entry("context").or_insert_with(|| json!({}))[name] = value.into();
        self
    }

    /// The change.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when an image is neither an object nor null, or the id is not usable.
    pub fn try_build(self) -> Result<Change, DecodeError> {
        Change::from_json(Value::Object(self.members).to_string())
    }
}

/// The change.
///
/// # Panics
///
/// When an image is neither an object nor null, or the id is not usable; [`ChangeBuilder::try_build`] does not.
impl From<ChangeBuilder> for Change {
    fn from(builder: ChangeBuilder) -> Self {
        builder.try_build().unwrap_or_else(|error| panic!("this is not a change: {error}"))
    }
}
