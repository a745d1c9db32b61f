//! Which operations does a pattern accept? The pattern itself is asked, so that names may mean what they like.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Arm, Expr, ExprLit, ExprMacro, ExprMatch, Lit, LitStr, Pat, Token};

use super::names::{Binding, Scope, bound_by, calls_macro, has_word, unused};
use super::node::{Leaf, Node};
use super::operand::{Read, bare, method};
use super::reader::Reader;
use super::statements::has_pattern;
use super::text::Place;

impl Reader<'_> {
    /// `matches!(change.operation(), PATTERN)`, and the same of collection and database.
    pub(super) fn matches(&mut self, call: &ExprMacro, scope: &Scope) -> Option<Node> {
        let path = &call.mac.path;
        if path.segments.last()?.ident != "matches" {
            return None;
        }
        let (subject, pattern) = subject_and_pattern.parse2(call.mac.tokens.clone()).ok()?;
        if !self.knows_paths || !is_asked_easily(&pattern) {
            return None;
        }
        // A macro of this name may be the user's own, so it is asked, with the very tokens that it is given in the body.
        let (name, names) = match self.read(&subject, scope)? {
            Read::Operation => (quote!(operation_matching), None),
            Read::Collection => (quote!(collection_in), Some(strings(&pattern)?)),
            Read::Database => (quote!(database_in), Some(strings(&pattern)?)),
            Read::Field { .. } => return None,
        };
        let subject_is = self.stand_in(&subject)?;
        let names = names.map(|names| quote!(&[#(#names),*],));
        let asked = quote!(#name(#names |__asked, __ended| {
            #subject_is
            let __answer = #path!(#subject, #pattern);
            __ended.set(true);
            __answer
        }));
        Some(self.leaf(call, asked, 0, true, scope))
    }

    /// What makes `subject` mean `__asked`: a name of its own, or a change that answers so.
    fn stand_in(&self, subject: &Expr) -> Option<TokenStream> {
        let private = &self.private;
        match bare(subject) {
            Expr::Path(name) => Some(quote!(let #name = __asked;)),
            _ => method(subject).map(|(change, ..)| quote!(let #change = #private::AskedChange(__asked);)),
        }
    }

    /// `match change.operation() { … }`.
    pub(super) fn match_operation(&mut self, choice: &ExprMatch, scope: &Scope, tail: bool) -> Option<Node> {
        let Some(Read::Operation) = self.read(&choice.expr, scope) else { return None };
        if !self.knows_paths || !choice.arms.iter().all(is_simple) {
            return None;
        }
        let mut earlier = Vec::new();
        // The arms with a guard so far, which a change passes over where the guard does not hold.
        let mut guarded: Vec<Node> = Vec::new();
        let mut nodes = Vec::new();
        for arm in &choice.arms {
            let (pattern, guard) = pattern_and_guard(arm);
            let mut scope = scope.clone();
            for name in bound_by(pattern) {
                scope.bind_inside(name, Binding::Local);
            }
            let place = Place::of(quote!(#pattern));
            let is_of = Node::Leaf(Leaf {
                place: place.clone(),
                call: set(&earlier, pattern),
                weight: 0,
                names_constant: false,
                ask: None,
                bound: None,
            });
            let whole = Place::of(without_comma(arm));
            let mut members = vec![is_of.clone()];
            members.extend(guarded.iter().cloned());
            match guard {
                Some(guard) => {
                    let guard_node = self.expression(guard, &scope, false);
                    let place = Place::of(&arm.pat);
                    members.push(guard_node.clone());
                    guarded.push(Node::not(place.clone(), Node::all(place, [is_of, guard_node])));
                }
                None => earlier.push(pattern),
            }
            let value = self.expression(&arm.body, &scope, tail);
            if guard.is_none() && value.known() == Some(false) {
                continue;
            }
            members.push(value);
            nodes.push(Node::all(whole, members));
        }
        Some(Node::any(Place::of(choice), nodes))
    }
}

/// The operations that come to `pattern` after `earlier`.
fn set(earlier: &[&Pat], pattern: &Pat) -> TokenStream {
    let (earlier, pattern) = (earlier.iter().map(|pattern| unused(pattern)), unused(pattern));
    quote!(operation(|__operation| match __operation { #(#earlier => false,)* #pattern => true, _ => false }))
}

fn pattern_and_guard(arm: &Arm) -> (&Pat, Option<&Expr>) {
    match &arm.pat {
        Pat::Guard(guarded) if guarded.attrs.is_empty() => (&guarded.pat, Some(&guarded.guard)),
        pattern => (pattern, None),
    }
}

fn without_comma(arm: &Arm) -> TokenStream {
    let (pattern, body) = (&arm.pat, &arm.body);
    let arrow = &arm.fat_arrow_token;
    quote!(#pattern #arrow #body)
}

fn is_simple(arm: &Arm) -> bool {
    let (pattern, guard) = pattern_and_guard(arm);
    arm.attrs.is_empty() && is_asked_easily(pattern) && !guard.is_some_and(has_pattern)
}

/// Whether a pattern can be asked about an operation out of its place.
fn is_asked_easily(pattern: &Pat) -> bool {
    // A macro may bind any name that it is given.
    !matches!(pattern, Pat::Guard(_))
        && !["ref", "mut", "if"].iter().any(|word| has_word(pattern, word))
        && !calls_macro(pattern.to_token_stream())
}

fn subject_and_pattern(input: ParseStream<'_>) -> syn::Result<(Expr, Pat)> {
    let subject = input.parse()?;
    input.parse::<Token![,]>()?;
    let pattern = Pat::parse_multi_with_leading_vert(input)?;
    input.parse::<Option<Token![,]>>()?;
    Ok((subject, pattern))
}

/// The strings of a pattern that is made of nothing else.
fn strings(pattern: &Pat) -> Option<Vec<LitStr>> {
    match pattern {
        Pat::Lit(ExprLit { attrs, lit: Lit::Str(text) }) if attrs.is_empty() => Some(vec![text.clone()]),
        Pat::Paren(paren) if paren.attrs.is_empty() => strings(&paren.pat),
        Pat::Or(or) if or.attrs.is_empty() => {
            or.cases.iter().map(strings).collect::<Option<Vec<_>>>().map(|lists| lists.concat())
        }
        _ => None,
    }
}
