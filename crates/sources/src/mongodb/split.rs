//! How is an event put together that came in parts?
//! (Format: the MongoDB manual, "$changeStreamSplitLargeEvent".)

use mongodb::bson::{RawDocument, RawDocumentBuf};

/// Puts together the parts of one event at a time.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The fields of the parts that came so far.
    fields: Option<RawDocumentBuf>,
}

impl Parts {
    /// Whether a part has come, and the last one has not.
    pub(super) fn is_waiting(&self) -> bool {
        self.fields.is_some()
    }

    /// The whole event, once its last part has come; its token is that of the last part. What is no part is whole.
    pub(super) fn join(&mut self, event: &RawDocument) -> Option<RawDocumentBuf> {
        let Some((number, of)) = part(event) else { return Some(event.to_owned()) };
        let mut fields = if number == 1 { None } else { self.fields.take() }.unwrap_or_default();
        copy(event, &mut fields, |name| name != "_id" && name != "splitEvent");
        if number < of {
            self.fields = Some(fields);
            return None;
        }
        let mut whole = RawDocumentBuf::new();
        copy(event, &mut whole, |name| name == "_id");
        copy(&fields, &mut whole, |_| true);
        Some(whole)
    }
}

/// Adds the fields of `from` that are `wanted` to `to`.
fn copy(from: &RawDocument, to: &mut RawDocumentBuf, wanted: fn(&str) -> bool) {
    for element in from.iter_elements().flatten().filter(|element| wanted(element.key().as_str())) {
        if let Ok(value) = element.value() {
            to.append(element.key(), value);
        }
    }
}

/// Whether an event is a part of one.
pub(super) fn is_part(event: &RawDocument) -> bool {
    part(event).is_some()
}

/// Which part of how many an event is; a part says so right behind its token.
fn part(event: &RawDocument) -> Option<(i32, i32)> {
    let element = event.iter_elements().nth(1)?.ok()?;
    let split = (element.key().as_str() == "splitEvent").then(|| element.value().ok()?.as_document())??;
    Some((split.get_i32("fragment").ok()?, split.get_i32("of").ok()?))
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{RawDocumentBuf, rawdoc};

    use super::Parts;

    fn parts() -> [RawDocumentBuf; 3] {
        [
            rawdoc! {
                "_id": { "_data": "01" }, "splitEvent": { "fragment": 1, "of": 3 }, "operationType": "update",
                "ns": { "db": "app", "coll": "moves" }, "documentKey": { "_id": 1 }
            },
            rawdoc! { "_id": { "_data": "02" }, "splitEvent": { "fragment": 2, "of": 3 }, "fullDocumentBeforeChange": { "a": 1 } },
            rawdoc! {
                "_id": { "_data": "03" }, "splitEvent": { "fragment": 3, "of": 3 },
                "updateDescription": { "updatedFields": { "a": 2 } }
            },
        ]
    }

    #[test]
    fn an_event_in_parts_is_whole_with_its_last_and_has_its_token() {
        let [first, second, third] = parts();
        let mut joined = Parts::default();

        assert_eq!((joined.join(&first), joined.is_waiting()), (None, true));
        assert_eq!((joined.join(&second), joined.is_waiting()), (None, true));
        let whole = joined.join(&third).unwrap();

        assert!(!joined.is_waiting());
        assert_eq!(
            whole,
            rawdoc! {
                "_id": { "_data": "03" }, "operationType": "update", "ns": { "db": "app", "coll": "moves" },
                "documentKey": { "_id": 1 }, "fullDocumentBeforeChange": { "a": 1 },
                "updateDescription": { "updatedFields": { "a": 2 } }
            }
        );
    }

    #[test]
    fn a_first_part_that_comes_again_begins_anew() {
        let [first, second, third] = parts();
        let mut joined = Parts::default();
        joined.join(&first);
        joined.join(&second);

        joined.join(&first);
        joined.join(&second);

        assert_eq!(joined.join(&third).unwrap().iter_elements().count(), 6);
    }

    #[test]
    fn what_is_no_part_is_whole() {
        let event = rawdoc! { "_id": { "_data": "01" }, "operationType": "insert" };

        assert_eq!(Parts::default().join(&event), Some(event));
    }
}
