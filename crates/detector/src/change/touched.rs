//! Which columns may an update have changed, seen in one pass over what it carries? (For those who would have to ask of many.)

use super::images::{Image, Row};
use super::{AfterImage, Change, Shape};
use crate::raw::Malformed;

/// What is certain of the columns that were not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// They did not change, and neither did what is under them.
    Unchanged,
    /// They have to be asked for.
    Unknown,
}

impl Change {
    /// Names top-level columns of an update to `told`, each with whether it may have changed; one that has not may still hold
    /// bytes under it that cannot be read. Some may be named several times.
    ///
    /// `None` where one pass does not tell; what was named until then is true all the same.
    pub(crate) fn each_touched(&self, mut told: impl FnMut(&[u8], bool)) -> Option<Others> {
        match (&self.before, &self.after, self.description) {
            (Image::Row(before), Image::Row(after), _) if self.after_image != AfterImage::Lookup => {
                self.compare_rows(before, after, told).ok()?;
                // A row of Hasura's that lacks a column does not say whether that changed.
                Some(if self.shape == Shape::Hasura { Others::Unknown } else { Others::Unchanged })
            }
            (_, _, Some(description)) => {
                self.each_described(description, |column| told(column, true)).ok().map(|()| Others::Unchanged)
            }
            _ => None,
        }
    }

    fn compare_rows(&self, before: &Row, after: &Row, mut told: impl FnMut(&[u8], bool)) -> Result<(), Malformed> {
        let body = &self.body;
        let differ = |one, other| !self.raw(one).identical(self.raw(other));
        let mut pairs = before.columns(body)?.zip(after.columns(body)?);
        // An update keeps the order of the columns that it does not add or remove.
        if before.width(body)? == after.width(body)? && pairs.all(|((one, _), (other, _))| one == other) {
            for ((name, before), (_, after)) in before.columns(body)?.zip(after.columns(body)?) {
                told(&name, differ(before, after));
            }
            return Ok(());
        }
        for (name, value) in after.columns(body)? {
            let known = before.find(body, std::str::from_utf8(&name).map_err(|_| Malformed)?)?;
            told(&name, known.is_none_or(|before| differ(before, value)));
        }
        for (name, _) in before.columns(body)? {
            if after.find(body, std::str::from_utf8(&name).map_err(|_| Malformed)?)?.is_none() {
                told(&name, true);
            }
        }
        Ok(())
    }
}
