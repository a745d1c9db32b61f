//! What does `#[job]` make of an async function?

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, ItemFn, Meta, ReturnType, Signature, Type};

use crate::args::{JobArgs, check_skip};
use crate::mistakes::{Mistakes, heading};
use crate::{docs, scan};

mod shape;

/// A function of the same name that makes the job, with the user's function inside, unchanged, and the mistakes beside it.
pub(crate) fn expand_job(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let args = JobArgs::read(args, &mut mistakes);
    let Some(function) = function(item.clone(), &mut mistakes) else {
        let mistakes = mistakes.into_tokens();
        return quote!(#item #mistakes);
    };
    let mut faults = Mistakes::default();
    let parameters = shape::parameters(&function.sig, &mut faults);
    if !faults.is_empty() {
        let item = if function.sig.receiver().is_some() { item } else { stand_in(&args.krate, &function, &parameters) };
        let (mistakes, faults) = (mistakes.into_tokens(), faults.into_tokens());
        return quote!(#item #faults #mistakes);
    }
    let names: Vec<Ident> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    check_skip(&args.skip, &names, &mut mistakes);
    let constructor = constructor(&args, &function, &parameters);
    let declaration = declaration(&args.krate, &function);
    // A mistake in the arguments spoils no call of the job, so the job is made in spite of it.
    let mistakes = mistakes.into_tokens();
    quote!(#constructor #declaration #mistakes)
}

/// One argument of a job, its context aside.
struct Parameter {
    name: Ident,
    ty: Type,
}

fn function(item: TokenStream, mistakes: &mut Mistakes) -> Option<ItemFn> {
    match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => Some(function),
        Err(error) => {
            match syn::parse2::<syn::Item>(item) {
                // A function that our parser does not know yet, or none that has a body: its own words are the best there are.
                Ok(syn::Item::Fn(_) | syn::Item::Verbatim(_)) | Err(_) => mistakes.push(error),
                Ok(other) => mistakes.at(
                    heading(other.to_token_stream()),
                    "a job is an async function; write `#[job] pub async fn name(cx: JobContext) -> anyhow::Result<()> { ... }`",
                ),
            }
            None
        }
    }
}

fn constructor(args: &JobArgs, function: &ItemFn, parameters: &[Parameter]) -> TokenStream {
    let JobArgs { timeout_millis, retries, effect, skip, krate } = args;
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let name = &sig.ident;
    let label = name.unraw().to_string();
    let (outer, inner) = divide(attrs);
    let (generics, _, bounds) = sig.generics.split_for_impl();
    let names = parameters.iter().map(|parameter| &parameter.name);
    let types = parameters.iter().map(|parameter| &parameter.ty);

    let skipped = |parameter: &&Parameter| skip.iter().any(|name| name.unraw() == parameter.name.unraw());
    let reported: Vec<&Ident> =
        parameters.iter().filter(|parameter| !skipped(parameter)).map(|parameter| &parameter.name).collect();
    let labels: Vec<String> = reported.iter().map(|name| name.unraw().to_string().trim_start_matches('_').to_owned()).collect();
    let shown: Vec<Ident> = (0..reported.len()).map(|nth| format_ident!("shown_{nth}", span = Span::mixed_site())).collect();
    let show = (!reported.is_empty()).then(|| {
        quote! {
            let (#(#shown,)*) = {
                #[allow(unused_imports)]
                use #krate::__private::{ShownAsDebug as _, ShownAsJson as _, ShownAsType as _};
                (#((&&&#krate::__private::Shown(&#reported)).shown(),)*)
            };
        }
    });

    let work = work(krate, function, parameters);
    let new = at_output(quote!(#krate::Job::new), quote!(#label, #work), sig);
    let timeout = timeout_millis.map(|millis| quote!(.timeout(::core::time::Duration::from_millis(#millis))));
    let retries = retries.map(|retries| quote!(.retries(#retries)));
    let effect = effect.as_ref().map(|effect| quote!(.effect(#krate::Effect::#effect)));
    let underscored = parameters.iter().any(|parameter| parameter.name.to_string().starts_with('_'));
    let underscored = underscored.then(|| quote!(#[allow(clippy::used_underscore_binding)]));
    quote! {
        #(#outer)*
        #underscored
        #[must_use = "a job does nothing until an event returns it from `jobs`"]
        #vis fn #name #generics (#(#names: #types),*) -> #krate::Job #bounds {
            #(#inner)*
            #sig #block

            #show
            #new
                #timeout
                #retries
                #effect
                #(.option(#labels, #shown))*
        }
    }
}

/// A constructor that is only there to be called: in spite of the mistakes in the signature, the calls of the job are none.
fn stand_in(krate: &TokenStream, function: &ItemFn, parameters: &[Parameter]) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let name = &sig.ident;
    let (outer, inner) = divide(attrs);
    let (generics, _, bounds) = sig.generics.split_for_impl();
    let names = (0..parameters.len()).map(|nth| format_ident!("argument_{nth}", span = Span::mixed_site()));
    let types = parameters.iter().map(|parameter| &parameter.ty);
    quote! {
        #(#outer)*
        #vis fn #name #generics (#(#names: #types),*) -> #krate::Job #bounds {
            #(#inner)*
            #sig #block

            ::core::unreachable!()
        }
    }
}

/// The closure that calls the user's function. It lies over the parameters' types: where one of them cannot be
/// cloned or sent, the compiler points there.
fn work(krate: &TokenStream, function: &ItemFn, parameters: &[Parameter]) -> TokenStream {
    let name = &function.sig.ident;
    let chosen = function.sig.generics.params.iter().filter_map(|param| match param {
        syn::GenericParam::Type(param) => Some(&param.ident),
        syn::GenericParam::Const(param) => Some(&param.ident),
        _ => None,
    });
    let turbofish = (!function.sig.generics.params.is_empty()).then(|| quote!(::<#(#chosen),*>));
    let cx = Ident::new("cx", Span::mixed_site());
    let given = parameters.iter().map(|parameter| &parameter.name);
    let mut call = Group::new(Delimiter::Parenthesis, quote!(#cx #(, #given)*));
    let (first, last) = match parameters {
        [first, .., last] => (place(&first.ty, false), place(&last.ty, true)),
        [only] => (place(&only.ty, false), place(&only.ty, true)),
        [] => (place(name, false), place(name, true)),
    };
    call.set_span(last);
    let head = quote_spanned!(first=> move |#cx: #krate::JobContext|);
    quote!(#head #name #turbofish #call)
}

/// The call of `path`, laid over the user's return type: where that cannot be reported, the compiler points there.
fn at_output(path: TokenStream, arguments: TokenStream, sig: &Signature) -> TokenStream {
    let (first, last) = match &sig.output {
        ReturnType::Type(_, output) => (place(output, false), place(output, true)),
        ReturnType::Default => (Span::call_site(), Span::call_site()),
    };
    let path = path.into_iter().map(|mut token| {
        token.set_span(first);
        token
    });
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(last);
    path.chain([arguments.into()]).collect()
}

/// Where the first or the last token stands, with the attribute's own view of names.
fn place(tokens: impl ToTokens, last: bool) -> Span {
    let mut tokens = tokens.into_token_stream().into_iter();
    let token: Option<TokenTree> = if last { tokens.last() } else { tokens.next() };
    token.map_or_else(Span::call_site, |token| Span::call_site().located_at(token.span()))
}

/// The attributes of the constructor and those of the user's function inside it.
fn divide(attrs: &[Attribute]) -> (Vec<TokenStream>, Vec<&Attribute>) {
    let (mut outer, mut inner) = (Vec::new(), Vec::new());
    for attr in attrs {
        let path = attr.path();
        if ["doc", "cfg", "deprecated"].iter().any(|name| path.is_ident(name)) {
            outer.push(attr.to_token_stream());
            continue;
        }
        // Lints that the user's signature sets off, the constructor's may set off as well; an expectation of them is met inside.
        if let Meta::List(list) = &attr.meta
            && (path.is_ident("allow") || path.is_ident("expect"))
        {
            let lints = &list.tokens;
            outer.push(quote!(#[allow(#lints)]));
        }
        inner.push(attr);
    }
    (outer, inner)
}

fn declaration(krate: &TokenStream, function: &ItemFn) -> TokenStream {
    let name = function.sig.ident.unraw().to_string();
    let doc = docs::first_line(&function.attrs);
    let cfg = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    let needs =
        if function.sig.generics.params.is_empty() { scan::state_types(function.block.to_token_stream()) } else { Vec::new() };
    quote! {
        #(#cfg)*
        const _: () = {
            #krate::__private::inventory::submit! {
                #krate::JobDeclaration {
                    name: #name,
                    module: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                    doc: #doc,
                    needs: &[#(#krate::StateNeed::of::<#needs>()),*],
                }
            }
        };
    }
}
