//! What stands in the parentheses of `#[event(...)]` and `#[job(...)]`?

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitStr, Meta, Token};

use crate::mistakes::{Mistakes, did_you_mean, nearest};
use crate::{duration, name};

const EVENT_ARGUMENTS: [&str; 4] = ["on_undecided", "ordered", "plan", "crate"];
const JOB_ARGUMENTS: [&str; 5] = ["timeout", "retries", "effect", "skip", "crate"];

/// The arguments of `#[event]`.
pub(crate) struct EventArgs {
    pub(crate) name: String,
    /// The variant of `OnUndecided` that was asked for.
    pub(crate) on_undecided: Option<Ident>,
    pub(crate) ordered: bool,
    /// Whether the body of `detect` is read into a plan.
    pub(crate) plan: bool,
    pub(crate) krate: TokenStream,
}

/// The arguments of `#[job]`.
pub(crate) struct JobArgs {
    pub(crate) timeout_millis: Option<u64>,
    pub(crate) retries: Option<u32>,
    /// The variant of `Effect` that was asked for.
    pub(crate) effect: Option<Ident>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) krate: TokenStream,
}

impl EventArgs {
    /// Reads as much as is right and notes the rest.
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self { name: String::new(), on_undecided: None, ordered: false, plan: true, krate: default_crate() };
        if let Some(mistake) = missing_name(tokens.clone()) {
            mistakes.push(mistake);
            return args;
        }
        let parse = |input: ParseStream<'_>| -> syn::Result<(LitStr, Punctuated<Meta, Token![,]>)> {
            let name = input.parse()?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
            Ok((name, Punctuated::parse_terminated(input)?))
        };
        let (name, rest) = match parse.parse2(tokens) {
            Ok(parsed) => parsed,
            Err(error) => {
                let cure = "after the name come `ordered` and `key = value` pairs; write `#[event(\"move.pickup.successful\", on_undecided = \"fire\")]`";
                mistakes.at_span(error.span(), cure);
                return args;
            }
        };
        args.name = name.value();
        if let Err(message) = name::check(&args.name) {
            mistakes.at(name, message);
        }
        for_each_once(&rest, mistakes, |key, meta, mistakes| match key {
            "on_undecided" => args.on_undecided = on_undecided(meta, mistakes),
            "ordered" => args.ordered = ordered(meta, mistakes),
            "plan" => args.plan = plan(meta, mistakes),
            "crate" => args.krate = crate_path(meta, mistakes).unwrap_or_else(default_crate),
            "name" => mistakes.at(meta.path(), "the name is given twice; keep the string that comes first"),
            _ => unknown(meta, "event", "the name, then ", &EVENT_ARGUMENTS, mistakes),
        });
        args
    }
}

impl JobArgs {
    /// Reads as much as is right and notes the rest.
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self { timeout_millis: None, retries: None, effect: None, skip: Vec::new(), krate: default_crate() };
        let metas = match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens) {
            Ok(metas) => metas,
            Err(error) => {
                mistakes.at_span(
                    error.span(),
                    "this is not an argument of `#[job]`; write `#[job(timeout = \"30s\", retries = 3, skip(token))]`",
                );
                return args;
            }
        };
        for_each_once(&metas, mistakes, |key, meta, mistakes| match key {
            "timeout" => args.timeout_millis = timeout(meta, mistakes),
            "retries" => args.retries = retries(meta, mistakes),
            "effect" => args.effect = effect(meta, mistakes),
            "skip" => args.skip = skip(meta, mistakes),
            "crate" => args.krate = crate_path(meta, mistakes).unwrap_or_else(default_crate),
            _ => unknown(meta, "job", "", &JOB_ARGUMENTS, mistakes),
        });
        args
    }
}

