//! What is the document after an update, computed from the one before it and the update's description?
//! (Format of the description: the MongoDB manual, "update Event".)
//!
//! The server's own account names what was written, removed and cut, each by a dotted path. A path is read with the document
//! before the change at hand: a number is an index where there is an array, and a name where there is a document. A name that
//! itself has a dot cannot be told from a path, so where one occurs nothing is computed, unless the server says which paths are
//! meant (`disambiguatedPaths`, from MongoDB 6.1 on).

use std::borrow::Cow;

use crate::raw::Raw;
use crate::raw::bson::{Element, Elements, read_i32, string, tag};

use super::images::{Image, Row, Slot};
use super::{AfterImage, Body, Change, Description};

/// How deep documents are walked; MongoDB's own limit is 100.
const MAX_DEPTH: usize = 200;

/// Bytes that are not what a description and a document before the change can be.
struct Inconsistent;

type Step<'d> = Cow<'d, [u8]>;

/// What happens to one value.
#[derive(Default)]
struct Edit<'d> {
    set: Option<(u8, &'d [u8])>,
    remove: bool,
    /// The new length of an array.
    cut: Option<usize>,
    inside: Edits<'d>,
}

/// What happens to the values inside of a document or array, in the order of the description.
#[derive(Default)]
struct Edits<'d>(Vec<(Step<'d>, Edit<'d>)>);

impl Change {
    /// Computes the document after a MongoDB update, where the change carries the one before it and not the one after it.
    ///
    /// [`after_image`](Self::after_image) then says [`AfterImage::Computed`], or [`AfterImage::Ambiguous`] where a field name
    /// with a dot makes the description mean two things. The values are those of the server's own document; its fields are in
    /// another order where an update by pipeline put them in one. Changes from [`from_bson`](Self::from_bson) alone are
    /// computed.
    ///
    /// Where no field name in the document before the change has a dot, and this very change is the first to bring one to the
    /// document (with `$setField`), a server before 6.1 describes it as if it were a path, and it is computed as one.
    #[must_use]
    pub fn with_computed_after(mut self) -> Self {
        let (Image::Row(before), Image::NotCarried, Some(description)) = (&self.before, &self.after, self.description) else {
            return self;
        };
        if !self.is_update() || self.replacement {
            return self;
        }
        let Ok(before) = self.bytes_of(before.slot()) else { return self };
        // A description that does not fit the document names a field with a dot, too.
        let Ok(after) = self.edited(before, description) else {
            self.after_image = AfterImage::Ambiguous;
            return self;
        };
        if let Body::Bson { bytes, .. } = &mut self.body
            && bytes.len() + after.len() <= u32::MAX as usize
        {
            self.after = Image::Row(Row::new(Slot::bson(tag::DOCUMENT, bytes.len(), after.len())));
            bytes.extend(after);
            self.after_image = AfterImage::Computed;
            self.value.take();
            self.memo.clear();
        }
        self
    }

    /// The whole document after the change in BSON; `None` where the change carries and computed none, and for JSON.
    pub fn after_document(&self) -> Option<&bson::RawDocument> {
        let Image::Row(row) = &self.after else { return None };
        bson::RawDocument::from_bytes(self.bytes_of(row.slot()).ok()?).ok()
    }

    /// Whether a field name, at any depth of the documents that the change carries, has a dot; false for JSON.
    pub fn has_dotted_names(&self) -> bool {
        self.rows().any(|row| self.bytes_of(row.slot()).is_ok_and(|document| has_dotted_name(document, 0)))
    }

    /// The document `before` with all done to it that the description says.
    fn edited(&self, before: &[u8], description: Description) -> Result<Vec<u8>, Inconsistent> {
        if description.disambiguated.is_none() && has_dotted_name(before, 0) {
            return Err(Inconsistent);
        }
        let mut after = Vec::with_capacity(before.len() + 128);
        write_document(&mut after, before, &self.edits(description)?, 0)?;
        Ok(after)
    }

