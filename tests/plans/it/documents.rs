//! Which documents are there before and after, and what does an update say of what it did?

use event_detector::bson::{Bson, Document, doc};

use crate::chances::Chances;

/// What an update says, and the documents beside it.
pub(crate) struct Update {
    pub(crate) before: Document,
    pub(crate) after: Document,
    pub(crate) description: Document,
}

/// The columns that documents mostly have.
pub(crate) const COLUMNS: [&str; 9] = ["_id", "id", "status", "note", "n", "flag", "doc", "arr", "at"];

/// A value as `column` mostly holds it.
fn value(chances: &mut Chances, column: &str) -> Bson {
    if chances.percent(8) {
        return match chances.below(3) {
            0 => chances.text(),
            1 => chances.number(),
            _ => chances.other(),
        };
    }
    match column {
        "_id" | "id" | "n" => chances.number(),
        "flag" => Bson::Boolean(chances.percent(60)),
        "doc" => {
            let mut inner = Document::new();
            for (name, value) in [("s", chances.text()), ("n", chances.number())] {
                if chances.percent(80) {
                    inner.insert(name, value);
                }
            }
            Bson::Document(inner)
        }
        "arr" => {
            let mut items = vec![chances.text(), chances.number(), chances.other()];
            items.truncate(chances.below(4));
            Bson::Array(items)
        }
        "at" => Bson::DateTime(event_detector::bson::DateTime::from_millis(1_795_255_207_000 + i64::from(chances.percent(50)))),
        _ => chances.text(),
    }
}

pub(crate) fn document(chances: &mut Chances) -> Document {
    let mut document = Document::new();
    for column in COLUMNS {
        if chances.percent(if column == "_id" { 95 } else { 82 }) {
            let value = value(chances, column);
            document.insert(column, value);
        }
    }
    document
}

/// An update of some columns, and its description: mostly what happened, in one of the ways in which a server says it.
pub(crate) fn update(chances: &mut Chances) -> Update {
    let before = document(chances);
    let mut after = before.clone();
    let (mut updated, mut removed, mut truncated) = (Document::new(), Vec::new(), Vec::new());
    for column in &COLUMNS[2..] {
        if !chances.percent(45) {
            continue;
        }
        if chances.percent(12) {
            after.remove(*column);
            removed.push(Bson::from(*column));
            continue;
        }
        let new = value(chances, column);
        match (after.get_mut(column), &new) {
            (Some(Bson::Document(old)), Bson::Document(new)) if chances.percent(60) => {
                // Only what is inside is named.
                for (name, value) in new {
                    if old.get(name) != Some(value) || chances.percent(20) {
                        updated.insert(format!("{column}.{name}"), value.clone());
                        old.insert(name, value.clone());
                    }
                }
                if chances.percent(20) && old.remove("s").is_some() && !updated.contains_key(format!("{column}.s")) {
                    removed.push(Bson::from(format!("{column}.s")));
                }
            }
            (Some(Bson::Array(old)), Bson::Array(_)) if chances.percent(50) && !old.is_empty() => {
                if chances.percent(50) {
                    let size = chances.below(old.len());
                    old.truncate(size);
                    truncated.push(Bson::from(doc! { "field": *column, "newSize": i32::try_from(size).unwrap_or(0) }));
                } else {
                    let value = chances.text();
                    updated.insert(format!("{column}.0"), value.clone());
                    old[0] = value;
                }
            }
            _ => {
                updated.insert(*column, new.clone());
                after.insert(*column, new);
            }
        }
    }
    if chances.percent(10) {
        // What is written again as it was.
        for (name, value) in after.iter().take(2).chain(after.iter().skip(4).take(1)) {
            if !updated.contains_key(name) {
                updated.insert(name, value.clone());
            }
        }
    }
    let mut description = doc! { "updatedFields": updated, "removedFields": removed };
    if !truncated.is_empty() || chances.percent(80) {
        description.insert("truncatedArrays", truncated);
    }
    Update { before, after, description }
}