/// The mistake of arguments that do not begin with a string.
fn missing_name(tokens: TokenStream) -> Option<syn::Error> {
    let begins_with_string = |input: ParseStream<'_>| -> syn::Result<bool> {
        let begins = input.peek(LitStr);
        input.parse::<TokenStream>().map(|_| begins)
    };
    if begins_with_string.parse2(tokens.clone()).unwrap_or_default() {
        return None;
    }
    let before_comma = |token: &TokenTree| !matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
    let first: TokenStream = tokens.into_iter().take_while(before_comma).collect();
    if let Ok(Meta::NameValue(pair)) = syn::parse2::<Meta>(first.clone()) {
        let name = pair.value.to_token_stream();
        return Some(if pair.path.is_ident("name") && syn::parse2::<LitStr>(name.clone()).is_ok() {
            syn::Error::new_spanned(first, format!("the name comes first and has no key; write `#[event({name})]`"))
        } else {
            syn::Error::new_spanned(
                pair.path,
                "an event needs a name, which comes first; write `#[event(\"move.pickup.successful\", ...)]`",
            )
        });
    }
    let bare = first.to_string().replace(' ', "");
    Some(if name::check(&bare).is_ok() {
        syn::Error::new_spanned(first, format!("an event's name is a string; write `#[event(\"{bare}\")]`"))
    } else {
        syn::Error::new_spanned(first, "an event needs a name, which comes first; write `#[event(\"move.pickup.successful\")]`")
    })
}

fn default_crate() -> TokenStream {
    quote!(::event_detector)
}

fn for_each_once(metas: &Punctuated<Meta, Token![,]>, mistakes: &mut Mistakes, mut read: impl FnMut(&str, &Meta, &mut Mistakes)) {
    let mut seen = Vec::new();
    for meta in metas {
        let key = meta.path().get_ident().map(Ident::to_string).unwrap_or_default();
        if seen.contains(&key) {
            mistakes.at(meta.path(), format!("`{key}` is given twice; keep one of them"));
        } else {
            read(&key, meta, mistakes);
            seen.push(key);
        }
    }
}

fn unknown(meta: &Meta, attribute: &str, before: &str, known: &[&str], mistakes: &mut Mistakes) {
    let given = meta.path().to_token_stream().to_string().replace(' ', "");
    let list: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    let hint = did_you_mean(&given, known.iter().copied());
    mistakes.at(meta.path(), format!("`#[{attribute}]` has no argument `{given}`; it takes {before}{}{hint}", list.join(", ")));
}

fn on_undecided(meta: &Meta, mistakes: &mut Mistakes) -> Option<Ident> {
    const CHOICES: [&str; 2] = ["fire", "report"];
    let given = string(meta).map(LitStr::value);
    match given.as_deref() {
        Some("fire") => Some(Ident::new("Fire", Span::call_site())),
        Some("report") => Some(Ident::new("Report", Span::call_site())),
        given => {
            let near = given.and_then(|given| nearest(given, CHOICES)).unwrap_or("fire");
            mistakes.at(value(meta), format!("`on_undecided` is `\"fire\"` or `\"report\"`; write `on_undecided = \"{near}\"`"));
            None
        }
    }
}

fn ordered(meta: &Meta, mistakes: &mut Mistakes) -> bool {
    let is_alone = matches!(meta, Meta::Path(_));
    if !is_alone {
        let says_no = literal(meta).is_some_and(|literal| matches!(literal, Lit::Bool(no) if !no.value));
        let cure = if says_no { "leave it out" } else { "write `ordered`" };
        mistakes.at(value(meta), format!("`ordered` stands alone, and an event without it is not ordered; {cure}"));
    }
    is_alone
}

/// Whether there is to be a plan.
fn plan(meta: &Meta, mistakes: &mut Mistakes) -> bool {
    if string(meta).is_none_or(|given| given.value() != "opaque") {
        let cure = "write `plan = \"opaque\"`, or leave it out";
        mistakes.at(value(meta), format!("an event has the plan that its `detect` states, or none; {cure}"));
    }
    false
}

fn effect(meta: &Meta, mistakes: &mut Mistakes) -> Option<Ident> {
    const CHOICES: [(&str, &str); 3] = [("pure", "Pure"), ("idempotent", "Idempotent"), ("once", "Once")];
    let given = string(meta).map(LitStr::value);
    let choice = given.as_ref().and_then(|given| CHOICES.iter().find(|(name, _)| name == given));
    if let Some((_, variant)) = choice {
        return Some(Ident::new(variant, Span::call_site()));
    }
    let given = given.unwrap_or_else(|| value(meta).to_string());
    let near = nearest(&given.to_lowercase(), CHOICES.map(|(name, _)| name)).unwrap_or("once");
    mistakes.at(value(meta), format!("`effect` is `\"pure\"`, `\"idempotent\"` or `\"once\"`; write `effect = \"{near}\"`"));
    None
}

