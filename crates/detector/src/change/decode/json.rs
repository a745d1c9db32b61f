//! How is a change read from JSON, in any of its three forms, in the one pass that checks the text?
//! (Hasura: "Event trigger payload" of its manual. MongoDB: "Change Events" and Extended JSON v2. The third form is ours.)

use crate::raw::json::{self, Key, Scanner, Span, Visitor};

use super::super::images::{Field, Image, Row, Slot};
use super::super::{Body, Change, Description, Operation, Shape, Text};
use super::{DecodeError, MAX_BYTES, json_error, mongodb_images, mongodb_operation};

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

/// Where everything is that any of the forms has.
#[derive(Debug, Default)]
struct Found {
    keys: Vec<Span>,
    id: Option<Span>,
    resume_token: Option<Span>,
    operation_type: Option<Span>,
    operation: Option<Span>,
    hasura_op: Option<Span>,
    event: Option<Span>,
    data: Option<Span>,
    payload: bool,
    scheduled: bool,
    database: Option<Span>,
    collection: Option<Span>,
    schema: Option<Span>,
    table: Option<Span>,
    key: Option<Span>,
    before: Option<Span>,
    after: Option<Span>,
    before_fields: Vec<Field>,
    after_fields: Vec<Field>,
    described: bool,
    description: Description,
    committed: Option<Span>,
    lsid: Option<Span>,
    txn_number: Option<Span>,
    session: Option<Span>,
    context: Option<Span>,
    correlation: Option<Span>,
}

impl<'t> Visitor<'t> for Found {
    type Place = Place;

    #[inline]
    fn enter(&self, place: Place, key: &str) -> Option<Place> {
        Some(match (place, key) {
            (Place::Root, "event") => Place::HasuraEvent,
            (Place::Root, "table") => Place::HasuraTable,
            (Place::Root, "_id") => Place::MongoId,
            (Place::Root, "ns") => Place::Namespace,
            (Place::Root, "updateDescription") => Place::UpdateDescription,
            (Place::Root, "fullDocument" | "after") | (Place::HasuraData, "new") => Place::RowAfter,
            (Place::Root, "fullDocumentBeforeChange" | "before") | (Place::HasuraData, "old") => Place::RowBefore,
            (Place::HasuraEvent, "data") => Place::HasuraData,
            (Place::HasuraEvent, "trace_context") => Place::HasuraTrace,
            _ => return None,
        })
    }

    #[inline]
    fn member(&mut self, place: Place, key: Key<'t>, value: Span) {
        let field = || Field { key: key.span, escaped: key.escaped, value: Slot::json(value) };
        let place_of = match (place, key.text) {
            (Place::RowBefore, _) => return self.before_fields.push(field()),
            (Place::RowAfter, _) => return self.after_fields.push(field()),
            (Place::Root, name) => {
                self.keys.push(key.span);
                match name {
                    "id" => &mut self.id,
                    "operationType" => &mut self.operation_type,
                    "operation" => &mut self.operation,
                    "event" => &mut self.event,
                    "payload" => return self.payload = true,
                    "scheduled_time" => return self.scheduled = true,
                    "database" => &mut self.database,
                    "collection" => &mut self.collection,
                    "documentKey" | "key" => &mut self.key,
                    "fullDocument" | "after" => &mut self.after,
                    "fullDocumentBeforeChange" | "before" => &mut self.before,
                    "updateDescription" => return self.described = true,
                    "created_at" | "wallTime" | "committed_at" => &mut self.committed,
                    "lsid" => &mut self.lsid,
                    "txnNumber" => &mut self.txn_number,
                    "session" => &mut self.session,
                    "context" => &mut self.context,
                    "correlation_id" => &mut self.correlation,
                    _ => return,
                }
            }
            (Place::MongoId, "_data") => &mut self.resume_token,
            (Place::Namespace, "db") => &mut self.database,
            (Place::Namespace, "coll") => &mut self.collection,
            (Place::UpdateDescription, "updatedFields") => return self.description.updated = Some(Slot::json(value)),
            (Place::UpdateDescription, "removedFields") => return self.description.removed = Some(Slot::json(value)),
            (Place::UpdateDescription, "truncatedArrays") => return self.description.truncated = Some(Slot::json(value)),
            (Place::HasuraEvent, "op") => &mut self.hasura_op,
            (Place::HasuraEvent, "data") => &mut self.data,
            (Place::HasuraEvent, "session_variables") => &mut self.session,
            (Place::HasuraData, "new") => &mut self.after,
            (Place::HasuraData, "old") => &mut self.before,
            (Place::HasuraTable, "name") => &mut self.table,
            (Place::HasuraTable, "schema") => &mut self.schema,
            (Place::HasuraTrace, "trace_id") => &mut self.correlation,
            _ => return,
        };
        *place_of = Some(value);
    }
}

