//! What does a detector see of one field: its value, that it is missing, or that the change does not say?

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::change::Change;
use crate::number::Number;
use crate::plan::Comparison;
use crate::raw::{Kind, Malformed, Raw, same_bytes};
use crate::undecided::{Unknown, consult, unreadable};

/// A field of a change, read on demand.
///
/// It compares with literals (`change.after("status") == "done"`, `change.after("amount") > 1000`). A missing field and a
/// null are different things, and neither equals nor orders against any literal. Numbers compare by value, exactly,
/// whatever their type: `1` equals `1.0`. A date never equals a string.
///
/// Where the change does not say what the field holds, a comparison is *unknown*: while a detector is asked, it is taken
/// both ways (see the crate's documentation); elsewhere it is false.
#[derive(Clone, Copy)]
pub struct Value<'c> {
    reading: Reading<'c>,
    origin: Origin<'c>,
    /// Whether it is only a part of what `origin` names, so that several unknowns would go by the same name.
    part: bool,
    /// Whether it was seen before to be a string whose bytes are its text.
    plain: bool,
}

/// What a look at a field gave.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reading<'c> {
    Known(Raw<'c>),
    Missing,
    Unknown(Why),
}

/// Why a change does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The change carries no image from before it.
    NoBefore,
    /// The change carries no image from after it.
    NoAfter,
    /// The description names a value written whole, or its parent, and without images that may equal what was there.
    WrittenWhole,
    /// Neither row has the column.
    NoSuchColumn,
    /// The document after it was looked up later, and may have other changes in it.
    Newer,
    /// The bytes do not hold what their type says.
    Malformed,
}

impl<'c> Reading<'c> {
    /// What the field holds: nothing when missing.
    fn kind(self) -> Result<Option<Kind<'c>>, Why> {
        match self {
            Self::Known(raw) => raw.kind().map(Some).map_err(|_| Why::Malformed),
            Self::Missing => Ok(None),
            Self::Unknown(why) => Err(why),
        }
    }

    /// Whether the field equals `literal`; `Err` when the change does not say.
    fn equals(self, literal: Literal<'_>) -> Result<bool, Why> {
        let Some(kind) = self.kind()? else { return Ok(false) };
        Ok(match (kind, literal) {
            (Kind::Bool(value), Literal::Bool(literal)) => value == literal,
            (Kind::Text(value), Literal::Text(literal)) => value == literal,
            (Kind::Number(value), literal) => {
                literal.number().is_some_and(|number| value.compare(&number) == Some(Ordering::Equal))
            }
            _ => false,
        })
    }
}

/// What a search inside of bytes gave.
impl<'c> From<Result<Option<Raw<'c>>, Malformed>> for Reading<'c> {
    fn from(found: Result<Option<Raw<'c>>, Malformed>) -> Self {
        match found {
            Ok(Some(raw)) => Self::Known(raw),
            Ok(None) => Self::Missing,
            Err(malformed) => Self::Unknown(malformed.into()),
        }
    }
}

impl From<Malformed> for Why {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// Which field was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'c> {
    Before(&'c Change, &'c str),
    After(&'c Change, &'c str),
    Key(&'c Change),
    /// Part of another value.
    Inside,
}

/// A literal that a field is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Literal<'l> {
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An unsigned integer beyond `i64`.
    Large(u64),
    /// A double.
    Float(f64),
    /// Text.
    Text(&'l str),
}

impl<'c> Value<'c> {
    #[inline]
    pub(crate) fn new(reading: Reading<'c>, origin: Origin<'c>) -> Self {
        Self { reading, origin, part: matches!(origin, Origin::Inside), plain: false }
    }

    /// The value of a field of which it is known whether it is [plain text](Raw::is_plain_text).
    #[inline]
    pub(crate) fn seen(raw: Raw<'c>, plain: bool, origin: Origin<'c>) -> Self {
        Self { plain, ..Self::new(Reading::Known(raw), origin) }
    }

    /// Whether the field is there, be it null.
    ///
    /// (It takes the value itself, as all that plans know by name do, so that no method of a trait can come before it.)
    pub fn exists(self) -> bool {
        self.try_exists().unwrap_or_else(|why| self.consult(why, || ".exists()".to_owned()))
    }

