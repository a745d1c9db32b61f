//! How is a change read from what Hasura posts, for event triggers and for scheduled ones, wrapped or not?
//! (Hasura's manual: "Event trigger payload", "Scheduled triggers".)

use crate::raw::json::{Key, MAX_DEPTH, Nul, Span, placed_members};

use super::super::images::{Field, Image, Row, Slot};
use super::super::{Body, Change, Operation, Shape, Text};
use super::json::{Found, SPACE, collection, place, row, string, unknown_form};
use super::{DecodeError, is_empty, is_id};

/// The most bytes of an id.
const ID_BYTES: usize = 256;

/// What is asked of a payload besides its shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'r> {
    /// Names a scheduled trigger that does not name itself.
    trigger: Option<&'r str>,
    ids: Ids,
}

/// Which ids are usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Texts,
    Uuids,
}

impl Rules<'_> {
    /// For payloads that somebody wrote down.
    pub(super) const LENIENT: Self = Self { trigger: None, ids: Ids::Texts };
}

/// Reads a payload as Hasura posts it, and nothing else.
pub(super) fn decode(text: String, trigger: Option<&str>) -> Result<Change, DecodeError> {
    const EXPECTED: &str = "an event trigger's payload has `event`, a scheduled trigger's has `scheduled_time`";
    const ONLY: &str = "only what Hasura posts is read here: `event`, `table` and `id` of an event trigger, or `scheduled_time`, \
                        `payload`, `id` and `name` of a scheduled one";
    let mut found = Found::default();
    found.read(&text, Nul::Refused)?;
    let rules = Rules { trigger, ids: Ids::Uuids };
    if found.event.is_some() {
        event(text, &mut found, rules)
    } else if found.operation_type.is_some() || found.operation.is_some() {
        Err(unknown_form(&text, EXPECTED, ONLY))
    } else {
        without_event(text, &found, rules, EXPECTED)
    }
}

/// Reads a payload that has no `event` of its own: a scheduled trigger's, or one inside of something else.
///
/// It is rare and what it is known by was not noted, so the members of the checked text are walked again.
pub(super) fn without_event(
    text: String,
    found: &Found,
    rules: Rules<'_>,
    expected: &'static str,
) -> Result<Change, DecodeError> {
    let members = Members::of_root(&text);
    if members.find(&text, "scheduled_time").is_some() {
        return scheduled(text, &members, rules);
    }
    let Some((span, prefix)) = wrapped(&text, &members) else {
        let is_of_event = found.table.or(found.delivery).is_some();
        let is_scheduled = ["payload", "name"].iter().any(|name| members.find(&text, name).is_some());
        return Err(match rules.ids {
            // It may be of another form altogether.
            Ids::Texts if !is_of_event => unknown_form(&text, expected, ""),
            Ids::Uuids if !is_of_event && is_scheduled => DecodeError::missing("/scheduled_time", "a string"),
            _ => DecodeError::missing("/event", "an object with `op` and `data`"),
        });
    };
    let inner = span.of(&text).to_owned();
    let mut inside = Found::default();
    inside.read(&inner, Nul::Accepted)?;
    let members = Members::of_root(&inner);
    let change = if inside.event.is_some() {
        event(inner, &mut inside, rules)
    } else if members.find(&inner, "scheduled_time").is_some() {
        scheduled(inner, &members, rules)
    } else {
        return Err(unknown_form(&text, expected, "the object under `payload` is no payload of Hasura's either"));
    };
    change.map(|change| Change { unwrapped: true, ..change }).map_err(|error| error.under(prefix))
}

/// The members of an object in a checked text.
struct Members(Vec<Field>);

impl Members {
    fn of(text: &str, object: Span) -> Self {
        let shifted = |span: Span| span.shifted(object.start);
        let members = placed_members(object.of(text)).map(|(key, value)| Field {
            key: shifted(key.span),
            escaped: key.escaped,
            value: Slot::json(shifted(value)),
        });
        Self(members.collect())
    }

    fn of_root(text: &str) -> Self {
        Self::of(text, Span::new(text.len() - text.trim_start_matches(SPACE).len(), text.len()))
    }

    fn find(&self, text: &str, name: &str) -> Option<Field> {
        let key = |field: &Field| Key { source: text, span: field.key, escaped: field.escaped };
        self.0.iter().find(|field| key(field).is(name)).copied()
    }

    fn span(&self, text: &str, name: &str) -> Option<Span> {
        self.find(text, name).map(|field| field.value.span)
    }
}

/// The object that may be a payload inside of something else, and its JSON pointer. (The documentation prints it so, and so
/// does the console; a row of the invocation log has it one level deeper.)
fn wrapped(text: &str, members: &Members) -> Option<(Span, &'static str)> {
    let object = |span: &Span| span.of(text).starts_with('{');
    let payload = members.span(text, "payload").filter(object);
    let logged = || Members::of(text, members.span(text, "request").filter(object)?).span(text, "payload").filter(object);
    payload.map(|span| (span, "/payload")).or_else(|| logged().map(|span| (span, "/request/payload")))
}

