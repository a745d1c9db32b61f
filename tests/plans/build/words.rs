//! Which word stands where? One seed gives one choice.

use crate::vocabulary::{COLLECTIONS, DATABASES, NUMBER_PATHS, OTHER_PATHS, TEXT_PATHS, TEXTS};

/// Chooses words, as they are written in source code.
pub(crate) struct Words {
    random: fastrand::Rng,
}

/// What a path mostly holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Text,
    Number,
    Other,
}

const NUMBERS: [&str; 29] = [
    "1",
    "1",
    "1",
    "1",
    "1",
    "1",
    "2",
    "2",
    "2",
    "2",
    "0",
    "-1",
    "1.0",
    "1.5",
    "-0.5",
    "0.1",
    "0.1f32",
    "200u8",
    "1_i64",
    "0x10",
    "1e3",
    "-0.0",
    "9007199254740993_i64",
    "9007199254740992.0",
    "18446744073709551615u64",
    "u64::MAX",
    "i64::MIN",
    "f64::NAN",
    "f64::INFINITY",
];
const TEXT_CONSTANTS: [&str; 4] = ["DONE", "self::DONE", "crate::constants::OPEN", "crate::constants::DONE"];
const NUMBER_CONSTANTS: [&str; 4] = ["ONE", "crate::constants::TWO", "i32::MAX", "Limits::HALF"];

impl Words {
    pub(crate) fn new(seed: u64, nth: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let own = random.u64(..).wrapping_add((nth as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { random: fastrand::Rng::with_seed(own) }
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.random.usize(..end)
    }

    /// Whether it happens that happens `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A collection's name as a literal, mostly the first.
    pub(crate) fn collection(&mut self) -> String {
        let rank = if self.chance(30) { 0 } else { self.below(COLLECTIONS.len()) };
        format!("{:?}", COLLECTIONS[rank])
    }

    pub(crate) fn database(&mut self) -> String {
        let rank = if self.chance(75) { 0 } else { self.below(DATABASES.len()) };
        format!("{:?}", DATABASES[rank])
    }

    pub(crate) fn text_path(&mut self) -> String {
        format!("{:?}", self.one(&TEXT_PATHS))
    }

    pub(crate) fn number_path(&mut self) -> String {
        format!("{:?}", self.one(&NUMBER_PATHS))
    }

    /// Any path as a literal, and what it holds.
    pub(crate) fn path(&mut self) -> (String, Holds) {
        match self.below(10) {
            0..5 => (self.text_path(), Holds::Text),
            5..8 => (self.number_path(), Holds::Number),
            _ => (format!("{:?}", self.one(&OTHER_PATHS)), Holds::Other),
        }
    }

    pub(crate) fn text(&mut self) -> String {
        let text = self.one(&TEXTS);
        if self.chance(10) { format!("r#\"{text}\"#") } else { format!("{text:?}") }
    }

    pub(crate) fn number(&mut self) -> String {
        self.one(&NUMBERS).to_owned()
    }

    /// What a path that holds `holds` is compared with: mostly of its own type, sometimes a constant by its name.
    pub(crate) fn operand(&mut self, holds: Holds) -> String {
        let holds = if self.chance(4) { self.one(&[Holds::Text, Holds::Number, Holds::Other]) } else { holds };
        match holds {
            Holds::Text if self.chance(20) => self.one(&TEXT_CONSTANTS).to_owned(),
            Holds::Text => self.text(),
            Holds::Number if self.chance(20) => self.one(&NUMBER_CONSTANTS).to_owned(),
            Holds::Number => self.number(),
            Holds::Other if self.chance(10) => "YES".to_owned(),
            Holds::Other => self.one(&["true", "false"]).to_owned(),
        }
    }
}

/// The constants that operands name.
pub(crate) const CONSTANTS: &str = "    const DONE: &str = \"done\";\n    const ONE: i64 = 1;\n    const YES: bool = true;\n    \
                             const STATES: [&str; 2] = [\"open\", \"done\"];\n    const COLUMN: &str = \"status\";\n    \
                             const MOVES: &str = \"moves\";\n    const INSERTED: Operation = Operation::Insert;\n    \
                             struct Limits;\n    impl Limits {\n        const HALF: f64 = 0.5;\n    }\n";
