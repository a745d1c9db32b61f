//! How is a change read from JSON, in any of its three forms, in the one pass that checks the text?
//! (Hasura: "Event trigger payload" of its manual. MongoDB: "Change Events" and Extended JSON v2. The third form is ours.)

use std::borrow::Cow;
use std::sync::Arc;

use crate::raw::Raw;
use crate::raw::json::{self, JsonFault, JsonFaultKind, Key, Scanner, Span, Visitor};

use super::super::images::{Field, Image, Row, Slot};
use super::super::{AfterImage, Body, Change, Description, Operation, Shape, Text};
use super::{DecodeError, MAX_BYTES, is_empty, is_id, is_token, json_error, mongodb_images, mongodb_operation};

/// What RFC 8259 calls white space.
const SPACE: [char; 4] = [' ', '\n', '\r', '\t'];

/// The objects whose members matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    MongoId,
    Namespace,
    UpdateDescription,
    HasuraEvent,
    HasuraData,
    HasuraTable,
    HasuraTrace,
    RowBefore,
    RowAfter,
}

/// Where everything is that any of the forms has. Forms are told apart at the end, so each keeps to its own.
#[derive(Debug, Default)]
struct Found {
    id: Option<Span>,
    resume_token: Option<Span>,
    operation_type: Option<Span>,
    operation: Option<Span>,
    hasura_op: Option<Span>,
    event: Option<Span>,
    data: Option<Span>,
    payload: bool,
    scheduled: bool,
    source: Option<Span>,
    database: Option<Span>,
    collection: Option<Span>,
    ns_database: Option<Span>,
    ns_collection: Option<Span>,
    schema: Option<Span>,
    table: Option<Span>,
    document_key: Option<Span>,
    key: Option<Span>,
    before: Option<Span>,
    after: Option<Span>,
    full_document_before: Option<Span>,
    full_document: Option<Span>,
    old: Option<Span>,
    new: Option<Span>,
    before_fields: Vec<Field>,
    after_fields: Vec<Field>,
    after_image: Option<Span>,
    updated_fields: Option<Span>,
    removed_fields: Option<Span>,
    truncated_arrays: Option<Span>,
    created_at: Option<Span>,
    wall_time: Option<Span>,
    committed_at: Option<Span>,
    lsid: Option<Span>,
    txn_number: Option<Span>,
    session: Option<Span>,
    session_variables: Option<Span>,
    context: Option<Span>,
    correlation: Option<Span>,
    trace_id: Option<Span>,
}

impl<'t> Visitor<'t> for Found {
    type Place = Place;

    #[inline]
    fn enter(&self, place: Place, key: Key<'t>) -> Option<Place> {
        Some(match place {
            Place::Root => match &*key.name() {
                "event" => Place::HasuraEvent,
                "table" => Place::HasuraTable,
                "_id" => Place::MongoId,
                "ns" => Place::Namespace,
                "updateDescription" => Place::UpdateDescription,
                "fullDocument" | "after" => Place::RowAfter,
                "fullDocumentBeforeChange" | "before" => Place::RowBefore,
                _ => return None,
            },
            Place::HasuraEvent if key.is("data") => Place::HasuraData,
            Place::HasuraEvent if key.is("trace_context") => Place::HasuraTrace,
            Place::HasuraData if key.is("new") => Place::RowAfter,
            Place::HasuraData if key.is("old") => Place::RowBefore,
            _ => return None,
        })
    }

    #[inline]
    fn member(&mut self, place: Place, key: Key<'t>, value: Span) {
        let field = || Field { key: key.span, escaped: key.escaped, value: Slot::json(value) };
        let place_of = match place {
            Place::RowBefore => return note(&mut self.before_fields, field()),
            Place::RowAfter => return note(&mut self.after_fields, field()),
            Place::Root => match &*key.name() {
                "id" => &mut self.id,
                "operationType" => &mut self.operation_type,
                "operation" => &mut self.operation,
                "event" => &mut self.event,
                "payload" => return self.payload = true,
                "scheduled_time" => return self.scheduled = true,
                "source" => &mut self.source,
                "database" => &mut self.database,
                "collection" => &mut self.collection,
                "documentKey" => &mut self.document_key,
                "key" => &mut self.key,
                "before" => &mut self.before,
                "after" => &mut self.after,
                "after_image" => &mut self.after_image,
                "fullDocument" => &mut self.full_document,
                "fullDocumentBeforeChange" => &mut self.full_document_before,
                "created_at" => &mut self.created_at,
                "wallTime" => &mut self.wall_time,
                "committed_at" => &mut self.committed_at,
                "lsid" => &mut self.lsid,
                "txnNumber" => &mut self.txn_number,
                "session" => &mut self.session,
                "context" => &mut self.context,
                "correlation_id" => &mut self.correlation,
                _ => return,
            },
            Place::MongoId if key.is("_data") => &mut self.resume_token,
            Place::Namespace if key.is("db") => &mut self.ns_database,
            Place::Namespace if key.is("coll") => &mut self.ns_collection,
            Place::UpdateDescription => match &*key.name() {
                "updatedFields" => &mut self.updated_fields,
                "removedFields" => &mut self.removed_fields,
                "truncatedArrays" => &mut self.truncated_arrays,
                _ => return,
            },
            Place::HasuraEvent => match &*key.name() {
                "op" => &mut self.hasura_op,
                "data" => &mut self.data,
                "session_variables" => &mut self.session_variables,
                _ => return,
            },
            Place::HasuraData if key.is("new") => &mut self.new,
            Place::HasuraData if key.is("old") => &mut self.old,
            Place::HasuraTable if key.is("name") => &mut self.table,
            Place::HasuraTable if key.is("schema") => &mut self.schema,
            Place::HasuraTrace if key.is("trace_id") => &mut self.trace_id,
            _ => return,
        };
        *place_of = Some(value);
    }
}

