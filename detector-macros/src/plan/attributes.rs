//! Which attributes leave code as it is?

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, Item, Meta};

/// Attributes of the compiler that change no meaning. Nobody can give these names to macros of their own.
const HARMLESS: [&str; 12] = [
    "doc",
    "allow",
    "expect",
    "warn",
    "deny",
    "forbid",
    "inline",
    "must_use",
    "cold",
    "track_caller",
    "deprecated",
    "automatically_derived",
];
/// Of tools, which only read.
const TOOLS: [&str; 4] = ["clippy", "rustfmt", "rustdoc", "diagnostic"];

pub(super) fn are_harmless(attributes: &[Attribute]) -> bool {
    attributes.iter().all(is_harmless)
}

fn is_harmless(attribute: &Attribute) -> bool {
    let path = attribute.path();
    match path.get_ident() {
        Some(name) => HARMLESS.iter().any(|harmless| name == harmless),
        None => path.segments.first().is_some_and(|tool| TOOLS.iter().any(|name| tool.ident == name)),
    }
}

/// What a function that repeats parts of another may do, beyond what the user may do anyway. As little as that: to allow what a crate
/// forbids is an error. What the compiler finds wrong twice at the same place with the same words, it says once.
pub(super) fn allowed(attributes: &[Attribute]) -> TokenStream {
    let own = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("allow") || list.path.is_ident("expect") => {
            let lints = &list.tokens;
            Some(quote!(#[allow(#lints)]))
        }
        _ => None,
    });
    quote!(#(#own)*)
}

/// Whether the module's own attributes leave its functions as they are; one that `cfg` leaves out has no event at all.
pub(super) fn keep_module(attributes: &[Attribute]) -> bool {
    attributes.iter().all(|attribute| is_harmless(attribute) || attribute.path().is_ident("cfg"))
}

/// The attributes of an item that can stand in a second function as well; none of other items.
pub(super) fn repeatable(item: &Item) -> Option<&[Attribute]> {
    let attributes = match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => return None,
    };
    Some(attributes)
}

/// The attributes of the expressions that plans look into.
pub(super) fn attributes(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Array(expr) => &expr.attrs,
        Expr::Binary(expr) => &expr.attrs,
        Expr::Block(expr) => &expr.attrs,
        Expr::Group(expr) => &expr.attrs,
        Expr::If(expr) => &expr.attrs,
        Expr::Lit(expr) => &expr.attrs,
        Expr::Macro(expr) => &expr.attrs,
        Expr::Match(expr) => &expr.attrs,
        Expr::MethodCall(expr) => &expr.attrs,
        Expr::Paren(expr) => &expr.attrs,
        Expr::Path(expr) => &expr.attrs,
        Expr::Return(expr) => &expr.attrs,
        Expr::Unary(expr) => &expr.attrs,
        _ => &[],
    }
}
