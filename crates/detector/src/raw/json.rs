//! How is JSON text checked once, with the places of the interesting values noted on the way, and walked again later?
//! (Grammar: RFC 8259.)
//!
//! The checking pass refuses what later readers would disagree about: duplicate keys, lone surrogates, depth.

use std::borrow::Cow;
use std::collections::HashSet;

/// The deepest nesting that is accepted.
pub(crate) const MAX_DEPTH: usize = 128;

/// Up to this many keys of one object are compared pair by pair.
const FEW_KEYS: usize = 64;

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
        if self.escaped { self.name() == name } else { self.bytes() == name.as_bytes() }
    }

    fn bytes(&self) -> &'t [u8] {
        &self.source.as_bytes()[self.span.start as usize..self.span.end as usize]
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

/// What a step of the scanner gives; the fault is boxed, since it is large and rare.
type Checked<T> = Result<T, Box<JsonFault>>;

#[cold]
fn fault(at: usize, what: &'static str) -> Box<JsonFault> {
    Box::new(JsonFault { at, kind: JsonFaultKind::Expected(what), inside: Vec::new() })
}

/// Checks one JSON text in a single pass.
pub(crate) struct Scanner<'t, 'v, V> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    depth: usize,
    /// A cheap signature and the place of every key of the objects that are open.
    keys: Vec<(u32, Span)>,
    /// Whether any key so far is written with escapes, so that different texts may be one key.
    escaped_keys: bool,
    nul: Nul,
    visitor: &'v mut V,
}

