//! What is a value while it is still inside the bytes of its change?

pub(crate) mod bson;
pub(crate) mod json;

use std::borrow::Cow;

use crate::number::Number;
use bson::tag;

/// How deep values are looked into; MongoDB's own limit is 100 and the JSON reader's 128.
const MAX_DEPTH: usize = 200;

/// A value not yet decoded: BSON bytes, checked JSON text, or a tree that was made in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw<'c> {
    Bson {
        tag: u8,
        bytes: &'c [u8],
    },
    /// In the extended dialect, `{"$oid": …}` and its kin are typed values (MongoDB Extended JSON v2).
    Json {
        text: &'c str,
        extended: bool,
    },
    Tree(&'c serde_json::Value),
}

/// A value looked at closely enough to compare it.
#[derive(Debug, Clone)]
pub(crate) enum Kind<'c> {
    Null,
    Bool(bool),
    Number(Number<'c>),
    Text(Cow<'c, str>),
    /// Milliseconds since 1970.
    Date(i64),
    ObjectId([u8; 12]),
    Object,
    Array,
    /// A type that is only compared whole.
    Other,
}

/// A value whose bytes do not hold what their type says, such as text that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

type Entry<'c> = (Cow<'c, str>, Raw<'c>);

impl<'c> Raw<'c> {
    /// What the value is.
    pub(crate) fn kind(self) -> Result<Kind<'c>, Malformed> {
        match self {
            Self::Bson { tag, bytes } => bson_kind(tag, bytes),
            Self::Json { text, extended } => Ok(json_kind(text, extended)),
            Self::Tree(value) => Ok(tree_kind(value)),
        }
    }

    /// Whether the value is this text, where that is known without looking at it closely.
    #[inline]
    pub(crate) fn is_text(self, text: &str) -> Option<bool> {
        let Self::Bson { .. } = self else { return None };
        let content = self.plain_text()?;
        // Bytes that are no text are not simply another one.
        if same_bytes(content, text.as_bytes()) { Some(true) } else { is_ascii(content).then_some(false) }
    }

    /// The content of a string, which [may be](Self::is_plain_text) its text as it is.
    #[inline]
    pub(crate) fn plain_text(self) -> Option<&'c [u8]> {
        match self {
            Self::Bson { tag: tag::STRING, bytes } => bytes.get(4..bytes.len().checked_sub(1)?),
            Self::Json { text, .. } => text.as_bytes().strip_prefix(b"\"")?.strip_suffix(b"\""),
            _ => None,
        }
    }

    /// Whether the value is a string whose bytes are its text: well-formed, and without escapes.
    pub(crate) fn is_plain_text(self) -> bool {
        let Some(content) = self.plain_text() else { return false };
        match self {
            Self::Json { .. } => !content.contains(&b'\\'),
            _ => is_ascii(content) || std::str::from_utf8(content).is_ok(),
        }
    }

    /// The member `key` of an object, or the element of that index in an array.
    pub(crate) fn get(self, key: &str) -> Result<Option<Self>, Malformed> {
        match self {
            Self::Bson { tag: tag::DOCUMENT | tag::ARRAY, bytes } => {
                let mut elements = bson::Elements::new(bytes).map_err(|_| Malformed)?;
                while let Some(element) = elements.next().map_err(|_| Malformed)? {
                    if element.key == key.as_bytes() {
                        return Ok(Some(Self::Bson { tag: element.tag, bytes: element.value }));
                    }
                }
                Ok(None)
            }
            Self::Json { text, extended } if text.starts_with('{') => {
                Ok(json::members(text).find(|(name, _)| name.is(key)).map(|(_, text)| Self::Json { text, extended }))
            }
            Self::Json { text, extended } if text.starts_with('[') => {
                Ok(index(key).and_then(|index| json::elements(text).nth(index)).map(|text| Self::Json { text, extended }))
            }
            Self::Tree(serde_json::Value::Object(map)) => Ok(map.get(key).map(Self::Tree)),
            Self::Tree(serde_json::Value::Array(items)) => Ok(index(key).and_then(|at| items.get(at)).map(Self::Tree)),
            _ => Ok(None),
        }
    }

    /// The value at a path of dotted names; a number names an index in an array and a key in an object.
    pub(crate) fn at_path(self, path: &str) -> Result<Option<Self>, Malformed> {
        path.split('.').try_fold(Some(self), |value, key| match value {
            Some(value) => value.get(key),
            None => Ok(None),
        })
    }

    /// The members of an object in their order; nothing for other values.
    pub(crate) fn entries(self) -> Result<Vec<Entry<'c>>, Malformed> {
        match self {
            Self::Bson { tag: tag::DOCUMENT, bytes } => bson_elements(bytes, |element| {
                let key = std::str::from_utf8(element.key).map_err(|_| Malformed)?;
                Ok((Cow::Borrowed(key), Self::Bson { tag: element.tag, bytes: element.value }))
            }),
            Self::Json { text, extended } if text.starts_with('{') => {
                Ok(json::members(text).map(|(key, text)| (key.name(), Self::Json { text, extended })).collect())
            }
            Self::Tree(serde_json::Value::Object(map)) => {
                Ok(map.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), Self::Tree(value))).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// As [`entries`](Self::entries), told one by one and by the bytes of their names, all of which are text.
    pub(crate) fn each_entry(self, mut told: impl FnMut(&[u8], Self)) -> Result<(), Malformed> {
        let Self::Bson { tag: tag::DOCUMENT, bytes } = self else {
            self.entries()?.into_iter().for_each(|(name, value)| told(name.as_bytes(), value));
            return Ok(());
        };
        let mut elements = bson::Elements::new(bytes).map_err(|_| Malformed)?;
        while let Some(element) = elements.next().map_err(|_| Malformed)? {
            if !is_ascii(element.key) && std::str::from_utf8(element.key).is_err() {
                return Err(Malformed);
            }
            told(element.key, Self::Bson { tag: element.tag, bytes: element.value });
        }
        Ok(())
    }

    /// The elements of an array; nothing for other values.
    pub(crate) fn elements(self) -> Result<Vec<Self>, Malformed> {
        match self {
            Self::Bson { tag: tag::ARRAY, bytes } => {
                bson_elements(bytes, |element| Ok(Self::Bson { tag: element.tag, bytes: element.value }))
            }
            Self::Json { text, extended } if text.starts_with('[') => {
                Ok(json::elements(text).map(|text| Self::Json { text, extended }).collect())
            }
            Self::Tree(serde_json::Value::Array(items)) => Ok(items.iter().map(Self::Tree).collect()),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether two values are equal: numbers by value, objects in any order of their members, arrays in order.
    pub(crate) fn same(self, other: Self) -> Result<bool, Malformed> {
        same(self, other, 0)
    }

    /// The value as JSON; what JSON has no type for is written as relaxed Extended JSON v2.
    pub(crate) fn to_json(self) -> Result<serde_json::Value, Malformed> {
        to_json(self, 0)
    }

    /// As [`to_json`](Self::to_json), of a document: whatever its members look like, it stands for no other value.
    pub(crate) fn document_json(self) -> Result<serde_json::Value, Malformed> {
        let members = self.entries()?.into_iter().map(|(key, value)| Ok((key.into_owned(), to_json(value, 1)?)));
        Ok(serde_json::Value::Object(members.collect::<Result<_, _>>()?))
    }

    /// Whether the two are the same bytes, and so certainly the same value.
    pub(crate) fn identical(self, other: Self) -> bool {
        match (self, other) {
            (Self::Bson { tag: left, bytes: left_bytes }, Self::Bson { tag: right, bytes: right_bytes }) => {
                left == right && left_bytes == right_bytes
            }
            (Self::Json { text: left, extended: false }, Self::Json { text: right, extended: false })
            | (Self::Json { text: left, extended: true }, Self::Json { text: right, extended: true }) => left == right,
            _ => false,
        }
    }
}

/// As the standard library's, for the short texts that most are: eight bytes at a time, and the last eight again.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let Some(last) = bytes.last_chunk() else { return bytes.iter().fold(0, |all, byte| all | byte) < 0x80 };
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(u64::from_le_bytes(*last), |all, word| all | u64::from_le_bytes(*word)) & HIGH == 0
}

