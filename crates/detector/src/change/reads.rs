//! What do the helpers of a detector answer, and when can the change not say? (Three-valued reading.)
//!
//! Images come first, because descriptions mislead: `$set` of a parent names only the parent, an update by pipeline may
//! arrive as a replace, an identical replace still sends a change. What a real server sends is tabled in the tests.

use serde::Serialize;

use crate::raw::{Kind, Malformed, Raw};
use crate::undecided::{Read, Unknown, consult, is_recording, record, unreadable};
use crate::value::{Literal, Origin, Reading, Value, Why};

use super::images::{Image, Row};
use super::memo::Asked;
use super::{AfterImage, Change, Description, Operation, Shape};

/// Yes, no, or why the change does not say.
pub(crate) type Truth = Result<bool, Why>;

/// The names of the top-level columns that a change touched, in the order of the document.
pub type ChangedColumns = Vec<String>;

/// Which image is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The document before the change.
    Before,
    /// The document after the change.
    After,
}

/// How a path that an update names lies to the path that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    At,
    Under,
    Above,
    Apart,
}

impl Change {
    /// The field at a dotted path before the change: missing before an insert, unknown where the change does not carry it.
    #[inline]
    pub fn before<'c>(&'c self, path: &'c str) -> Value<'c> {
        let (path, first, last) = Asked::new(path).parts();
        self.value_before(path, first, last)
    }

    /// The field at a dotted path after the change: missing after a delete; without an image it comes from the update's
    /// description, else it is unknown. [`after_image`](Self::after_image) tells whether it may be newer than the change.
    #[inline]
    pub fn after<'c>(&'c self, path: &'c str) -> Value<'c> {
        let (path, first, last) = Asked::new(path).parts();
        self.value_after(path, first, last)
    }

    fn value_before<'c>(&'c self, path: &'c str, first: u64, last: u64) -> Value<'c> {
        if !is_recording()
            && let Some(value) = self.value_at_once(Side::Before, Asked::of(path, first, last), Origin::Before(self, path))
        {
            return value;
        }
        self.value_noted(Side::Before, Asked::of(path, first, last))
    }

    fn value_after<'c>(&'c self, path: &'c str, first: u64, last: u64) -> Value<'c> {
        if !is_recording()
            && let Some(value) = self.value_at_once(Side::After, Asked::of(path, first, last), Origin::After(self, path))
        {
            return value;
        }
        self.value_noted(Side::After, Asked::of(path, first, last))
    }

    /// The field on `side`; who wants to see what is read is told.
    #[cold]
    fn value_noted<'c>(&'c self, side: Side, asked: Asked<'c>) -> Value<'c> {
        let (name, origin) = match side {
            Side::Before => ("before", Origin::Before(self, asked.path())),
            Side::After => ("after", Origin::After(self, asked.path())),
        };
        let value = Value::new(self.read_as(side, asked), origin);
        if is_recording() {
            note(name, asked.path(), value);
        }
        value
    }

    /// Whether an update changed the value at a dotted path; false for an insert and a delete.
    ///
    /// With both images the values are compared (equal JSON is not changed, `1` equals `1.0`); else the update's
    /// description answers as far as it can.
    #[inline]
    pub fn column_changed(&self, path: &str) -> bool {
        self.answer(self.changed(path), path, || format!("column_changed({path:?})"))
    }

