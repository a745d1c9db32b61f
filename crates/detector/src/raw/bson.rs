//! How is a BSON document walked without decoding it? (Format: bsonspec.org, version 1.1.)
//!
//! Values are skipped by their size, never looked into. Every step is checked against the end of the document.

/// BSON's element type bytes, as far as this crate tells them apart.
pub(crate) mod tag {
    pub(crate) const DOUBLE: u8 = 0x01;
    pub(crate) const STRING: u8 = 0x02;
    pub(crate) const DOCUMENT: u8 = 0x03;
    pub(crate) const ARRAY: u8 = 0x04;
    pub(crate) const OBJECT_ID: u8 = 0x07;
    pub(crate) const BOOLEAN: u8 = 0x08;
    pub(crate) const DATE: u8 = 0x09;
    pub(crate) const NULL: u8 = 0x0A;
    pub(crate) const SYMBOL: u8 = 0x0E;
    pub(crate) const CODE_WITH_SCOPE: u8 = 0x0F;
    pub(crate) const INT32: u8 = 0x10;
    pub(crate) const TIMESTAMP: u8 = 0x11;
    pub(crate) const INT64: u8 = 0x12;
    pub(crate) const DECIMAL128: u8 = 0x13;
}

/// Bytes that are not a BSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BsonFault {
    /// The offset inside the document that was walked.
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

/// One element of a document; `start` is the offset of `value` inside the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'b> {
    pub(crate) tag: u8,
    pub(crate) key: &'b [u8],
    pub(crate) key_start: usize,
    pub(crate) value: &'b [u8],
    pub(crate) start: usize,
}

/// Walks the elements of one document.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Elements<'b> {
    /// Starts at the first element of `document`, whose length prefix must match its size.
    pub(crate) fn new(document: &'b [u8]) -> Result<Self, BsonFault> {
        let size = read_i32(document, 0).and_then(|size| usize::try_from(size).ok());
        if size != Some(document.len()) || document.last() != Some(&0) || document.len() < 5 {
            return Err(BsonFault { at: 0, expected: "a document whose length is that of the bytes, ended by a zero byte" });
        }
        Ok(Self { bytes: &document[..document.len() - 1], at: 4 })
    }

    /// The next element, `None` after the last.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Element<'b>>, BsonFault> {
        let Some(&tag) = self.bytes.get(self.at) else { return Ok(None) };
        let key_start = self.at + 1;
        let rest = &self.bytes[key_start..];
        let Some(key_len) = find_zero(rest) else {
            return Err(BsonFault { at: key_start, expected: "a field name ended by a zero byte" });
        };
        let start = key_start + key_len + 1;
        let len = self.value_len(tag, start)?;
        let Some(value) = self.bytes.get(start..start.saturating_add(len)) else {
            return Err(BsonFault { at: start, expected: "a value that ends inside the document" });
        };
        self.at = start + len;
        Ok(Some(Element { tag, key: &rest[..key_len], key_start, value, start }))
    }

    #[inline(always)]
    fn value_len(&self, tag: u8, start: usize) -> Result<usize, BsonFault> {
        let prefixed = |extra: usize| {
            read_i32(self.bytes, start)
                .and_then(|len| usize::try_from(len).ok())
                .map(|len| len + extra)
                .ok_or(BsonFault { at: start, expected: "a length that is not negative" })
        };
        match tag {
            tag::DOUBLE | tag::DATE | tag::INT64 | tag::TIMESTAMP => Ok(8),
            tag::STRING | 0x0D | tag::SYMBOL => prefixed(4),
            tag::DOCUMENT | tag::ARRAY | tag::CODE_WITH_SCOPE => prefixed(0).and_then(|len| {
                if len >= 5 { Ok(len) } else { Err(BsonFault { at: start, expected: "a document of at least five bytes" }) }
            }),
            0x05 => prefixed(5),
            0x06 | tag::NULL | 0x7F | 0xFF => Ok(0),
            tag::OBJECT_ID => Ok(12),
            tag::BOOLEAN => Ok(1),
            0x0B => {
                let pattern = self.cstring_len(start)?;
                Ok(pattern + self.cstring_len(start + pattern)?)
            }
            0x0C => prefixed(4 + 12),
            tag::INT32 => Ok(4),
            tag::DECIMAL128 => Ok(16),
            _ => Err(BsonFault { at: start, expected: "a known BSON element type" }),
        }
    }

    fn cstring_len(&self, start: usize) -> Result<usize, BsonFault> {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0);
        end.map(|end| end + 1).ok_or(BsonFault { at: start, expected: "text ended by a zero byte" })
    }
}

