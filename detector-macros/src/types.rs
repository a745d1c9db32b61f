//! What does a type look like from outside?

use proc_macro2::Ident;
use quote::ToTokens;
use syn::Type;

/// The last segment of a type that is a path, without its arguments.
pub(crate) fn last_segment(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// A type as a person would write it.
pub(crate) fn text(ty: &Type) -> String {
    let mut text = String::new();
    let mut last = ' ';
    for c in ty.to_token_stream().to_string().chars() {
        // Tokens print with spaces between them; words need theirs, marks do not.
        if c != ' '
            && last == ' '
            && text.chars().last().is_some_and(|before| (before.is_alphanumeric() && c.is_alphanumeric()) || before == ',')
        {
            text.push(' ');
        }
        if c != ' ' {
            text.push(c);
        }
        last = c;
    }
    text
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::text;

    #[test]
    fn types_are_shown_as_people_write_them() {
        assert_eq!(text(&parse_quote!(Option<Vec<(u8, &'static str)>>)), "Option<Vec<(u8, &'static str)>>");
        assert_eq!(text(&parse_quote!(&mut dyn std::fmt::Debug)), "&mut dyn std::fmt::Debug");
    }
}
