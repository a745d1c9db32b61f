//! How is JSON text checked and told apart, and how is a change read from MongoDB's form and from ours, in that one pass?
//! (MongoDB: "Change Events" and Extended JSON v2. The third form is Hasura's, in `hasura.rs`.)

use std::borrow::Cow;
use std::sync::Arc;

use crate::raw::Raw;
use crate::raw::json::{self, JsonFault, JsonFaultKind, Key, Nul, Scanner, Span, Visitor};

use super::super::images::{Field, Image, Row, Slot};
use super::super::{AfterImage, Body, Change, Description, Operation, Shape, Text};
use super::hasura::{self, Rules};
use super::{DecodeError, MAX_BYTES, is_empty, is_id, is_token, mongodb_images, mongodb_operation};

/// What RFC 8259 calls white space.
pub(super) const SPACE: [char; 4] = [' ', '\n', '\r', '\t'];

/// The objects whose members matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    MongoId,
    Namespace,
    UpdateDescription,
    HasuraEvent,
    HasuraData,
    HasuraTable,
    RowBefore,
    RowAfter,
}

/// Where everything is that any of the forms has. Forms are told apart at the end, so each keeps to its own.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) id: Option<Span>,
    resume_token: Option<Span>,
    pub(super) operation_type: Option<Span>,
    pub(super) operation: Option<Span>,
    pub(super) hasura_op: Option<Span>,
    pub(super) event: Option<Span>,
    pub(super) data: Option<Span>,
    pub(super) delivery: Option<Span>,
    source: Option<Span>,
    database: Option<Span>,
    collection: Option<Span>,
    ns_database: Option<Span>,
    ns_collection: Option<Span>,
    pub(super) schema: Option<Span>,
    pub(super) table: Option<Span>,
    document_key: Option<Span>,
    key: Option<Span>,
    before: Option<Span>,
    after: Option<Span>,
    full_document_before: Option<Span>,
    full_document: Option<Span>,
    pub(super) old: Option<Span>,
    pub(super) new: Option<Span>,
    pub(super) before_fields: Vec<Field>,
    pub(super) after_fields: Vec<Field>,
    after_image: Option<Span>,
    updated_fields: Option<Span>,
    removed_fields: Option<Span>,
    truncated_arrays: Option<Span>,
    pub(super) created_at: Option<Span>,
    wall_time: Option<Span>,
    committed_at: Option<Span>,
    lsid: Option<Span>,
    txn_number: Option<Span>,
    session: Option<Span>,
    pub(super) session_variables: Option<Span>,
    context: Option<Span>,
    correlation: Option<Span>,
    pub(super) trace: Option<Span>,
}

impl<'t> Visitor<'t> for Found {
    type Place = Place;

    #[inline]
    fn enter(&self, place: Place, key: Key<'t>) -> Option<Place> {
        match place {
            Place::RowBefore | Place::RowAfter => None,
            _ => key.with_name(|name| enter_envelope(place, name)),
        }
    }

    #[inline]
    fn member(&mut self, place: Place, key: Key<'t>, value: Span) {
        let field = || Field { key: key.span, escaped: key.escaped, value: Slot::json(value) };
        match place {
            Place::RowBefore => note(&mut self.before_fields, field()),
            Place::RowAfter => note(&mut self.after_fields, field()),
            _ => key.with_name(|name| self.envelope_member(place, name, value)),
        }
    }
}

/// As [`Visitor::enter`], outside of the rows. (Bytes are told apart by their length first, which texts are not.)
#[inline(never)]
fn enter_envelope(place: Place, name: &[u8]) -> Option<Place> {
    Some(match (place, name) {
        (Place::Root, b"event") => Place::HasuraEvent,
        (Place::Root, b"table") => Place::HasuraTable,
        (Place::Root, b"_id") => Place::MongoId,
        (Place::Root, b"ns") => Place::Namespace,
        (Place::Root, b"updateDescription") => Place::UpdateDescription,
        (Place::Root, b"fullDocument" | b"after") | (Place::HasuraData, b"new") => Place::RowAfter,
        (Place::Root, b"fullDocumentBeforeChange" | b"before") | (Place::HasuraData, b"old") => Place::RowBefore,
        (Place::HasuraEvent, b"data") => Place::HasuraData,
        _ => return None,
    })
}

