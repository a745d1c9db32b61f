//! When are two numbers of different representation equal, and which is the larger?
//!
//! Integers and doubles are compared exactly, never through a common `f64`. A decimal (Decimal128, or a number in JSON
//! text) is compared digit by digit; a double beside it stands for the shortest decimal that reads back as it, so `9.99`
//! in code equals `9.99` in the database.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A number as its source wrote it.
#[derive(Debug, Clone)]
pub(crate) enum Number<'c> {
    Int(i64),
    Double(f64),
    /// Decimal text: digits with an optional sign, point and exponent, or `NaN`, `Infinity`, `-Infinity`.
    Decimal(Cow<'c, str>),
}

impl<'c> Number<'c> {
    /// The number that a JSON text stands for; integers that fit are integers, everything else keeps its digits.
    pub(crate) fn from_json(text: &'c str) -> Self {
        match text.parse() {
            Ok(int) => Self::Int(int),
            Err(_) => Self::Decimal(Cow::Borrowed(text)),
        }
    }

    /// The integer, where the number is one and fits.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            #[expect(clippy::cast_possible_truncation, reason = "the comparison is exact")]
            Self::Double(double) => Some(*double as i64).filter(|int| compare_int(*int, *double) == Some(Ordering::Equal)),
            Self::Decimal(text) => Digits::parse(text)?.as_i64(),
        }
    }

    /// The nearest `f64`; `None` where it would be infinite although the number is not.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
            Self::Int(int) => Some(*int as f64),
            Self::Double(double) => Some(*double),
            Self::Decimal(text) => {
                text.parse::<f64>().ok().filter(|double| double.is_finite() || !text.contains(|c: char| c.is_ascii_digit()))
            }
        }
    }

    /// How the numbers compare; `None` with a NaN.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(right),
            (Self::Int(left), Self::Double(right)) => compare_int(*left, *right),
            (Self::Double(left), Self::Int(right)) => compare_int(*right, *left).map(Ordering::reverse),
            _ => self.digits()?.compare(&other.digits()?),
        }
    }

    /// Whether the numbers are the same value; a NaN is the same as a NaN here, since a change of NaN to NaN is none.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Equal) || (self.is_nan() && other.is_nan())
    }

    /// The decimal that it is compared as beside a decimal.
    pub(crate) fn digits(&self) -> Option<Digits> {
        Digits::parse(&self.text())
    }

    fn is_nan(&self) -> bool {
        match self {
            Self::Int(_) => false,
            Self::Double(double) => double.is_nan(),
            Self::Decimal(text) => text.eq_ignore_ascii_case("nan"),
        }
    }

    /// The number as decimal text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Int(int) => Cow::Owned(int.to_string()),
            Self::Double(double) if double.is_infinite() => Cow::Borrowed(if *double > 0.0 { "Infinity" } else { "-Infinity" }),
            Self::Double(double) => Cow::Owned(double.to_string()),
            Self::Decimal(text) => Cow::Borrowed(text),
        }
    }
}

/// Compares without rounding: the double is split into its integer part and the rest.
#[expect(clippy::cast_possible_truncation, reason = "the truncated value is checked to be in range first")]
fn compare_int(int: i64, double: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= LIMIT {
        return Some(Ordering::Less);
    }
    if double < -LIMIT {
        return Some(Ordering::Greater);
    }
    let whole = double.trunc();
    Some(int.cmp(&(whole as i64)).then_with(|| 0.0_f64.total_cmp(&(double - whole + 0.0))))
}

/// A decimal as sign, significant digits and the place of the point: `0.d1d2d3… * 10^exponent`. Equal decimals are the same number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Digits {
    NotANumber,
    Infinite { negative: bool },
    Finite { negative: bool, digits: Vec<u8>, exponent: i64 },
}