    /// Whether the field is there; `Err` when the change does not say.
    pub(crate) fn try_exists(&self) -> Result<bool, Why> {
        match self.reading {
            Reading::Known(_) => Ok(true),
            Reading::Missing => Ok(false),
            Reading::Unknown(why) => Err(why),
        }
    }

    /// Whether the field is not there; a null is.
    pub fn is_missing(self) -> bool {
        !self.exists()
    }

    /// Whether the field is there and null.
    pub fn is_null(self) -> bool {
        self.try_is_null().unwrap_or_else(|why| self.consult(why, || ".is_null()".to_owned()))
    }

    /// Whether the field is there and null; `Err` when the change does not say.
    pub(crate) fn try_is_null(&self) -> Result<bool, Why> {
        self.kind().map(|kind| matches!(kind, Some(Kind::Null)))
    }

    /// Whether the change says what the field holds.
    pub fn is_known(&self) -> bool {
        self.kind().is_ok()
    }

    /// Whether the field equals one of `literals`.
    pub fn is_in<L: Into<Literal<'c>>>(self, literals: impl IntoIterator<Item = L>) -> bool {
        literals.into_iter().any(|literal| self.equals(literal.into()))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<Cow<'c, str>> {
        match self.read(".as_str()")? {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, of any numeric type without a fraction that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.read(".as_i64()")? {
            Kind::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The nearest double of a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self.read(".as_f64()")? {
            Kind::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self.read(".as_bool()")? {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The time of a BSON date, or of a string in RFC 3339 (as Hasura writes `timestamptz`).
    pub fn as_datetime(&self) -> Option<bson::DateTime> {
        match self.read(".as_datetime()")? {
            Kind::Date(millis) => Some(bson::DateTime::from_millis(millis)),
            Kind::Text(text) => bson::DateTime::parse_rfc3339_str(text).ok(),
            _ => None,
        }
    }

    /// The object id.
    pub fn as_object_id(&self) -> Option<bson::oid::ObjectId> {
        match self.read(".as_object_id()")? {
            Kind::ObjectId(bytes) => Some(bson::oid::ObjectId::from_bytes(bytes)),
            _ => None,
        }
    }

    /// The exact decimal of a number, or of a string that is one (as Hasura writes `numeric`).
    pub fn as_decimal(&self) -> Option<bson::Decimal128> {
        match self.read(".as_decimal()")? {
            Kind::Number(number) => number.text().parse().ok(),
            Kind::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The value as JSON, BSON's own types as relaxed Extended JSON; `None` when missing or unknown.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        self.read(".to_json()")?;
        let Reading::Known(raw) = self.reading else { return None };
        raw.to_json().map_err(|Malformed| self.note(Why::Malformed, ".to_json()")).ok()
    }

    /// The field under `path` of an object, or the element of that index in an array.
    #[must_use]
    pub fn get(&self, path: &str) -> Value<'c> {
        let reading = match self.reading {
            Reading::Known(raw) => raw.at_path(path).into(),
            other => other,
        };
        Value { reading, origin: self.origin, part: true, plain: false }
    }

    /// The elements of an array; none for other values.
    pub fn items(&self) -> Vec<Value<'c>> {
        let elements = match self.reading {
            Reading::Known(raw) => raw.elements().map_err(|Malformed| Why::Malformed),
            Reading::Missing => Ok(Vec::new()),
            Reading::Unknown(why) => Err(why),
        };
        let elements = elements.unwrap_or_else(|why| {
            self.note(why, ".items()");
            Vec::new()
        });
        elements
            .into_iter()
            .map(|raw| Value { reading: Reading::Known(raw), origin: self.origin, part: true, plain: false })
            .collect()
    }

    /// What the field holds: nothing when missing.
    fn kind(&self) -> Result<Option<Kind<'c>>, Why> {
        self.reading.kind()
    }

    /// As [`kind`](Self::kind), for a reader with more than two answers.
    fn read(&self, how: &str) -> Option<Kind<'c>> {
        self.kind().unwrap_or_else(|why| {
            self.note(why, how);
            None
        })
    }

    /// Notes that an unknown was read in a way that has more than two answers.
    fn note(&self, why: Why, how: &str) {
        unreadable(|| self.unknown(why, how));
    }

    /// The answer to take for an unknown with two answers.
    ///
    /// It takes a copy, so that what is mostly not asked for needs not be at hand.
    #[cold]
    fn consult(self, why: Why, how: impl Fn() -> String) -> bool {
        if self.part {
            self.note(why, &how());
            return false;
        }
        consult(|| self.unknown(why, &how()))
    }

    /// Whether the field equals `literal`; `Err` when the change does not say.
    #[inline]
    pub(crate) fn try_equals(&self, literal: Literal<'_>) -> Result<bool, Why> {
        if let (Reading::Known(raw), Literal::Text(text)) = (self.reading, literal)
            && let Some(answer) = raw.is_text(text)
        {
            return Ok(answer);
        }
        self.reading.equals(literal)
    }

    #[inline]
    fn equals(&self, literal: Literal<'_>) -> bool {
        match literal {
            Literal::Text(text) => self.equals_text(text),
            other => self.equals_otherwise(other),
        }
    }

    /// Most literals are texts, and most fields that are compared with one are texts too.
    fn equals_text(&self, text: &str) -> bool {
        if self.plain
            && let Reading::Known(raw) = &self.reading
            && let Some(content) = raw.plain_text()
        {
            return same_bytes(content, text.as_bytes());
        }
        self.equals_unseen_text(text)
    }

    #[inline(never)]
    fn equals_unseen_text(&self, text: &str) -> bool {
        if let Reading::Known(raw) = &self.reading
            && let Some(answer) = raw.is_text(text)
        {
            return answer;
        }
        self.equals_otherwise(Literal::Text(text))
    }

    fn equals_otherwise(&self, literal: Literal<'_>) -> bool {
        self.try_equals(literal).unwrap_or_else(|why| self.consult(why, || format!(" == {literal}")))
    }

    /// Whether the field compares so with `literal`, as a predicate asks it.
    pub(crate) fn compares(&self, comparison: Comparison, literal: Literal<'_>) -> bool {
        match comparison {
            Comparison::Equal => self.equals(literal),
            Comparison::NotEqual => !self.equals(literal),
            _ => self
                .try_compares(comparison, literal)
                .unwrap_or_else(|why| self.consult(why, || format!(" {} {literal}", comparison.as_str()))),
        }
    }

    /// Whether the field compares so with `literal`; `Err` when the change does not say.
    pub(crate) fn try_compares(&self, comparison: Comparison, literal: Literal<'_>) -> Result<bool, Why> {
        let holds = match comparison {
            Comparison::Equal => return self.try_equals(literal),
            Comparison::NotEqual => return self.try_equals(literal).map(|equal| !equal),
            Comparison::Less => Ordering::is_lt,
            Comparison::LessOrEqual => Ordering::is_le,
            Comparison::Greater => Ordering::is_gt,
            Comparison::GreaterOrEqual => Ordering::is_ge,
        };
        Ok(self.kind()?.and_then(|kind| compare(&kind, literal)).is_some_and(holds))
    }

    fn unknown(&self, why: Why, how: &str) -> Unknown {
        let cure = match self.origin {
            Origin::Before(change, path) | Origin::After(change, path) => change.cure(why, path),
            Origin::Key(change) => change.cure(why, "key"),
            Origin::Inside => "its bytes do not hold what their type says".to_owned(),
        };
        Unknown { read: self.name() + how, cure }
    }

    /// The field as it is asked for in code.
    fn name(&self) -> String {
        let part = if self.part { ".get(…)" } else { "" };
        match self.origin {
            Origin::Before(_, path) => format!("before({path:?}){part}"),
            Origin::After(_, path) => format!("after({path:?}){part}"),
            Origin::Key(_) => format!("key(){part}"),
            Origin::Inside => "a value".to_owned(),
        }
    }
}

fn compare(kind: &Kind<'_>, literal: Literal<'_>) -> Option<Ordering> {
    match (kind, literal) {
        (Kind::Number(value), literal) => value.compare(&literal.number()?),
        (Kind::Text(value), Literal::Text(literal)) => Some(value.as_ref().cmp(literal)),
        _ => None,
    }
}

impl Literal<'_> {
    pub(crate) fn number(&self) -> Option<Number<'static>> {
        match *self {
            Self::Int(int) => Some(Number::Int(int)),
            Self::Large(int) => Some(Number::Decimal(Cow::Owned(int.to_string()))),
            Self::Float(double) => Some(Number::Double(double)),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Literal<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(out, "{value}"),
            Self::Int(value) => write!(out, "{value}"),
            Self::Large(value) => write!(out, "{value}"),
            Self::Float(value) => write!(out, "{value:?}"),
            Self::Text(value) => write!(out, "{value:?}"),
        }
    }
}

