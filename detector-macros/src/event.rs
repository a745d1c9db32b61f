//! What does `#[event]` make of a module?

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Item, ItemFn, ItemMod, Type};

use crate::args::EventArgs;
use crate::mistakes::{Mistakes, heading, nearest};
use crate::types::last_segment;
use crate::{docs, jsonpath, plan, scan};

mod shape;

use shape::Role;

/// The module unchanged, with its registration at its end; where something is wrong, with the mistakes beside it.
pub(crate) fn expand_event(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let args = EventArgs::read(args, &mut mistakes);
    let event = Event::read(&args, item.clone(), &mut mistakes);
    match event {
        Some(event) if mistakes.is_empty() => with_inside(item, registration(&args, &event)),
        _ => {
            let mistakes = mistakes.into_tokens();
            quote!(#item #mistakes)
        }
    }
}

/// What the module declares.
struct Event {
    detect: Ident,
    jobs: Option<Ident>,
    calls: Vec<String>,
    doc: String,
    plan: Option<plan::Functions>,
}

impl Event {
    fn read(args: &EventArgs, item: TokenStream, mistakes: &mut Mistakes) -> Option<Self> {
        let module = module(item, mistakes)?;
        let items = &module.content.as_ref()?.1;
        let functions: Vec<&ItemFn> =
            items.iter().filter_map(|item| if let Item::Fn(function) = item { Some(function) } else { None }).collect();
        let source = items.iter().map(ToTokens::to_token_stream).collect();
        jsonpath::check(source, &names_of_changes(&functions), mistakes);

        let detect = find(&functions, Role::Detect);
        let jobs = find(&functions, Role::Jobs);
        if detect.is_none() {
            note_missing_detect(&module, &functions, mistakes);
        }
        if jobs.is_none() {
            note_misspelt_jobs(&functions, mistakes);
        }
        for (role, function) in [(Role::Detect, detect), (Role::Jobs, jobs)] {
            if let Some((tokens, message)) = function.and_then(|function| role.fault(&function.sig)) {
                mistakes.at(tokens, message);
            }
        }
        Some(Self {
            detect: detect?.sig.ident.clone(),
            jobs: jobs.map(|function| function.sig.ident.clone()),
            calls: jobs.map(|function| scan::calls(function.block.to_token_stream())).unwrap_or_default(),
            doc: docs::first_line(&module.attrs),
            plan: detect.filter(|_| args.plan && mistakes.is_empty()).map(|detect| plan::read(&args.krate, &module, detect)),
        })
    }
}

fn module(item: TokenStream, mistakes: &mut Mistakes) -> Option<ItemMod> {
    const CURE: &str = "write `#[event(\"...\")] pub mod name { ... }` with `fn detect(change: &Change) -> bool` inside";
    match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Mod(module)) if module.content.is_some() => Some(module),
        Ok(Item::Mod(module)) => {
            let name = &module.ident;
            let message = format!(
                "an event's module stands inline, and `mod {name};` is in another file; write `pub mod {name} {{ ... }}` with its body here; \
                 for one event per file, write the same inline module in that file"
            );
            mistakes.at(heading(module.to_token_stream()), message);
            None
        }
        Ok(other) => {
            mistakes.at(heading(other.to_token_stream()), format!("an event is an inline module; {CURE}"));
            None
        }
        Err(error) => {
            mistakes.push(error);
            None
        }
    }
}

fn find<'a>(functions: &[&'a ItemFn], role: Role) -> Option<&'a ItemFn> {
    functions.iter().copied().find(|function| function.sig.ident == role.name())
}

fn note_missing_detect(module: &ItemMod, functions: &[&ItemFn], mistakes: &mut Mistakes) {
    let others: Vec<&Ident> =
        functions.iter().map(|function| &function.sig.ident).filter(|name| *name != Role::Jobs.name()).collect();
    let misspelt = others.into_iter().find(|name| is_near(&name.to_string(), Role::Detect));
    match misspelt {
        Some(name) => mistakes.at(name, format!("did you mean `detect`? an event needs `{}`", Role::Detect.form())),
        None => mistakes
            .at(&module.ident, format!("the event has no `detect`; add `{} {{ ... }}` to this module", Role::Detect.form())),
    }
}

