//! How does a hundred detectors that ask the same of a change cost little more than one?
//!
//! What was read is remembered by its path: the first detector walks the bytes, the others find the answer. Nothing here depends
//! on who asked, so the change stays one that may be shared between threads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::raw::Raw;
use crate::value::{Origin, Reading, Value, Why};

use super::images::Slot;
use super::reads::{Side, Truth};
use super::{Body, Change};

/// Paths that are remembered for each kind of question; detectors of one collection ask for a handful of columns.
const PATHS: usize = 8;
/// So many questions about other paths than the first are answered without being remembered: to make room for them costs as much
/// as to read twice, and most changes meet few detectors that ask.
const FIRST: u32 = 4;

/// What was read of a change.
#[derive(Default)]
pub(super) struct Memo {
    changed: Answers<Truth>,
    before: Answers<Known>,
    after: Answers<Known>,
}

/// One answer, once there is one.
type Place<A> = OnceLock<(Name, A)>;

/// Answers by path. What is filled in once stays; where all places are taken, nothing more is remembered.
struct Answers<A> {
    /// The path that was asked for first, mostly by the index, on behalf of those that ask for it again.
    first: Place<A>,
    /// How often another path was asked for that was not remembered, at least.
    missed: AtomicU32,
    more: OnceLock<Box<[Place<A>; PATHS]>>,
}

/// A path that is compared in two steps, as long as it fits into two words.
struct Name {
    words: [u64; 2],
    long: Option<Box<str>>,
}

/// A path that is looked for. Where it stands in the code as it is, the words are made when that is compiled.
#[derive(Clone, Copy)]
pub(super) struct Asked<'p> {
    words: [u64; 2],
    path: &'p str,
}

/// A reading without the bytes.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// A value; `plain` is said of a string whose bytes were seen to be its text, so that nobody has to look again.
    At {
        slot: Slot,
        plain: bool,
    },
    Missing,
    Unknown(Why),
}

/// The longest string that is looked at when it is remembered, whether anybody wants its text or not.
const SEEN: usize = 64;

/// The most bytes that fit beside their number.
const SHORT: usize = 15;

impl<'p> Asked<'p> {
    #[inline]
    pub(super) fn new(path: &'p str) -> Self {
        let mut bytes = [0; 16];
        let shown = &path.as_bytes()[..path.len().min(SHORT)];
        bytes[..shown.len()].copy_from_slice(shown);
        #[expect(clippy::cast_possible_truncation, reason = "it is at most one more than fit")]
        let count = path.len().min(SHORT + 1) as u8;
        bytes[SHORT] = count;
        let word = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().expect("there are two words"));
        Self { words: [word(0), word(8)], path }
    }

    /// The path and its words. They travel apart, so that they stay in registers: words that were written one by one and are read
    /// together are waited for.
    #[inline]
    pub(super) fn parts(self) -> (&'p str, u64, u64) {
        let [first, last] = self.words;
        (self.path, first, last)
    }

    /// The path of these [`parts`](Self::parts).
    #[inline]
    pub(super) fn of(path: &'p str, first: u64, last: u64) -> Self {
        Self { words: [first, last], path }
    }

    pub(super) fn path(self) -> &'p str {
        self.path
    }

    #[inline]
    fn is_short(self) -> bool {
        self.path.len() <= SHORT
    }

    fn name(self) -> Name {
        Name { words: self.words, long: if self.is_short() { None } else { Some(self.path.into()) } }
    }
}

impl Name {
    #[inline]
    fn is(&self, asked: Asked<'_>) -> bool {
        self.words == asked.words && (asked.is_short() || self.is_long(asked.path))
    }

    /// It stands apart, so that those that are short are found in few instructions.
    #[inline(never)]
    fn is_long(&self, path: &str) -> bool {
        self.long.as_deref() == Some(path)
    }
}

impl<A> Default for Answers<A> {
    fn default() -> Self {
        Self { first: OnceLock::new(), missed: AtomicU32::new(0), more: OnceLock::new() }
    }
}

impl<A: Copy> Answers<A> {
    #[inline(always)]
    fn get(&self, asked: Asked<'_>) -> Option<A> {
        self.at(|name| name.is(asked)).copied()
    }