/// A string plainly, other values as JSON; `missing` and `unknown` in words.
impl fmt::Display for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind(), self.reading) {
            (Err(_), _) => out.write_str("unknown"),
            (Ok(Some(Kind::Text(text))), _) => out.write_str(&text),
            (Ok(Some(Kind::ObjectId(bytes))), _) => out.write_str(&bson::oid::ObjectId::from_bytes(bytes).to_hex()),
            (Ok(Some(_)), Reading::Known(raw)) => match raw.to_json() {
                Ok(json) => write!(out, "{json}"),
                Err(_) => out.write_str("unknown"),
            },
            _ => out.write_str("missing"),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Ok(Some(Kind::Text(text))) => write!(out, "{text:?}"),
            _ => fmt::Display::fmt(self, out),
        }
    }
}

/// Two fields are equal when both are known and there, and hold the same value.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = match (self.reading, other.reading) {
            (Reading::Unknown(why), _) => Err((self, why)),
            (_, Reading::Unknown(why)) => Err((other, why)),
            (Reading::Known(left), Reading::Known(right)) => left.same(right).map_err(|Malformed| (self, Why::Malformed)),
            _ => Ok(false),
        };
        same.unwrap_or_else(|(unknown, why)| {
            let other = if std::ptr::eq(unknown, self) { other } else { self };
            // Two unknown parts would go by one name, and be assumed to be equal or not together.
            if other.part && other.kind().is_err() {
                unknown.note(why, " == unknown");
                return false;
            }
            unknown.consult(why, || match other.part {
                true => format!(" == {other:?}"),
                false => format!(" == {}", other.name()),
            })
        })
    }
}

