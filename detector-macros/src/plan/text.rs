//! How does a clause look on one line, as its author wrote it, and on which line does it begin?

use proc_macro2::{Delimiter, LineColumn, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Where a clause stands in the source code.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) text: String,
    /// From 1; 0 where nobody knows.
    pub(super) line: u32,
}

impl Place {
    pub(super) fn of(tokens: impl ToTokens) -> Self {
        let mut pieces = Vec::new();
        cut(tokens.to_token_stream(), &mut pieces);
        let line = pieces.first().filter(|piece| piece.is_located()).map_or(0, |piece| piece.start.line);
        Self { text: join(&pieces), line: u32::try_from(line).unwrap_or_default() }
    }
}

/// A token that is not made of others.
struct Piece {
    text: String,
    start: LineColumn,
    end: LineColumn,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    /// A mark that the next one belongs to.
    Joint,
    Mark,
}

impl Piece {
    fn new(text: impl Into<String>, span: Span, kind: Kind) -> Self {
        Self { text: text.into(), start: span.start(), end: span.end(), kind }
    }

    /// Whether its place is known: what a macro made up may stand nowhere.
    fn is_located(&self) -> bool {
        self.start != self.end
    }

    fn is_one_of(&self, marks: &[&str]) -> bool {
        self.kind != Kind::Word && marks.contains(&self.text.as_str())
    }
}

fn cut(tokens: TokenStream, pieces: &mut Vec<Piece>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => {
                        cut(group.stream(), pieces);
                        continue;
                    }
                };
                pieces.push(Piece::new(open, group.span_open(), Kind::Mark));
                cut(group.stream(), pieces);
                pieces.push(Piece::new(close, group.span_close(), Kind::Mark));
            }
            TokenTree::Ident(word) => pieces.push(Piece::new(word.to_string(), word.span(), Kind::Word)),
            TokenTree::Literal(literal) => {
                let text = literal.to_string().replace("\r\n", "\\n").replace('\n', "\\n");
                pieces.push(Piece::new(text, literal.span(), Kind::Word));
            }
            TokenTree::Punct(mark) => {
                let kind = if mark.spacing() == Spacing::Joint { Kind::Joint } else { Kind::Mark };
                pieces.push(Piece::new(mark.as_char(), mark.span(), kind));
            }
        }
    }
}

fn join(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        let last = at.checked_sub(1).map(|at| &pieces[at]);
        let before = at.checked_sub(2).map(|at| &pieces[at]);
        if let Some(last) = last {
            match distance(last, piece) {
                Distance::None => {}
                Distance::Some => text.push(' '),
                // The comma that ends a list of several lines.
                Distance::Lines if last.is_one_of(&[","]) && piece.is_one_of(&[")", "]"]) => drop(text.pop()),
                Distance::Lines if piece.is_one_of(&[".", ",", ";", ")", "]", "?"]) || last.is_one_of(&["(", "["]) => {}
                Distance::Lines => text.push(' '),
                Distance::Unknown if is_apart(before, last, piece) => text.push(' '),
                Distance::Unknown => {}
            }
        }
        text.push_str(&piece.text);
    }
    text
}

enum Distance {
    None,
    Some,
    Lines,
    Unknown,
}

fn distance(last: &Piece, next: &Piece) -> Distance {
    if last.kind == Kind::Joint {
        Distance::None
    } else if !last.is_located() || !next.is_located() {
        Distance::Unknown
    } else if last.end.line != next.start.line {
        Distance::Lines
    } else if next.start.column < last.end.column {
        Distance::Unknown
    } else if next.start.column == last.end.column {
        Distance::None
    } else {
        Distance::Some
    }
}

/// Whether most people would write a space there.
fn is_apart(before: Option<&Piece>, last: &Piece, next: &Piece) -> bool {
    let ends_path = last.is_one_of(&[":"]) && before.is_some_and(|before| before.is_one_of(&[":"]) && before.kind == Kind::Joint);
    let is_unary = last.is_one_of(&["!"]) && !before.is_some_and(|before| before.kind == Kind::Word);
    let calls = last.kind == Kind::Word && (next.is_one_of(&["(", "["]) || (next.is_one_of(&["!"]) && next.kind == Kind::Mark));
    let of_macro = last.is_one_of(&["!"]) && next.is_one_of(&["(", "["]);
    !(next.is_one_of(&[".", ",", ";", ":", ")", "]", "?"])
        || last.is_one_of(&["(", "[", "."])
        || ends_path
        || is_unary
        || calls
        || of_macro)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use proc_macro2::TokenStream;
    use quote::quote;

    use super::Place;

    fn text(source: &str) -> String {
        Place::of(TokenStream::from_str(source).unwrap()).text
    }

    #[test]
    fn a_clause_on_one_line_is_kept_as_it_is_written() {
        for source in [
            r#"change.after("status")=="done" && !(a||b)"#,
            "matches!( change.operation(), Operation::Insert | Operation::Update )",
            "list.iter().any(|c: &'static str| *c != r#type && x::<u8>() >= -1)",
            "if !x { return false; }",
        ] {
            assert_eq!(text(source), source);
        }
    }

    #[test]
    fn a_clause_on_several_lines_becomes_one() {
        let source = "change\n    .after(\n        \"status\",\n    )\n    .is_in([\n        \"a\",\n        \"b\", // no\n    ])\n    && {\n        x\n    }";

        assert_eq!(text(source), r#"change.after("status").is_in(["a", "b"]) && { x }"#);
    }

    #[test]
    fn text_of_several_lines_stays_on_one() {
        assert_eq!(text("x == \"a\nb\""), r#"x == "a\nb""#);
    }

    #[test]
    fn tokens_that_stand_nowhere_are_written_as_people_do() {
        let place = Place::of(quote!(matches!(change.operation(), Operation::Insert) && !(x != ["a", "b"] || y: u8 >= 1)));

        assert_eq!(place.text, r#"matches!(change.operation(), Operation::Insert) && !(x != ["a", "b"] || y: u8 >= 1)"#);
        assert_eq!(place.line, 0);
    }

    #[test]
    fn the_line_is_that_of_the_first_token() {
        assert_eq!(Place::of(TokenStream::from_str("\n\n  a\n && b").unwrap()).line, 3);
    }
}
