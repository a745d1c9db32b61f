//! Which names does code bind, and which does it mention?

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Block, Item, Pat, PatIdent};

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

/// The names that `pattern` certainly binds, where they stand: those that no constant and no variant would have. (Nobody misses a
/// use of those that begin with `_`.)
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
        if name(&pattern.ident).starts_with(|first: char| first != '_' && !first.is_uppercase()) {
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

/// Those of the body's `items` that `code` may name, since the compiler would find the others useless. Imports are all there, as if
/// this crate had written them: what they bring in may have no name.
pub(super) fn needed(items: &[Item], code: &TokenStream) -> TokenStream {
    let (imports, mut others): (Vec<_>, Vec<_>) = items.iter().partition(|item| matches!(item, Item::Use(_)));
    let mut needed: TokenStream = imports.into_iter().map(|import| all_ours(import.to_token_stream())).collect();
    loop {
        let named = |item: &&Item| {
            let name = name_of(item).map(name);
            name.is_none_or(|name| is_named(code, &name) || is_named(&needed, &name))
        };
        let (found, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(named);
        if found.is_empty() {
            // A macro may name the others.
            if calls_macro(code.clone()) || calls_macro(needed.clone()) {
                needed.extend(rest.into_iter().map(|item| quote!(#[allow(dead_code)] #item)));
            }
            return needed;
        }
        needed.extend(found.into_iter().map(ToTokens::to_token_stream));
        others = rest;
    }
}

/// Whether `code` has this name as a word, or a macro in it has it in a text.
fn is_named(code: &TokenStream, called: &str) -> bool {
    let mut follows_bang = false;
    code.clone().into_iter().any(|token| {
        let may_format = std::mem::replace(&mut follows_bang, matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '!'));
        match &token {
            TokenTree::Ident(word) => name(word) == called,
            TokenTree::Group(group) if may_format => mentions(&group.stream(), &[called.to_owned()].into()),
            TokenTree::Group(group) => is_named(&group.stream(), called),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        }
    })
}

fn name_of(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Static(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        _ => None,
    }
}

/// All of it but `$crate`, which has its meaning by its place.
fn all_ours(tokens: TokenStream) -> TokenStream {
    let ours = |token| match token {
        TokenTree::Ident(word) if word == "$crate" => TokenTree::Ident(word),
        TokenTree::Group(group) => {
            let mut marked = Group::new(group.delimiter(), all_ours(group.stream()));
            marked.set_span(Span::call_site().located_at(group.span()));
            TokenTree::Group(marked)
        }
        mut other => {
            other.set_span(Span::call_site().located_at(other.span()));
            other
        }
    };
    tokens.into_iter().map(ours).collect()
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

/// Whether `code` certainly leaves the function at its end, and so has no value: it is a block whose last statement is a `return`, or
/// the call of a macro that panics.
pub(super) fn leaves(code: TokenStream) -> bool {
    let mut tokens: Vec<TokenTree> = code.into_iter().collect();
    if let [TokenTree::Group(group)] = &tokens[..] {
        return matches!(group.delimiter(), Delimiter::Brace | Delimiter::None) && leaves(group.stream());
    }
    let is_semicolon = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ';');
    if tokens.last().is_some_and(is_semicolon) {
        tokens.pop();
    }
    let is_end = |token: &TokenTree| {
        is_semicolon(token) || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
    };
    let panics = |word: &Ident| ["panic", "unreachable", "todo", "unimplemented"].iter().any(|name| word == name);
    match &tokens[..] {
        [before @ .., TokenTree::Ident(word), TokenTree::Punct(bang), TokenTree::Group(_)] if bang.as_char() == '!' => {
            panics(word) && without_path(before).last().is_none_or(is_end)
        }
        tokens => tokens.iter().enumerate().any(|(at, token)| {
            let is_statement = at.checked_sub(1).is_none_or(|before| is_end(&tokens[before]));
            is_statement && matches!(token, TokenTree::Ident(word) if word == "return") && !tokens[at..].iter().any(is_semicolon)
        }),
    }
}

/// `tokens` without the path at their end.
fn without_path(tokens: &[TokenTree]) -> &[TokenTree] {
    match tokens {
        [before @ .., TokenTree::Ident(_), TokenTree::Punct(colon), TokenTree::Punct(_)] if colon.as_char() == ':' => {
            without_path(before)
        }
        [before @ .., TokenTree::Punct(colon), TokenTree::Punct(_)] if colon.as_char() == ':' => before,
        _ => tokens,
    }
}

/// How often `code` combines two conditions.
pub(super) fn combined(code: TokenStream) -> usize {
    let is_half = |mark: &Punct| matches!(mark.as_char(), '&' | '|') && mark.spacing() == Spacing::Joint;
    let of = |token| match token {
        TokenTree::Group(group) => combined(group.stream()),
        TokenTree::Punct(mark) => usize::from(is_half(&mark)),
        TokenTree::Ident(_) | TokenTree::Literal(_) => 0,
    };
    code.into_iter().map(of).sum()
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
