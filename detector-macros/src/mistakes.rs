//! What did the developer get wrong, and where?

use std::fmt::Display;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The mistakes found in one use of an attribute; each becomes one compile error.
#[derive(Default)]
pub(crate) struct Mistakes {
    found: Option<syn::Error>,
}

impl Mistakes {
    /// Notes a mistake that the given tokens show.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a mistake at a place; the attribute itself where nothing better is known.
    pub(crate) fn at_span(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Notes a mistake that somebody else worded.
    pub(crate) fn push(&mut self, mistake: syn::Error) {
        match &mut self.found {
            Some(found) => found.combine(mistake),
            None => self.found = Some(mistake),
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_none()
    }

    /// The compile errors.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.found.map(|found| found.to_compile_error()).unwrap_or_default()
    }
}

/// The known name that `given` was probably meant to be.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.5;
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&given, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// `did you mean ...?` as the end of a message, or nothing.
pub(crate) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// An item without its attributes and its body, for a short underline.
pub(crate) fn heading(item: TokenStream) -> TokenStream {
    let mut rest = item.into_iter().peekable();
    while matches!(rest.peek(), Some(TokenTree::Punct(mark)) if mark.as_char() == '#') {
        rest.nth(1);
    }
    rest.take_while(|token| !matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_through_a_slip_of_the_fingers() {
        assert_eq!(nearest("retires", ["timeout", "retries", "skip"]), Some("retries"));
        assert_eq!(nearest("Timeout", ["timeout", "retries", "skip"]), Some("timeout"));
    }

    #[test]
    fn a_foreign_word_has_no_nearest_name() {
        assert_eq!(nearest("priority", ["timeout", "retries", "skip"]), None);
    }
}
