//! How is JSON text checked in a single pass, as fast as its bytes can be looked at?

use std::collections::HashSet;

use super::{EACH, JsonFault, JsonFaultKind, Key, MAX_DEPTH, Nul, Span, Visitor, unescape};

/// Up to this many keys of one object are compared pair by pair.
const FEW_KEYS: usize = 64;

/// What a step of the scanner gives; the fault is boxed, since it is large and rare.
type Checked<T> = Result<T, Box<JsonFault>>;

#[cold]
fn fault(at: usize, what: &'static str) -> Box<JsonFault> {
    Box::new(JsonFault { at, kind: JsonFaultKind::Expected(what), inside: Vec::new() })
}

/// What [`next`] gives at the end of the text.
const END: u8 = 0;

/// Checks one JSON text in a single pass.
///
/// Its steps take what is left of the text and return what is left behind them: of a slice that was matched, the compiler knows
/// what it holds, and looks no second time.
pub(crate) struct Scanner<'t, 'v, V> {
    text: &'t str,
    depth: usize,
    /// The signature and the place of every key of the objects that are open.
    keys: Vec<(u32, Span)>,
    /// Whether any key so far is written with escapes, so that different texts may be one key.
    escaped_keys: bool,
    nul: Nul,
    visitor: &'v mut V,
}