impl<'t, 'v, V: Visitor<'t>> Scanner<'t, 'v, V> {
    pub(crate) fn new(text: &'t str, visitor: &'v mut V) -> Self {
        let keys = Vec::with_capacity(32);
        Self { text, bytes: text.as_bytes(), at: 0, depth: 0, keys, escaped_keys: false, nul: Nul::Accepted, visitor }
    }

    /// Says what becomes of the character U+0000, which is accepted otherwise.
    pub(crate) fn with_nul(mut self, nul: Nul) -> Self {
        self.nul = nul;
        self
    }

    /// Checks the whole text, which must be one object.
    pub(crate) fn object_text(mut self, root: V::Place) -> Result<(), JsonFault> {
        self.space();
        if self.peek() != Some(b'{') {
            return Err(*fault(self.at, "an object"));
        }
        self.object(Some(root)).map_err(|fault| *fault)?;
        self.space();
        if self.at < self.bytes.len() {
            return Err(*fault(self.at, "the end of the text"));
        }
        Ok(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn value(&mut self, place: Option<V::Place>) -> Checked<Span> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{') => self.object(place)?,
            Some(b'[') => self.array()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            _ => return Err(fault(self.at, "a value")),
        }
        Ok(Span::new(start, self.at))
    }

    fn descend(&mut self) -> Checked<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Box::new(JsonFault { at: self.at, kind: JsonFaultKind::TooDeep, inside: Vec::new() }));
        }
        self.space();
        Ok(())
    }

    fn object(&mut self, place: Option<V::Place>) -> Checked<()> {
        self.descend()?;
        let first_key = self.keys.len();
        let mut seen = 0;
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(fault(self.at, "a key in double quotes"));
            }
            let (span, escaped) = self.string()?;
            let key = Key { source: self.text, span, escaped };
            self.unique(first_key, &mut seen, key)?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(fault(self.at, "`:`"));
            }
            self.at += 1;
            self.space();
            let inner = match self.peek() {
                Some(b'{') => place.and_then(|place| self.visitor.enter(place, key)),
                _ => None,
            };
            let value = self.value(inner).map_err(|mut fault| {
                fault.inside.push(key.name().into_owned());
                fault
            })?;
            if let Some(place) = place {
                self.visitor.member(place, key, value);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(fault(self.at, "`,` or `}`")),
            }
            self.space();
        }
        self.at += 1;
        self.depth -= 1;
        self.unique_at_end(first_key)?;
        self.keys.truncate(first_key);
        Ok(())
    }

    /// Notes a key of the object whose keys begin at `first`, and refuses one that is there already.
    ///
    /// `seen` has a bit set for the signature of every key so far; most objects never need to compare two keys.
    fn unique(&mut self, first: usize, seen: &mut u64, key: Key<'t>) -> Checked<()> {
        self.escaped_keys |= key.escaped;
        let signature = signature(key.bytes());
        let bit = 1 << (signature.wrapping_mul(0x9E37_79B9) >> 26);
        let known = *seen & bit != 0;
        *seen |= bit;
        let open = &self.keys[first..];
        if known
            && open.len() < FEW_KEYS
            && open.iter().any(|(other, span)| *other == signature && span.of(self.text) == key.text())
        {
            return Err(duplicate(key.span, key.text()));
        }
        self.keys.push((signature, key.span));
        Ok(())
    }

    /// Comparing every pair of keys would let a body of a megabyte take minutes, so large objects are checked at their end,
    /// and so are keys with escapes, by what they stand for.
    fn unique_at_end(&self, first: usize) -> Checked<()> {
        let keys = &self.keys[first..];
        if keys.len() <= FEW_KEYS && !self.escaped_keys {
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(keys.len());
        match keys.iter().find(|(_, span)| !seen.insert(unescape(span.of(self.text)))) {
            Some((_, span)) => Err(duplicate(*span, span.of(self.text))),
            None => Ok(()),
        }
    }

    fn array(&mut self) -> Checked<()> {
        self.descend()?;
        if self.peek() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        for index in 0_usize.. {
            self.value(None).map_err(|mut fault| {
                fault.inside.push(index.to_string());
                fault
            })?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(fault(self.at, "`,` or `]`")),
            }
            self.space();
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// Steps over a string and returns what is between its quotes, and whether that has escapes.
    #[inline(always)]
    fn string(&mut self) -> Checked<(Span, bool)> {
        let start = self.at + 1;
        let end = plain(self.bytes, start);
        self.at = end;
        if self.bytes.get(end) != Some(&b'"') {
            return self.string_from(start);
        }
        self.at += 1;
        Ok((Span::new(start, end), false))
    }

    /// As [`string`](Self::string), after its first bytes that mean nothing.
    fn string_from(&mut self, start: usize) -> Checked<(Span, bool)> {
        let mut escaped = false;
        loop {
            self.at = plain(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1F) => return Err(fault(self.at, "an escape instead of a control character")),
                Some(_) => self.at += 1,
                None => return Err(fault(self.at, "the end of the string")),
            }
        }
        self.at += 1;
        Ok((Span::new(start, self.at - 1), escaped))
    }

    fn escape(&mut self) -> Checked<()> {
        let start = self.at;
        match self.bytes.get(start + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let lone = || Box::new(JsonFault { at: start, kind: JsonFaultKind::LoneSurrogate, inside: Vec::new() });
                let unit = self.hex4(start)?;
                self.at += 6;
                match unit {
                    0xD800..=0xDBFF => {
                        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u")
                            || !(0xDC00..=0xDFFF).contains(&self.hex4(self.at)?)
                        {
                            return Err(lone());
                        }
                        self.at += 6;
                    }
                    0xDC00..=0xDFFF => return Err(lone()),
                    0 if self.nul == Nul::Refused => {
                        return Err(Box::new(JsonFault { at: start, kind: JsonFaultKind::Nul, inside: Vec::new() }));
                    }
                    _ => {}
                }
            }
            _ => return Err(fault(start, "one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX")),
        }
        Ok(())
    }

    fn hex4(&self, at: usize) -> Checked<u16> {
        self.text
            .get(at + 2..at + 6)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .ok_or_else(|| fault(at, "four hexadecimal digits after \\u"))
    }

    #[inline]
    fn number(&mut self) -> Checked<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Checked<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(fault(start, "a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static str) -> Checked<()> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            Err(fault(self.at, "a value"))
        }
    }
}