/// Notes a field; most rows have no more than the first allocation holds.
#[inline]
fn note(fields: &mut Vec<Field>, field: Field) {
    if fields.capacity() == 0 {
        fields.reserve(16);
    }
    fields.push(field);
}

pub(super) fn decode(text: String) -> Result<Change, DecodeError> {
    if text.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge);
    }
    match text.trim_start_matches(SPACE).as_bytes().first() {
        None => return Err(DecodeError::EmptyBody),
        Some(b'{') => {}
        Some(_) => return Err(not_an_object(&text)),
    }
    let mut found = Found::default();
    Scanner::new(&text, &mut found).object_text(Place::Root).map_err(|fault| json_error(&text, fault))?;
    if found.event.is_some() {
        hasura(text, &mut found)
    } else if found.operation_type.is_some() {
        mongodb(text, &mut found)
    } else if found.operation.is_some() {
        recorded(text, &mut found)
    } else {
        Err(unknown_form(&text, &found))
    }
}

fn not_an_object(text: &str) -> DecodeError {
    let value = text.trim_start_matches(SPACE);
    if serde_json::from_str::<serde::de::IgnoredAny>(value).is_err() {
        let at = text.len() - value.len();
        return json_error(text, JsonFault { at, kind: JsonFaultKind::Expected("an object"), inside: Vec::new() });
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

fn unknown_form(text: &str, found: &Found) -> DecodeError {
    let keys = json::members(text.trim_start_matches(SPACE)).map(|(key, _)| key.name().into_owned()).collect();
    let hint = match (found.scheduled, found.payload) {
        (true, _) => "; this looks like a scheduled trigger, which has no row",
        (false, true) => "; this looks like a payload wrapped as in Hasura's invocation log: use the object under `payload`",
        (false, false) => "",
    };
    DecodeError::UnknownForm { keys, hint }
}

fn hasura(text: String, found: &mut Found) -> Result<Change, DecodeError> {
    let op = string(&text, found.hasura_op).ok_or(DecodeError::MissingField { pointer: "/event/op", expected: "a string" })?;
    let operation = match &*op {
        "INSERT" => Operation::Insert,
        "UPDATE" => Operation::Update,
        "DELETE" => Operation::Delete,
        "MANUAL" => Operation::Manual,
        _ => {
            return Err(DecodeError::UnknownOperation {
                pointer: "/event/op",
                found: op.into_owned(),
                expected: "INSERT, UPDATE, DELETE, MANUAL",
            });
        }
    };
    if found.data.is_none_or(|data| !data.of(&text).starts_with('{')) {
        return Err(DecodeError::MissingField { pointer: "/event/data", expected: "an object with `old` and `new`" });
    }
    let collection = collection(&text, found.table, operation, "/table/name")?;
    let id = place(&text, found.id).ok_or(DecodeError::MissingField { pointer: "/id", expected: "a string" })?;
    let database = place(&text, found.schema).unwrap_or(Text::Owned(Box::default()));
    let before = row(&text, found.old, std::mem::take(&mut found.before_fields), "/event/data/old")?;
    let after = row(&text, found.new, std::mem::take(&mut found.after_fields), "/event/data/new")?;
    let (before, after) = match (operation, before, after) {
        (Operation::Insert | Operation::Manual, before, Some(after)) => (before.unwrap_or(Image::Absent), after),
        (Operation::Manual, Some(before), None) | (Operation::Delete, Some(before), _) => (before, Image::Absent),
        (Operation::Update, before, Some(after)) => (before.unwrap_or(Image::NotCarried), after),
        (Operation::Delete, None, _) => {
            return Err(DecodeError::InconsistentEvent { pointer: "/event/data/old", rule: "a DELETE has the old row" });
        }
        (Operation::Insert, _, None) => {
            return Err(DecodeError::InconsistentEvent { pointer: "/event/data/new", rule: "an INSERT has the new row" });
        }
        (Operation::Manual, _, None) => {
            return Err(DecodeError::InconsistentEvent { pointer: "/event/data/new", rule: "a MANUAL event has a row" });
        }
        _ => return Err(DecodeError::InconsistentEvent { pointer: "/event/data/new", rule: "an UPDATE has the new row" }),
    };
    let mut change = Change::new(Body::Json(text), Shape::Hasura, operation);
    change.set_images((before, after));
    change.key = change.column("id");
    change.id = usable_id(&change, id, 256)?;
    change.collection = collection;
    change.database = database;
    change.committed = found.created_at.map(Slot::json);
    change.session = found.session_variables.map(Slot::json);
    change.found_correlation = found.trace_id.map(Slot::json);
    Ok(change)
}

fn mongodb(text: String, found: &mut Found) -> Result<Change, DecodeError> {
    let operation = string(&text, found.operation_type)
        .ok_or(DecodeError::MissingField { pointer: "/operationType", expected: "a string" })?;
    let (operation, replacement) = mongodb_operation(&operation);
    let id = place(
        &text,
        found.resume_token.filter(|token| string(&text, Some(*token)).is_some_and(|token| is_token(token.as_bytes()))),
    )
    .ok_or(DecodeError::MissingField { pointer: "/_id/_data", expected: "a resume token" })?;
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
    let name = string(&text, found.operation).ok_or(DecodeError::MissingField { pointer: "/operation", expected: "a string" })?;
    let (operation, replacement) = match (&*name, mongodb_operation(&name)) {
        ("manual", _) => (Operation::Manual, false),
        ("shard", _) => (Operation::Shard, false),
        (other, (Operation::Other, _)) if other != "other" => {
            return Err(DecodeError::UnknownOperation { pointer: "/operation", found: name.into_owned(), expected: EXPECTED });
        }
        (_, known) => known,
    };
    let collection = collection(&text, found.collection, operation, "/collection")?;
    let database = place(&text, found.database).unwrap_or(Text::Owned(Box::default()));
    let source = string(&text, found.source).map(Arc::from);
    let looked_up = string(&text, found.after_image).as_deref() == Some("lookup");
    let id = match found.id {
        Some(_) => place(&text, found.id).ok_or(DecodeError::MissingField { pointer: "/id", expected: "a string" })?,
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
        Some(_) => return Err(DecodeError::MissingField { pointer: "/context", expected: "an object" }),
    };
    let description = description(&text, found);
    let mut change = Change::new(Body::Json(text), Shape::Recorded, operation);
    change.set_images((before, after));
    change.id = usable_id(&change, id, usize::MAX)?;
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
    change.found_correlation = found.correlation.map(Slot::json);
    change.context = context;
    Ok(if looked_up { change.with_after_image(AfterImage::Lookup) } else { change })
}

/// The row at `span`: none when missing or null. What was noted of rows of another form is left out.
fn row(text: &str, span: Option<Span>, mut fields: Vec<Field>, pointer: &'static str) -> Result<Option<Image>, DecodeError> {
    match span.map(|span| (span, span.of(text).as_bytes().first())) {
        None | Some((_, Some(b'n'))) => Ok(None),
        Some((span, Some(b'{'))) => {
            let inside = |field: &Field| span.start < field.key.start && field.key.end < span.end;
            if !(fields.first().is_none_or(inside) && fields.last().is_none_or(inside)) {
                fields.retain(inside);
            }
            Ok(Some(Image::Row(Row::with_fields(Slot::json(span), fields))))
        }
        Some(_) => Err(DecodeError::MissingField { pointer, expected: "an object or null" }),
    }
}

/// The collection, which only what happens to a whole database has none of.
fn collection(text: &str, at: Option<Span>, operation: Operation, pointer: &'static str) -> Result<Text, DecodeError> {
    let collection = place(text, at).unwrap_or(Text::Owned(Box::default()));
    if is_empty(&collection) && operation.of_rows() {
        return Err(DecodeError::MissingField { pointer, expected: "a string" });
    }
    Ok(collection)
}

fn description(text: &str, found: &Found) -> Option<Description> {
    let updated = found.updated_fields.filter(|updated| updated.of(text).starts_with('{'));
    let parts = [updated, found.removed_fields, found.truncated_arrays].map(|part| part.map(Slot::json));
    Description { updated: parts[0], removed: parts[1], truncated: parts[2] }.said()
}

/// The string at `span`, escapes resolved.
fn string(text: &str, span: Option<Span>) -> Option<Cow<'_, str>> {
    let quoted = span?.of(text);
    let between = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(json::unescape(between))
}

/// The string at `span`, left in place where it has no escapes.
fn place(text: &str, span: Option<Span>) -> Option<Text> {
    let span = span?;
    let between = span.of(text).strip_prefix('"')?.strip_suffix('"')?;
    Some(match between.contains('\\') {
        true => Text::Owned(json::unescape(between).into()),
        false => Text::At(Span { start: span.start + 1, end: span.end - 1 }),
    })
}

/// The id of an event that was sent here; those of recorded changes may be longer, as resume tokens are.
fn usable_id(change: &Change, id: Text, longest: usize) -> Result<Text, DecodeError> {
    let text = change.text(&id);
    if is_id(text) && text.len() <= longest { Ok(id) } else { Err(DecodeError::BadId { pointer: "/id" }) }
}
