//! How is JSON text walked that was checked before?

use super::{Key, Span};

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
