//! How is JSON text checked once, with the places of the interesting values noted on the way, and walked again later?
//! (Grammar: RFC 8259.)
//!
//! The checking pass refuses what later readers would disagree about: duplicate keys, lone surrogates, depth.

mod scan;
mod walk;

use std::borrow::Cow;

pub(crate) use scan::Scanner;
pub(crate) use walk::{elements, members, placed_members};

/// The deepest nesting that is accepted.
pub(crate) const MAX_DEPTH: usize = 128;

/// A one in every byte of a word.
const EACH: u64 = 0x0101_0101_0101_0101;

/// A range of bytes in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    /// As [`of`](Self::of), without a look at where its characters begin.
    pub(crate) fn bytes_of(self, text: &str) -> &[u8] {
        &text.as_bytes()[self.start as usize..self.end as usize]
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The same bytes, of a text in which this one begins at `base`.
    pub(crate) fn shifted(self, base: u32) -> Self {
        Self { start: self.start + base, end: self.end + base }
    }

    #[expect(clippy::cast_possible_truncation, reason = "texts are limited to 4 GiB before they are scanned")]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }
}

/// A key as it stands between its quotes, at a place of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'t> {
    pub(crate) source: &'t str,
    pub(crate) span: Span,
    pub(crate) escaped: bool,
}

impl<'t> Key<'t> {
    /// The key as it is written.
    pub(crate) fn text(&self) -> &'t str {
        self.span.of(self.source)
    }

    /// The key with its escapes resolved.
    #[inline]
    pub(crate) fn name(&self) -> Cow<'t, str> {
        if self.escaped { unescape(self.text()) } else { Cow::Borrowed(self.text()) }
    }

    /// Whether the key, escapes resolved, is `name`.
    #[inline]
    pub(crate) fn is(&self, name: &str) -> bool {
        self.with_name(|bytes| bytes == name.as_bytes())
    }

    /// Tells the bytes of [`name`](Self::name).
    #[inline(always)]
    pub(crate) fn with_name<T>(&self, told: impl FnOnce(&[u8]) -> T) -> T {
        if self.escaped { told(self.name().as_bytes()) } else { told(self.span.bytes_of(self.source)) }
    }
}

/// What becomes of the character U+0000 in keys and strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nul {
    Accepted,
    Refused,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JsonFaultKind {
    Expected(&'static str),
    TooDeep,
    DuplicateKey(String),
    LoneSurrogate,
    Nul,
}

/// What is wrong with a text, where (in bytes, and as JSON pointer segments from the innermost out).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonFault {
    pub(crate) at: usize,
    pub(crate) kind: JsonFaultKind,
    pub(crate) inside: Vec<String>,
}

impl JsonFault {
    /// The JSON pointer (RFC 6901) of the value that is wrong.
    pub(crate) fn pointer(&self) -> String {
        self.inside.iter().rev().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect()
    }
}

/// Is told of the members of the objects it wants to look into.
pub(crate) trait Visitor<'t> {
    /// A place in the document whose members are wanted.
    type Place: Copy;

    /// Where the object under `key` of `place` is, if its members are wanted.
    fn enter(&self, place: Self::Place, key: Key<'t>) -> Option<Self::Place>;

    /// One member of `place`, after its value was checked.
    fn member(&mut self, place: Self::Place, key: Key<'t>, value: Span);
}

/// Whether there are escapes in what stands between the quotes of a checked string: eight bytes at a time, and the last eight
/// again.
#[inline]
pub(crate) fn has_escapes(between: &[u8]) -> bool {
    let Some(last) = between.last_chunk() else { return between.iter().fold(false, |any, byte| any | (*byte == b'\\')) };
    let found = |chunk: &[u8; 8]| {
        let differs = u64::from_le_bytes(*chunk) ^ (EACH * u64::from(b'\\'));
        differs.wrapping_sub(EACH) & !differs & (EACH << 7)
    };
    between.as_chunks().0.iter().fold(found(last), |all, chunk| all | found(chunk)) != 0
}

/// The text that stands between the quotes of a checked string, escapes resolved.
pub(crate) fn unescape(between: &str) -> Cow<'_, str> {
    if !has_escapes(between.as_bytes()) {
        return Cow::Borrowed(between);
    }
    serde_json::from_str(&format!("\"{between}\"")).map_or(Cow::Borrowed(between), Cow::Owned)
}

#[cfg(test)]
mod tests;