/// Notes a field; most rows have no more than the first allocation holds.
#[inline]
fn note(fields: &mut Vec<Field>, field: Field) {
    if fields.capacity() == 0 {
        *fields = Vec::with_capacity(16);
    }
    fields.push(field);
}

pub(super) fn decode(text: String) -> Result<Change, DecodeError> {
    const EXPECTED: &str =
        "a Hasura payload has `event`, a MongoDB change event has `operationType`, a recorded change has `operation`";
    let mut found = Found::default();
    found.read(&text, Nul::Accepted)?;
    if found.event.is_some() {
        hasura::event(text, &mut found, Rules::LENIENT)
    } else if found.operation_type.is_some() {
        mongodb(text, &mut found)
    } else if found.operation.is_some() {
        recorded(text, &mut found)
    } else {
        hasura::without_event(text, &found, Rules::LENIENT, EXPECTED)
    }
}

impl Found {
    /// As [`Visitor::member`], outside of the rows.
    #[inline(never)]
    fn envelope_member(&mut self, place: Place, name: &[u8], value: Span) {
        let place_of = match place {
            Place::Root => match name {
                b"id" => &mut self.id,
                b"operationType" => &mut self.operation_type,
                b"operation" => &mut self.operation,
                b"event" => &mut self.event,
                b"delivery_info" => &mut self.delivery,
                b"source" => &mut self.source,
                b"database" => &mut self.database,
                b"collection" => &mut self.collection,
                b"documentKey" => &mut self.document_key,
                b"key" => &mut self.key,
                b"before" => &mut self.before,
                b"after" => &mut self.after,
                b"after_image" => &mut self.after_image,
                b"fullDocument" => &mut self.full_document,
                b"fullDocumentBeforeChange" => &mut self.full_document_before,
                b"created_at" => &mut self.created_at,
                b"wallTime" => &mut self.wall_time,
                b"committed_at" => &mut self.committed_at,
                b"lsid" => &mut self.lsid,
                b"txnNumber" => &mut self.txn_number,
                b"session" => &mut self.session,
                b"context" => &mut self.context,
                b"correlation_id" => &mut self.correlation,
                _ => return,
            },
            _ => match (place, name) {
                (Place::MongoId, b"_data") => &mut self.resume_token,
                (Place::Namespace, b"db") => &mut self.ns_database,
                (Place::Namespace, b"coll") => &mut self.ns_collection,
                (Place::UpdateDescription, b"updatedFields") => &mut self.updated_fields,
                (Place::UpdateDescription, b"removedFields") => &mut self.removed_fields,
                (Place::UpdateDescription, b"truncatedArrays") => &mut self.truncated_arrays,
                (Place::HasuraEvent, b"op") => &mut self.hasura_op,
                (Place::HasuraEvent, b"data") => &mut self.data,
                (Place::HasuraEvent, b"session_variables") => &mut self.session_variables,
                (Place::HasuraEvent, b"trace_context") => &mut self.trace,
                (Place::HasuraData, b"new") => &mut self.new,
                (Place::HasuraData, b"old") => &mut self.old,
                (Place::HasuraTable, b"name") => &mut self.table,
                (Place::HasuraTable, b"schema") => &mut self.schema,
                _ => return,
            },
        };
        *place_of = Some(value);
    }

    /// Checks the text, which should be one object, and notes where everything is.
    #[inline]
    pub(super) fn read(&mut self, text: &str, nul: Nul) -> Result<(), DecodeError> {
        if text.len() > MAX_BYTES {
            return Err(DecodeError::TooLarge);
        }
        match text.bytes().find(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
            None => return Err(DecodeError::EmptyBody),
            Some(b'{') => {}
            Some(_) => return Err(not_an_object(text)),
        }
        let scanner = Scanner::new(text, self).with_nul(nul);
        scanner.object_text(Place::Root).map_err(|fault| DecodeError::of_json(text, fault))
    }
}