    /// As [`get`](Self::get), of a short path; another is not found.
    #[inline(always)]
    fn get_short(&self, asked: Asked<'_>) -> Option<&A> {
        if asked.is_short() { self.at(|name| name.words == asked.words) } else { None }
    }

    #[inline(always)]
    fn at(&self, is: impl Fn(&Name) -> bool) -> Option<&A> {
        let (first, answer) = self.first.get()?;
        if is(first) {
            return Some(answer);
        }
        let mut more = self.more.get()?.iter().map_while(OnceLock::get);
        more.find(|(name, _)| is(name)).map(|(_, answer)| answer)
    }

    fn put(&self, asked: Asked<'_>, answer: A) {
        if self.first.get().is_none() {
            // Where another thread was faster, it is read again the next time.
            let _lost = self.first.set((asked.name(), answer));
            return;
        }
        let missed = self.missed.load(Ordering::Relaxed);
        if missed < FIRST {
            // Two that ask at once may count as one.
            return self.missed.store(missed + 1, Ordering::Relaxed);
        }
        let more = self.more.get_or_init(|| Box::new([const { OnceLock::new() }; PATHS]));
        if let Some(place) = more.iter().find(|place| place.get().is_none()) {
            let _lost = place.set((asked.name(), answer));
        }
    }
}

impl Memo {
    /// Forgets everything, since it is no longer true.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Change {
    /// Whether the value at `path` changed, remembered.
    #[inline]
    pub(crate) fn changed(&self, path: &str) -> Truth {
        self.changed_as(Asked::new(path))
    }

