//! What does a developer's documentation say in its first line?

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The first line of outer documentation, else of inner, else nothing.
pub(crate) fn first_line(attrs: &[Attribute]) -> String {
    attrs
        .iter()
        .filter_map(text)
        .flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}

fn text(attr: &Attribute) -> Option<String> {
    match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use syn::{ItemMod, parse_quote};

    use super::first_line;

    #[test]
    fn outer_documentation_comes_before_inner() {
        let module: ItemMod = parse_quote! {
            ///
            /// Outer.
            /// More.
            mod m {
                //! Inner.
            }
        };

        assert_eq!(first_line(&module.attrs), "Outer.");
    }

    #[test]
    fn inner_documentation_counts_where_there_is_no_outer() {
        let module: ItemMod = parse_quote! {
            #[doc(hidden)]
            mod m {
                //! Inner.
            }
        };

        assert_eq!(first_line(&module.attrs), "Inner.");
    }
}
