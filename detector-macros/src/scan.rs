//! What does a function's source mention? Read from tokens, so that closures and macro calls are read as well.

use proc_macro2::{Delimiter, Group, Ident, Literal, Spacing, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::{LitStr, Type};

use crate::types::text;

/// The functions that `body` calls by name and the names it gives to jobs, in the order of the source, each once.
pub(crate) fn calls(body: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    collect_calls(body, &mut found);
    found
}

fn collect_calls(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let mut inside = Some(group.stream());
        if group.delimiter() == Delimiter::Parenthesis
            && let Some(callee) = callee(&tokens[..at])
        {
            match callee {
                Callee::Function(name) => note(name, found),
                Callee::NewJob => {
                    if let Some(name) = first_string(group) {
                        note(name.value(), found);
                    }
                    // What the work itself calls is no job.
                    inside = None;
                }
                Callee::Named => {
                    if let Some(name) = first_string(group) {
                        note(name.value(), found);
                    }
                }
            }
        }
        if let Some(inside) = inside {
            collect_calls(inside, found);
        }
    }
}

fn note(name: String, found: &mut Vec<String>) {
    if !found.contains(&name) {
        found.push(name);
    }
}

enum Callee {
    /// A function, by the last segment of its path.
    Function(String),
    /// `Job::new`.
    NewJob,
    /// `.named`.
    Named,
}

/// What the parentheses after `before` call.
fn callee(before: &[TokenTree]) -> Option<Callee> {
    let before = without_turbofish(before);
    let (TokenTree::Ident(last), before) = before.split_last()? else { return None };
    let raw = last.to_string();
    let last = last.unraw().to_string();
    if is_punct(before.last(), '.') {
        return (last == "named").then_some(Callee::Named);
    }
    let owner = match before {
        [.., TokenTree::Ident(owner), TokenTree::Punct(one), TokenTree::Punct(two)]
            if one.as_char() == ':' && two.as_char() == ':' =>
        {
            Some(owner.to_string())
        }
        _ => None,
    };
    if owner.as_deref() == Some("Job") && last == "new" {
        return Some(Callee::NewJob);
    }
    let declared = matches!(before.last(), Some(TokenTree::Ident(word)) if word == "fn");
    let constructor = is_capitalised(&last) || owner.as_deref().is_some_and(is_capitalised);
    (!declared && !constructor && !is_keyword(&raw)).then_some(Callee::Function(last))
}

/// `before` without a `::<...>` at its end.
fn without_turbofish(before: &[TokenTree]) -> &[TokenTree] {
    if !is_punct(before.last(), '>') {
        return before;
    }
    let mut depth = 0_usize;
    for (at, token) in before.iter().enumerate().rev() {
        match token {
            // The arrow of a function type opens and closes nothing.
            TokenTree::Punct(mark) if mark.as_char() == '>' && !is_arrow(before, at) => depth += 1,
            TokenTree::Punct(mark) if mark.as_char() == '<' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            let path = &before[..at];
            return match path {
                [function @ .., TokenTree::Punct(one), TokenTree::Punct(two)] if one.as_char() == ':' && two.as_char() == ':' => {
                    function
                }
                _ => before,
            };
        }
    }
    before
}

fn is_arrow(tokens: &[TokenTree], at: usize) -> bool {
    at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(mark) if mark.as_char() == '-' && mark.spacing() == Spacing::Joint)
}

fn is_punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn is_capitalised(name: &str) -> bool {
    name.starts_with(|first: char| first.is_uppercase())
}

/// Words that may stand before parentheses without calling anything.
fn is_keyword(word: &str) -> bool {
    const WORDS: [&str; 18] = [
        "as", "async", "await", "break", "dyn", "else", "for", "if", "impl", "in", "let", "loop", "match", "move", "mut", "ref",
        "return", "while",
    ];
    WORDS.contains(&word)
}

/// The types of every `.state::<T>()` in `body`, each once.
///
/// Nothing where the body declares or imports names of its own: outside the body the same path may mean something else.
pub(crate) fn state_types(body: TokenStream) -> Vec<Type> {
    let mut found = Vec::new();
    if declares_names(body.clone()) {
        return found;
    }
    collect_state_types(body, &mut found);
    found
}

fn collect_state_types(tokens: TokenStream, found: &mut Vec<Type>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            if group.delimiter() == Delimiter::Parenthesis
                && group.stream().is_empty()
                && let Some(ty) = state_type(&tokens[..at])
                && !found.iter().any(|known| text(known) == text(&ty))
            {
                found.push(ty);
            }
            collect_state_types(group.stream(), found);
        }
    }
}