/// Whether the two are equal; most texts that are compared are short, and most differ in their first or last eight bytes.
#[inline]
pub(crate) fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    match (left.first_chunk::<8>(), right.first_chunk::<8>(), left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(left_first), Some(right_first), Some(left_last), Some(right_last)) => {
            left_first == right_first && left_last == right_last && (left.len() <= 16 || left == right)
        }
        _ => left.iter().zip(right).fold(0, |differ, (left, right)| differ | (left ^ right)) == 0,
    }
}

/// The index that a step of a path stands for, written as BSON writes the keys of an array.
fn index(key: &str) -> Option<usize> {
    let plain = key == "0" || !key.starts_with(['0', '+']);
    key.parse().ok().filter(|_| plain)
}

fn bson_elements<'c, T>(
    document: &'c [u8],
    mut convert: impl FnMut(bson::Element<'c>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut elements = bson::Elements::new(document).map_err(|_| Malformed)?;
    let mut all = Vec::new();
    while let Some(element) = elements.next().map_err(|_| Malformed)? {
        all.push(convert(element)?);
    }
    Ok(all)
}

fn bson_kind(tag: u8, bytes: &[u8]) -> Result<Kind<'_>, Malformed> {
    Ok(match tag {
        tag::DOUBLE => Kind::Number(Number::Double(f64::from_le_bytes(*bytes.first_chunk().ok_or(Malformed)?))),
        tag::STRING | tag::SYMBOL => Kind::Text(Cow::Borrowed(bson::string(bytes).ok_or(Malformed)?)),
        tag::DOCUMENT => Kind::Object,
        tag::ARRAY => Kind::Array,
        tag::OBJECT_ID => Kind::ObjectId(*bytes.first_chunk().ok_or(Malformed)?),
        tag::BOOLEAN => Kind::Bool(bytes.first().ok_or(Malformed)? != &0),
        tag::DATE => Kind::Date(bson::read_i64(bytes).ok_or(Malformed)?),
        tag::NULL => Kind::Null,
        tag::INT32 => Kind::Number(Number::Int(i64::from(bson::read_i32(bytes, 0).ok_or(Malformed)?))),
        tag::INT64 => Kind::Number(Number::Int(bson::read_i64(bytes).ok_or(Malformed)?)),
        tag::DECIMAL128 => {
            let decimal = ::bson::Decimal128::from_bytes(*bytes.first_chunk().ok_or(Malformed)?);
            Kind::Number(Number::Decimal(Cow::Owned(decimal.to_string())))
        }
        _ => Kind::Other,
    })
}

