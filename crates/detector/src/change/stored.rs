//! How is a change kept, so that it can be read again as it was?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AfterImage, Body, Change, DecodeError, Text};

/// A change as it is kept: the bytes it came in, and beside them what was added to it.
///
/// Reading it again gives a change that answers every question as the first one did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChange<'c> {
    /// How the bytes are to be read.
    pub form: StoredForm,
    /// The bytes as they came.
    pub bytes: Cow<'c, [u8]>,
    /// A JSON object: id, source, context, correlation id, and where the document after an update comes from.
    pub beside: Cow<'c, str>,
}

/// How the bytes of a stored change are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoredForm {
    /// A MongoDB change event in raw BSON.
    Bson,
    /// JSON text.
    Json,
}

impl StoredForm {
    /// Its name, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bson => "bson",
            Self::Json => "json",
        }
    }

    /// The form of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Bson, Self::Json].into_iter().find(|form| form.as_str() == name)
    }
}

#[derive(Serialize, Deserialize)]
struct Beside<'c> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'c, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'c, str>>,
    /// The name of a scheduled trigger, which its payload may lack.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    trigger: Option<Cow<'c, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    after: Option<Cow<'c, str>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    context: Cow<'c, Map<String, Value>>,
    #[serde(borrow)]
    correlation_id: Cow<'c, str>,
}

fn is_empty(context: &Map<String, Value>) -> bool {
    context.is_empty()
}

impl Change {
    /// The change as it is kept.
    pub fn to_stored(&self) -> StoredChange<'_> {
        let form = match self.body {
            Body::Bson { .. } => StoredForm::Bson,
            Body::Json(_) => StoredForm::Json,
        };
        let after = match (form, self.after_image) {
            (StoredForm::Bson, AfterImage::Lookup) => Some("lookup"),
            (StoredForm::Bson, AfterImage::Computed | AfterImage::Ambiguous) => Some("computed"),
            _ => None,
        };
        let beside = Beside {
            id: match &self.id {
                Text::Owned(id) if self.own_id => Some(Cow::Borrowed(id)),
                _ => None,
            },
            source: self.source.as_deref().map(Cow::Borrowed),
            trigger: (self.shape == super::Shape::Scheduled).then(|| Cow::Borrowed(self.collection())),
            after: after.map(Cow::Borrowed),
            context: self.delivered_context(),
            correlation_id: Cow::Borrowed(self.correlation_id()),
        };
        let beside = serde_json::to_string(&beside).expect("keys are texts and nothing in it fails");
        StoredChange { form, bytes: Cow::Borrowed(self.bytes()), beside: beside.into() }
    }

    /// The context without what the program added of its own.
    fn delivered_context(&self) -> Cow<'_, Map<String, Value>> {
        if self.default_context.is_empty() {
            return Cow::Borrowed(&self.context);
        }
        let is_default = |name: &str| self.default_context.iter().any(|default| **default == *name);
        let delivered = self.context.iter().filter(|(name, _)| !is_default(name));
        Cow::Owned(delivered.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The change that was stored.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes are not those of a change, or what stands beside them is not what
    /// [`to_stored`](Self::to_stored) wrote.
    pub fn from_stored(stored: StoredChange<'_>) -> Result<Self, DecodeError> {
        let beside: Beside<'_> = serde_json::from_str(&stored.beside).map_err(|_| DecodeError::NotStored)?;
        let bytes = stored.bytes.into_owned();
        let mut change = match (stored.form, &beside.trigger) {
            (StoredForm::Bson, _) => Self::from_bson(bytes)?,
            (StoredForm::Json, None) => Self::from_json_bytes(bytes)?,
            // A scheduled trigger that has no name is read as it was posted.
            (StoredForm::Json, Some(trigger)) => match Self::from_json_bytes(bytes.clone()) {
                Ok(change) => change,
                Err(_) => Self::from_hasura(bytes, Some(trigger))?,
            },
        };
        match beside.after.as_deref() {
            Some("lookup") => change = change.with_after_image(AfterImage::Lookup),
            Some(_) => change = change.with_computed_after(),
            None => {}
        }
        if let Some(id) = beside.id {
            change = change.with_id(id);
        }
        if let Some(source) = beside.source {
            change = change.with_source(&*source);
        }
        for (name, value) in beside.context.into_owned() {
            change.add_context(name, value);
        }
        Ok(change.with_correlation_id(beside.correlation_id))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::StoredChange;
    use crate::{Change, DecodeError};

    /// What a change says of everything that is asked of it.
    fn answers(change: &Change) -> String {
        let (own_id, lane, image) = (change.has_own_id(), change.lane(), change.after_image());
        format!("{own_id} {lane:?} {image:?} {:?}", change.to_json())
    }

    fn again(change: &Change) -> Change {
        let StoredChange { form, bytes, beside } = change.to_stored();
        let stored = StoredChange { form, bytes: Cow::Owned(bytes.into_owned()), beside: Cow::Owned(beside.into_owned()) };
        Change::from_stored(stored).unwrap()
    }

    #[test]
    fn a_stored_change_answers_as_it_did_before() {
        let recorded: Change = Change::update("moves").key(7).after(serde_json::json!({ "at": { "$date": 0 } })).into();
        let named = Change::from(Change::delete("moves").key(1)).with_id("file:3").with_source("file");
        let cron = r#"{"id":"2f2f7fe6-2a3d-4a6c-8f5c-0e8a3a3a3a3a","scheduled_time":"2026-01-01T00:00:00Z","payload":{"a":1}}"#;
        let scheduled = Change::from_hasura(cron.into(), Some("nightly")).unwrap();
        let event = bson::doc! {
            "_id": { "_data": "82AB" }, "operationType": "update", "ns": { "db": "app", "coll": "moves" },
            "documentKey": { "_id": 1 }, "updateDescription": { "updatedFields": { "a": 2 }, "removedFields": [], "truncatedArrays": [] },
            "fullDocumentBeforeChange": { "_id": 1, "a": 1, "b": "kept" },
        };
        let bytes = bson::RawDocumentBuf::try_from(&event).unwrap().into_bytes();
        let computed = Change::from_bson(bytes).unwrap().with_computed_after();
        assert!(computed.after("b") == "kept");

        for change in [recorded, named, scheduled, computed] {
            let change = change.with_context("flag", true).with_correlation_id("cause");
            assert_eq!(answers(&again(&change)), answers(&change));
        }
    }

    #[test]
    fn a_correlation_id_that_was_made_up_stays() {
        let change: Change = Change::insert("moves").key(1).into();

        assert_eq!(again(&change).correlation_id(), change.correlation_id());
    }

    #[test]
    fn what_the_program_adds_of_its_own_is_not_stored() {
        let defaults = serde_json::json!({ "url": "http://secret@host", "flag": 1, "plugin": 1 });
        let mut change = Change::from(Change::insert("moves").key(1)).with_context("flag", 2);
        change.add_default_context(defaults.as_object().unwrap());
        change.add_context("plugin", 3);
        assert!(change.context("url") == "http://secret@host");

        let again = again(&change);

        assert!(again.context("url").is_missing());
        assert!(again.context("flag") == 2 && again.context("plugin") == 3);
    }

    #[test]
    fn what_was_not_written_here_is_refused() {
        let change: Change = Change::insert("moves").key(1).into();
        let stored = StoredChange { beside: "[]".into(), ..change.to_stored() };

        assert_eq!(Change::from_stored(stored).unwrap_err(), DecodeError::NotStored);
    }
}