    /// The field at `path`, remembered.
    pub(crate) fn read(&self, side: Side, path: &str) -> Reading<'_> {
        self.read_as(side, Asked::new(path))
    }

    pub(super) fn read_as(&self, side: Side, asked: Asked<'_>) -> Reading<'_> {
        match self.answers(side).get(asked) {
            Some(known) => self.reading(known),
            None => self.find_and_put(side, asked),
        }
    }

    fn changed_as(&self, asked: Asked<'_>) -> Truth {
        match self.memo.changed.get(asked) {
            Some(truth) => truth,
            None => self.find_and_put_changed(asked),
        }
    }

    /// The field as it was after the change, where somebody asked for it before.
    #[inline]
    pub(super) fn remembered_after(&self, asked: Asked<'_>) -> Option<Reading<'_>> {
        self.memo.after.get(asked).map(|known| self.reading(known))
    }

    /// The field as a detector reads it, where that is answered in few steps: it has a short name and was asked for before.
    ///
    /// Nothing is called on the way, so that nothing has to be kept for afterwards.
    #[inline(always)]
    pub(super) fn value_at_once<'c>(&'c self, side: Side, asked: Asked<'c>, origin: Origin<'c>) -> Option<Value<'c>> {
        match *self.answers(side).get_short(asked)? {
            Known::At { slot, plain } => Some(Value::seen(self.raw(slot), plain, origin)),
            Known::Missing => Some(Value::new(Reading::Missing, origin)),
            Known::Unknown(_) => None,
        }
    }

    #[inline(always)]
    fn answers(&self, side: Side) -> &Answers<Known> {
        match side {
            Side::Before => &self.memo.before,
            Side::After => &self.memo.after,
        }
    }

    #[inline]
    fn reading(&self, known: Known) -> Reading<'_> {
        match known {
            Known::At { slot, .. } => Reading::Known(self.raw(slot)),
            Known::Missing => Reading::Missing,
            Known::Unknown(why) => Reading::Unknown(why),
        }
    }

    #[inline(never)]
    fn find_and_put_changed(&self, asked: Asked<'_>) -> Truth {
        let truth = self.find_changed(asked);
        self.memo.changed.put(asked, truth);
        truth
    }

    #[inline(never)]
    fn find_and_put(&self, side: Side, asked: Asked<'_>) -> Reading<'_> {
        let reading = self.find(side, asked.path);
        if let Some(known) = self.known(reading) {
            self.answers(side).put(asked, known);
        }
        reading
    }

    /// The reading by its place in the bytes; none for a value that is not there.
    fn known(&self, reading: Reading<'_>) -> Option<Known> {
        let inside = |part: &[u8], whole: &[u8]| {
            let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
            (start + part.len() <= whole.len()).then_some(start)
        };
        let at = |slot: Slot| {
            let plain = matches!(reading, Reading::Known(raw) if raw.plain_text().is_some_and(|text| text.len() <= SEEN) && raw.is_plain_text());
            Known::At { slot, plain }
        };
        match (reading, &self.body) {
            (Reading::Missing, _) => Some(Known::Missing),
            (Reading::Unknown(why), _) => Some(Known::Unknown(why)),
            (Reading::Known(Raw::Bson { tag, bytes }), Body::Bson { bytes: body, .. }) => {
                Some(at(Slot::bson(tag, inside(bytes, body)?, bytes.len())))
            }
            (Reading::Known(Raw::Json { text, .. }), Body::Json(body)) => {
                let start = inside(text.as_bytes(), body.as_bytes())?;
                Some(at(Slot::bson(0, start, text.len())))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Asked, PATHS, SEEN};
    use crate::change::Change;
    use crate::detector::Verdict;

    #[test]
    fn paths_that_are_nearly_the_same_are_told_apart_whatever_their_length() {
        let mut names: Vec<String> = vec![String::new(), "\0".to_owned(), "\0\0".to_owned()];
        for length in 0..20 {
            let start = "x".repeat(length);
            names.extend(["a", "b", "\u{10}"].map(|end| start.clone() + end));
            names.push("y".to_owned() + &start + "a");
        }
        names.sort_unstable();
        names.dedup();

        for known in &names {
            for asked in &names {
                assert_eq!(Asked::new(known).name().is(Asked::new(asked)), known == asked, "{known:?} {asked:?}");
            }
        }
    }

    #[test]
    fn what_is_asked_again_is_answered_the_same_also_beyond_what_is_remembered() {
        let names: Vec<String> = (0..PATHS + 4).map(|at| format!("a column of some length {at}")).collect();
        let row =
            |shift: usize| names.iter().enumerate().map(move |(at, name)| (name.clone(), Value::from(at + shift % (at + 1))));
        let (before, after) = (row(0).collect::<Map<_, _>>(), row(1).collect::<Map<_, _>>());
        let change: Change = Change::update("moves").before(Value::from(before)).after(Value::from(after)).into();

        for _ in 0..8 {
            for (at, name) in names.iter().enumerate() {
                assert_eq!(change.before(name).as_i64(), i64::try_from(at).ok());
                assert_eq!(change.after(name).as_i64(), i64::try_from(at + 1 % (at + 1)).ok());
                assert_eq!(change.column_changed(name), at > 0);
                assert!(change.after(&format!("{name}?")).is_missing());
            }
        }
    }

    #[test]
    fn a_text_compares_the_same_when_it_is_remembered_whatever_its_form() {
        let long = "l".repeat(SEEN + 1);
        let texts = [
            "",
            "a",
            "seven b",
            "eight by",
            "Grüße an alle",
            "a \"quoted\" text",
            "sixteen letters!",
            "seventeen letters",
            &long,
        ];
        for text in texts {
            let built: Change = Change::insert("moves").after(json!({ "status": text })).into();
            let event = bson::doc! {
                "_id": { "_data": "82" }, "operationType": "insert", "ns": { "db": "shop", "coll": "moves" },
                "documentKey": { "_id": 1 }, "fullDocument": { "_id": 1, "status": text },
            };
            let read = Change::from_bson(event.to_vec().unwrap()).unwrap();
            for change in [built, read] {
                for _ in 0..2 {
                    for other in texts {
                        assert_eq!(change.after("status") == other, text == other, "{text:?} {other:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_unknown_when_they_are_remembered() {
        let event = bson::doc! {
            "_id": { "_data": "82" }, "operationType": "insert", "ns": { "db": "shop", "coll": "moves" },
            "documentKey": { "_id": 1 }, "fullDocument": { "_id": 1, "status": "xyz" },
        };
        let mut bytes = event.to_vec().unwrap();
        let place = bytes.windows(3).position(|window| window == b"xyz").unwrap();
        bytes[place] = 0xFF;
        let change = Change::from_bson(bytes).unwrap();

        for _ in 0..3 {
            assert!(matches!(Verdict::of(|| change.after("status") == "xyz"), Verdict::Undecided(_)));
            assert!(matches!(Verdict::of(|| change.after("status") == "another"), Verdict::Undecided(_)));
        }
    }
}
