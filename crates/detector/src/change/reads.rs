//! What do the helpers of a detector answer, and when can the change not say? (Three-valued reading.)
//!
//! Images come first, because descriptions mislead: `$set` of a parent names only the parent, an update by pipeline may
//! arrive as a replace, an identical replace still sends a change. What a real server sends is tabled in the tests.

use crate::raw::{Kind, Malformed, Raw};
use crate::undecided::{Read, Unknown, consult, record, unreadable};
use crate::value::{Literal, Origin, Reading, Value, Why};

use super::images::Image;
use super::{AfterImage, Change, Description, Operation, Shape};

/// Yes, no, or why the change does not say.
type Truth = Result<bool, Why>;

/// The names of the top-level columns that a change touched, in the order of the document.
pub type ChangedColumns = Vec<String>;

/// Which image is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
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
    pub fn before<'c>(&'c self, path: &'c str) -> Value<'c> {
        let value = Value::new(self.read(Side::Before, path), Origin::Before(self, path));
        record(|| Read { read: format!("before({path:?})"), answer: format!("{value:?}") });
        value
    }

    /// The field at a dotted path after the change: missing after a delete; without an image it comes from the update's
    /// description, else it is unknown. [`after_image`](Self::after_image) tells whether it may be newer than the change.
    pub fn after<'c>(&'c self, path: &'c str) -> Value<'c> {
        let value = Value::new(self.read(Side::After, path), Origin::After(self, path));
        record(|| Read { read: format!("after({path:?})"), answer: format!("{value:?}") });
        value
    }

    /// Whether an update changed the value at a dotted path; false for an insert and a delete.
    ///
    /// With both images the values are compared (equal JSON is not changed, `1` equals `1.0`); else the update's
    /// description answers as far as it can.
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
        let truth = match self.operation {
            Operation::Update => and(self.side_equals(Side::Before, path, from), self.side_equals(Side::After, path, to)),
            _ => Ok(false),
        };
        self.answer(truth, path, || format!("changed_from_to({path:?}, {from}, {to})"))
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
    fn answer(&self, truth: Truth, path: &str, read: impl Fn() -> String) -> bool {
        record(|| Read { read: read(), answer: truth.map_or_else(|_| "unknown".to_owned(), |answer| answer.to_string()) });
        truth.unwrap_or_else(|why| consult(|| Unknown { read: read(), cure: self.cure(why, path) }))
    }

    pub(super) fn read(&self, side: Side, path: &str) -> Reading<'_> {
        let image = match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        };
        if let Image::Row(row) = image {
            match self.in_row(row, path) {
                Ok(Some(raw)) => return Reading::Known(raw),
                Ok(None) => {}
                Err(Malformed) => return Reading::Unknown(Why::Malformed),
            }
        } else if path == "_id" && self.shape == Shape::MongoDb && matches!(image, Image::NotCarried) {
            // The `_id` never changes, and every change of a document carries it.
            return self.key.map_or(Reading::Missing, |_| self.key_reading());
        }
        match image {
            Image::NotCarried if side == Side::Before => Reading::Unknown(Why::NoBefore),
            Image::NotCarried => self.described(path),
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

    /// The field after an update, as far as its description tells.
    fn described(&self, path: &str) -> Reading<'_> {
        let unknown = Reading::Unknown(Why::NoAfter);
        let Some(description) = self.description else { return unknown };
        let Ok(updated) = self.updated(description) else { return Reading::Unknown(Why::Malformed) };
        for (name, raw) in updated {
            match lies(&name, path) {
                Lies::At => return Reading::Known(raw),
                Lies::Above => {
                    return match raw.at_path(&path[name.len() + 1..]) {
                        Ok(Some(raw)) => Reading::Known(raw),
                        Ok(None) => Reading::Missing,
                        Err(Malformed) => Reading::Unknown(Why::Malformed),
                    };
                }
                // Only a part of the value is named.
                Lies::Under => return unknown,
                Lies::Apart => {}
            }
        }
        match self.removed(description) {
            Ok(removed) if removed.iter().any(|name| matches!(lies(name, path), Lies::At | Lies::Above)) => Reading::Missing,
            _ => unknown,
        }
    }

    fn changed(&self, path: &str) -> Truth {
        if self.operation != Operation::Update {
            return Ok(false);
        }
        match (&self.before, &self.after) {
            (Image::Row(before), Image::Row(after)) if self.after_image != AfterImage::Lookup => {
                let pair = (self.in_row(before, path), self.in_row(after, path));
                let (Ok(before), Ok(after)) = pair else { return Err(Why::Malformed) };
                match (before, after) {
                    (Some(before), Some(after)) => before.same(after).map(|same| !same).map_err(|Malformed| Why::Malformed),
                    (None, None) if self.lacks_column(path) => Err(Why::NoSuchColumn),
                    (None, None) => Ok(false),
                    _ => Ok(true),
                }
            }
            _ => match self.description {
                Some(description) => self.changed_by(description, path),
                None if self.lacks_column(path) => Err(Why::NoSuchColumn),
                None => Err(Why::NoBefore),
            },
        }
    }

    /// Whether a description says that `path` changed: it or what is under it is named.
    ///
    /// A number or a document written whole may equal what was there, and so may what is under a parent that is named.
    fn changed_by(&self, description: Description, path: &str) -> Truth {
        let malformed = |Malformed| Why::Malformed;
        let mut verdict = Ok(false);
        for (name, raw) in self.updated(description).map_err(malformed)? {
            match lies(&name, path) {
                Lies::At | Lies::Under => match raw.kind().map_err(malformed)? {
                    Kind::Number(_) | Kind::Object | Kind::Array => verdict = Err(Why::WrittenWhole),
                    _ => return Ok(true),
                },
                Lies::Above => verdict = Err(Why::WrittenWhole),
                Lies::Apart => {}
            }
        }
        let gone = self.removed(description).map_err(malformed)?;
        let cut = self.truncated(description).map_err(malformed)?;
        for name in gone.iter().chain(&cut) {
            match lies(name, path) {
                Lies::At | Lies::Under => return Ok(true),
                Lies::Above => verdict = Err(Why::WrittenWhole),
                Lies::Apart => {}
            }
        }
        verdict
    }

    fn has_become(&self, path: &str, value: Literal<'_>) -> Truth {
        if !matches!(self.operation, Operation::Insert | Operation::Update) {
            return Ok(false);
        }
        let now = self.side_equals(Side::After, path, value);
        let was_not = match self.side_equals(Side::Before, path, value) {
            Ok(was) => Ok(!was),
            // Without an image from before: a field that changed and has the value now did not have it.
            Err(why) if now == Ok(true) => self.changed(path).map_err(|_| why),
            Err(why) => Err(why),
        };
        and(now, was_not)
    }

    fn side_equals(&self, side: Side, path: &str, literal: Literal<'_>) -> Truth {
        Value::new(self.read(side, path), Origin::Inside).try_equals(literal)
    }

    fn touched_columns(&self) -> (ChangedColumns, Option<(Why, String)>) {
        let names = match (&self.before, &self.after) {
            (Image::Row(before), Image::Row(after)) if self.after_image != AfterImage::Lookup => {
                let sides = after.names(&self.body).and_then(|mut names| {
                    names.extend(before.names(&self.body)?);
                    Ok(names)
                });
                sides.map_err(|Malformed| Why::Malformed)
            }
            _ => match self.description {
                Some(description) => self.described_columns(description).map_err(|Malformed| Why::Malformed),
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
            match self.changed(&name) {
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

    fn described_columns(&self, description: Description) -> Result<Vec<String>, Malformed> {
        let updated = self.updated(description)?.into_iter().map(|(name, _)| name.into_owned());
        let gone = self.removed(description)?.into_iter().chain(self.truncated(description)?);
        Ok(updated.chain(gone).map(|path| path.split('.').next().unwrap_or_default().to_owned()).collect())
    }

    fn updated(&self, description: Description) -> Result<Vec<(std::borrow::Cow<'_, str>, Raw<'_>)>, Malformed> {
        description.updated.map_or(Ok(Vec::new()), |slot| self.raw(slot).entries())
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

fn text(raw: Raw<'_>) -> Result<String, Malformed> {
    match raw.kind()? {
        Kind::Text(text) => Ok(text.into_owned()),
        _ => Err(Malformed),
    }
}

/// How `named` lies to `asked`; a numeric step is an index or a key, and matches both.
fn lies(named: &str, asked: &str) -> Lies {
    let below = |long: &str, short: &str| long.as_bytes().get(short.len()) == Some(&b'.') && long.starts_with(short);
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