fn json_kind(text: &str, extended: bool) -> Kind<'_> {
    match text.as_bytes().first() {
        Some(b'"') => Kind::Text(json::unescape(&text[1..text.len() - 1])),
        Some(b'{') if extended => extended_kind(text).unwrap_or(Kind::Object),
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b't') => Kind::Bool(true),
        Some(b'f') => Kind::Bool(false),
        Some(b'n') => Kind::Null,
        _ => Kind::Number(Number::from_json(text)),
    }
}

/// The typed value that an object of extended JSON stands for; `None` for an ordinary object.
fn extended_kind(object: &str) -> Option<Kind<'_>> {
    let mut members = json::members(object);
    let (key, text) = members.next()?;
    if !key.text().starts_with('$') {
        return None;
    }
    if members.next().is_some() {
        let typed = matches!(key.text(), "$code" | "$scope" | "$regex" | "$options" | "$ref" | "$id");
        return typed.then_some(Kind::Other);
    }
    let between = || text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    // Whatever is a decimal is a double too, though not an exact one.
    let is_decimal = |text: &&str| text.parse::<f64>().is_ok();
    let decimal = || between().filter(is_decimal).map(|text| Kind::Number(Number::Decimal(Cow::Borrowed(text))));
    let kind = match key.text() {
        "$oid" => ::bson::oid::ObjectId::parse_str(between()?).ok().map(|id| Kind::ObjectId(id.bytes())),
        "$numberInt" | "$numberLong" => between()?.parse().ok().map(|int| Kind::Number(Number::Int(int))),
        "$numberDouble" => between()?.parse().ok().map(|double| Kind::Number(Number::Double(double))),
        "$numberDecimal" => decimal(),
        "$symbol" => between().map(|text| Kind::Text(json::unescape(text))),
        "$date" => match json_kind(text, true) {
            Kind::Number(number) => number.as_i64().map(Kind::Date),
            Kind::Text(text) => ::bson::DateTime::parse_rfc3339_str(text).ok().map(|date| Kind::Date(date.timestamp_millis())),
            _ => None,
        },
        "$binary" | "$uuid" | "$code" | "$timestamp" | "$regularExpression" | "$dbPointer" | "$minKey" | "$maxKey"
        | "$undefined" => None,
        _ => return None,
    };
    Some(kind.unwrap_or(Kind::Other))
}