/// The place of the first zero byte; names are short, so eight bytes at a time are enough.
#[inline]
fn find_zero(bytes: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        // The lowest high bit that is set here belongs to the first zero byte.
        let zeros = word.wrapping_sub(LOW) & !word & (LOW << 7);
        if zeros != 0 {
            return Some(at + (zeros.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    bytes[at..].iter().position(|byte| *byte == 0).map(|rest| at + rest)
}

#[inline]
pub(crate) fn read_i32(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().map(|chunk| i32::from_le_bytes(*chunk))
}

#[inline]
pub(crate) fn read_i64(bytes: &[u8]) -> Option<i64> {
    bytes.first_chunk().map(|chunk| i64::from_le_bytes(*chunk))
}

/// The text of a string value, without its length prefix and final zero byte.
#[inline]
pub(crate) fn string(value: &[u8]) -> Option<&str> {
    let text = value.get(4..value.len().checked_sub(1)?)?;
    std::str::from_utf8(text).ok()
}

/// The text of a code with scope, and the document that is its scope.
pub(crate) fn code_with_scope(value: &[u8]) -> Option<(&str, &[u8])> {
    let rest = value.get(4..)?;
    let size = 4 + usize::try_from(read_i32(rest, 0)?).ok()?;
    Some((string(rest.get(..size)?)?, rest.get(size..)?))
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::{BsonFault, Elements, string, tag};

    fn keys(document: &[u8]) -> Result<Vec<(u8, String)>, BsonFault> {
        let mut elements = Elements::new(document)?;
        let mut keys = Vec::new();
        while let Some(element) = elements.next()? {
            keys.push((element.tag, String::from_utf8_lossy(element.key).into_owned()));
        }
        Ok(keys)
    }

    #[test]
    fn every_type_is_stepped_over() {
        let document = doc! {
            "double": 1.5, "string": "text", "document": { "a": 1 }, "array": [1, 2],
            "binary": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2, 3] },
            "undefined": bson::Bson::Undefined, "oid": bson::oid::ObjectId::from_bytes([7; 12]), "bool": true,
            "date": bson::DateTime::from_millis(5), "null": null,
            "regex": bson::Regex { pattern: "a+".try_into().unwrap(), options: "i".try_into().unwrap() },
            "code": bson::Bson::JavaScriptCode("f()".into()),
            "scoped": bson::JavaScriptCodeWithScope { code: "f()".into(), scope: doc! { "x": 1 } },
            "symbol": bson::Bson::Symbol("s".into()), "int": 1_i32, "time": bson::Timestamp { time: 1, increment: 2 },
            "long": 5_i64, "decimal": bson::Decimal128::from_bytes([1; 16]),
            "min": bson::Bson::MinKey, "max": bson::Bson::MaxKey, "": "empty name",
        };
        let wanted: Vec<String> = document.keys().cloned().collect();

        let walked = keys(&document.to_vec().unwrap()).unwrap();

        assert_eq!(walked.into_iter().map(|(_, key)| key).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn bytes_cut_anywhere_are_a_fault_and_never_a_panic() {
        let whole = rawdoc! { "a": "text", "b": { "c": [1, 2, 3] }, "d": 1.5 }.into_bytes();

        for end in 0..whole.len() {
            assert!(keys(&whole[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_length_that_leads_outside_is_a_fault() {
        let mut bytes = rawdoc! { "a": "text" }.into_bytes();
        bytes[7] = 0x7F;

        assert_eq!(keys(&bytes).unwrap_err().expected, "a value that ends inside the document");
    }

    #[test]
    fn text_that_is_not_utf8_is_not_a_string() {
        assert_eq!(string(&[3, 0, 0, 0, 0xFF, 0xFE, 0]), None);
        assert_eq!(string(&[3, 0, 0, 0, b'h', b'i', 0]), Some("hi"));
        assert_eq!(tag::STRING, 2);
    }
}
