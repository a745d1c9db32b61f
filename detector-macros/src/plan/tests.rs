//! What do the plans of bodies look like? Parsed from text, so that tokens stand where they are written.

use std::str::FromStr;

use proc_macro2::TokenStream;
use quote::quote;

use crate::event::expand_event;

/// The functions (without the path of what expansions name) that the expansion adds to a module with this `detect`.
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
    lines.collect::<Vec<_>>().join("\n").replace("crate::__private::", "").replace("crate ::__private::", "")
}

/// The same, of a body.
fn body(body: &str) -> String {
    plan_of(&format!("fn detect(change: &Change) -> bool {{\n{body}\n}}"))
}

#[test]
fn a_conjunction() {
    insta::assert_snapshot!(body(
        r#"change.collection() == "moves"
            && change.is_update()
            && !change.column_changed("status")
            && (change.after("n") >= -1 || change.before("n") != 0.5f32)"#
    ));
}

#[test]
fn reads_of_a_field() {
    insta::assert_snapshot!(body(
        r#"change.after("a").exists()
            && change.before("a").is_missing()
            && change.after("b").is_null()
            && change.after("c").is_in(["x", "y"])
            && change.changed_from_to("d", 1, 2)"#
    ));
}

#[test]
fn constants_that_may_be_of_any_type() {
    insta::assert_snapshot!(body(
        r#"const PATH: &str = "status";
        change.database() != names::APP && change.became(PATH, DONE) && change.after(PATH).is_in(OPEN)"#
    ));
}

#[test]
fn operations_are_found_by_asking() {
    insta::assert_snapshot!(body(
        r#"change.operation() != Operation::Insert
            && std::matches!(change.operation(), Operation::Update | Gone)
            && matches!(change.collection(), "a" | "b")"#
    ));
}

#[test]
fn a_match_of_the_operation() {
    insta::assert_snapshot!(body(
        r#"match change.operation() {
            Operation::Insert if change.collection() == "a" => change.after("n") == 1,
            Operation::Insert | Operation::Update => true,
            other => is_odd(other),
        }"#
    ));
}

#[test]
fn guards_and_choices() {
    insta::assert_snapshot!(body(
        r#"if !change.is_update() { return false; }
        if change.collection() == "a" { return true; }
        if change.collection() == "b" { change.after("n") == 1 } else { change.after("n") == 2 }"#
    ));
}

#[test]
fn names_for_reads_and_for_clauses() {
    insta::assert_snapshot!(body(
        r#"let status = change.after("status");
        let changed = change.column_changed("status");
        status == "done" && changed"#
    ));
}

#[test]
fn opaque_clauses_are_asked_in_a_copy_of_the_body() {
    insta::assert_snapshot!(body(
        r#"if change.collection() != "a" { return false; }
        let n = change.after("n").as_i64();
        if n == Some(0) { return true; }
        n.is_some() && change.is_insert() ^ (n.unwrap() > 3) || list().iter().any(|c| *c == 1)"#
    ));
}

#[test]
fn the_rest_of_a_body_is_one_clause() {
    insta::assert_snapshot!(body(
        r#"if !change.is_update() { return false; }
        for path in PATHS { if change.column_changed(path) { return true; } }
        false"#
    ));
}

#[test]
fn a_body_that_is_not_understood_is_asked_as_a_whole() {
    insta::assert_snapshot!(plan_of("fn detect(mut change: &Change) -> bool { change.is_update() }"));
}

/// The start of the reason for which all of a module's `detect` is opaque.
fn reason(attributes: &str, detect: &str, after: &str) -> String {
    let plan = plan_in(attributes, detect, after);
    let (_, reason) = plan.split_once(".opaque(").unwrap_or_else(|| panic!("{plan}"));
    reason.split('"').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn what_may_be_rewritten_is_opaque() {
    const DETECT: &str = "fn detect(change: &Change) -> bool { matches!(change.operation(), Operation::Insert) }";
    let with = |attribute: &str| format!("{attribute} {DETECT}");

    for (attributes, detect, after, expected) in [
        ("#[rewrites]", DETECT.to_owned(), "", "an attribute of the module may rewrite it"),
        ("#[cfg_attr(test, rewrites)]", DETECT.to_owned(), "", "an attribute of the module may rewrite it"),
        ("", with("#[rewrites]"), "", "an attribute may rewrite it"),
        ("", with("#[cfg(test)]"), "", "an attribute may rewrite it"),
        ("", DETECT.to_owned(), DETECT, "there are several of it"),
        ("", with("const"), "", "its signature is unusual"),
        ("", DETECT.to_owned(), "macro_rules! matches { () => {} }", "a macro that is declared below it may be of the same name"),
        ("", "fn detect(Change { .. }: &Change) -> bool { true }".to_owned(), "", "the change has no plain name"),
        ("", "fn detect(c: &Change) -> bool { struct S; c.is_insert() }".to_owned(), "", "it declares an item"),
    ] {
        let reason = reason(attributes, &detect, after);

        assert!(reason.starts_with(expected), "{detect}: {reason}");
    }
}

#[test]
fn attributes_that_only_the_compiler_and_tools_read_are_no_hindrance() {
    let plan = plan_in(
        "/// Doc.\n#[cfg(test)] #[allow(unused)]",
        "#[inline] #[must_use] #[rustfmt::skip] #[expect(clippy::x)] fn detect(c: &Change) -> bool { c.is_insert() }",
        "",
    );

    assert!(!plan.contains("opaque"), "{plan}");
}

#[test]
fn each_opaque_clause_says_why() {
    for (clause, why) in [
        ("is_odd(change)", "it calls the function `is_odd`"),
        ("assert_it!(change)", "it calls the macro `assert_it!`"),
        ("change.is_insert() ^ true", "plans do not know the operator `^` of truth values"),
        (r#"!change.query("$.a").is_empty()"#, "`query` is read in a way that only the code itself can follow"),
        ("local", "`local` is a value that only the code itself knows"),
        ("change.after(path) == 1", "it is no comparison of a field on the left with a literal or a constant on the right"),
        ("if let Some(_) = x { true } else { false }", "it is an `if` with a pattern, or one without an `else`"),
        ("match x { _ => true }", "it is a `match` of something else than the operation"),
    ] {
        let plan = body(&format!("let path = x(); let local = x(); change.is_update() && {clause}"));

        assert!(plan.contains(&format!("{why:?}")), "{clause}: {plan}");
    }
}

#[test]
fn a_body_that_states_too_much_is_opaque_without_being_stated_first() {
    // Each level doubles the condition below it.
    let nested = (0..40).fold("change.is_insert()".to_owned(), |condition, _| {
        format!("if {condition} {{ change.is_update() }} else {{ change.is_delete() }}")
    });
    let long = vec!["change.is_insert()"; 600].join(" || ");

    for source in [nested, long] {
        assert!(body(&source).contains("it states more than a plan can hold"));
    }
}