fn tree_kind(value: &serde_json::Value) -> Kind<'_> {
    match value {
        serde_json::Value::Null => Kind::Null,
        serde_json::Value::Bool(value) => Kind::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.is_f64().then(|| number.as_f64()).flatten()) {
            (Some(int), _) => Kind::Number(Number::Int(int)),
            (None, Some(double)) => Kind::Number(Number::Double(double)),
            (None, None) => Kind::Number(Number::Decimal(Cow::Owned(number.to_string()))),
        },
        serde_json::Value::String(text) => Kind::Text(Cow::Borrowed(text)),
        serde_json::Value::Array(_) => Kind::Array,
        serde_json::Value::Object(_) => Kind::Object,
    }
}

fn same(left: Raw<'_>, right: Raw<'_>, depth: usize) -> Result<bool, Malformed> {
    if left.identical(right) {
        return Ok(true);
    }
    if depth > MAX_DEPTH {
        return Err(Malformed);
    }
    if let (Raw::Bson { tag: tag::STRING, bytes: left }, Raw::Bson { tag: tag::STRING, bytes: right }) = (left, right)
        && left.len().min(right.len()) > 4
        && left.is_ascii()
        && right.is_ascii()
    {
        // Two valid texts, and their bytes differ.
        return Ok(false);
    }
    match (left.kind()?, right.kind()?) {
        (Kind::Null, Kind::Null) => Ok(true),
        (Kind::Bool(left), Kind::Bool(right)) => Ok(left == right),
        (Kind::Number(left), Kind::Number(right)) => Ok(left.same(&right)),
        (Kind::Text(left), Kind::Text(right)) => Ok(left == right),
        (Kind::Date(left), Kind::Date(right)) => Ok(left == right),
        (Kind::ObjectId(left), Kind::ObjectId(right)) => Ok(left == right),
        (Kind::Array, Kind::Array) => {
            let (left, right) = (left.elements()?, right.elements()?);
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.into_iter().zip(right) {
                if !same(left, right, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        // BSON's rare types have no members to compare: what is not identical is different.
        (Kind::Other, Kind::Other) if matches!(left, Raw::Bson { .. }) => Ok(false),
        (Kind::Object, Kind::Object) | (Kind::Other, Kind::Other) => {
            let (left, mut right) = (left.entries()?, right.entries()?);
            if left.len() != right.len() {
                return Ok(false);
            }
            right.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
            for (key, value) in &left {
                let Ok(at) = right.binary_search_by(|(other, _)| other.cmp(key)) else { return Ok(false) };
                if !same(*value, right[at].1, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn to_json(raw: Raw<'_>, depth: usize) -> Result<serde_json::Value, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed);
    }
    if let Raw::Tree(value) = raw {
        return Ok(value.clone());
    }
    Ok(match raw.kind()? {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool(value) => value.into(),
        Kind::Text(text) => text.into_owned().into(),
        Kind::Number(Number::Int(int)) => int.into(),
        Kind::Number(Number::Decimal(text)) if matches!(raw, Raw::Json { text: own, .. } if !own.starts_with('{')) => {
            json_number(&text)
        }
        Kind::Array => raw.elements()?.into_iter().map(|item| to_json(item, depth + 1)).collect::<Result<_, _>>()?,
        Kind::Number(Number::Double(double)) if double.is_finite() => double.into(),
        Kind::Object | Kind::Other if !matches!(raw, Raw::Bson { tag, .. } if tag != tag::DOCUMENT) => {
            let members = raw.entries()?.into_iter().map(|(key, value)| Ok((key.into_owned(), to_json(value, depth + 1)?)));
            serde_json::Value::Object(members.collect::<Result<_, _>>()?)
        }
        Kind::Number(number) => {
            extended(if matches!(number, Number::Double(_)) { "$numberDouble" } else { "$numberDecimal" }, &number.text())
        }
        Kind::ObjectId(id) => extended("$oid", &::bson::oid::ObjectId::from_bytes(id).to_hex()),
        Kind::Date(millis) => date(millis),
        Kind::Object | Kind::Other => rare_bson(raw, depth)?,
    })
}

/// A date as relaxed extended JSON writes it: as text between the years 1970 and 9999, else as milliseconds.
fn date(millis: i64) -> serde_json::Value {
    const YEAR_10000: i64 = 253_402_300_800_000;
    let text = (0..YEAR_10000).contains(&millis).then(|| ::bson::DateTime::from_millis(millis).try_to_rfc3339_string().ok());
    match text.flatten() {
        Some(text) => serde_json::json!({ "$date": text }),
        None => serde_json::json!({ "$date": { "$numberLong": millis.to_string() } }),
    }
}

fn extended(name: &str, text: &str) -> serde_json::Value {
    serde_json::Value::Object(std::iter::once((name.to_owned(), text.into())).collect())
}

/// A JSON number as `serde_json` holds it, rounded to the nearest double where it is no integer (its own reader is a digit
/// off at times); one beyond the range of a double stays as text.
fn json_number(text: &str) -> serde_json::Value {
    if let Ok(int) = text.parse::<u64>() {
        return int.into();
    }
    let double = text.parse().ok().and_then(serde_json::Number::from_f64);
    double.map_or_else(|| text.into(), serde_json::Value::Number)
}

/// The extended JSON of a BSON type that needs no reading of its own here.
fn rare_bson(raw: Raw<'_>, depth: usize) -> Result<serde_json::Value, Malformed> {
    match raw {
        Raw::Bson { tag: tag::CODE_WITH_SCOPE, bytes } => {
            let (code, scope) = bson::code_with_scope(bytes).ok_or(Malformed)?;
            let scope = to_json(Raw::Bson { tag: tag::DOCUMENT, bytes: scope }, depth + 1)?;
            Ok(serde_json::json!({ "$code": code, "$scope": scope }))
        }
        Raw::Bson { tag, bytes } => flat_bson(tag, bytes).ok_or(Malformed),
        Raw::Json { .. } | Raw::Tree(_) => Err(Malformed),
    }
}

/// As [`rare_bson`], for types that hold no other values.
fn flat_bson(tag: u8, bytes: &[u8]) -> Option<serde_json::Value> {
    let size = i32::try_from(bytes.len() + 8).ok()?;
    let mut document = size.to_le_bytes().to_vec();
    document.extend([tag, b'v', 0]);
    document.extend(bytes);
    document.push(0);
    let mut document = ::bson::Document::try_from(::bson::RawDocument::from_bytes(&document).ok()?).ok()?;
    Some(document.remove("v")?.into_relaxed_extjson())
}

#[cfg(test)]
mod tests;
