//! How does a detector ask with a JSONPath, compiled once? (RFC 9535, by jsonpath-rust.)

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use once_cell::sync::Lazy;

use crate::raw::Malformed;
use crate::undecided::{Read, Unknown, record, unreadable};
use crate::value::{Reading, Why};

use super::images::{Image, Slot};
use super::reads::Side;
use super::{Change, Description};

/// A query ready to run, with what it asks of the images.
struct Compiled {
    query: JpQuery,
    wants: Vec<(Side, Option<String>)>,
}

static COMPILED: Lazy<RwLock<HashMap<String, Arc<Compiled>>>> = Lazy::new(RwLock::default);

impl Change {
    /// The nodes that a JSONPath selects in [`to_json`](Self::to_json), such as `$.after.items[?@.qty > 3]`.
    ///
    /// The path is compiled on its first use and kept. `#[event]` checks a literal path when the program is compiled.
    ///
    /// # Panics
    ///
    /// When `path` is not a JSONPath; the runtime reports that as the detector's error.
    pub fn query(&self, path: &str) -> Vec<&serde_json::Value> {
        let compiled = compiled(path);
        for (side, column) in &compiled.wants {
            self.note_unknown(path, *side, column.as_deref());
        }
        let found = match self.to_json() {
            Some(value) => js_path_process(&compiled.query, value).unwrap_or_default(),
            None => {
                unreadable(|| Unknown { read: format!("query({path:?})"), cure: self.cure(Why::Malformed, path) });
                Vec::new()
            }
        };
        record(|| Read { read: format!("query({path:?})"), answer: format!("{} selected", found.len()) });
        found.into_iter().map(|node| node.val()).collect()
    }

    /// The whole change as JSON, made on first use: `id`, `source`, `database`, `collection`, `operation`, `key`, `before`,
    /// `after`, `after_image` (where it was looked up or computed), `updateDescription`, `committed_at`, `lsid`, `txnNumber`, `session`,
    /// `correlation_id` (given or found, not made up) and `context`, each where the change has it; `None` when the bytes
    /// cannot be read.
    ///
    /// Types that JSON lacks are written as relaxed Extended JSON v2; numbers beyond a double's range stay text.
    /// [`from_json`](Self::from_json) reads it back. What that form cannot say: that a Hasura row lacks a column, and that
    /// `{"$oid": …}` in a Hasura row is an ordinary object. What it leaves out, because it is of one delivery and not of the
    /// change: how often it was tried, the span of its trace, and whether it was unwrapped.
    pub fn to_json(&self) -> Option<&serde_json::Value> {
        self.value
            .get_or_init(|| {
                let slot = |slot: Slot| self.raw(slot).to_json();
                let mut members = serde_json::Map::new();
                let mut text = |name: &str, text: &str| {
                    if !text.is_empty() {
                        members.insert(name.to_owned(), text.into());
                    }
                };
                text("id", self.id());
                text("source", self.source());
                text("database", self.database());
                text("collection", self.collection());
                text("operation", if self.is_replacement() { "replace" } else { self.operation().as_str() });
                let key = match self.key_reading() {
                    Reading::Known(raw) => Some(raw.to_json()?),
                    _ => None,
                };
                let image = |image: &Image| match image {
                    Image::Row(row) => self.row_json(row).map(Some),
                    Image::Absent => Ok(Some(serde_json::Value::Null)),
                    Image::NotCarried => Ok(None),
                };
                let optional = |found: Option<Slot>| found.map(slot).transpose();
                let (lsid, number) = self.transaction.unzip();
                let parts = [
                    ("key", key),
                    ("before", image(&self.before)?),
                    ("after", image(&self.after)?),
                    ("after_image", self.after_image.name().map(Into::into)),
                    ("updateDescription", self.description.map(|parts| self.description_json(parts)).transpose()?),
                    ("committed_at", optional(self.committed)?),
                    ("lsid", optional(lsid)?),
                    ("txnNumber", optional(number)?),
                    ("session", optional(self.session)?),
                    ("correlation_id", self.known_correlation_id().map(Into::into)),
                    ("context", (!self.context.is_empty()).then(|| self.context.clone().into())),
                ];
                members.extend(parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
                Ok(serde_json::Value::Object(members))
            })
            .as_ref()
            .ok()
    }

    fn description_json(&self, description: Description) -> Result<serde_json::Value, Malformed> {
        let parts = [
            ("updatedFields", description.updated),
            ("removedFields", description.removed),
            ("truncatedArrays", description.truncated),
        ];
        let there = parts.into_iter().filter_map(|(name, slot)| Some((name.to_owned(), slot?)));
        let members = there.map(|(name, slot)| {
            let raw = self.raw(slot);
            let value = if name == "updatedFields" { raw.document_json()? } else { raw.to_json()? };
            Ok((name, value))
        });
        Ok(serde_json::Value::Object(members.collect::<Result<_, _>>()?))
    }

    /// Notes that a query looks at an image that is not carried, or at a column that no row has.
    fn note_unknown(&self, path: &str, side: Side, column: Option<&str>) {
        let image = match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        };
        let why = match (image, column) {
            (Image::NotCarried, _) => Some(if side == Side::Before { Why::NoBefore } else { Why::NoAfter }),
            (Image::Row(_), Some(column)) => match self.read(side, column) {
                Reading::Unknown(why) => Some(why),
                Reading::Known(_) | Reading::Missing => None,
            },
            (Image::Absent | Image::Row(_), _) => None,
        };
        if let Some(why) = why {
            unreadable(|| Unknown { read: format!("query({path:?})"), cure: self.cure(why, column.unwrap_or(path)) });
        }
    }
}

fn compiled(path: &str) -> Arc<Compiled> {
    if let Some(known) = COMPILED.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(path) {
        return Arc::clone(known);
    }
    let query = parse_json_path(path).unwrap_or_else(|error| panic!("`{path}` is not a JSONPath: {error}"));
    let wants = wants(path, &query);
    let compiled = Arc::new(Compiled { query, wants });
    COMPILED.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(path.to_owned(), Arc::clone(&compiled));
    compiled
}

/// The images, and the columns of them, that a query may look at; rather too many than too few.
fn wants(path: &str, query: &JpQuery) -> Vec<(Side, Option<String>)> {
    let name = |at: usize| match query.segments.get(at) {
        Some(Segment::Selector(Selector::Name(name))) => Some(name.trim_matches(['"', '\'']).to_owned()),
        _ => None,
    };
    let mut wants = Vec::new();
    for (side, word) in [(Side::Before, "before"), (Side::After, "after")] {
        if name(0).as_deref() == Some(word) {
            wants.push((side, name(1)));
        } else if path.contains(word) || name(0).is_none() {
            wants.push((side, None));
        }
    }
    wants
}