fn state_type(before: &[TokenTree]) -> Option<Type> {
    let path = without_turbofish(before);
    let [.., TokenTree::Punct(dot), TokenTree::Ident(method)] = path else { return None };
    // `::`, `<`, the type, `>`.
    let inside = before[path.len()..].get(3..)?.split_last()?.1;
    if dot.as_char() != '.' || method != "state" || inside.iter().any(is_bound_to_the_body) {
        return None;
    }
    syn::parse2(inside.iter().cloned().collect()).ok()
}

/// Whether a token of a type means something only where it stands.
fn is_bound_to_the_body(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => word == "_" || word == "Self" || word == "impl",
        TokenTree::Punct(mark) => mark.as_char() == '\'',
        TokenTree::Group(group) => group.stream().into_iter().any(|token| is_bound_to_the_body(&token)),
        TokenTree::Literal(_) => false,
    }
}

fn declares_names(tokens: TokenStream) -> bool {
    const DECLARE: [&str; 8] = ["enum", "extern", "macro_rules", "mod", "struct", "trait", "type", "use"];
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => DECLARE.iter().any(|declare| word == declare),
        TokenTree::Group(group) => declares_names(group.stream()),
        _ => false,
    })
}

/// Every string literal that is the one argument of a method `name`, with the word right before the dot.
pub(crate) fn string_arguments(tokens: TokenStream, name: &str, found: &mut Vec<(Option<Ident>, LitStr)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if let [before @ .., TokenTree::Punct(dot), TokenTree::Ident(method)] = &tokens[..at]
            && group.delimiter() == Delimiter::Parenthesis
            && dot.as_char() == '.'
            && method == name
            && let Some(literal) = first_string(group)
        {
            let receiver = match before.last() {
                Some(TokenTree::Ident(word)) => Some(word.clone()),
                _ => None,
            };
            found.push((receiver, literal));
        }
        string_arguments(group.stream(), name, found);
    }
}

/// The string literal that is a group's whole first argument.
fn first_string(group: &Group) -> Option<LitStr> {
    let mut tokens = group.stream().into_iter();
    let (Some(TokenTree::Literal(literal)), next) = (tokens.next(), tokens.next()) else { return None };
    let alone = next.is_none() || is_punct(next.as_ref(), ',');
    alone.then(|| string(literal)).flatten()
}

fn string(literal: Literal) -> Option<LitStr> {
    match syn::Lit::new(literal) {
        syn::Lit::Str(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::{calls, state_types};

    #[test]
    fn calls_are_listed_in_order_and_once() {
        let body = quote! {
            let id = change.after("id").as_i64();
            if (id.is_none()) { return Vec::new(); }
            vec![publish(change.user(), Some(id)), jobs::rerun::<Fn(u8) -> Vec<u8>>(id).named("Second run"), publish(None), r#move(String::from("x"))]
        };

        assert_eq!(calls(body), ["publish", "rerun", "Second run", "move"]);
    }

    #[test]
    fn a_job_from_a_closure_counts_by_its_name_and_not_by_its_work() {
        let body = quote! { vec![Job::new("hello", async move |cx| greet(cx).await), event_detector::Job::new(name, work)] };

        assert_eq!(calls(body), ["hello"]);
    }

    #[test]
    fn declared_functions_and_macros_are_no_calls() {
        let body = quote! { fn helper(x: u8) {} println!("x"); assert!(a < b, c > (d)); };

        assert_eq!(calls(body), Vec::<String>::new());
    }

    #[test]
    fn state_is_found_in_closures_and_macros() {
        let body = quote! {
            let pool = cx.state::<Pool>()?;
            let (a, b) = join!(f(cx.state::<Arc<Mutex<u8>>>()?), async { cx.clone().state::<Pool>()? });
            let maybe = cx.try_state::<Other>();
        };

        let found: Vec<_> = state_types(body).iter().map(|ty| ty.to_token_stream().to_string().replace(' ', "")).collect();

        assert_eq!(found, ["Pool", "Arc<Mutex<u8>>"]);
    }

    #[test]
    fn state_of_a_type_that_only_the_body_knows_is_left_out() {
        assert!(state_types(quote! { use sql::Pool; cx.state::<Pool>()?; }).is_empty());
        assert!(state_types(quote! { let p: &Pool = cx.state::<_>()?; cx.state()?; cx.state::<Vec<Self>>()?; }).is_empty());
    }
}