    /// Whether the field is `value` now and was not before; an insert that has the value counts.
    pub fn became<'l>(&self, path: &str, value: impl Into<Literal<'l>>) -> bool {
        let value = value.into();
        self.answer(self.has_become(path, value), path, || format!("became({path:?}, {value})"))
    }

    /// Whether an update turned the field from `from` into `to`.
    pub fn changed_from_to<'l>(&self, path: &str, from: impl Into<Literal<'l>>, to: impl Into<Literal<'l>>) -> bool {
        let (from, to) = (from.into(), to.into());
        self.answer(self.has_changed_from_to(path, from, to), path, || format!("changed_from_to({path:?}, {from}, {to})"))
    }

    /// The top-level columns that an update changed; none for other operations.
    pub fn changed_columns(&self) -> ChangedColumns {
        let (columns, unknown) = match self.operation {
            Operation::Update => self.touched_columns(),
            _ => (Vec::new(), None),
        };
        if let Some((why, column)) = unknown {
            unreadable(|| Unknown { read: "changed_columns()".to_owned(), cure: self.cure(why, &column) });
        }
        record(|| Read { read: "changed_columns()".to_owned(), answer: format!("{columns:?}") });
        columns
    }

    /// A helper's plain answer; an unknown one is consulted as such.
    #[inline]
    fn answer(&self, truth: Truth, path: &str, read: impl Fn() -> String) -> bool {
        record(|| Read { read: read(), answer: truth.map_or_else(|_| "unknown".to_owned(), |answer| answer.to_string()) });
        truth.unwrap_or_else(|why| self.consult(why, path, read))
    }

    #[cold]
    fn consult(&self, why: Why, path: &str, read: impl Fn() -> String) -> bool {
        consult(|| Unknown { read: read(), cure: self.cure(why, path) })
    }

    pub(super) fn find(&self, side: Side, path: &str) -> Reading<'_> {
        let image = match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        };
        if let Image::Row(row) = image {
            if side == Side::After
                && self.after_image == AfterImage::Lookup
                && let Some(known) = self.written(path)
            {
                return known;
            }
            match self.in_row(row, path).into() {
                Reading::Missing => {}
                known_or_not => return known_or_not,
            }
        } else if matches!(image, Image::NotCarried)
            && let Some(key) = self.key.filter(|_| self.names_id(path))
        {
            return self.raw(key).at_path(path).into();
        }
        match image {
            Image::NotCarried if side == Side::Before => Reading::Unknown(Why::NoBefore),
            Image::NotCarried => self.written(path).unwrap_or(Reading::Unknown(Why::NoAfter)),
            Image::Absent | Image::Row(_) if self.lacks_column(path) => Reading::Unknown(Why::NoSuchColumn),
            Image::Absent | Image::Row(_) => Reading::Missing,
        }
    }

    /// Whether a row of Hasura's, which always names all its columns, has no such column on either side.
    fn lacks_column(&self, path: &str) -> bool {
        let column = path.split('.').next().unwrap_or(path);
        self.shape == Shape::Hasura
            && self.rows().next().is_some()
            && self.rows().all(|row| matches!(row.find(&self.body, column), Ok(None)))
    }

    /// Whether `path` is the `_id` of a MongoDB document, which never changes and which every change of one carries.
    fn names_id(&self, path: &str) -> bool {
        self.shape == Shape::MongoDb && matches!(lies(b"_id", path.as_bytes()), Lies::At | Lies::Above)
    }

    /// The field as an update wrote it, where its description says it whole.
    fn written(&self, path: &str) -> Option<Reading<'_>> {
        let description = self.description?;
        let mut found = None;
        let read = self.each_updated(description, |name, raw| {
            if found.is_none() {
                found = match lies(name, path.as_bytes()) {
                    Lies::At => Some(Some(Reading::Known(raw))),
                    Lies::Above => Some(Some(raw.at_path(&path[name.len() + 1..]).into())),
                    // Only a part of the value is named.
                    Lies::Under => Some(None),
                    Lies::Apart => None,
                };
            }
        });
        match (read, found) {
            (Err(Malformed), _) => return Some(Reading::Unknown(Why::Malformed)),
            (Ok(()), Some(found)) => return found,
            (Ok(()), None) => {}
        }
        let removed = self.removed(description).ok()?;
        let is_named = |name: &String| matches!(lies(name.as_bytes(), path.as_bytes()), Lies::At | Lies::Above);
        removed.iter().any(is_named).then_some(Reading::Missing)
    }

    pub(super) fn find_changed(&self, asked: Asked<'_>) -> Truth {
        let path = asked.path();
        if self.operation != Operation::Update || self.names_id(path) {
            return Ok(false);
        }
        let after = match (&self.after, self.after_image) {
            (Image::Row(after), image) if image != AfterImage::Lookup => Some(match self.remembered_after(asked) {
                Some(Reading::Known(raw)) => Some(raw),
                _ => self.in_row(after, path)?,
            }),
            _ => match self.written(path) {
                Some(Reading::Known(raw)) => Some(Some(raw)),
                Some(Reading::Missing) => Some(None),
                Some(Reading::Unknown(why)) => return Err(why),
                None => None,
            },
        };
        match (&self.before, after) {
            (Image::Row(before), Some(after)) => match (self.in_row(before, path)?, after) {
                (Some(before), Some(after)) => Ok(!before.same(after)?),
                (None, None) if self.lacks_column(path) => Err(Why::NoSuchColumn),
                (None, None) => Ok(false),
                _ => Ok(true),
            },
            _ => match self.description {
                Some(description) => self.changed_by(description, path),
                None if self.lacks_column(path) => Err(Why::NoSuchColumn),
                None if matches!(self.before, Image::NotCarried) => Err(Why::NoBefore),
                None => Err(Why::NoAfter),
            },
        }
    }

    /// Whether a description says that `path` changed: it or what is under it is named.
    ///
    /// A number or a document written whole may equal what was there, and so may what is under a parent that is named.
    fn changed_by(&self, description: Description, path: &str) -> Truth {
        let mut verdict = Ok(false);
        let mut certain = None;
        self.each_updated(description, |name, raw| match lies(name, path.as_bytes()) {
            _ if certain.is_some() => {}
            Lies::At | Lies::Under if raw.is_plain_text() => certain = Some(Ok(true)),
            Lies::At | Lies::Under => match raw.kind() {
                Ok(Kind::Number(_) | Kind::Object | Kind::Array) => verdict = Err(Why::WrittenWhole),
                Ok(_) => certain = Some(Ok(true)),
                Err(Malformed) => certain = Some(Err(Why::Malformed)),
            },
            Lies::Above => verdict = Err(Why::WrittenWhole),
            Lies::Apart => {}
        })?;
        if let Some(certain) = certain {
            return certain;
        }
        let gone = self.removed(description)?;
        let cut = self.truncated(description)?;
        for name in gone.iter().chain(&cut) {
            match lies(name.as_bytes(), path.as_bytes()) {
                Lies::At | Lies::Under => return Ok(true),
                Lies::Above => verdict = Err(Why::WrittenWhole),
                Lies::Apart => {}
            }
        }
        verdict
    }

    pub(crate) fn has_changed_from_to(&self, path: &str, from: Literal<'_>, to: Literal<'_>) -> Truth {
        match self.changed(path) {
            Ok(false) => Ok(false),
            _ => and(self.equals_before(path, from), self.equals_after(path, to)),
        }
    }

    pub(crate) fn has_become(&self, path: &str, value: Literal<'_>) -> Truth {
        match self.operation {
            Operation::Insert => return self.equals_after(path, value),
            Operation::Update => {}
            _ => return Ok(false),
        }
        let changed = self.changed(path);
        // What did not change did not become anything, whatever it is.
        if changed == Ok(false) {
            return Ok(false);
        }
        let was_not = match self.equals_before(path, value) {
            // Without an image from before: a field that changed and has the value now did not have it.
            Err(why) => changed.map_err(|_| why),
            Ok(was) => Ok(!was),
        };
        and(self.equals_after(path, value), was_not)
    }

    fn equals_before(&self, path: &str, literal: Literal<'_>) -> Truth {
        Value::new(self.read(Side::Before, path), Origin::Inside).try_equals(literal)
    }

    /// As a condition on this very change, so what was looked up later and may be newer does not count.
    fn equals_after(&self, path: &str, literal: Literal<'_>) -> Truth {
        Value::new(self.read_left(path), Origin::Inside).try_equals(literal)
    }

    /// The field as this very change left it.
    pub(crate) fn read_left(&self, path: &str) -> Reading<'_> {
        match self.after_image {
            AfterImage::Lookup => self.written(path).unwrap_or(Reading::Unknown(Why::Newer)),
            _ => self.read(Side::After, path),
        }
    }

    fn touched_columns(&self) -> (ChangedColumns, Option<(Why, String)>) {
        let names = match (&self.before, &self.after) {
            (Image::Row(before), Image::Row(after)) if self.after_image != AfterImage::Lookup => {
                let sides = after.names(&self.body).and_then(|mut names| {
                    names.extend(before.names(&self.body)?);
                    Ok(names)
                });
                sides.map_err(Why::from)
            }
            _ => match self.description {
                Some(description) => self.described_columns(description).map_err(Why::from),
                None => Err(Why::NoBefore),
            },
        };
        let names = match names {
            Ok(names) => names,
            Err(why) => return (Vec::new(), Some((why, "changed_columns".to_owned()))),
        };
        let mut columns: ChangedColumns = Vec::new();
        let mut unknown = None;
        for name in names {
            if columns.contains(&name) {
                continue;
            }
            let changed = match (&self.before, &self.after) {
                // A column may have a dot in its name, which as a path would lead into a column.
                (Image::Row(before), Image::Row(after)) if name.contains('.') => self.column_differs(before, after, &name),
                _ => self.changed(&name),
            };
            match changed {
                Ok(false) => {}
                Ok(true) => columns.push(name),
                Err(why) => {
                    unknown = Some((why, name.clone()));
                    columns.push(name);
                }
            }
        }
        (columns, unknown)
    }

    /// Whether the column of exactly this name differs between the rows.
    fn column_differs(&self, before: &Row, after: &Row, name: &str) -> Truth {
        let find = |row: &Row| row.find(&self.body, name).map(|slot| slot.map(|slot| self.raw(slot)));
        Ok(match (find(before)?, find(after)?) {
            (Some(before), Some(after)) => !before.same(after)?,
            (before, after) => before.is_some() != after.is_some(),
        })
    }

    fn described_columns(&self, description: Description) -> Result<Vec<String>, Malformed> {
        let mut columns = Vec::new();
        self.each_described(description, |column| columns.push(String::from_utf8_lossy(column).into_owned()))?;
        Ok(columns)
    }

    /// Tells of what was written, by names that are text.
    fn each_updated<'c>(&'c self, description: Description, told: impl FnMut(&[u8], Raw<'c>)) -> Result<(), Malformed> {
        description.updated.map_or(Ok(()), |slot| self.raw(slot).each_entry(told))
    }

    /// The top-level columns that a description names, or of which it names a part.
    pub(super) fn each_described(&self, description: Description, mut told: impl FnMut(&[u8])) -> Result<(), Malformed> {
        let column = |name: &[u8]| name.iter().position(|byte| *byte == b'.').unwrap_or(name.len());
        self.each_updated(description, |name, _| told(&name[..column(name)]))?;
        for name in self.removed(description)?.iter().chain(&self.truncated(description)?) {
            told(&name.as_bytes()[..column(name.as_bytes())]);
        }
        Ok(())
    }

    fn removed(&self, description: Description) -> Result<Vec<String>, Malformed> {
        let names = description.removed.map_or(Ok(Vec::new()), |slot| self.raw(slot).elements())?;
        names.into_iter().map(text).collect()
    }

    fn truncated(&self, description: Description) -> Result<Vec<String>, Malformed> {
        let cuts = description.truncated.map_or(Ok(Vec::new()), |slot| self.raw(slot).elements())?;
        cuts.into_iter().map(|cut| text(cut.get("field")?.ok_or(Malformed)?)).collect()
    }
}

/// Notes what was read of an image. (It takes a copy, so that a value needs not be in memory otherwise.)
#[cold]
fn note(image: &str, path: &str, value: Value<'_>) {
    record(|| Read { read: format!("{image}({path:?})"), answer: format!("{value:?}") });
}

fn text(raw: Raw<'_>) -> Result<String, Malformed> {
    match raw.kind()? {
        Kind::Text(text) => Ok(text.into_owned()),
        _ => Err(Malformed),
    }
}

/// How `named` lies to `asked`; a numeric step is an index or a key, and matches both.
fn lies(named: &[u8], asked: &[u8]) -> Lies {
    let below = |long: &[u8], short: &[u8]| long.get(short.len()) == Some(&b'.') && long.starts_with(short);
    if named == asked {
        Lies::At
    } else if below(named, asked) {
        Lies::Under
    } else if below(asked, named) {
        Lies::Above
    } else {
        Lies::Apart
    }
}

/// Both, where a certain no outweighs an unknown.
fn and(left: Truth, right: Truth) -> Truth {
    match (left, right) {
        (Ok(false), _) | (_, Ok(false)) => Ok(false),
        (Err(why), _) | (_, Err(why)) => Err(why),
        (Ok(true), Ok(true)) => Ok(true),
    }
}