/// Reads an event trigger's payload.
#[inline]
pub(super) fn event(text: String, found: &mut Found, rules: Rules<'_>) -> Result<Change, DecodeError> {
    let op = string(&text, found.hasura_op).ok_or_else(|| DecodeError::missing("/event/op", "a string"))?;
    let operation = match &*op {
        "INSERT" => Operation::Insert,
        "UPDATE" => Operation::Update,
        "DELETE" => Operation::Delete,
        "MANUAL" => Operation::Manual,
        _ => {
            return Err(DecodeError::UnknownOperation {
                pointer: "/event/op".into(),
                found: op.into_owned(),
                expected: "INSERT, UPDATE, DELETE, MANUAL",
            });
        }
    };
    if found.data.is_none_or(|data| !data.bytes_of(&text).starts_with(b"{")) {
        return Err(DecodeError::missing("/event/data", "an object with `old` and `new`"));
    }
    let collection = collection(&text, found.table, operation, "/table/name")?;
    let id = id(&text, found.id, rules)?;
    let database = place(&text, found.schema).unwrap_or(Text::Owned(Box::default()));
    let before = row(&text, found.old, std::mem::take(&mut found.before_fields), "/event/data/old")?;
    let after = row(&text, found.new, std::mem::take(&mut found.after_fields), "/event/data/new")?;
    let images = images(operation, before, after)?;
    let mut change = Change::new(Body::Json(text), Shape::Hasura, operation);
    change.set_images(images);
    change.key = change.column("id").or_else(|| change.column("_id"));
    change.id = id;
    change.collection = collection;
    change.database = database;
    change.committed = found.created_at.map(Slot::json);
    change.session = found.session_variables.map(Slot::json);
    change.cause = found.trace.map(Slot::json);
    change.delivery = found.delivery.map(Slot::json);
    Ok(change)
}

/// The rows from before and after, as the operation must have them.
#[inline]
fn images(operation: Operation, before: Option<Image>, after: Option<Image>) -> Result<(Image, Image), DecodeError> {
    Ok(match (operation, before, after) {
        // Before an insert there is no row, and after a delete there is none, whatever is sent.
        (Operation::Insert, _, Some(after)) => (Image::Absent, after),
        (Operation::Manual, before, Some(after)) => (before.unwrap_or(Image::Absent), after),
        (Operation::Manual, Some(before), None) | (Operation::Delete, Some(before), _) => (before, Image::Absent),
        // SQL Server sends no old row when the primary key changed.
        (Operation::Update, before, Some(after)) => (before.unwrap_or(Image::NotCarried), after),
        (Operation::Delete, None, _) => {
            return Err(DecodeError::inconsistent("/event/data/old", "a DELETE has the old row"));
        }
        (Operation::Insert, _, None) => {
            return Err(DecodeError::inconsistent("/event/data/new", "an INSERT has the new row"));
        }
        (Operation::Manual, _, None) => {
            return Err(DecodeError::inconsistent("/event/data/new", "a MANUAL event has a row"));
        }
        _ => return Err(DecodeError::inconsistent("/event/data/new", "an UPDATE has the new row")),
    })
}

/// Reads what a cron trigger or a one-off scheduled event posts.
fn scheduled(text: String, members: &Members, rules: Rules<'_>) -> Result<Change, DecodeError> {
    let committed = members.span(&text, "scheduled_time");
    if string(&text, committed).is_none() {
        return Err(DecodeError::missing("/scheduled_time", "a string"));
    }
    let named = place(&text, members.span(&text, "name")).filter(|name| !is_empty(name));
    let collection = named.or_else(|| Some(Text::Owned(rules.trigger?.into()))).ok_or_else(|| {
        DecodeError::missing("/name", "a string; post a one-off scheduled event, which has no name, to the route of a trigger")
    })?;
    let id = id(&text, members.span(&text, "id"), rules)?;
    let after = match members.find(&text, "payload") {
        Some(payload) => document(&text, payload)?,
        None => Image::Absent,
    };
    let mut change = Change::new(Body::Json(text), Shape::Scheduled, Operation::Manual);
    change.set_images((Image::Absent, after));
    change.key = change.column("id").or_else(|| change.column("_id"));
    change.id = id;
    change.collection = collection;
    change.committed = committed.map(Slot::json);
    Ok(change)
}

/// The document that a scheduled trigger's payload is: an object as it is, null none, any other value its one field.
fn document(text: &str, payload: Field) -> Result<Image, DecodeError> {
    let value = payload.value.span.of(text);
    if value.starts_with('n') {
        return Ok(Image::Absent);
    }
    if value.starts_with('{') {
        let Members(fields) = Members::of(text, payload.value.span);
        return Ok(Image::Row(Row::with_fields(payload.value, fields)));
    }
    // As a document's field it stands one level deeper, and so it does where the change is written down.
    let deeper = format!(r#"{{"":{{"":{value}}}}}"#);
    match Found::default().read(&deeper, Nul::Accepted) {
        Ok(()) => Ok(Image::Row(Row::of_one(payload))),
        Err(_) => {
            let problem = format!("nested deeper than {} levels, which is the most for an array", MAX_DEPTH - 2);
            Err(DecodeError::Unacceptable { pointer: "/payload".to_owned(), problem })
        }
    }
}

#[inline]
fn id(text: &str, id: Option<Span>, rules: Rules<'_>) -> Result<Text, DecodeError> {
    let written = id.filter(|id| id.bytes_of(text) != b"null").ok_or_else(|| DecodeError::missing("/id", "a string"))?;
    let id = place(text, Some(written)).filter(|id| {
        let id = match id {
            Text::At(span) => span.of(text),
            Text::Owned(text) => text,
        };
        id.len() <= ID_BYTES
            && match rules.ids {
                Ids::Texts => is_id(id),
                Ids::Uuids => is_uuid(id),
            }
    });
    id.ok_or_else(|| {
        let expected = match rules.ids {
            Ids::Texts => "a text of 1 to 256 bytes without control characters",
            Ids::Uuids => {
                "a UUID, as `00000000-0000-0000-0000-000000000000` is written: at most 256 bytes, no control characters"
            }
        };
        DecodeError::BadId { pointer: "/id".into(), expected }
    })
}

/// Whether a text is a UUID in the one form that databases write: with hyphens, in either case.
fn is_uuid(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}
