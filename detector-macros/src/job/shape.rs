//! Does a function have the shape of a job, as far as tokens tell? Finer questions are the compiler's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{FnArg, GenericParam, Lifetime, Pat, PatType, ReturnType, Safety, Signature, Type, TypeReference, parse_quote};

use super::Parameter;
use crate::mistakes::Mistakes;
use crate::types::{last_segment, text};

const CONTEXT: &str = "JobContext";

/// The job's own parameters; every fault of the signature is noted, each once.
pub(super) fn parameters(sig: &Signature, mistakes: &mut Mistakes) -> Vec<Parameter> {
    modifiers(sig, mistakes);
    context(sig, mistakes);
    output(sig, mistakes);
    let own = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(input),
        FnArg::Receiver(_) => None,
    });
    own.filter(|input| !is_context(&input.ty) && !is_borrowed_context(&input.ty))
        .map(|input| parameter(sig, input, mistakes))
        .collect()
}

fn modifiers(sig: &Signature, mistakes: &mut Mistakes) {
    let name = &sig.ident;
    if let Some(token) = &sig.constness {
        mistakes.at(token, "a job cannot be const: it runs when a change arrives; leave `const` out");
    }
    if sig.asyncness.is_none() {
        mistakes.at(sig.fn_token, format!("a job is async, so that jobs run side by side; write `async fn {name}`"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        mistakes.at(token, "a job cannot be unsafe: events call it; leave `unsafe` out");
    }
    if let Some(abi) = &sig.abi {
        mistakes.at(abi, format!("a job has no ABI of its own; write `async fn {name}`"));
    }
    for param in &sig.generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            mistakes.at(
                lifetime,
                "a job keeps its arguments until it runs, so it can borrow nothing; leave the lifetime out and take owned values",
            );
        }
    }
}

fn context(sig: &Signature, mistakes: &mut Mistakes) {
    let name = &sig.ident;
    let cure = format!("write `async fn {name}(cx: JobContext{})`", if sig.inputs.is_empty() { "" } else { ", ..." });
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => mistakes.at(receiver, format!("a job is a free function and has no `self`; {cure}")),
        Some(FnArg::Typed(first)) if is_context(&first.ty) => {
            if let Some(second) =
                sig.inputs.iter().skip(1).find(|input| matches!(input, FnArg::Typed(input) if is_context(&input.ty)))
            {
                mistakes.at(second, "a job has one `JobContext`; leave the second out");
            }
        }
        Some(FnArg::Typed(first)) if is_borrowed_context(&first.ty) => {
            mistakes.at(&first.ty, "a job owns its context, which is cheap to clone; write `cx: JobContext`");
        }
        Some(first) if has_context(sig) => mistakes.at(first, format!("a job's first argument is its `JobContext`; {cure}")),
        Some(first) => mistakes.at(first, format!("a job's first argument is a `JobContext`; {cure}")),
        None => mistakes.at(name, format!("a job's first argument is a `JobContext`; {cure}")),
    }
}

fn output(sig: &Signature, mistakes: &mut Mistakes) {
    /// Types that are certainly no alias of a `Result`.
    const PLAIN: [&str; 12] = ["Box", "Option", "String", "Value", "Vec", "bool", "char", "f64", "i32", "i64", "u32", "u64"];
    let cure = "return a `Result`, e.g. `anyhow::Result";
    match &sig.output {
        ReturnType::Default => mistakes.at(sig.ident.to_token_stream(), format!("a job says whether it worked; {cure}<()>`")),
        ReturnType::Type(_, ty) => {
            let plain = match &**ty {
                Type::Tuple(_) | Type::Reference(_) | Type::Never(_) | Type::Array(_) => true,
                other => last_segment(other).is_some_and(|segment| PLAIN.iter().any(|name| segment == name)),
            };
            if plain {
                mistakes.at(ty, format!("a job says whether it worked; {cure}<{}>`", text(ty)));
            }
        }
    }
}

fn parameter(sig: &Signature, input: &PatType, mistakes: &mut Mistakes) -> Parameter {
    let mut refuse = |tokens: &dyn ToTokens, message: String| {
        mistakes.at(tokens, message);
        // Takes whatever a call gives, so that the call is not a second mistake.
        Parameter { name: Ident::new("argument", Span::mixed_site()), ty: parse_quote!(impl ::core::marker::Sized) }
    };
    let name = match &*input.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => &pattern.ident,
        other => {
            let form = format!("name the argument, e.g. `value: {}`, and take it apart inside", text(&input.ty));
            return refuse(other, format!("reports show a job's arguments by name; {form}"));
        }
    };
    if name.unraw() == sig.ident.unraw() {
        return refuse(name, format!("the argument `{name}` has the job's own name; rename one of them"));
    }
    // A lifetime among the generics has been told of there.
    let told = sig.generics.lifetimes().next().is_some();
    match borrowed(&input.ty) {
        Some((tokens, cure)) if !told => {
            refuse(&tokens, format!("a job keeps its arguments until it runs, so it can borrow nothing; {cure}"))
        }
        _ => Parameter { name: name.clone(), ty: (*input.ty).clone() },
    }
}

fn has_context(sig: &Signature) -> bool {
    sig.inputs.iter().any(|input| matches!(input, FnArg::Typed(input) if is_context(&input.ty) || is_borrowed_context(&input.ty)))
}

fn is_context(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment == CONTEXT)
}

fn is_borrowed_context(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if is_context(&reference.elem))
}

/// The first borrow in a type, with the owned type to take instead.
fn borrowed(ty: &Type) -> Option<(TokenStream, String)> {
    let mut search = Borrow { found: None };
    search.visit_type(ty);
    search.found
}

struct Borrow {
    found: Option<(TokenStream, String)>,
}

impl<'ast> Visit<'ast> for Borrow {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.as_ref().is_some_and(is_static) {
            return self.visit_type(&reference.elem);
        }
        self.found.get_or_insert_with(|| (reference.to_token_stream(), format!("take `{}`", owned(&reference.elem))));
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if !is_static(lifetime) {
            self.found.get_or_insert_with(|| {
                (lifetime.to_token_stream(), "take an owned value, or one that lives for `'static`".to_owned())
            });
        }
    }

    // What a function is given when it is called is not kept by the job.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}
}

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}

fn owned(ty: &Type) -> String {
    match (ty, last_segment(ty).map(Ident::to_string).as_deref()) {
        (Type::Slice(slice), _) => format!("Vec<{}>", text(&slice.elem)),
        (Type::TraitObject(_), _) => format!("Arc<{}>", text(ty)),
        (_, Some("str")) => "String".to_owned(),
        (_, Some("Path")) => "PathBuf".to_owned(),
        (_, Some("OsStr")) => "OsString".to_owned(),
        _ => text(ty),
    }
}
