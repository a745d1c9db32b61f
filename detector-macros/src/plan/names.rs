//! Which names does code bind, and which does it mention?

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Block, Pat, PatIdent};

use super::node::Node;
use super::operand::Read;

/// What a name stands for at a place in the function.
#[derive(Clone)]
pub(super) enum Binding {
    /// A look at the change, which consults nothing by itself.
    Read(Read),
    /// A clause.
    Clause(Node),
    /// Something else.
    Local,
}

/// The names that are bound around a place.
#[derive(Clone, Default)]
pub(super) struct Scope {
    names: BTreeMap<String, Binding>,
    /// Those that are bound where the function that asks does not come.
    inner: BTreeSet<String>,
}

impl Scope {
    pub(super) fn bind(&mut self, name: String, binding: Binding) {
        self.names.insert(name, binding);
    }

    pub(super) fn bind_inside(&mut self, name: String, binding: Binding) {
        self.inner.insert(name.clone());
        self.bind(name, binding);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Binding> {
        self.names.get(name)
    }

    pub(super) fn inner(&self) -> &BTreeSet<String> {
        &self.inner
    }
}

pub(super) fn name(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The names that `pattern` binds, those of its constants and variants among them: they look the same.
pub(super) fn bound_by(pattern: &Pat) -> BTreeSet<String> {
    let mut names = Names::default();
    names.visit_pat(pattern);
    names.0
}

/// The names that `pattern` certainly binds, where they stand: those that no constant and no variant would have.
pub(super) fn names_of(pattern: &Pat) -> Vec<Ident> {
    let mut names = Idents(Vec::new());
    names.visit_pat(pattern);
    names.0.sort();
    names.0.dedup();
    names.0
}

struct Idents(Vec<Ident>);

impl<'ast> Visit<'ast> for Idents {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if name(&pattern.ident).starts_with(|first: char| !first.is_uppercase()) {
            self.0.push(pattern.ident.clone());
        }
        syn::visit::visit_pat_ident(self, pattern);
    }
}

/// `pattern` with its names as if this crate had written them, since nothing uses them where the pattern is only asked. Its
/// wildcards too, which may come too late there as well.
pub(super) fn unused(pattern: &Pat) -> TokenStream {
    mark_unused(pattern.to_token_stream(), &names_of(pattern))
}

fn mark_unused(tokens: TokenStream, names: &[Ident]) -> TokenStream {
    let mark = |token| match token {
        TokenTree::Ident(mut word) if word == "_" || names.contains(&word) => {
            word.set_span(Span::call_site().located_at(word.span()));
            TokenTree::Ident(word)
        }
        TokenTree::Group(group) => {
            let mut marked = Group::new(group.delimiter(), mark_unused(group.stream(), names));
            marked.set_span(group.span());
            TokenTree::Group(marked)
        }
        other => other,
    };
    tokens.into_iter().map(mark).collect()
}

/// The names that any pattern within `block` binds.
pub(super) fn bound_within(block: &Block) -> BTreeSet<String> {
    let mut names = Names::default();
    names.visit_block(block);
    names.0
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.0.insert(name(&pattern.ident));
        syn::visit::visit_pat_ident(self, pattern);
    }
}

/// Whether `code` mentions one of `names`, be it in the text of a macro that formats.
pub(super) fn mentions(code: &impl ToTokens, names: &BTreeSet<String>) -> bool {
    !names.is_empty()
        && any(code.to_token_stream(), &mut |token| match token {
            TokenTree::Ident(word) => names.contains(&name(word)),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                text.contains('{') && names.iter().any(|name| text.contains(name.as_str()))
            }
            _ => false,
        })
}

/// Whether `code` has this word somewhere.
pub(super) fn has_word(code: &impl ToTokens, word: &str) -> bool {
    any(code.to_token_stream(), &mut |token| matches!(token, TokenTree::Ident(ident) if ident == word))
}

/// Whether every `return` in `code` returns `false`.
pub(super) fn returns_only_false(code: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    tokens.iter().enumerate().all(|(at, token)| match token {
        TokenTree::Group(group) => returns_only_false(group.stream()),
        TokenTree::Ident(word) if word == "return" => {
            let is_false = matches!(tokens.get(at + 1), Some(TokenTree::Ident(value)) if value == "false");
            is_false && ends(tokens.get(at + 2))
        }
        _ => true,
    })
}

/// Whether an expression has come to its end before this token.
fn ends(token: Option<&TokenTree>) -> bool {
    match token {
        Some(TokenTree::Punct(mark)) => matches!(mark.as_char(), ';' | ','),
        other => other.is_none(),
    }
}

/// Whether `code` calls a macro.
pub(super) fn calls_macro(code: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    tokens.iter().any(|token| matches!(token, TokenTree::Group(group) if calls_macro(group.stream())))
        || tokens.windows(3).any(
            |three| matches!(three, [TokenTree::Ident(_), TokenTree::Punct(bang), TokenTree::Group(_)] if bang.as_char() == '!'),
        )
}

fn any(code: TokenStream, holds: &mut impl FnMut(&TokenTree) -> bool) -> bool {
    code.into_iter().any(|token| match &token {
        TokenTree::Group(group) => any(group.stream(), holds),
        other => holds(other),
    })
}
