//! What would have let a change say what a detector asked?

use crate::value::Why;

use super::{AfterImage, Change, Shape};

impl Change {
    /// Why `path` is unknown, and the setting or correction that would have decided it.
    pub(crate) fn cure(&self, why: Why, path: &str) -> String {
        let place = match self.database() {
            "" => self.collection().to_owned(),
            database => format!("{database}.{}", self.collection()),
        };
        let images = format!(
            "turn on images with `db.runCommand({{ collMod: {:?}, changeStreamPreAndPostImages: {{ enabled: true }} }})`",
            self.collection()
        );
        match (why, self.shape) {
            (Why::NoBefore, Shape::Hasura | Shape::Scheduled) => format!(
                "the payload has no old row of `{place}` (SQL Server sends none when the primary key changes); \
                 decide by the new row alone with `after`"
            ),
            (Why::NoBefore, Shape::MongoDb) => format!("the change carries no image of `{place}` from before it; {images}"),
            (Why::NoBefore, Shape::Recorded) => "the recorded change has no `before`; record it with one".to_owned(),
            (Why::NoAfter, Shape::MongoDb) if self.after_image() == AfterImage::Ambiguous => format!(
                "a field name of `{place}` has a dot, so that the update's description means two things and the document after it \
                 cannot be computed; ask for the server's own with `--images stored`"
            ),
            (Why::NoAfter, Shape::MongoDb) => format!("the change carries no image of `{place}` from after it; {images}"),
            (Why::NoAfter, _) => format!("the change carries no row of `{place}` from after it; record it with one"),
            (Why::WrittenWhole, _) => format!(
                "the update writes `{path}`, its parent or a part of it, which may equal what was there, and the change does not \
                 carry the images of `{place}` from before and after it; {images}"
            ),
            (Why::Newer, _) => format!(
                "the document of `{place}` was looked up after the change and may be newer; {images}, and ask for \
                 `fullDocument: whenAvailable` instead of `updateLookup`"
            ),
            (Why::NoSuchColumn, _) => self.no_such_column(&place, path),
            (Why::Malformed, _) => {
                format!("the bytes at `{path}` do not hold what their type says (text that is not UTF-8?); correct the document")
            }
        }
    }

    fn no_such_column(&self, place: &str, path: &str) -> String {
        let column = path.split('.').next().unwrap_or(path);
        let mut columns: Vec<String> = self.rows().flat_map(|row| row.names(&self.body).unwrap_or_default()).collect();
        columns.sort_unstable();
        columns.dedup();
        let close = nearest(column, columns.iter().map(String::as_str)).map(|name| format!("did you mean `{name}`? "));
        format!("`{place}` has no column `{column}`; {}its columns are: {}", close.unwrap_or_default(), columns.join(", "))
    }
}

/// The candidate most like `wanted`, when one is like it at all: what messages about an unknown name suggest.
pub fn nearest<'n>(wanted: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const LIKE: f64 = 0.7;
    let scored = candidates.into_iter().map(|name| (strsim::jaro_winkler(wanted, name), name)).filter(|(score, _)| *score > LIKE);
    scored.max_by(|(left, _), (right, _)| left.total_cmp(right)).map(|(_, name)| name)
}
