//! Are the JSONPath literals of a module valid?

use jsonpath_rust::parser::parse_json_path;
use proc_macro2::TokenStream;

use crate::mistakes::Mistakes;
use crate::scan::string_arguments;

/// Notes every `.query("literal")` in `tokens` that is no JSONPath.
///
/// A `query` of something else (a database client, say) is left alone unless its text starts as a JSONPath does:
/// `changes` are the names under which the module knows its changes.
pub(crate) fn check(tokens: TokenStream, changes: &[String], mistakes: &mut Mistakes) {
    let mut literals = Vec::new();
    string_arguments(tokens, "query", &mut literals);
    for (receiver, literal) in literals {
        let text = literal.value();
        let of_a_change = receiver.is_some_and(|word| changes.iter().any(|name| word == name));
        if !of_a_change && !text.starts_with('$') {
            continue;
        }
        if let Some(fault) = fault(&text) {
            mistakes.at(literal, format!("`{}` is not a JSONPath: {fault}", text.escape_debug()));
        }
    }
}

fn fault(text: &str) -> Option<String> {
    let error = parse_json_path(text).err()?;
    if !text.starts_with('$') {
        return Some(format!(
            "it starts at the change itself, `$`; write `$.after.{}`",
            text.trim_start_matches(['.', '/']).trim()
        ));
    }
    Some(format!("{}; a path looks like `$.after.items[?@.qty > 3]`", in_one_line(&error.to_string())))
}

/// The parser's message, whose several lines draw the place.
fn in_one_line(message: &str) -> String {
    let column = message.split_once("--> 1:").and_then(|(_, rest)| rest.lines().next());
    let reason = message.rsplit_once("\n  = ").map(|(_, reason)| reason);
    match (reason, column) {
        (Some(reason), Some(column)) => format!("{} at character {}", in_words(reason), column.trim()),
        _ => message.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// The parser's message, with its grammar's names of what it expected said in words.
fn in_words(reason: &str) -> String {
    const WORDS: [(&str, &str); 7] = [
        ("bracketed_selection", "`[`"),
        ("wildcard_selector", "`*`"),
        ("comparable", "a value or a path"),
        ("selector", "a name in quotes, an index, `*` or `?` with a filter"),
        ("segment", "`.name` or `[...]`"),
        ("ALPHA", "a name"),
        ("EOI", "the end"),
    ];
    let word = |word: &str| {
        WORDS.iter().find(|(name, _)| *name == word).map_or_else(|| word.to_owned(), |(_, words)| (*words).to_owned())
    };
    reason
        .split(' ')
        .map(|part| part.strip_suffix(',').map_or_else(|| word(part), |part| word(part) + ","))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::{check, fault};
    use crate::mistakes::Mistakes;

    #[test]
    fn a_path_that_does_not_parse_is_explained_in_one_line() {
        for text in ["$.after.items[?@.qty >", "$.a[", "$..", "", "after.items", "$.a[?(@.b == 'x]"] {
            let message = fault(text).unwrap();
            assert!(!message.contains('\n') && !message.is_empty(), "{message}");
        }
    }

    #[test]
    fn a_path_that_parses_is_no_mistake() {
        for text in ["$", "$.after.items[?@.qty > 3]", "$..price", "$['a b'][0:2]", "$.after.items[?@.qty > @.stock]"] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn only_queries_of_a_change_or_of_a_path_are_checked() {
        let changes = ["change".to_owned()];
        let mut mistakes = Mistakes::default();

        check(quote! { db.query("SELECT 1"); change.query("$.a"); x.y().query(path); }, &changes, &mut mistakes);
        assert!(mistakes.is_empty());

        check(quote! { assert!(list.iter().any(|c| c.query("$.a[").is_empty())); }, &changes, &mut mistakes);
        assert!(!mistakes.is_empty());
    }
}
