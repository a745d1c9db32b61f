//! What does the body of `detect` state, as far as its tokens tell?
//!
//! The body itself stays as it is, and is what counts. A plan that says no where the body says yes would lose events, so whatever
//! is not certain is opaque: names that locals bind, code that attributes may rewrite, macros, patterns with values.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{FnArg, Item, ItemFn, ItemMod, Pat, Stmt, Type, UseTree};

use crate::types::last_segment;

mod attributes;
mod expression;
mod names;
mod node;
mod operand;
mod operations;
mod reader;
mod statements;
#[cfg(test)]
mod tests;
mod text;
mod why;

use node::Node;
use reader::Reader;
use statements::Level;
use text::Place;

/// A predicate that consults more unknowns is undecided, whatever comes after.
const MAX_UNKNOWNS: usize = 6;
/// Larger plans would cost their user more than they give.
const LARGEST: usize = 500;
const TOO_LARGE: &str = "it states more than a plan can hold";

/// The functions that make the plan and ask its clauses, to stand in the module beside `detect`.
pub(crate) struct Functions {
    krate: TokenStream,
    detect: Ident,
    root: Node,
    /// What the function allows itself, and what its copies need.
    lints: TokenStream,
    /// The items of the body that the plan may name.
    items: Vec<Item>,
    ask: Ask,
}

/// How opaque clauses are asked.
enum Ask {
    /// Not at all.
    Never,
    /// The whole body is one.
    Detect,
    /// By a function that repeats the body.
    Function(TokenStream),
}

/// Reads the body of the module's `detect`.
pub(crate) fn read(krate: &TokenStream, module: &ItemMod, detect: &ItemFn) -> Functions {
    let whole = |why: &str| Functions {
        krate: krate.clone(),
        detect: detect.sig.ident.clone(),
        root: Node::Opaque { place: Place::of(inside(detect)), why: why.to_owned(), ask: Some(0) },
        lints: TokenStream::new(),
        items: Vec::new(),
        ask: if may_be_asked(detect) { Ask::Detect } else { Ask::Never },
    };
    if let Some(why) = unreadable(module, detect) {
        return whole(why);
    }
    let Some(parameter) = parameter(detect) else {
        return whole("the change has no plain name");
    };
    if names::combined(detect.block.to_token_stream()) > LARGEST {
        return whole(TOO_LARGE);
    }
    if detect.block.stmts.iter().any(|statement| may_shadow(statement, parameter.as_deref())) {
        return whole("an item in it may have the name of the change");
    }
    let body = |reader: &mut Reader<'_>| reader.statements(&detect.block.stmts, names::Scope::default(), Level::Body);
    let mut reader = Reader::new(krate, parameter.clone(), &detect.block);
    let mut root = body(&mut reader);
    if root.weight() > MAX_UNKNOWNS {
        // What the function asks where it is bound, needed or not, may then be what leaves it undecided.
        reader = Reader { is_lazy: false, ..Reader::new(krate, parameter, &detect.block) };
        root = body(&mut reader);
    }
    if reader.is_too_large || root.size() > LARGEST {
        return whole(TOO_LARGE);
    }
    if let Node::Opaque { why, .. } = &root
        && reader.script.code.is_empty()
    {
        return whole(why);
    }
    let ask = match (reader.script.clauses, reader.script.is_partial) {
        (0, _) | (_, true) => Ask::Never,
        _ if !may_be_asked(detect) => Ask::Never,
        _ => Ask::Function(reader.function(detect)),
    };
    let lints = attributes::allowed(&detect.attrs);
    Functions { krate: krate.clone(), detect: detect.sig.ident.clone(), root, lints, items: reader.items, ask }
}

impl ToTokens for Functions {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { krate, detect, root, lints, items, ask } = self;
        let private = quote!(#krate::__private);
        let root = root.build(&private, !matches!(ask, Ask::Never));
        let items = names::needed(items, &root);
        let ask = match ask {
            Ask::Never => TokenStream::new(),
            Ask::Detect => quote! {
                fn __ask(__change: &#krate::Change, __nth: ::core::primitive::u32) -> ::core::primitive::bool {
                    #detect(__change)
                }
            },
            Ask::Function(function) => quote!(#lints #function),
        };
        tokens.extend(quote! {
            #ask
            #lints
            fn __plan() -> #krate::Plan {
                #items
                use #private::{KnownConst as _, OtherConst as _};
                #krate::Plan::new(#root)
            }
        });
    }
}