fn not_an_object(text: &str) -> DecodeError {
    let value = text.trim_start_matches(SPACE);
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        // Inside of something the fault has a place of its own; a word that is none is one from its first letter on.
        let (at, expected) = match value.as_bytes().first() {
            Some(first) if first.is_ascii_alphabetic() => (text.len() - value.len(), "an object"),
            _ => (place_of(&error, text), "JSON, and in it one object"),
        };
        return DecodeError::of_json(text, JsonFault { at, kind: JsonFaultKind::Expected(expected), inside: Vec::new() });
    }
    let found = match value.as_bytes()[0] {
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    };
    DecodeError::NotAnObject { found }
}

/// Where in `text` an error is, which names the byte that it stumbled over.
fn place_of(error: &serde_json::Error, text: &str) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    (before + error.column()).saturating_sub(1)
}

/// The object is none of the forms that are `expected`.
pub(super) fn unknown_form(text: &str, expected: &'static str, hint: &'static str) -> DecodeError {
    let keys = json::members(text.trim_start_matches(SPACE)).map(|(key, _)| key.name().into_owned()).collect();
    DecodeError::UnknownForm { expected, keys, hint }
}

fn mongodb(text: String, found: &mut Found) -> Result<Change, DecodeError> {
    let operation = string(&text, found.operation_type).ok_or_else(|| DecodeError::missing("/operationType", "a string"))?;
    let (operation, replacement) = mongodb_operation(operation.as_bytes());
    let id = place(
        &text,
        found.resume_token.filter(|token| string(&text, Some(*token)).is_some_and(|token| is_token(token.as_bytes()))),
    )
    .ok_or_else(|| DecodeError::missing("/_id/_data", "a resume token"))?;
    let before = row(&text, found.full_document_before, std::mem::take(&mut found.before_fields), "/fullDocumentBeforeChange")?;
    let after = row(&text, found.full_document, std::mem::take(&mut found.after_fields), "/fullDocument")?;
    let (before, after) = mongodb_images(operation, before.unwrap_or(Image::NotCarried), after.unwrap_or(Image::NotCarried));
    let database = place(&text, found.ns_database).unwrap_or(Text::Owned(Box::default()));
    let collection = collection(&text, found.ns_collection, operation, "/ns/coll")?;
    let key = found.document_key.filter(|key| key.of(&text).starts_with('{'));
    let description = description(&text, found);
    let mut change = Change::new(Body::Json(text), Shape::MongoDb, operation);
    change.set_images((before, after));
    change.replacement = replacement;
    change.id = id;
    change.database = database;
    change.collection = collection;
    change.key = key.map(Slot::json);
    change.description = description;
    change.committed = found.wall_time.map(Slot::json);
    change.transaction = found.lsid.map(Slot::json).zip(found.txn_number.map(Slot::json));
    Ok(change)
}

