//! Which detectors want the value that a field has?
//!
//! Values are found as [`Value`](crate::Value) compares them with literals. What is unknown is wanted by all.

use std::hash::Hash;

use crate::number::{Digits, Number};
use crate::plan::Constant;
use crate::raw::{Kind, Raw};
use crate::value::Reading;

use super::found::{Found, Places, add_last};
use super::hash::Map;

/// Detectors by the literal that a field has to equal.
#[derive(Debug, Default)]
pub(super) struct Values {
    all: Vec<u32>,
    /// By their bytes, so that those of a change need not be seen to be text first.
    texts: Map<Box<[u8]>, Places>,
    bools: [Vec<u32>; 2],
    numbers: Option<Box<Numbers>>,
}

/// Numbers compare exactly where both are integers or doubles, and by their shortest decimals where one is a decimal, so a number
/// of another representation has to be looked for in its own way.
#[derive(Debug, Default)]
struct Numbers {
    ints: Map<i64, Places>,
    /// By their bits, but that there is one zero.
    doubles: Map<u64, Places>,
    /// Literals that are decimals themselves, since no integer holds them.
    large: Map<Digits, Places>,
    /// Every literal by its decimal.
    decimals: Map<Digits, Places>,
}

impl Values {
    /// Notes that the detector at `place`, which is not before the last one, wants `literal`.
    pub(super) fn add(&mut self, literal: &Constant, place: u32) {
        add_last(&mut self.all, place);
        match literal {
            Constant::Bool(value) => add_last(&mut self.bools[usize::from(*value)], place),
            Constant::Text(text) => match self.texts.get_mut(text.as_bytes()) {
                Some(places) => places.add(place),
                None => {
                    self.texts.insert(text.as_bytes().into(), Places::One(place));
                }
            },
            Constant::Int(_) | Constant::Large(_) | Constant::Float(_) => {
                self.numbers.get_or_insert_default().add(literal, place);
            }
        }
    }

    /// Finds those that do not certainly want something else.
    #[inline]
    pub(super) fn find<'i>(&'i self, reading: Reading<'_>, found: &mut Found<'i>) {
        let raw = match reading {
            Reading::Known(raw) => raw,
            Reading::Missing => return,
            Reading::Unknown(_) => return found.add(&self.all),
        };
        if let Raw::Bson { .. } = raw
            && let Some(content) = raw.plain_text()
        {
            return match self.texts.get(content) {
                Some(places) => found.add(places.as_slice()),
                None if raw.is_plain_text() => {}
                None => found.add(&self.all),
            };
        }
        match raw.kind() {
            Ok(Kind::Text(text)) => add(&self.texts, text.as_bytes(), found),
            Ok(Kind::Bool(value)) => found.add(&self.bools[usize::from(value)]),
            Ok(Kind::Number(number)) => {
                if let Some(numbers) = &self.numbers {
                    numbers.find(&number, found);
                }
            }
            Ok(_) => {}
            Err(_) => found.add(&self.all),
        }
    }

    /// Gives back the room for more.
    pub(super) fn shrink(&mut self) {
        self.all.shrink_to_fit();
        self.texts.shrink_to_fit();
        if let Some(numbers) = &mut self.numbers {
            numbers.ints.shrink_to_fit();
            numbers.doubles.shrink_to_fit();
            numbers.large.shrink_to_fit();
            numbers.decimals.shrink_to_fit();
        }
    }
}

impl Numbers {
    fn add(&mut self, literal: &Constant, place: u32) {
        let Some(number) = literal.literal().number() else { return };
        // A NaN equals nothing.
        let Some(digits) = number.digits().filter(Digits::is_number) else { return };
        match number {
            Number::Int(int) => note(&mut self.ints, int, place),
            Number::Double(double) => note(&mut self.doubles, bits(double), place),
            Number::Decimal(_) => note(&mut self.large, digits.clone(), place),
        }
        note(&mut self.decimals, digits, place);
    }

    fn find<'i>(&'i self, number: &Number<'_>, found: &mut Found<'i>) {
        if !matches!(number, Number::Decimal(_)) {
            if let Some(int) = number.as_i64() {
                add(&self.ints, &int, found);
            }
            if let Some(double) = number.as_f64().filter(|double| number.same(&Number::Double(*double))) {
                add(&self.doubles, &bits(double), found);
            }
        }
        let by_digits = if matches!(number, Number::Decimal(_)) { &self.decimals } else { &self.large };
        if !by_digits.is_empty()
            && let Some(digits) = number.digits()
        {
            add(by_digits, &digits, found);
        }
    }
}

fn bits(double: f64) -> u64 {
    // A negative zero equals the other.
    (double + 0.0).to_bits()
}

fn note<K: Hash + Eq>(table: &mut Map<K, Places>, key: K, place: u32) {
    table.entry(key).and_modify(|places| places.add(place)).or_insert(Places::One(place));
}

#[inline]
fn add<'i, K, Q>(table: &'i Map<K, Places>, key: &Q, found: &mut Found<'i>)
where
    K: Hash + Eq + std::borrow::Borrow<Q>,
    Q: Hash + Eq + ?Sized,
{
    if let Some(places) = table.get(key) {
        found.add(places.as_slice());
    }
}