fn note_misspelt_jobs(functions: &[&ItemFn], mistakes: &mut Mistakes) {
    let misspelt = functions
        .iter()
        .map(|function| &function.sig)
        // A helper with a similar name is fine; one with the shape of `jobs` was meant to be it.
        .find(|sig| is_near(&sig.ident.to_string(), Role::Jobs) && Role::Jobs.fault(sig).is_none());
    if let Some(sig) = misspelt {
        let message =
            format!("did you mean `jobs`? nothing calls `{}`; an event's jobs come from `{}`", sig.ident, Role::Jobs.form());
        mistakes.at(&sig.ident, message);
    }
}

fn is_near(name: &str, role: Role) -> bool {
    nearest(name, [role.name()]).is_some()
}

/// The names of all parameters of type `&Change`, and the usual one.
fn names_of_changes(functions: &[&ItemFn]) -> Vec<String> {
    let mut names = vec!["change".to_owned()];
    for function in functions {
        for input in &function.sig.inputs {
            if let syn::FnArg::Typed(input) = input
                && let Type::Reference(reference) = &*input.ty
                && last_segment(&reference.elem).is_some_and(|segment| segment == "Change")
            {
                names.push(input.pat.to_token_stream().to_string());
            }
        }
    }
    names
}

/// The item with `inside` at the end of its body.
fn with_inside(item: TokenStream, inside: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    if let Some(TokenTree::Group(body)) = tokens.last_mut() {
        let stream = match body.delimiter() {
            // An item that came through a macro by example, `$item`.
            Delimiter::None => with_inside(body.stream(), inside),
            _ => body.stream().into_iter().chain(inside).collect(),
        };
        let mut extended = Group::new(body.delimiter(), stream);
        extended.set_span(body.span());
        *body = extended;
    }
    tokens.into_iter().collect()
}

fn registration(args: &EventArgs, event: &Event) -> TokenStream {
    let EventArgs { name, on_undecided, ordered, krate, .. } = args;
    let Event { calls, doc, jobs, plan, .. } = event;
    let bindings = constants(krate, event);
    let with_jobs = jobs.as_ref().map(|_| quote!(.with_jobs(JOBS)));
    let on_undecided = on_undecided.as_ref().map(|choice| quote!(.on_undecided(#krate::OnUndecided::#choice)));
    let ordered = ordered.then(|| quote!(.ordered()));
    let with_plan = plan.as_ref().map(|_| quote!(.with_plan(__plan)));
    let registration = quote! {
        const _: () = {
            #bindings
            #krate::__private::inventory::submit! {
                #krate::Detector::new(#name, DETECT)
                    #with_jobs
                    #on_undecided
                    #ordered
                    #with_plan
                    .declared_at(#krate::Declared {
                        module: ::core::module_path!(),
                        file: ::core::file!(),
                        line: ::core::line!(),
                        doc: #doc,
                        calls: &[#(#calls),*],
                    })
            }
        };
    };
    match plan {
        // In a block of its own, since the constants may have the names of the user's, which the plan names.
        Some(plan) => quote! {
            const _: () = {
                #plan
                #registration
            };
        },
        None => registration,
    }
}

/// The functions under their full types. The compiler checks the types here, once, and points at the functions.
fn constants(krate: &TokenStream, event: &Event) -> TokenStream {
    let detect = &event.detect;
    let detect = quote_spanned! {place_of(detect)=>
        const DETECT: fn(&#krate::Change) -> bool = #detect;
    };
    let jobs = event.jobs.as_ref().map(|jobs| {
        quote_spanned! {place_of(jobs)=>
            const JOBS: fn(&#krate::Change) -> ::std::vec::Vec<#krate::Job> = #jobs;
        }
    });
    quote!(#detect #jobs)
}

/// The place of the user's function, with the attribute's own view of names, as lints expect of generated code.
fn place_of(function: &Ident) -> Span {
    Span::call_site().located_at(function.span())
}