    /// The description as edits of the document before.
    fn edits(&self, description: Description) -> Result<Edits<'_>, Inconsistent> {
        let mut edits = Edits::default();
        let part = |slot: Option<Slot>| slot.map(|slot| self.bytes_of(slot)).transpose();
        let paths = part(description.disambiguated)?;
        each(part(description.updated)?, |element| {
            edits.at(element.key, paths)?.set = Some((element.tag, element.value));
            Ok(())
        })?;
        each(part(description.removed)?, |element| {
            edits.at(text(element)?.as_bytes(), paths)?.remove = true;
            Ok(())
        })?;
        each(part(description.truncated)?, |element| {
            let (mut field, mut size) = (None, None);
            each(Some(element.value), |member| {
                match member.key {
                    b"field" => field = Some(text(member)?),
                    b"newSize" => size = read_i32(member.value, 0).and_then(|size| usize::try_from(size).ok()),
                    _ => {}
                }
                Ok(())
            })?;
            let (field, size) = field.zip(size).ok_or(Inconsistent)?;
            edits.at(field.as_bytes(), paths)?.cut = Some(size);
            Ok(())
        })?;
        Ok(edits)
    }

    fn bytes_of(&self, slot: Slot) -> Result<&[u8], Inconsistent> {
        match self.raw(slot) {
            Raw::Bson { bytes, .. } => Ok(bytes),
            Raw::Json { .. } | Raw::Tree(_) => Err(Inconsistent),
        }
    }
}

