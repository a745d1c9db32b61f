//! How does a hundred detectors that ask the same of a change cost little more than one?
//!
//! What was read is remembered by its path: the first detector walks the bytes, the others find the answer. Nothing here depends
//! on who asked, so the change stays one that may be shared between threads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::raw::Raw;
use crate::value::{Reading, Why};

use super::images::Slot;
use super::reads::{Side, Truth};
use super::{Body, Change};

/// Paths that are remembered for each kind of question; detectors of one collection ask for a handful of columns.
const PATHS: usize = 8;
/// So many questions are answered without being remembered: to remember costs as much as to read twice, and most changes meet
/// few detectors that ask.
const FIRST: u32 = 4;

/// What was read of a change, once it was asked often enough.
#[derive(Default)]
pub(super) struct Memo {
    /// How often it was asked, at least.
    asked: AtomicU32,
    answers: OnceLock<Box<Remembered>>,
}

#[derive(Default)]
struct Remembered {
    changed: Answers<Truth>,
    before: Answers<Known>,
    after: Answers<Known>,
}

/// Answers by path. What is filled in once stays; where all places are taken, nothing more is remembered.
struct Answers<A>([OnceLock<(Box<str>, A)>; PATHS]);

/// A reading without the bytes.
#[derive(Debug, Clone, Copy)]
enum Known {
    At(Slot),
    Missing,
    Unknown(Why),
}

impl<A> Default for Answers<A> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; PATHS])
    }
}

impl<A: Copy> Answers<A> {
    fn get(&self, path: &str) -> Option<A> {
        self.0.iter().map_while(OnceLock::get).find(|(known, _)| **known == *path).map(|(_, answer)| *answer)
    }

    fn put(&self, path: &str, answer: A) {
        if let Some(place) = self.0.iter().find(|place| place.get().is_none()) {
            // Where another thread was faster, it is read again the next time.
            let _lost = place.set((path.into(), answer));
        }
    }
}

impl Memo {
    /// What is remembered, unless too little was asked for that.
    fn remembered(&self) -> Option<&Remembered> {
        let asked = self.asked.load(Ordering::Relaxed);
        if asked < FIRST {
            // Two that ask at once may count as one.
            self.asked.store(asked + 1, Ordering::Relaxed);
            return None;
        }
        Some(self.answers.get_or_init(Box::default))
    }

    /// Forgets everything, since it is no longer true.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Change {
    /// Whether the value at `path` changed, remembered.
    pub(crate) fn changed(&self, path: &str) -> Truth {
        let Some(memo) = self.memo.remembered() else { return self.find_changed(path) };
        memo.changed.get(path).unwrap_or_else(|| {
            let truth = self.find_changed(path);
            memo.changed.put(path, truth);
            truth
        })
    }

    /// The field at `path`, remembered.
    pub(crate) fn read(&self, side: Side, path: &str) -> Reading<'_> {
        let Some(memo) = self.memo.remembered() else { return self.find(side, path) };
        let answers = match side {
            Side::Before => &memo.before,
            Side::After => &memo.after,
        };
        match answers.get(path) {
            Some(Known::At(slot)) => Reading::Known(self.raw(slot)),
            Some(Known::Missing) => Reading::Missing,
            Some(Known::Unknown(why)) => Reading::Unknown(why),
            None => {
                let reading = self.find(side, path);
                if let Some(known) = self.known(reading) {
                    answers.put(path, known);
                }
                reading
            }
        }
    }

    /// The reading by its place in the bytes; none for a value that is not there.
    fn known(&self, reading: Reading<'_>) -> Option<Known> {
        let inside = |part: &[u8], whole: &[u8]| {
            let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
            (start + part.len() <= whole.len()).then_some(start)
        };
        match (reading, &self.body) {
            (Reading::Missing, _) => Some(Known::Missing),
            (Reading::Unknown(why), _) => Some(Known::Unknown(why)),
            (Reading::Known(Raw::Bson { tag, bytes }), Body::Bson { bytes: body, .. }) => {
                Some(Known::At(Slot::bson(tag, inside(bytes, body)?, bytes.len())))
            }
            (Reading::Known(Raw::Json { text, .. }), Body::Json(body)) => {
                let start = inside(text.as_bytes(), body.as_bytes())?;
                Some(Known::At(Slot::bson(0, start, text.len())))
            }
            _ => None,
        }
    }
}
