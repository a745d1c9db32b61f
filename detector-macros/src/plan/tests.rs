//! What do the plans of bodies look like? Parsed from text, so that tokens stand where they are written.

use std::str::FromStr;

use proc_macro2::TokenStream;
use quote::quote;

use crate::event::expand_event;

/// The functions that the expansion adds to a module with this `detect`.
fn plan_of(detect: &str) -> String {
    plan_in("", detect, "")
}

fn plan_in(attributes: &str, detect: &str, after: &str) -> String {
    let source = format!("{attributes} mod m {{\n{detect}\n{after}}}");
    let item = TokenStream::from_str(&source).unwrap();
    let expansion = expand_event(quote!("a.b", crate = crate), item);
    let file: syn::File = syn::parse2(expansion).unwrap();
    let text = prettyplease::unparse(&file);
    let start = text.find("    const _: () = {").expect("a plan");
    let end = text.find("        const _: () = {").expect("a registration");
    let lines = text[start..end].lines().skip(1).map(|line| line.strip_prefix("        ").unwrap_or(line));
    let mut kept: Vec<&str> = Vec::new();
    let mut in_allow = false;
    for line in lines {
        in_allow |= line.starts_with("#[allow(");
        if !in_allow {
            kept.push(line);
        }
        in_allow &= !line.starts_with(")]");
    }
    kept.join("\n")
}

/// The same, of a body.
fn body(body: &str) -> String {
    plan_of(&format!("fn detect(change: &Change) -> bool {{\n{body}\n}}"))
}

#[test]
fn a_conjunction() {
    insta::assert_snapshot!(body(
        "change.collection() == \"moves\"
            && change.is_update()
            && !change.column_changed(\"status\")
            && (change.after(\"n\") >= -1 || change.before(\"n\") != 0.5f32)"
    ));
}