/// Steps over bytes that mean nothing in a string, eight at a time.
#[inline(always)]
fn plain(bytes: &[u8], mut at: usize) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        // Each difference sets the high bit of a byte that is a quote, a backslash, or below a space. The lowest bit set
        // belongs to the first such byte; those above it may be carries.
        let quote = (word ^ (LOW * u64::from(b'"'))).wrapping_sub(LOW);
        let backslash = (word ^ (LOW * u64::from(b'\\'))).wrapping_sub(LOW);
        let control = word.wrapping_sub(LOW * u64::from(b' '));
        let special = (quote | backslash | control) & !word & (LOW << 7);
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// Equal keys have equal signatures; most different ones differ.
#[inline]
fn signature(key: &[u8]) -> u32 {
    let (Some(first), Some(last)) = (key.first(), key.last()) else { return 0 };
    u32::from_le_bytes([*first, *last, key[key.len() / 2], key.len().to_le_bytes()[0]])
}

fn duplicate(key: Span, text: &str) -> Box<JsonFault> {
    let kind = JsonFaultKind::DuplicateKey(unescape(text).into_owned());
    Box::new(JsonFault { at: key.start as usize, kind, inside: Vec::new() })
}

/// The members of an object whose text was checked before.
pub(crate) fn members(object: &str) -> impl Iterator<Item = (Key<'_>, &str)> {
    placed_members(object).map(|(key, value)| (key, value.of(object)))
}

/// As [`members`], with the place of each value in the object.
#[inline]
pub(crate) fn placed_members(object: &str) -> impl Iterator<Item = (Key<'_>, Span)> {
    let bytes = object.as_bytes();
    let mut at = skip_space(bytes, 1);
    std::iter::from_fn(move || {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = skip_value(bytes, at);
        let span = Span::new(at + 1, key_end - 1);
        let escaped = object[at + 1..key_end - 1].contains('\\');
        let start = skip_space(bytes, skip_space(bytes, key_end) + 1);
        let end = skip_value(bytes, start);
        at = skip_space(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = skip_space(bytes, at + 1);
        }
        Some((Key { source: object, span, escaped }, Span::new(start, end)))
    })
}

/// The elements of an array whose text was checked before.
pub(crate) fn elements(array: &str) -> impl Iterator<Item = &str> {
    let bytes = array.as_bytes();
    let mut at = skip_space(bytes, 1);
    std::iter::from_fn(move || {
        if matches!(bytes.get(at), None | Some(b']')) {
            return None;
        }
        let start = at;
        let end = skip_value(bytes, start);
        at = skip_space(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = skip_space(bytes, at + 1);
        }
        Some(&array[start..end])
    })
}

#[inline]
fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the value that starts at `at`.
fn skip_value(bytes: &[u8], mut at: usize) -> usize {
    let mut open = 0_usize;
    loop {
        match bytes.get(at) {
            Some(b'"') => {
                at += 1;
                while let Some(byte) = bytes.get(at) {
                    match byte {
                        b'"' => break,
                        b'\\' => at += 2,
                        _ => at += 1,
                    }
                }
                at += 1;
            }
            Some(b'{' | b'[') => {
                open += 1;
                at += 1;
                continue;
            }
            Some(b'}' | b']') => {
                open = open.saturating_sub(1);
                at += 1;
            }
            Some(b',' | b':' | b' ' | b'\n' | b'\r' | b'\t') => {
                at += 1;
                continue;
            }
            Some(_) => {
                while !matches!(bytes.get(at), None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')) {
                    at += 1;
                }
            }
            None => return bytes.len(),
        }
        if open == 0 {
            return at.min(bytes.len());
        }
    }
}

/// The text that stands between the quotes of a checked string, escapes resolved.
pub(crate) fn unescape(between: &str) -> Cow<'_, str> {
    if !between.contains('\\') {
        return Cow::Borrowed(between);
    }
    serde_json::from_str(&format!("\"{between}\"")).map_or(Cow::Borrowed(between), Cow::Owned)
}

#[cfg(test)]
mod tests;
