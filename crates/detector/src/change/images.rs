//! Which document does a change carry from before and after, and where in its bytes is a field of it?

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::raw::json::{self, Span};
use crate::raw::{Malformed, Raw, bson};

use super::{Body, Change};

/// Where a value is in the body; the tag is BSON's, and 0 in JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) tag: u8,
    pub(super) span: Span,
}

impl Slot {
    pub(super) fn json(span: Span) -> Self {
        Self { tag: 0, span }
    }

    #[expect(clippy::cast_possible_truncation, reason = "bodies are limited to 4 GiB when they are decoded")]
    pub(super) fn bson(tag: u8, start: usize, len: usize) -> Self {
        Self { tag, span: Span { start: start as u32, end: (start + len) as u32 } }
    }
}

/// The document on one side of a change.
pub(super) enum Image {
    /// There is none: before an insert, after a delete.
    Absent,
    /// There is one, and the change does not carry it.
    NotCarried,
    Row(Row),
}

/// A carried document, with the places of its top-level fields once they were needed.
pub(super) struct Row {
    slot: Slot,
    fields: Fields,
}

/// The places of a row's top-level fields.
enum Fields {
    /// Those of JSON were noted while its text was checked.
    Noted(Vec<Field>),
    /// The row is no document of the text: its one field is a value that stands alone there, beside others.
    One(Field),
    /// Those of BSON are looked for when the first is needed.
    Sought(OnceLock<Result<Vec<Field>, Malformed>>),
}

/// A top-level field of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) key: Span,
    pub(super) escaped: bool,
    pub(super) value: Slot,
}

impl Image {
    /// The document, where there is one and the change carries it.
    fn row(&self) -> Option<&Row> {
        match self {
            Self::Row(row) => Some(row),
            Self::Absent | Self::NotCarried => None,
        }
    }
}

impl Row {
    pub(super) fn new(slot: Slot) -> Self {
        Self { slot, fields: Fields::Sought(OnceLock::new()) }
    }

    /// A row whose fields the decoder noted while it checked the text.
    pub(super) fn with_fields(slot: Slot, fields: Vec<Field>) -> Self {
        Self { slot, fields: Fields::Noted(fields) }
    }

    /// A row whose one field stands alone.
    pub(super) fn of_one(field: Field) -> Self {
        Self { slot: field.value, fields: Fields::One(field) }
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    fn fields(&self, body: &Body) -> Result<&[Field], Malformed> {
        match (&self.fields, body) {
            (Fields::Noted(fields), _) => Ok(fields),
            (Fields::One(field), _) => Ok(std::slice::from_ref(field)),
            (Fields::Sought(fields), Body::Bson { bytes, .. }) => {
                fields.get_or_init(|| bson_fields(bytes, self.slot)).as_deref().map_err(|fault| *fault)
            }
            // Every row of JSON was noted.
            (Fields::Sought(_), Body::Json(_)) => Ok(&[]),
        }
    }

    /// Where the top-level field `name` is.
    pub(super) fn find(&self, body: &Body, name: &str) -> Result<Option<Slot>, Malformed> {
        let fields = self.fields(body)?;
        let found = match body {
            Body::Bson { bytes, .. } => {
                fields.iter().find(|field| field.key.len() == name.len() && key_bytes(bytes, field.key) == name.as_bytes())
            }
            Body::Json(text) => {
                let bytes = text.as_bytes();
                // Most of the same length begin otherwise. Where an empty key ends, there is its quote.
                let first = name.bytes().next().unwrap_or(b'"');
                let plain = |key: Span| {
                    key.len() == name.len() && bytes[key.start as usize] == first && key_bytes(bytes, key) == name.as_bytes()
                };
                fields.iter().find(|field| if field.escaped { field_key(text, field).is(name) } else { plain(field.key) })
            }
        };
        Ok(found.map(|field| field.value))
    }

    /// How many top-level fields there are.
    pub(super) fn width(&self, body: &Body) -> Result<usize, Malformed> {
        self.fields(body).map(<[Field]>::len)
    }

    /// The top-level fields by name, in order.
    pub(super) fn columns<'b>(&'b self, body: &'b Body) -> Result<impl Iterator<Item = (Cow<'b, [u8]>, Slot)>, Malformed> {
        let name = move |field: &'b Field| match body {
            Body::Bson { bytes, .. } => Cow::Borrowed(key_bytes(bytes, field.key)),
            Body::Json(text) => match field_key(text, field).name() {
                Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
                Cow::Owned(name) => Cow::Owned(name.into_bytes()),
            },
        };
        Ok(self.fields(body)?.iter().map(move |field| (name(field), field.value)))
    }

    /// The names of the top-level fields, in order.
    pub(super) fn names(&self, body: &Body) -> Result<Vec<String>, Malformed> {
        Ok(self.columns(body)?.map(|(name, _)| String::from_utf8_lossy(&name).into_owned()).collect())
    }
}

fn key_bytes(bytes: &[u8], key: Span) -> &[u8] {
    &bytes[key.start as usize..key.end as usize]
}

fn field_key<'t>(text: &'t str, field: &Field) -> json::Key<'t> {
    json::Key { source: text, span: field.key, escaped: field.escaped }
}

fn bson_fields(bytes: &[u8], row: Slot) -> Result<Vec<Field>, Malformed> {
    let base = row.span.start as usize;
    let mut elements = bson::Elements::new(&bytes[base..row.span.end as usize]).map_err(|_| Malformed)?;
    let mut fields = Vec::with_capacity(16);
    while let Some(element) = elements.next().map_err(|_| Malformed)? {
        let key = Slot::bson(0, base + element.key_start, element.key.len()).span;
        fields.push(Field { key, escaped: false, value: Slot::bson(element.tag, base + element.start, element.value.len()) });
    }
    Ok(fields)
}

impl Change {
    /// The value at a dotted path of a row; a missing step is a missing value.
    pub(super) fn in_row(&self, row: &Row, path: &str) -> Result<Option<Raw<'_>>, Malformed> {
        let dot = path.bytes().position(|byte| byte == b'.');
        let (first, rest) = dot.map_or((path, None), |dot| (&path[..dot], Some(&path[dot + 1..])));
        let Some(slot) = row.find(&self.body, first)? else { return Ok(None) };
        match rest {
            Some(rest) => self.raw(slot).at_path(rest),
            None => Ok(Some(self.raw(slot))),
        }
    }

    /// The whole row as JSON.
    pub(super) fn row_json(&self, row: &Row) -> Result<serde_json::Value, Malformed> {
        let raw = self.raw(row.slot);
        match (&row.fields, &self.body) {
            (Fields::One(field), Body::Json(text)) => {
                let name = field_key(text, field).name().into_owned();
                Ok(serde_json::Value::Object(std::iter::once((name, raw.to_json()?)).collect()))
            }
            _ => raw.document_json(),
        }
    }

    /// Where the top-level field `name` is, of the row from after first.
    pub(super) fn column(&self, name: &str) -> Option<Slot> {
        [&self.after, &self.before].into_iter().filter_map(Image::row).find_map(|row| row.find(&self.body, name).ok().flatten())
    }

    /// The rows that the change carries, before first.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        [&self.before, &self.after].into_iter().filter_map(Image::row)
    }
}