macro_rules! compares_with {
    ($($literal:ty => |$value:ident| $convert:expr;)*) => {$(
        impl<'l> From<$literal> for Literal<'l> {
            fn from($value: $literal) -> Self {
                $convert
            }
        }

        impl<'l> PartialEq<$literal> for Value<'_> {
            #[inline]
            fn eq(&self, literal: &$literal) -> bool {
                let $value = *literal;
                self.equals($convert)
            }
        }

        impl<'l> PartialOrd<$literal> for Value<'_> {
            fn partial_cmp(&self, literal: &$literal) -> Option<Ordering> {
                let $value = *literal;
                self.read(".partial_cmp()").and_then(|kind| compare(&kind, $convert))
            }

            fn lt(&self, literal: &$literal) -> bool {
                let $value = *literal;
                self.compares(Comparison::Less, $convert)
            }

            fn le(&self, literal: &$literal) -> bool {
                let $value = *literal;
                self.compares(Comparison::LessOrEqual, $convert)
            }

            fn gt(&self, literal: &$literal) -> bool {
                let $value = *literal;
                self.compares(Comparison::Greater, $convert)
            }

            fn ge(&self, literal: &$literal) -> bool {
                let $value = *literal;
                self.compares(Comparison::GreaterOrEqual, $convert)
            }
        }
    )*};
}

compares_with! {
    bool => |value| Literal::Bool(value);
    i8 => |value| Literal::Int(value.into());
    i16 => |value| Literal::Int(value.into());
    i32 => |value| Literal::Int(value.into());
    i64 => |value| Literal::Int(value);
    u8 => |value| Literal::Int(value.into());
    u16 => |value| Literal::Int(value.into());
    u32 => |value| Literal::Int(value.into());
    u64 => |value| i64::try_from(value).map_or(Literal::Large(value), Literal::Int);
    f32 => |value| Literal::Float(value.into());
    f64 => |value| Literal::Float(value);
    &'l str => |value| Literal::Text(value);
}

impl<'l> From<&'l String> for Literal<'l> {
    fn from(value: &'l String) -> Self {
        Self::Text(value)
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, literal: &str) -> bool {
        self.equals(Literal::Text(literal))
    }
}

impl PartialEq<String> for Value<'_> {
    fn eq(&self, literal: &String) -> bool {
        self.equals(Literal::Text(literal))
    }
}

#[cfg(test)]
mod tests;