impl Digits {
    /// Whether it equals itself, as all do but a NaN.
    pub(crate) fn is_number(&self) -> bool {
        *self != Self::NotANumber
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if rest.eq_ignore_ascii_case("nan") {
            return Some(Self::NotANumber);
        }
        if rest.eq_ignore_ascii_case("infinity") || rest.eq_ignore_ascii_case("inf") {
            return Some(Self::Infinite { negative });
        }
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, saturating_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if all.is_empty() || !all.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let leading = all.iter().take_while(|digit| **digit == b'0').count();
        let mut digits = all[leading..].to_vec();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self::Finite { negative: false, digits, exponent: 0 });
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self::Finite { negative, digits, exponent: exponent.saturating_add(point) })
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        let sign = |value: &Self| match value {
            Self::NotANumber => None,
            Self::Infinite { negative } => Some(if *negative { -2 } else { 2 }),
            Self::Finite { digits, .. } if digits.is_empty() => Some(0),
            Self::Finite { negative, .. } => Some(if *negative { -1 } else { 1 }),
        };
        let (left_sign, right_sign) = (sign(self)?, sign(other)?);
        if left_sign != right_sign {
            return Some(left_sign.cmp(&right_sign));
        }
        let (Self::Finite { digits: left, exponent: left_at, .. }, Self::Finite { digits: right, exponent: right_at, .. }) =
            (self, other)
        else {
            return Some(Ordering::Equal);
        };
        // Without leading and trailing zeros, the point decides, then the digits in order, then their count.
        let magnitude = left_at.cmp(right_at).then_with(|| left.cmp(right));
        Some(if left_sign < 0 { magnitude.reverse() } else { magnitude })
    }

    fn as_i64(&self) -> Option<i64> {
        let Self::Finite { negative, digits, exponent } = self else { return None };
        if digits.is_empty() {
            return Some(0);
        }
        let places = usize::try_from(*exponent).ok().filter(|places| (digits.len()..=19).contains(places))?;
        let text: String =
            digits.iter().map(|digit| char::from(*digit)).chain(std::iter::repeat_n('0', places - digits.len())).collect();
        format!("{}{text}", if *negative { "-" } else { "" }).parse().ok()
    }
}

fn saturating_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // Far beyond any representable number, yet far from overflow when the point's place is added.
    const FAR: i64 = i64::MAX / 4;
    let size = digits.parse::<i64>().unwrap_or(FAR).min(FAR);
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::Number;

    #[test]
    fn numbers_compare_exactly_across_representations() {
        let json = Number::from_json;
        let table = [
            (json("1"), Number::Double(1.0), Some(Equal)),
            (json("1.0"), Number::Int(1), Some(Equal)),
            (json("1e3"), Number::Int(1000), Some(Equal)),
            (json("0.1"), Number::Double(0.1), Some(Equal)),
            (json("9.99"), Number::Double(9.99), Some(Equal)),
            (json("0"), Number::Double(-0.0), Some(Equal)),
            (json("-0.0"), Number::Int(0), Some(Equal)),
            (json("1e400"), Number::Double(f64::MAX), Some(Greater)),
            (json("1e400"), Number::Double(f64::INFINITY), Some(Less)),
            (json("-1e999999999999999999999"), Number::Int(i64::MIN), Some(Less)),
            (json("1e-999999999999999999999"), Number::Int(0), Some(Greater)),
            (json("9223372036854775808"), Number::Int(i64::MAX), Some(Greater)),
            (json("0.12345678901234567890"), json("0.12345678901234567891"), Some(Less)),
            (json("-2.5"), Number::Int(-2), Some(Less)),
            (Number::Int(9_007_199_254_740_993), Number::Double(9_007_199_254_740_992.0), Some(Greater)),
            (Number::Int(i64::MAX), Number::Double(9_223_372_036_854_775_808.0), Some(Less)),
            (Number::Int(i64::MIN), Number::Double(-9_223_372_036_854_775_808.0), Some(Equal)),
            (Number::Int(-1), Number::Double(-0.5), Some(Less)),
            (Number::Int(0), Number::Double(0.5), Some(Less)),
            (Number::Int(0), Number::Double(-0.0), Some(Equal)),
            (Number::Int(5), Number::Double(f64::NAN), None),
            (Number::Decimal("NaN".into()), Number::Int(5), None),
            (Number::Decimal("1.50E+3".into()), Number::Int(1500), Some(Equal)),
        ];

        for (left, right, expected) in table {
            assert_eq!(left.compare(&right), expected, "{left:?} {right:?}");
            assert_eq!(right.compare(&left), expected.map(std::cmp::Ordering::reverse), "{right:?} {left:?}");
        }
    }

    #[test]
    fn an_integer_is_read_only_where_the_number_is_one() {
        let table = [("5", Some(5)), ("5.0", Some(5)), ("5e2", Some(500)), ("5.5", None), ("1e400", None), ("-7.00", Some(-7))];

        for (text, expected) in table {
            assert_eq!(Number::from_json(text).as_i64(), expected, "{text}");
        }
        assert_eq!(Number::Double(5.0).as_i64(), Some(5));
        assert_eq!(Number::Double(1e19).as_i64(), None);
        assert_eq!(Number::from_json("1e400").as_f64(), None);
        assert_eq!(Number::from_json("1.5").as_f64(), Some(1.5));
    }

    #[test]
    fn nan_is_the_same_as_nan_but_not_equal() {
        assert!(Number::Double(f64::NAN).same(&Number::Decimal("NaN".into())));
        assert_eq!(Number::Double(f64::NAN).compare(&Number::Double(f64::NAN)), None);
    }
}