fn timeout(meta: &Meta, mistakes: &mut Mistakes) -> Option<u64> {
    if let Some(Lit::Int(number)) = literal(meta) {
        let (digits, suffix) = (number.base10_digits().trim_start_matches('-'), number.suffix());
        let unit = if duration::parse_millis(&format!("{digits}{suffix}")).is_ok() { suffix } else { "s" };
        mistakes.at(number, format!("a timeout is a string with its unit; write `timeout = \"{digits}{unit}\"`"));
        return None;
    }
    let Some(text) = string(meta) else {
        mistakes.at(value(meta), format!("`timeout` is {}", duration::FORM));
        return None;
    };
    match duration::parse_millis(&text.value()) {
        Ok(millis) => Some(millis),
        Err(message) => {
            mistakes.at(text, message);
            None
        }
    }
}

fn retries(meta: &Meta, mistakes: &mut Mistakes) -> Option<u32> {
    if let Some(Lit::Int(number)) = literal(meta)
        && let Ok(retries) = number.base10_parse()
    {
        return Some(retries);
    }
    let digits = string(meta).and_then(|text| text.value().trim().parse::<u32>().ok()).unwrap_or(3);
    mistakes.at(
        value(meta),
        format!("`retries` counts the attempts after the first, from 0 to {}; write `retries = {digits}`", u32::MAX),
    );
    None
}

fn skip(meta: &Meta, mistakes: &mut Mistakes) -> Vec<Ident> {
    let names = match meta {
        Meta::List(list) => list.parse_args_with(|input: ParseStream<'_>| {
            Punctuated::<Ident, Token![,]>::parse_terminated_with(input, Ident::parse_any)
        }),
        other => Err(syn::Error::new_spanned(other, "")),
    };
    match names {
        Ok(names) if !names.is_empty() => names.into_iter().collect(),
        _ => {
            let text = string(meta).map(LitStr::value).filter(|text| syn::parse_str::<Ident>(text).is_ok());
            let name = text.unwrap_or_else(|| "token".to_owned());
            mistakes.at(meta, format!("`skip` names the arguments to hide from reports; write `skip({name})`"));
            Vec::new()
        }
    }
}

fn crate_path(meta: &Meta, mistakes: &mut Mistakes) -> Option<TokenStream> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Path(path) = &pair.value
        && path.qself.is_none()
    {
        return Some(path.path.to_token_stream());
    }
    let path = string(meta).map_or_else(|| "::my_crate::event_detector".to_owned(), LitStr::value);
    mistakes.at(value(meta), format!("`crate` is the path of `event_detector`, without quotes; write `crate = {path}`"));
    None
}

fn literal(meta: &Meta) -> Option<&Lit> {
    match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit, .. }) => Some(lit),
            _ => None,
        },
        _ => None,
    }
}

fn string(meta: &Meta) -> Option<&LitStr> {
    match literal(meta) {
        Some(Lit::Str(text)) => Some(text),
        _ => None,
    }
}

/// What stands behind the `=`, or everything where there is none.
fn value(meta: &Meta) -> TokenStream {
    match meta {
        Meta::NameValue(pair) => pair.value.to_token_stream(),
        other => other.to_token_stream(),
    }
}

/// The names in `skip` that no parameter has.
pub(crate) fn check_skip(skip: &[Ident], parameters: &[Ident], mistakes: &mut Mistakes) {
    let known: Vec<String> = parameters.iter().map(|name| name.unraw().to_string()).collect();
    for name in skip {
        let given = name.unraw().to_string();
        if known.contains(&given) {
            continue;
        }
        let cure = match (nearest(&given, known.iter().map(String::as_str)), known.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "it has none besides its context".to_owned(),
            (None, known) => format!("it has {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        };
        mistakes.at(name, format!("the job has no argument `{given}` to skip; {cure}"));
    }
}