pub(super) fn decode(text: String) -> Result<Change, DecodeError> {
    if text.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge);
    }
    match text.trim_start().as_bytes().first() {
        None => return Err(DecodeError::EmptyBody),
        Some(b'{') => {}
        Some(_) => return Err(not_an_object(&text)),
    }
    let found = Scanner::new(&text, Found::default()).object_text(Place::Root).map_err(|fault| json_error(&text, fault))?;
    if found.event.is_some() {
        hasura(text, found)
    } else if found.operation_type.is_some() {
        mongodb(text, found)
    } else if found.operation.is_some() {
        recorded(text, found)
    } else {
        Err(unknown_form(&text, &found))
    }
}

fn not_an_object(text: &str) -> DecodeError {
    let found = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Array(_)) => "an array",
        Ok(serde_json::Value::String(_)) => "a string",
        Ok(serde_json::Value::Number(_)) => "a number",
        Ok(serde_json::Value::Bool(_)) => "a boolean",
        Ok(_) => "null",
        Err(error) => {
            let near = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
            let near: String = near.chars().skip(error.column().saturating_sub(1)).take(20).collect();
            return DecodeError::InvalidJson {
                line: error.line(),
                column: error.column(),
                near: near.escape_debug().to_string(),
                expected: "an object",
            };
        }
    };
    DecodeError::NotAnObject { found }
}

fn unknown_form(text: &str, found: &Found) -> DecodeError {
    let keys = found.keys.iter().map(|key| json::unescape(key.of(text)).into_owned()).collect();
    let hint = match (found.scheduled, found.payload) {
        (true, _) => "; this looks like a scheduled trigger, which has no row",
        (false, true) => "; this looks like a payload wrapped as in Hasura's invocation log: use the object under `payload`",
        (false, false) => "",
    };
    DecodeError::UnknownForm { keys, hint }
}

fn hasura(text: String, mut found: Found) -> Result<Change, DecodeError> {
    let op = string(&text, found.hasura_op).ok_or(DecodeError::MissingField { pointer: "/event/op", expected: "a string" })?;
    let operation = match op.as_str() {
        "INSERT" => Operation::Insert,
        "UPDATE" => Operation::Update,
        "DELETE" => Operation::Delete,
        "MANUAL" => Operation::Manual,
        _ => {
            return Err(DecodeError::UnknownOperation {
                pointer: "/event/op",
                found: op,
                expected: "INSERT, UPDATE, DELETE, MANUAL",
            });
        }
    };
    if found.data.is_none_or(|data| !data.of(&text).starts_with('{')) {
        return Err(DecodeError::MissingField { pointer: "/event/data", expected: "an object with `old` and `new`" });
    }
    let collection =
        place(&text, found.table).ok_or(DecodeError::MissingField { pointer: "/table/name", expected: "a string" })?;
    let id = place(&text, found.id).ok_or(DecodeError::MissingField { pointer: "/id", expected: "a string" })?;
    let database = place(&text, found.schema).unwrap_or(Text::Owned(Box::default()));
    let (before_fields, after_fields) = (std::mem::take(&mut found.before_fields), std::mem::take(&mut found.after_fields));
    let id_column = after_fields.iter().chain(&before_fields).find(|field| field.key.of(&text) == "id").map(|field| field.value);
    let before = row(&text, found.before, before_fields, "/event/data/old")?;
    let after = row(&text, found.after, after_fields, "/event/data/new")?;
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
        _ => return Err(DecodeError::InconsistentEvent { pointer: "/event/data/new", rule: "an UPDATE has the new row" }),
    };
    let mut change = Change::new(Body::Json(text), Shape::Hasura, operation).with_images(before, after);
    change.id = usable_id(&change, id, "/id")?;
    change.collection = collection;
    change.database = database;
    change.key = id_column;
    change.committed = found.committed.map(Slot::json);
    change.session = found.session.map(Slot::json);
    change.found_correlation = found.correlation.map(Slot::json);
    Ok(change)
}

