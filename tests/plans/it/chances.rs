//! What is chosen at random?

use event_detector::bson::{Bson, DateTime, Decimal128, Document, oid::ObjectId};
use plan_bodies::vocabulary::TEXTS;

/// Random choices of one change.
pub(crate) struct Chances(fastrand::Rng);

/// In BSON this text is made one that is no UTF-8.
pub(crate) const MALFORMED: &str = "~~malformed~~";

impl Chances {
    /// Those of the change of that number.
    pub(crate) fn new(seed: u64, nth: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed ^ nth.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    /// Whether it happens what happens `percent` times in a hundred.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn text(&mut self) -> Bson {
        match self.below(60) {
            0 => Bson::String(MALFORMED.to_owned()),
            1 => Bson::String("än\"der\\s\n".to_owned()),
            2 => Bson::String("7".to_owned()),
            3 => Bson::String("2026-11-21T10:00:07Z".to_owned()),
            _ => Bson::String(self.one(&TEXTS).to_owned()),
        }
    }

    /// A number that predicates compare with, or one near it, of any type.
    pub(crate) fn number(&mut self) -> Bson {
        const DOUBLES: [f64; 14] = [
            1.0,
            1.0,
            2.0,
            1.5,
            0.5,
            -0.5,
            0.1,
            0.2,
            -0.0,
            1e3,
            9_007_199_254_740_992.0,
            18_446_744_073_709_551_615.0,
            f64::NAN,
            f64::INFINITY,
        ];
        const LONGS: [i64; 8] = [1, 2, 0, 200, 1_000, i64::MIN, i64::MAX, 9_007_199_254_740_993];
        const DECIMALS: [&str; 9] = ["1", "1.0", "1.50", "0.1", "NaN", "Infinity", "1E+3", "18446744073709551615", "1E-400"];
        match self.below(12) {
            0..6 => Bson::Int32(self.one(&[1, 1, 1, 2, 2, 0, -1, 16, 200, i32::MAX])),
            6..8 => Bson::Int64(self.one(&LONGS)),
            8..11 => match self.percent(10) {
                true => Bson::Double(f64::from(0.1_f32)),
                false => Bson::Double(self.one(&DOUBLES)),
            },
            _ => Bson::Decimal128(self.one(&DECIMALS).parse::<Decimal128>().expect("these are decimals")),
        }
    }

    /// A value of another type than those.
    pub(crate) fn other(&mut self) -> Bson {
        match self.below(8) {
            0 | 1 => Bson::Null,
            2 | 3 => Bson::Boolean(self.percent(60)),
            4 => Bson::DateTime(DateTime::from_millis(1_795_255_207_000)),
            5 => Bson::ObjectId(ObjectId::from_bytes([7; 12])),
            6 => Bson::Array(vec![self.text(), self.number()]),
            _ => Bson::Document(Document::from_iter([("n".to_owned(), self.number())])),
        }
    }
}
