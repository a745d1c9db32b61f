//! How is the envelope of a MongoDB change event read from its raw BSON?
//! (Fields: the MongoDB manual, "Change Events".)

use crate::raw::Raw;
use crate::raw::bson::{BsonFault, Element, Elements, string, tag};
use crate::raw::json::Span;

use super::super::images::{Image, Row, Slot};
use super::super::{Body, Change, Description, Operation, Shape, Text};
use super::{DecodeError, MAX_BYTES, is_empty, is_token, mongodb_images, mongodb_operation};

/// An element of a document inside the body, placed in the body.
#[derive(Clone, Copy)]
struct Found<'b> {
    element: Element<'b>,
    slot: Slot,
}

impl<'b> Found<'b> {
    fn raw(self) -> Raw<'b> {
        Raw::Bson { tag: self.element.tag, bytes: self.element.value }
    }
}

pub(super) fn decode(bytes: Vec<u8>) -> Result<Change, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge);
    }
    let mut id = None;
    let mut operation = None;
    let mut namespace = (Text::Owned(Box::default()), Text::Owned(Box::default()));
    let mut before = Image::NotCarried;
    let mut after = Image::NotCarried;
    let mut description = None;
    let (mut key, mut session, mut number, mut wall_time) = (None, None, None, None);
    walk(&bytes, 0, |found| {
        match found.element.key {
            b"_id" => {
                let token = member(found, b"_data")?.filter(|token| token.element.tag == tag::STRING);
                id = token.map(text_at).filter(|span| is_token(&bytes[span.start as usize..span.end as usize])).map(Text::At);
            }
            b"operationType" if found.element.tag == tag::STRING => {
                let name = found.raw();
                operation = name.plain_text().map(mongodb_operation);
                // Only what is no known name can be no text.
                operation = operation.filter(|(operation, _)| *operation != Operation::Other || name.is_plain_text());
            }
            b"ns" => inside(found, |inner| {
                match inner.element.key {
                    b"db" => namespace.0 = text(inner).unwrap_or(Text::Owned(Box::default())),
                    // Every detector asks for it, and bytes would have to be seen to be text each time.
                    b"coll" => namespace.1 = Text::Owned(string(inner.element.value).unwrap_or_default().into()),
                    _ => {}
                }
                Ok(())
            })?,
            b"documentKey" if is_document(found) => key = Some(found.slot),
            b"fullDocument" if is_document(found) => after = Image::Row(Row::new(found.slot)),
            b"fullDocumentBeforeChange" if is_document(found) => before = Image::Row(Row::new(found.slot)),
            b"updateDescription" => {
                let mut parts = Description::default();
                inside(found, |inner| {
                    match inner.element.key {
                        b"updatedFields" if is_document(inner) => parts.updated = Some(inner.slot),
                        b"removedFields" => parts.removed = Some(inner.slot),
                        b"truncatedArrays" => parts.truncated = Some(inner.slot),
                        b"disambiguatedPaths" if is_document(inner) => parts.disambiguated = Some(inner.slot),
                        _ => {}
                    }
                    Ok(())
                })?;
                description = parts.said();
            }
            b"lsid" => session = Some(found.slot),
            b"txnNumber" => number = Some(found.slot),
            b"wallTime" => wall_time = Some(found.slot),
            _ => {}
        }
        Ok(())
    })?;
    let id = id.ok_or_else(|| DecodeError::missing("/_id/_data", "a resume token"))?;
    let (operation, replacement) = operation.ok_or_else(|| DecodeError::missing("/operationType", "a string"))?;
    if is_empty(&namespace.1) && operation.of_rows() {
        return Err(DecodeError::missing("/ns/coll", "a string"));
    }
    let event = bytes.len();
    let mut change = Change::new(Body::Bson { bytes, event }, Shape::MongoDb, operation);
    change.set_images(mongodb_images(operation, before, after));
    change.replacement = replacement;
    change.id = id;
    (change.database, change.collection) = namespace;
    change.key = key;
    change.description = description;
    change.committed = wall_time;
    change.transaction = session.zip(number);
    Ok(change)
}

/// Tells `each` of the elements of `document`, which starts at `base` of the body.
#[inline]
fn walk<'b>(
    document: &'b [u8],
    base: usize,
    mut each: impl FnMut(Found<'b>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let fault = |fault: BsonFault| DecodeError::InvalidBson { at: base + fault.at, expected: fault.expected };
    let mut elements = Elements::new(document).map_err(fault)?;
    while let Some(element) = elements.next().map_err(fault)? {
        each(Found { element, slot: Slot::bson(element.tag, base + element.start, element.value.len()) })?;
    }
    Ok(())
}

/// As [`walk`], in a document that was found; another type has no elements.
#[inline]
fn inside<'b>(outer: Found<'b>, each: impl FnMut(Found<'b>) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
    if is_document(outer) { walk(outer.element.value, outer.slot.span.start as usize, each) } else { Ok(()) }
}

#[inline]
fn member<'b>(outer: Found<'b>, name: &[u8]) -> Result<Option<Found<'b>>, DecodeError> {
    let mut wanted = None;
    inside(outer, |inner| {
        if inner.element.key == name {
            wanted = Some(inner);
        }
        Ok(())
    })?;
    Ok(wanted)
}

fn is_document(found: Found<'_>) -> bool {
    found.element.tag == tag::DOCUMENT
}

/// The text of a string, as a place in the body: after its length, before its final zero byte.
fn text(found: Found<'_>) -> Option<Text> {
    if found.element.tag != tag::STRING {
        return None;
    }
    let is_text = found.raw().is_plain_text();
    is_text.then(|| Text::At(text_at(found)))
}

/// Where the text of a string is; one that is too short to be one has none.
fn text_at(found: Found<'_>) -> Span {
    let Span { start, end } = found.slot.span;
    Span { start: start + 4, end: (end - 1).max(start + 4) }
}