impl<'t, 'v, V: Visitor<'t>> Scanner<'t, 'v, V> {
    pub(crate) fn new(text: &'t str, visitor: &'v mut V) -> Self {
        Self { text, depth: 0, keys: Vec::with_capacity(32), escaped_keys: false, nul: Nul::Accepted, visitor }
    }

    /// Says what becomes of the character U+0000, which is accepted otherwise.
    pub(crate) fn with_nul(mut self, nul: Nul) -> Self {
        self.nul = nul;
        self
    }

    /// Checks the whole text, which must be one object.
    pub(crate) fn object_text(mut self, root: V::Place) -> Result<(), JsonFault> {
        let rest = match next(self.text.as_bytes()) {
            (b'{', behind) => self.object(behind, Some(root)).map_err(|fault| *fault)?,
            (byte, behind) => return Err(*self.expected(byte, behind, "an object")),
        };
        match next(rest) {
            (END, _) => Ok(()),
            (byte, behind) => Err(*self.expected(byte, behind, "the end of the text")),
        }
    }

    /// Where in the text that begins which is left.
    #[inline(always)]
    fn at(&self, rest: &[u8]) -> usize {
        self.text.len() - rest.len()
    }

    /// A fault at `byte`, which is not what is expected there.
    #[cold]
    fn expected(&self, byte: u8, behind: &[u8], what: &'static str) -> Box<JsonFault> {
        fault(self.at(behind) - usize::from(byte != END), what)
    }

    /// Steps over the value that begins with `byte`.
    #[inline(always)]
    fn value(&mut self, byte: u8, behind: &'t [u8], place: Option<V::Place>) -> Checked<&'t [u8]> {
        match byte {
            b'"' => match plain_value(behind) {
                [b'"', behind @ ..] => Ok(behind),
                rest => self.rest_of_string(rest).map(|(behind, _)| behind),
            },
            b'{' => self.object(behind, place),
            b'1'..=b'9' => self.number(digits(behind)),
            b'0' => self.number(behind),
            b'-' => self.negative(behind),
            b'[' => self.array(behind),
            b't' => behind.strip_prefix(b"rue").ok_or_else(|| self.expected(byte, behind, "a value")),
            b'f' => behind.strip_prefix(b"alse").ok_or_else(|| self.expected(byte, behind, "a value")),
            b'n' => behind.strip_prefix(b"ull").ok_or_else(|| self.expected(byte, behind, "a value")),
            _ => Err(self.expected(byte, behind, "a value")),
        }
    }

    #[inline(always)]
    fn descend(&mut self, behind: &[u8]) -> Checked<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Box::new(JsonFault { at: self.at(behind), kind: JsonFaultKind::TooDeep, inside: Vec::new() }));
        }
        Ok(())
    }

    /// Steps over an object, from behind its bracket.
    fn object(&mut self, behind: &'t [u8], place: Option<V::Place>) -> Checked<&'t [u8]> {
        self.descend(behind)?;
        let first_key = self.keys.len();
        // Has a bit for the signature of every key so far; most objects never need to compare two keys.
        let mut seen = 0_u64;
        let (byte, behind) = next(behind);
        if byte == b'}' {
            self.depth -= 1;
            return Ok(behind);
        }
        let mut behind = self.quote(byte, behind)?;
        let behind = loop {
            let start = self.at(behind);
            let (rest, signature) = plain(behind);
            let bit = 1 << (signature >> 26);
            let known = seen & bit != 0;
            seen |= bit;
            let (span, escaped, byte, value) = match rest {
                [b'"', b':', byte, behind @ ..] if *byte > b' ' => {
                    let span = Span::new(start, self.at(rest));
                    if known {
                        self.unique(first_key, signature, span)?;
                    }
                    (span, false, *byte, behind)
                }
                _ => self.rest_of_key(start, rest, first_key, signature)?,
            };
            self.keys.push((signature, span));
            let rest = match place {
                Some(place) => {
                    let key = Key { source: self.text, span, escaped };
                    let start = self.at(value) - 1;
                    let inner = if byte == b'{' { self.visitor.enter(place, key) } else { None };
                    let rest = self.value(byte, value, inner).map_err(|fault| self.inside(fault, span))?;
                    self.visitor.member(place, key, Span::new(start, self.at(rest)));
                    rest
                }
                None => self.value(byte, value, None).map_err(|fault| self.inside(fault, span))?,
            };
            behind = match rest {
                [b',', b'"', behind @ ..] => behind,
                _ => match next(rest) {
                    (b',', behind) => {
                        let (byte, behind) = next(behind);
                        self.quote(byte, behind)?
                    }
                    (b'}', behind) => break behind,
                    (byte, behind) => return Err(self.expected(byte, behind, "`,` or `}`")),
                },
            };
        };
        self.depth -= 1;
        if self.keys.len() - first_key > FEW_KEYS || self.escaped_keys {
            self.unique_at_end(first_key)?;
        }
        self.keys.truncate(first_key);
        Ok(behind)
    }

    /// What is behind the quote that begins a key.
    #[inline(always)]
    fn quote(&self, byte: u8, behind: &'t [u8]) -> Checked<&'t [u8]> {
        if byte == b'"' { Ok(behind) } else { Err(self.expected(byte, behind, "a key in double quotes")) }
    }

    /// The key that begins at `start` and is plain up to `rest`, whether it has escapes, and what follows on its colon.
    #[inline(never)]
    fn rest_of_key(&mut self, start: usize, rest: &'t [u8], first: usize, signature: u32) -> Checked<(Span, bool, u8, &'t [u8])> {
        let (behind, escaped) = self.rest_of_string(rest)?;
        self.escaped_keys |= escaped;
        let span = Span::new(start, self.at(behind) - 1);
        self.unique(first, signature, span)?;
        match next(behind) {
            (b':', behind) => {
                let (byte, behind) = next(behind);
                Ok((span, escaped, byte, behind))
            }
            (byte, behind) => Err(self.expected(byte, behind, "`:`")),
        }
    }

    #[cold]
    fn inside(&self, mut fault: Box<JsonFault>, key: Span) -> Box<JsonFault> {
        fault.inside.push(unescape(key.of(self.text)).into_owned());
        fault
    }

    /// Refuses a key that the object has already whose keys begin at `first`.
    #[inline(never)]
    fn unique(&self, first: usize, signature: u32, key: Span) -> Checked<()> {
        let (open, text) = (&self.keys[first..], key.of(self.text));
        if open.len() < FEW_KEYS && open.iter().any(|(other, span)| *other == signature && span.of(self.text) == text) {
            return Err(duplicate(key, text));
        }
        Ok(())
    }

    /// Comparing every pair of keys would let a body of a megabyte take minutes, so large objects are checked at their end,
    /// and so are keys with escapes, by what they stand for.
    #[cold]
    fn unique_at_end(&self, first: usize) -> Checked<()> {
        let keys = &self.keys[first..];
        let mut seen = HashSet::with_capacity(keys.len());
        match keys.iter().find(|(_, span)| !seen.insert(unescape(span.of(self.text)))) {
            Some((_, span)) => Err(duplicate(*span, span.of(self.text))),
            None => Ok(()),
        }
    }

    /// Steps over an array, from behind its bracket.
    fn array(&mut self, behind: &'t [u8]) -> Checked<&'t [u8]> {
        self.descend(behind)?;
        let (mut byte, mut behind) = next(behind);
        if byte == b']' {
            self.depth -= 1;
            return Ok(behind);
        }
        for index in 0_usize.. {
            let rest = self.value(byte, behind, None).map_err(|mut fault| {
                fault.inside.push(index.to_string());
                fault
            })?;
            (byte, behind) = next(rest);
            match byte {
                b',' => (byte, behind) = next(behind),
                b']' => break,
                _ => return Err(self.expected(byte, behind, "`,` or `]`")),
            }
        }
        self.depth -= 1;
        Ok(behind)
    }

    /// Steps behind the quote that ends a string, and says whether there were escapes on the way.
    #[inline(never)]
    fn rest_of_string(&self, mut rest: &'t [u8]) -> Checked<(&'t [u8], bool)> {
        let mut escaped = false;
        loop {
            rest = match plain_or_wide(rest) {
                [b'"', behind @ ..] => return Ok((behind, escaped)),
                rest @ [b'\\', ..] => self.escape(rest)?,
                [] => return Err(fault(self.text.len(), "the end of the string")),
                rest => return Err(fault(self.at(rest), "an escape instead of a control character")),
            };
            escaped = true;
        }
    }

    /// Steps over an escape, from its backslash.
    fn escape(&self, rest: &'t [u8]) -> Checked<&'t [u8]> {
        let wrong = |kind| Err(Box::new(JsonFault { at: self.at(rest), kind, inside: Vec::new() }));
        match rest {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', behind @ ..] => Ok(behind),
            [_, b'u', ..] => match self.hex4(rest)? {
                (0xD800..=0xDBFF, second @ [b'\\', b'u', ..]) => match self.hex4(second)? {
                    (0xDC00..=0xDFFF, behind) => Ok(behind),
                    _ => wrong(JsonFaultKind::LoneSurrogate),
                },
                (0xD800..=0xDFFF, _) => wrong(JsonFaultKind::LoneSurrogate),
                (0, _) if self.nul == Nul::Refused => wrong(JsonFaultKind::Nul),
                (_, behind) => Ok(behind),
            },
            _ => Err(fault(self.at(rest), "one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX")),
        }
    }

    /// The UTF-16 unit of the escape `\uXXXX`, and what is behind it.
    fn hex4(&self, rest: &'t [u8]) -> Checked<(u16, &'t [u8])> {
        let digits = rest.split_first_chunk::<6>().and_then(|([_, _, digits @ ..], behind)| {
            let unit = digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))?;
            Some((u16::try_from(unit).ok()?, behind))
        });
        digits.ok_or_else(|| fault(self.at(rest), "four hexadecimal digits after \\u"))
    }

    #[inline(never)]
    fn negative(&self, behind: &'t [u8]) -> Checked<&'t [u8]> {
        match behind {
            [b'0', behind @ ..] => self.number(behind),
            _ => self.number(self.digits(behind)?),
        }
    }

    /// Steps over a number, from behind its integer.
    #[inline(always)]
    fn number(&self, rest: &'t [u8]) -> Checked<&'t [u8]> {
        match rest {
            [b'.' | b'e' | b'E', ..] => self.fraction(rest),
            _ => Ok(rest),
        }
    }

    #[inline(never)]
    fn fraction(&self, mut rest: &'t [u8]) -> Checked<&'t [u8]> {
        if let [b'.', behind @ ..] = rest {
            rest = self.digits(behind)?;
        }
        match rest {
            [b'e' | b'E', b'+' | b'-', behind @ ..] | [b'e' | b'E', behind @ ..] => self.digits(behind),
            _ => Ok(rest),
        }
    }

    /// Steps over digits, of which there must be one.
    fn digits(&self, rest: &'t [u8]) -> Checked<&'t [u8]> {
        match rest {
            [b'0'..=b'9', behind @ ..] => Ok(digits(behind)),
            _ => Err(fault(self.at(rest), "a digit")),
        }
    }
}

#[inline(always)]
fn digits(mut rest: &[u8]) -> &[u8] {
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    rest
}

/// The next byte that is no space, and what is behind it.
#[inline(always)]
fn next(rest: &[u8]) -> (u8, &[u8]) {
    match rest {
        [byte, behind @ ..] if *byte > b' ' => (*byte, behind),
        _ => next_behind_space(rest),
    }
}

#[inline(never)]
fn next_behind_space(mut rest: &[u8]) -> (u8, &[u8]) {
    loop {
        match rest {
            [b' ' | b'\n' | b'\r' | b'\t', behind @ ..] => rest = behind,
            // A zero is as wrong as any other control character, and is not the end.
            [byte, behind @ ..] => return ((*byte).max(END + 1), behind),
            [] => return (END, rest),
        }
    }
}

/// Steps over bytes that mean nothing in a string and are ASCII, eight at a time, and makes a signature of them.
///
/// Equal bytes have equal signatures; most different ones differ, the first six bits of them too.
#[inline(always)]
fn plain(mut rest: &[u8]) -> (&[u8], u32) {
    let mut text = 0;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let special = special(word);
        if special != 0 {
            return (&rest[(special.trailing_zeros() / 8) as usize..], signature(text, word, special));
        }
        text = (text ^ word).rotate_left(5);
        rest = behind;
    }
    last_plain(rest, text)
}

/// As [`plain`], without the signature.
#[inline(always)]
fn plain_value(rest: &[u8]) -> &[u8] {
    plain(rest).0
}

/// As [`plain`], of the last bytes of a text: the zeros that fill them up to eight are no plain bytes.
#[inline(never)]
fn last_plain(rest: &[u8], text: u64) -> (&[u8], u32) {
    let word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let special = special(word);
    (rest.get((special.trailing_zeros() / 8) as usize..).unwrap_or_default(), signature(text, word, special))
}

/// As [`plain`], over all that is no ASCII too.
fn plain_or_wide(mut rest: &[u8]) -> &[u8] {
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let special = special(word) & !word;
        if special != 0 {
            return &rest[(special.trailing_zeros() / 8) as usize..];
        }
        rest = behind;
    }
    let special = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F));
    special.map_or(&[], |at| &rest[at..])
}

/// Has the high bit of every byte set that is a quote, a backslash, below a space, or (of most that are) no ASCII. Exact is the
/// lowest bit that is set; those above it may be carries.
#[inline(always)]
fn special(word: u64) -> u64 {
    // Once the bit is flipped that tells a quote from a space, what is to be found are the bytes that are at most a space.
    let low = (word ^ (EACH * u64::from(b'"' ^ b' '))).wrapping_sub(EACH * u64::from(b' ' + 1));
    let backslash = (word ^ (EACH * u64::from(b'\\'))).wrapping_sub(EACH);
    (low | backslash) & (EACH << 7)
}

/// The signature of a text whose last bytes stand in `word`, before the special one.
#[inline(always)]
fn signature(text: u64, word: u64, special: u64) -> u32 {
    let before = (special ^ (special - 1)) >> 8;
    ((text ^ (word & before)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

fn duplicate(key: Span, text: &str) -> Box<JsonFault> {
    let kind = JsonFaultKind::DuplicateKey(unescape(text).into_owned());
    Box::new(JsonFault { at: key.start as usize, kind, inside: Vec::new() })
}