impl<'d> Edits<'d> {
    /// The edit of the value at `path`, which is dotted unless `paths` names its steps.
    fn at(&mut self, path: &'d [u8], paths: Option<&'d [u8]>) -> Result<&mut Edit<'d>, Inconsistent> {
        let mut steps: Option<Vec<Step<'d>>> = None;
        each(paths, |named| {
            if named.key == path {
                let mut named_steps = Vec::new();
                each(Some(named.value), |element| {
                    named_steps.push(step(element)?);
                    Ok(())
                })?;
                steps = Some(named_steps);
            }
            Ok(())
        })?;
        match steps {
            Some(steps) => self.at_steps(steps.into_iter()).ok_or(Inconsistent),
            None => self.at_steps(path.split(|byte| *byte == b'.').map(Cow::Borrowed)).ok_or(Inconsistent),
        }
    }

    /// The edit of the value that `steps` lead to; none without a step, or where one is empty.
    fn at_steps(&mut self, steps: impl Iterator<Item = Step<'d>>) -> Option<&mut Edit<'d>> {
        // An empty step is the beginning or end of a name with a dot, rather than a name that is empty.
        let mut steps = steps.map(|step| if step.is_empty() { None } else { Some(step) });
        let mut edit = self.entry(steps.next()??);
        for step in steps {
            edit = edit.inside.entry(step?);
        }
        Some(edit)
    }

    fn entry(&mut self, step: Step<'d>) -> &mut Edit<'d> {
        let place = self.0.iter().position(|(known, _)| *known == step).unwrap_or_else(|| {
            self.0.push((step, Edit::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }
}

/// A step of a path that the server took apart: a name, or an index.
fn step(element: Element<'_>) -> Result<Step<'_>, Inconsistent> {
    match element.tag {
        tag::STRING => Ok(Cow::Borrowed(text(element)?.as_bytes())),
        tag::INT32 => read_i32(element.value, 0).map(|index| Cow::Owned(index.to_string().into_bytes())).ok_or(Inconsistent),
        _ => Err(Inconsistent),
    }
}

fn text(element: Element<'_>) -> Result<&str, Inconsistent> {
    string(element.value).filter(|_| element.tag == tag::STRING).ok_or(Inconsistent)
}

/// Tells `told` of the elements of a document or array; of nothing there are none.
fn each<'d>(
    document: Option<&'d [u8]>,
    mut told: impl FnMut(Element<'d>) -> Result<(), Inconsistent>,
) -> Result<(), Inconsistent> {
    if let Some(document) = document {
        let mut elements = Elements::new(document).map_err(|_| Inconsistent)?;
        while let Some(element) = elements.next().map_err(|_| Inconsistent)? {
            told(element)?;
        }
    }
    Ok(())
}

/// Whether a name in `document`, or in a document or array inside of it, has a dot.
fn has_dotted_name(document: &[u8], depth: usize) -> bool {
    let Ok(mut elements) = Elements::new(document) else { return false };
    while let Ok(Some(element)) = elements.next() {
        let is_inside = || depth < MAX_DEPTH && has_dotted_name(element.value, depth + 1);
        if element.key.contains(&b'.') || (matches!(element.tag, tag::DOCUMENT | tag::ARRAY) && is_inside()) {
            return true;
        }
    }
    false
}

/// Writes `document` with `edits` done to it.
fn write_document(out: &mut Vec<u8>, document: &[u8], edits: &Edits<'_>, depth: usize) -> Result<(), Inconsistent> {
    let start = begin(out);
    let mut done = vec![false; edits.0.len()];
    let mut elements = Elements::new(document).map_err(|_| Inconsistent)?;
    while let Some(element) = elements.next().map_err(|_| Inconsistent)? {
        match edits.0.iter().position(|(step, _)| **step == *element.key) {
            None => write(out, element.tag, element.key, element.value),
            Some(place) => {
                done[place] = true;
                write_edited(out, element, &edits.0[place].1, depth)?;
            }
        }
    }
    // What was not there comes last, in the order of the description.
    for ((step, edit), _) in edits.0.iter().zip(done).filter(|(_, done)| !done) {
        let (tag, value) = edit.set.ok_or(Inconsistent)?;
        write(out, tag, step, value);
    }
    end(out, start)
}

/// Writes `array` with `edit` done to it: cut to its new length, then its elements changed or added; what is skipped is null.
fn write_array(out: &mut Vec<u8>, array: &[u8], edit: &Edit<'_>, depth: usize) -> Result<(), Inconsistent> {
    let start = begin(out);
    let index = |step: &Step<'_>| std::str::from_utf8(step).ok().and_then(|step| step.parse::<usize>().ok()).ok_or(Inconsistent);
    let mut edits =
        edit.inside.0.iter().map(|(step, edit)| Ok((index(step)?, edit))).collect::<Result<Vec<_>, Inconsistent>>()?;
    edits.sort_by_key(|(index, _)| *index);
    let mut edits = edits.into_iter().peekable();
    let mut length = 0;
    let mut elements = Elements::new(array).map_err(|_| Inconsistent)?;
    while let Some(element) = elements.next().map_err(|_| Inconsistent)? {
        if edit.cut == Some(length) {
            break;
        }
        match edits.next_if(|(index, _)| *index == length) {
            None => write(out, element.tag, element.key, element.value),
            Some((_, edit)) if edit.remove => return Err(Inconsistent),
            Some((_, edit)) => write_edited(out, element, edit, depth)?,
        }
        length += 1;
    }
    for (index, edit) in edits {
        let (tag, value) = edit.set.ok_or(Inconsistent)?;
        while length < index {
            write(out, tag::NULL, length.to_string().as_bytes(), &[]);
            length += 1;
        }
        write(out, tag, length.to_string().as_bytes(), value);
        length += 1;
    }
    end(out, start)
}

/// Writes `element` with `edit` done to it.
fn write_edited(out: &mut Vec<u8>, element: Element<'_>, edit: &Edit<'_>, depth: usize) -> Result<(), Inconsistent> {
    let changes_inside = !edit.inside.0.is_empty() || edit.cut.is_some();
    match (edit.set, edit.remove, changes_inside) {
        (Some((tag, value)), false, false) => write(out, tag, element.key, value),
        (None, true, false) => {}
        (None, false, true) if depth < MAX_DEPTH => {
            write(out, element.tag, element.key, &[]);
            match element.tag {
                tag::DOCUMENT if edit.cut.is_none() => write_document(out, element.value, &edit.inside, depth + 1)?,
                tag::ARRAY => write_array(out, element.value, edit, depth + 1)?,
                _ => return Err(Inconsistent),
            }
        }
        _ => return Err(Inconsistent),
    }
    Ok(())
}

fn write(out: &mut Vec<u8>, tag: u8, key: &[u8], value: &[u8]) {
    out.push(tag);
    out.extend(key);
    out.push(0);
    out.extend(value);
}

/// Leaves room for the length of a document.
fn begin(out: &mut Vec<u8>) -> usize {
    out.extend([0; 4]);
    out.len() - 4
}

/// Ends the document that began at `start`, and notes its length.
fn end(out: &mut Vec<u8>, start: usize) -> Result<(), Inconsistent> {
    out.push(0);
    let length = i32::try_from(out.len() - start).map_err(|_| Inconsistent)?;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}
