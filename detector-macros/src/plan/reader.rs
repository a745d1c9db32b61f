//! What has to be remembered while a body is read: the code of its clauses, and the function that asks it.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::visit::Visit;
use syn::{Block, Expr, FnArg, Item, ItemFn, Stmt};

use super::names::{self, Scope};
use super::node::{Leaf, Node};
use super::text::Place;
use super::why::why;

/// Reads the body of one function.
pub(super) struct Reader<'a> {
    pub(super) krate: &'a TokenStream,
    /// The path of what expansions name.
    pub(super) private: TokenStream,
    /// The name of the change, where it has one.
    pub(super) parameter: Option<String>,
    /// Every name that a pattern binds somewhere in the body: a path of this name may be no constant.
    pub(super) bound: BTreeSet<String>,
    /// Whether paths mean in the plan what they mean in the body.
    pub(super) knows_paths: bool,
    pub(super) script: Script,
    /// The items of the body, which paths anywhere in it may mean.
    pub(super) items: Vec<Item>,
    /// Where the left side of the operator before the next expression begins and ends. The compiler points there where the
    /// right side is no truth value, and it is to say the same of the function that asks.
    pub(super) left: Option<(Span, Span)>,
    /// How many `let`s were followed.
    pub(super) lets: usize,
    /// Whether the body states more than a plan can hold, so that reading on is of no use.
    pub(super) is_too_large: bool,
    /// Whether the clause of a `let` may be asked where it is needed, as long as the order of unknowns stays.
    pub(super) is_lazy: bool,
}

/// The body of the function that asks opaque clauses: the leading `let`s as they are, and a clause at the place of each.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) code: TokenStream,
    /// What is left of the body, where it is one clause.
    pub(super) end: Option<TokenStream>,
    /// How many clauses can be asked.
    pub(super) clauses: u32,
    /// The names that the code binds.
    pub(super) leading: BTreeSet<String>,
    /// Whether a clause stands on the right of an operator there.
    has_left: bool,
    /// Whether code is left out on which the types of these names may depend.
    pub(super) is_partial: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(krate: &'a TokenStream, parameter: Option<String>, body: &Block) -> Self {
        let mut hidden = HiddenItems::default();
        hidden.visit_block(body);
        let item = |statement: &Stmt| if let Stmt::Item(item) = statement { Some(item.clone()) } else { None };
        Self {
            krate,
            private: quote!(#krate::__private),
            parameter,
            bound: names::bound_within(body),
            knows_paths: !hidden.0,
            script: Script::default(),
            items: body.stmts.iter().filter_map(item).collect(),
            left: None,
            lets: 0,
            is_too_large: false,
            is_lazy: true,
        }
    }

    /// The function that asks: `detect` by another name, with the number of the clause.
    pub(super) fn function(&self, detect: &ItemFn) -> TokenStream {
        let (generics, change, output) = (&detect.sig.generics, &detect.sig.inputs[0], &detect.sig.output);
        let yes = self.script.has_left.then(|| {
            quote!(
                fn __yes() -> ::core::primitive::bool {
                    true
                }
            )
        });
        let (code, bounds) = (&self.script.code, &generics.where_clause);
        // No clause may use the change.
        let used = match change {
            FnArg::Typed(input) => names::names_of(&input.pat),
            FnArg::Receiver(_) => Vec::new(),
        };
        let end = self.script.end.clone().unwrap_or_else(|| quote!(false));
        let items = names::needed(&self.items, &quote!(#code #end));
        quote! {
            fn __ask #generics (#change, __nth: ::core::primitive::u32) #output #bounds {
                #yes
                #items
                #(let _ = #used;)*
                #code
                #end
            }
        }
    }

    /// Adds a clause to the function that asks, if it can be asked on its own. In `tail` position a `return` is an answer.
    pub(super) fn ask(&mut self, clause: &impl ToTokens, scope: &Scope, tail: bool) -> Option<u32> {
        let left = self.left.take();
        if names::mentions(clause, scope.inner()) || (!tail && names::has_word(clause, "return")) {
            self.leave_out(clause);
            return None;
        }
        let nth = self.script.clauses;
        self.script.clauses += 1;
        // Of the same form as in the function itself, so that the compiler says of a mistake in it the same, which it does once.
        self.script.code.extend(match (tail, left) {
            // Nothing comes after it, which the compiler would warn of.
            (true, _) if names::leaves(clause.to_token_stream()) => quote!(if __nth == #nth { #clause; }),
            (true, _) => quote!(if __nth == #nth { return #clause; }),
            (false, None) => quote!(if __nth == #nth { return if (#clause) { true } else { false }; }),
            (false, Some((begin, end))) => {
                self.script.has_left = true;
                let mut left = Group::new(Delimiter::Parenthesis, TokenStream::new());
                left.set_span(end);
                let yes = Ident::new("__yes", begin);
                quote!(if __nth == #nth { return #yes #left && (#clause); })
            }
        });
        Some(nth)
    }

    /// Notes that `code` is not in the function that asks.
    pub(super) fn leave_out(&mut self, code: &impl ToTokens) {
        self.script.is_partial |= names::mentions(code, &self.script.leading);
    }

    pub(super) fn opaque(&mut self, code: &(impl ToTokens + ?Sized), why: String, scope: &Scope, tail: bool) -> Node {
        let code = code.to_token_stream();
        Node::Opaque { ask: self.ask(&code, scope, tail), place: Place::of(code), why }
    }

    pub(super) fn opaque_expression(&mut self, expr: &Expr, scope: &Scope, tail: bool) -> Node {
        let why = why(expr, |expr| self.is_change(expr, scope));
        self.opaque(expr, why, scope, tail)
    }

    /// A clause that is recognised. One that names a constant is asked where that turns out to be none of ours.
    pub(super) fn leaf(
        &mut self,
        clause: &impl ToTokens,
        call: TokenStream,
        weight: usize,
        names_constant: bool,
        scope: &Scope,
    ) -> Node {
        let ask = if names_constant { self.ask(clause, scope, false) } else { None };
        Node::Leaf(Leaf { place: Place::of(clause), call, weight, names_constant, ask, bound: None })
    }
}

/// Whether a macro stands where its expansion may declare items, which the paths around it may then mean.
#[derive(Default)]
struct HiddenItems(bool);

impl<'ast> Visit<'ast> for HiddenItems {
    fn visit_block(&mut self, block: &'ast Block) {
        self.0 |= block.stmts.iter().any(|statement| matches!(statement, Stmt::Macro(_)));
        syn::visit::visit_block(self, block);
    }
}