fn recorded(text: String, found: &mut Found) -> Result<Change, DecodeError> {
    const EXPECTED: &str = "insert, update, replace, delete, manual";
    let name = string(&text, found.operation).ok_or_else(|| DecodeError::missing("/operation", "a string"))?;
    let (operation, replacement) = match (&*name, mongodb_operation(name.as_bytes())) {
        ("manual", _) => (Operation::Manual, false),
        ("shard", _) => (Operation::Shard, false),
        (other, (Operation::Other, _)) if other != "other" => {
            let pointer = "/operation".into();
            return Err(DecodeError::UnknownOperation { pointer, found: name.into_owned(), expected: EXPECTED });
        }
        (_, known) => known,
    };
    let collection = collection(&text, found.collection, operation, "/collection")?;
    let database = place(&text, found.database).unwrap_or(Text::Owned(Box::default()));
    let source = string(&text, found.source).map(Arc::from);
    let after_image = match string(&text, found.after_image).as_deref() {
        Some("lookup") => AfterImage::Lookup,
        Some("computed") => AfterImage::Computed,
        _ => AfterImage::Exact,
    };
    let id = match found.id {
        Some(_) => place(&text, found.id).ok_or_else(|| DecodeError::missing("/id", "a string"))?,
        None => Change::content_id(text.as_bytes()),
    };
    let before = row(&text, found.before, std::mem::take(&mut found.before_fields), "/before")?;
    let after = row(&text, found.after, std::mem::take(&mut found.after_fields), "/after")?;
    let (before, after) = match operation {
        Operation::Manual => (before.unwrap_or(Image::Absent), after.unwrap_or(Image::Absent)),
        _ => mongodb_images(operation, before.unwrap_or(Image::NotCarried), after.unwrap_or(Image::NotCarried)),
    };
    let context = match found.context.map(|span| Raw::Json { text: span.of(&text), extended: false }.to_json()) {
        None => serde_json::Map::new(),
        Some(Ok(serde_json::Value::Object(context))) => context,
        Some(_) => return Err(DecodeError::missing("/context", "an object")),
    };
    let description = description(&text, found);
    let mut change = Change::new(Body::Json(text), Shape::Recorded, operation);
    change.set_images((before, after));
    // Of any length: a resume token may be one.
    if !is_id(change.text(&id)) {
        return Err(DecodeError::BadId { pointer: "/id".into(), expected: "at least 1 byte and no control characters" });
    }
    change.id = id;
    change.own_id = found.id.is_some();
    change.replacement = replacement;
    change.database = database;
    change.collection = collection;
    change.source = source;
    change.key = found.key.map(Slot::json).or_else(|| change.column("_id")).or_else(|| change.column("id"));
    change.description = description;
    change.committed = found.committed_at.map(Slot::json);
    change.transaction = found.lsid.map(Slot::json).zip(found.txn_number.map(Slot::json));
    change.session = found.session.map(Slot::json);
    change.cause = found.correlation.map(Slot::json);
    change.context = context;
    Ok(if after_image == AfterImage::Exact { change } else { change.with_after_image(after_image) })
}

/// The row at `span`: none when missing or null. What was noted of rows of another form is left out.
#[inline]
pub(super) fn row(
    text: &str,
    span: Option<Span>,
    mut fields: Vec<Field>,
    pointer: &'static str,
) -> Result<Option<Image>, DecodeError> {
    match span.map(|span| (span, span.bytes_of(text).first())) {
        None | Some((_, Some(b'n'))) => Ok(None),
        Some((span, Some(b'{'))) => {
            let inside = |field: &Field| span.start < field.key.start && field.key.end < span.end;
            if !(fields.first().is_none_or(inside) && fields.last().is_none_or(inside)) {
                fields.retain(inside);
            }
            Ok(Some(Image::Row(Row::with_fields(Slot::json(span), fields))))
        }
        Some(_) => Err(DecodeError::missing(pointer, "an object or null")),
    }
}

/// The collection, which only what happens to a whole database has none of.
#[inline]
pub(super) fn collection(text: &str, at: Option<Span>, operation: Operation, pointer: &'static str) -> Result<Text, DecodeError> {
    let collection = place(text, at).unwrap_or(Text::Owned(Box::default()));
    if is_empty(&collection) && operation.of_rows() {
        return Err(DecodeError::missing(pointer, "a string"));
    }
    Ok(collection)
}

fn description(text: &str, found: &Found) -> Option<Description> {
    let updated = found.updated_fields.filter(|updated| updated.of(text).starts_with('{'));
    let parts = [updated, found.removed_fields, found.truncated_arrays].map(|part| part.map(Slot::json));
    Description { updated: parts[0], removed: parts[1], truncated: parts[2], disambiguated: None }.said()
}

/// The string at `span`, escapes resolved.
#[inline]
pub(super) fn string(text: &str, span: Option<Span>) -> Option<Cow<'_, str>> {
    let quoted = span?.of(text);
    let between = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(json::unescape(between))
}

/// The string at `span`, left in place where it has no escapes.
pub(super) fn place(text: &str, span: Option<Span>) -> Option<Text> {
    let span = span?;
    let [b'"', between @ .., b'"'] = span.bytes_of(text) else { return None };
    let place = Span { start: span.start + 1, end: span.end - 1 };
    Some(if json::has_escapes(between) { Text::Owned(json::unescape(place.of(text)).into()) } else { Text::At(place) })
}