fn mongodb(text: String, mut found: Found) -> Result<Change, DecodeError> {
    let operation = string(&text, found.operation_type)
        .ok_or(DecodeError::MissingField { pointer: "/operationType", expected: "a string" })?;
    let (operation, replacement) = mongodb_operation(&operation);
    let id = place(&text, found.resume_token)
        .ok_or(DecodeError::MissingField { pointer: "/_id/_data", expected: "a resume token" })?;
    let before = row(&text, found.before, std::mem::take(&mut found.before_fields), "/fullDocumentBeforeChange")?;
    let after = row(&text, found.after, std::mem::take(&mut found.after_fields), "/fullDocument")?;
    let (before, after) = mongodb_images(operation, before.unwrap_or(Image::NotCarried), after.unwrap_or(Image::NotCarried));
    let database = place(&text, found.database).unwrap_or(Text::Owned(Box::default()));
    let collection = place(&text, found.collection).unwrap_or(Text::Owned(Box::default()));
    let mut change = Change::new(Body::Json(text), Shape::MongoDb, operation).with_images(before, after);
    change.replacement = replacement;
    change.id = id;
    change.database = database;
    change.collection = collection;
    change.key = found.key.map(Slot::json);
    change.description = found.described.then_some(found.description);
    change.committed = found.committed.map(Slot::json);
    change.transaction = found.lsid.map(Slot::json).zip(found.txn_number.map(Slot::json));
    Ok(change)
}

fn recorded(text: String, mut found: Found) -> Result<Change, DecodeError> {
    const EXPECTED: &str = "insert, update, replace, delete, manual";
    let name = string(&text, found.operation).ok_or(DecodeError::MissingField { pointer: "/operation", expected: "a string" })?;
    let (operation, replacement) = match name.as_str() {
        "manual" => (Operation::Manual, false),
        other => mongodb_operation(other),
    };
    if operation == Operation::Other {
        return Err(DecodeError::UnknownOperation { pointer: "/operation", found: name, expected: EXPECTED });
    }
    let collection =
        place(&text, found.collection).ok_or(DecodeError::MissingField { pointer: "/collection", expected: "a string" })?;
    let database = place(&text, found.database).unwrap_or(Text::Owned(Box::default()));
    let (before_fields, after_fields) = (std::mem::take(&mut found.before_fields), std::mem::take(&mut found.after_fields));
    let own_key = ["_id", "id"].into_iter().find_map(|name| {
        after_fields.iter().chain(&before_fields).find(|field| field.key.of(&text) == name).map(|field| field.value)
    });
    let key = found.key.map(Slot::json).or(own_key);
    let id = match found.id {
        Some(_) => place(&text, found.id).ok_or(DecodeError::MissingField { pointer: "/id", expected: "a string" })?,
        None => Change::content_id(text.as_bytes()),
    };
    let before = row(&text, found.before, before_fields, "/before")?;
    let after = row(&text, found.after, after_fields, "/after")?;
    let (before, after) = match operation {
        Operation::Manual => (before.unwrap_or(Image::Absent), after.unwrap_or(Image::Absent)),
        _ => mongodb_images(operation, before.unwrap_or(Image::NotCarried), after.unwrap_or(Image::NotCarried)),
    };
    let context = match found.context {
        Some(span) => serde_json::from_str(span.of(&text)).map_err(|_| DecodeError::MissingField {
            pointer: "/context",
            expected: "an object with numbers in the range of a double",
        })?,
        None => serde_json::Map::new(),
    };
    let mut change = Change::new(Body::Json(text), Shape::Recorded, operation).with_images(before, after);
    change.id = usable_id(&change, id, "/id")?;
    change.replacement = replacement;
    change.database = database;
    change.collection = collection;
    change.key = key;
    change.committed = found.committed.map(Slot::json);
    change.session = found.session.map(Slot::json);
    change.found_correlation = found.correlation.map(Slot::json);
    change.context = context;
    Ok(change)
}

/// The row at `span`: none when missing or null.
fn row(text: &str, span: Option<Span>, fields: Vec<Field>, pointer: &'static str) -> Result<Option<Image>, DecodeError> {
    match span.map(|span| (span, span.of(text).as_bytes().first())) {
        None | Some((_, Some(b'n'))) => Ok(None),
        Some((span, Some(b'{'))) => Ok(Some(Image::Row(Row::with_fields(Slot::json(span), fields)))),
        Some(_) => Err(DecodeError::MissingField { pointer, expected: "an object or null" }),
    }
}

/// The string at `span`, escapes resolved.
fn string(text: &str, span: Option<Span>) -> Option<String> {
    let quoted = span?.of(text);
    let between = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(json::unescape(between).into_owned())
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

fn usable_id(change: &Change, id: Text, pointer: &'static str) -> Result<Text, DecodeError> {
    let text = change.text(&id);
    if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        return Err(DecodeError::BadId { pointer });
    }
    Ok(id)
}