/// Whether the change has its usual type. Where that is another's, which is a mistake, `detect` alone is to say so; the compiler
/// would find it in the function that asks as well.
fn may_be_asked(detect: &ItemFn) -> bool {
    match detect.sig.inputs.first() {
        Some(FnArg::Typed(input)) => match &*input.ty {
            Type::Reference(reference) => last_segment(&reference.elem).is_some_and(|name| name == "Change"),
            _ => false,
        },
        _ => false,
    }
}

/// Why the tokens of the body may not be what is compiled in the end.
fn unreadable(module: &ItemMod, detect: &ItemFn) -> Option<&'static str> {
    let items = module.content.as_ref().map(|(_, items)| &items[..]).unwrap_or_default();
    let is_detect = |item: &&Item| matches!(item, Item::Fn(function) if function.sig.ident == detect.sig.ident);
    let later = items.iter().skip_while(|item| !is_detect(item));
    if !attributes::keep_module(&module.attrs) {
        return Some("an attribute of the module may rewrite it");
    }
    if items.iter().filter(is_detect).count() > 1 {
        return Some("there are several of it");
    }
    if !attributes::are_harmless(&detect.attrs) {
        return Some("an attribute may rewrite it");
    }
    if detect.sig.constness.is_some() || detect.modifiers.require_empty().is_err() {
        return Some("its signature is unusual");
    }
    if names::calls_macro(detect.block.to_token_stream()) && later.into_iter().any(may_declare_macros) {
        return Some("a macro that is declared below it may be of the same name as one in it");
    }
    detect.block.stmts.iter().any(declares_others).then_some("it declares an item that cannot stand in a second function")
}

fn may_declare_macros(item: &Item) -> bool {
    match item {
        Item::Macro(_) => true,
        Item::Mod(module) => module.attrs.iter().any(|attribute| attribute.path().is_ident("macro_use")),
        Item::ExternCrate(_) | Item::Verbatim(_) => true,
        _ => false,
    }
}

/// Whether a statement of the body is an item that the plan cannot have as well. It may be what paths before it mean.
fn declares_others(statement: &Stmt) -> bool {
    match statement {
        Stmt::Item(item) => {
            !attributes::repeatable(item).is_some_and(attributes::are_harmless) || names::has_word(item, "expect")
        }
        _ => false,
    }
}

/// Whether a statement of the body is an item that may be meant by the name of the change, in all of the body. Of what is imported
/// whole, only the variants of `Operation` are known.
fn may_shadow(statement: &Stmt, parameter: Option<&str>) -> bool {
    let Some(parameter) = parameter else { return false };
    let is_it = |ident: &Ident| names::name(ident) == parameter;
    match statement {
        Stmt::Item(Item::Const(item)) => is_it(&item.ident),
        Stmt::Item(Item::Static(item)) => is_it(&item.ident),
        Stmt::Item(Item::Fn(item)) => is_it(&item.sig.ident),
        Stmt::Item(Item::Use(item)) => names::has_word(item, parameter) || imports_all(&item.tree, None),
        _ => false,
    }
}

/// Whether an import brings in all of a module.
fn imports_all(tree: &UseTree, from: Option<&Ident>) -> bool {
    match tree {
        UseTree::Path(path) => imports_all(&path.tree, Some(&path.ident)),
        UseTree::Group(group) => group.items.iter().any(|tree| imports_all(tree, from)),
        UseTree::Glob(_) => from.is_none_or(|name| name != "Operation"),
        UseTree::Name(_) | UseTree::Rename(_) => false,
    }
}

/// The name of the change; `Some(None)` where nobody can name it.
fn parameter(detect: &ItemFn) -> Option<Option<String>> {
    let Some(FnArg::Typed(input)) = detect.sig.inputs.first() else { return None };
    match &*input.pat {
        _ if !input.attrs.is_empty() => None,
        Pat::Wild(_) => Some(None),
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.mutability.is_none() && pattern.subpat.is_none() => {
            Some(Some(names::name(&pattern.ident)))
        }
        _ => None,
    }
}

fn inside(detect: &ItemFn) -> TokenStream {
    let statements = &detect.block.stmts;
    quote!(#(#statements)*)
}
