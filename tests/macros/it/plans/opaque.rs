//! Bodies that are understood in part, or not at all; what is not must never rule a change out.

use event_detector::{Change, Operation, Value};

use super::{plan, tree};

const MOVES: &str = "moves";

/// A name with a comparison of its own: the opposite of what it looks like.
struct Unlike(&'static str);
const UNLIKE: Unlike = Unlike("done");

impl PartialEq<Unlike> for Value<'_> {
    fn eq(&self, other: &Unlike) -> bool {
        *self != other.0
    }
}

impl From<Unlike> for event_detector::Literal<'_> {
    fn from(_: Unlike) -> Self {
        "new".into()
    }
}

fn over_three(n: i64) -> bool {
    n > 3
}

fn is_large(change: &Change) -> bool {
    change.after("n") > 100
}

/// Declares an event of each body, beside the tree that its plan is to be.
macro_rules! bodies {
    ($($module:ident $name:literal: |$change:ident| $body:tt => $tree:literal;)*) => {
        const TREES: &[(&str, &str)] = &[$(($name, $tree)),*];
        $(
            #[event_detector::event($name)]
            mod $module {
                #[allow(unused_imports)]
                use super::*;
                #[allow(clippy::all, unused, non_snake_case)]
                fn detect($change: &Change) -> bool $body
            }
        )*
    };
}

bodies! {
    one_clause "opaque.one_clause": |change| {
        change.collection() == "moves" && (is_large(change) || change.column_changed("n")) && change.is_update()
    } => "all(collection moves, any(?`is_large(change)`, changed n), op(update))";

    exclusive "opaque.exclusive": |change| {
        change.collection() == "moves" && change.is_insert() ^ (change.after("n") == 1)
    } => "all(collection moves, ?`change.is_insert() ^ (change.after(\"n\") == 1)`)";

    a_query "opaque.a_query": |change| {
        change.is_insert() && !change.query("$.after[?@.n > 3]").is_empty()
    } => "all(op(insert), ?`!change.query(\"$.after[?@.n > 3]\").is_empty()`)";

    depends "opaque.depends": |change| {
        let n = change.after("n").as_i64();
        change.collection() == "moves" && n.is_some() && n.unwrap() > 3
    } => "all(?`let n = change.after(\"n\").as_i64();`, collection moves, ?`n.is_some()`, ?`n.unwrap() > 3`)";

    inferred "opaque.inferred": |change| {
        if change.collection() != "moves" { return false; }
        let text = change.after("text").as_str().unwrap_or_default();
        let n = text.parse().unwrap_or(0);
        if over_three(n) { return true; }
        change.is_delete()
    } => "all(collection moves, ?`let text = change.after(\"text\").as_str().unwrap_or_default();`, ?`let n = text.parse().unwrap_or(0);`, any(?`over_three(n)`, op(delete)))";

    inferred_elsewhere "opaque.inferred_elsewhere": |change| {
        let n = Default::default();
        match change.operation() {
            op => { let same: Operation = op; (same == Operation::Insert) & over_three(n) }
        }
    } => "all(??`let n = Default::default();`, op(14 of them), ??`let same: Operation = op;`, ??`(same == Operation::Insert) & over_three(n)`)";

    let_else "opaque.let_else": |change| {
        let Some(n) = change.after("n").as_i64() else { return false };
        n > 3 && change.collection() == "moves"
    } => "all(?`let Some(n) = change.after(\"n\").as_i64() else { return false };`, ?`n > 3`, collection moves)";

    let_else_true "opaque.let_else_true": |change| {
        if change.collection() != "moves" { return false; }
        let Some(n) = change.after("n").as_i64() else { return true };
        n > 3
    } => "all(collection moves, ?`let Some(n) = change.after(\"n\").as_i64() else { return true }; n > 3`)";

    pattern_condition "opaque.pattern_condition": |change| {
        change.collection() == "moves"
            && if let Some(n) = change.after("n").as_i64() && n > 3 { change.is_update() } else { change.is_insert() }
    } => "all(collection moves, ?`if let Some(n) = change.after(\"n\").as_i64() && n > 3 { change.is_update() } else { change.is_insert() }`)";

    a_loop "opaque.a_loop": |change| {
        if !change.is_update() { return false; }
        for column in ["status", "n"] {
            if change.column_changed(column) { return true; }
        }
        false
    } => "all(op(update), ?`for column in [\"status\", \"n\"] { if change.column_changed(column) { return true; } } false`)";

    assigned "opaque.assigned": |change| {
        let mut holds = change.is_update();
        if change.collection() == "moves" { holds = true; }
        holds
    } => "all(?`let mut holds = change.is_update();`, ?`if change.collection() == \"moves\" { holds = true; } holds`)";

    closures "opaque.closures": |change| {
        let any = |change: &Change| change.is_update();
        ["a", "b"].iter().any(|path| change.after(path) == "x") || (|change: &str| change.is_empty())("") || any(change)
    } => "all(?`let any = |change: &Change| change.is_update();`, any(?`[\"a\", \"b\"].iter().any(|path| change.after(path) == \"x\")`, ?`(|change: &str| change.is_empty())(\"\")`, ?`any(change)`))";

    shadowed_change "opaque.shadowed_change": |change| {
        if change.collection() == "users" { return false; }
        let other: Change = Change::update("orders").key(1).into();
        let change = &other;
        change.is_update()
    } => "all(not(collection users), ?`let other: Change = Change::update(\"orders\").key(1).into();`, ?`let change = &other; change.is_update()`)";

    shadowed_in_an_arm "opaque.shadowed_in_an_arm": |operation| {
        match operation.operation() {
            operation if operation == Operation::Insert => true,
            operation => operation.as_str() == "update",
        }
    } => "any(all(op(14 of them), ??`operation == Operation::Insert`), all(op(14 of them), not(all(op(14 of them), ??`operation == Operation::Insert`)), ??`operation.as_str() == \"update\"`))";

    shadowed_constant "opaque.shadowed_constant": |change| {
        change.collection() == "moves" && { let moves = "x"; change.after("status") != moves }
            && [1].iter().all(|_| { let limit @ 1..2 = 1 else { return true }; true })
            && change.after("n") != limits::LIMIT
    } => "all(collection moves, ??`let moves = \"x\";`, ??`change.after(\"status\") != moves`, ??`[1].iter().all(|_| { let limit @ 1..2 = 1 else { return true }; true })`, after n != 3)";

    shadowed_by_an_item "opaque.shadowed_by_an_item": |change| {
        change.is_update() && {
            let is_it = change.collection() == MOVES;
            const MOVES: &str = "orders";
            is_it
        }
    } => "all(op(update), ?`let is_it = change.collection() == MOVES; const MOVES: &str = \"orders\"; is_it`)";

    hidden_items "opaque.hidden_items": |change| {
        macros::declare!();
        change.collection() == MOVES
    } => "?`macros::declare!(); change.collection() == MOVES`";

    hidden_items_below "opaque.hidden_items_below": |change| {
        if change.collection() == MOVES { return true; }
        if change.is_insert() { return true; }
        macros::declare!();
        false
    } => "any(?`change.collection() == MOVES`, op(insert), ?`macros::declare!(); false`)";

    type_in_the_body "opaque.type_in_the_body": |change| {
        struct MOVES;
        impl PartialEq<MOVES> for Value<'_> { fn eq(&self, _: &MOVES) -> bool { true } }
        change.after("status") == MOVES
    } => "?`struct MOVES; impl PartialEq<MOVES> for Value<'_> { fn eq(&self, _: &MOVES) -> bool { true } } change.after(\"status\") == MOVES`";

    shadowed_by_an_import "opaque.shadowed_by_an_import": |change| {
        use limits::*;
        change.is_update() || Change::is_insert(&here()) == (LIMIT == 3)
    } => "?`use limits::*; change.is_update() || Change::is_insert(&here()) == (LIMIT == 3)`";

    foreign_type "opaque.foreign_type": |change| {
        change.collection() == "moves" && change.after("status") == UNLIKE && !change.became("status", UNLIKE)
    } => "all(collection moves, ?`change.after(\"status\") == UNLIKE`, not(?`change.became(\"status\", UNLIKE)`))";

    own_macro "opaque.own_macro": |change| {
        use macros::opposite as matches;
        matches!(change.operation(), Operation::Insert) && !matches!(change.collection(), "moves" | "users")
    } => "all(op(13 of them), not(?`matches!(change.collection(), \"moves\" | \"users\")`))";

    pattern_by_a_macro "opaque.pattern_by_a_macro": |change| {
        use macros::Says as _;
        match change.operation() { macros::named!(change) => !change.is_update() }
    } => "?`match change.operation() { macros::named!(change) => !change.is_update() }`";

    shadowed_by_a_variant "opaque.shadowed_by_a_variant": |change| {
        use limits::Names::*;
        change.is_update()
    } => "?`use limits::Names::*; change.is_update()`";

    macro_of_wildcards "opaque.macro_of_wildcards": |change| {
        use macros::like as matches;
        matches!(change.collection(), "m.ves")
    } => "?`matches!(change.collection(), \"m.ves\")`";

    labelled "opaque.labelled": |change| {
        change.is_update() && 'a: { if change.after("n") == 1 { break 'a false; } true }
    } => "all(op(update), ?`'a: { if change.after(\"n\") == 1 { break 'a false; } true }`)";

    leaves_within "opaque.leaves_within": |change| {
        !(change.is_update() && { if change.after("n") == 1 { return true; } change.after("n") == 2 })
    } => "not(all(op(update), ??`if change.after(\"n\") == 1 { return true; } change.after(\"n\") == 2`))";

    conditional "opaque.conditional": |change| {
        if change.is_delete() { return true; }
        #[cfg(any())]
        return false;
        change.is_update()
    } => "any(op(delete), ?`#[cfg(any())] return false; change.is_update()`)";

    field_on_the_right "opaque.field_on_the_right": |change| {
        "moves" == change.collection() && change.before("n") == change.after("n")
    } => "all(?`\"moves\" == change.collection()`, ?`change.before(\"n\") == change.after(\"n\")`)";

    methods_of_everything "opaque.methods_of_everything": |change| {
        use macros::Everywhere as _;
        change.after("n") == limits::LIMIT && change.constant()
    } => "all(after n == 3, ?`change.constant()`)";

    trait_methods "opaque.trait_methods": |change| {
        use macros::Says as _;
        change.after("status").exists() && change.after("status").is_null() == false && change.says(false)
    } => "all(after status exists, ?`change.after(\"status\").is_null() == false`, ?`change.says(false)`)";
}

#[allow(non_upper_case_globals)]
mod limits {
    pub(super) static change: std::sync::LazyLock<super::Change> =
        std::sync::LazyLock::new(|| super::Change::update("orders").key(1).into());

    pub(super) fn here() -> super::Change {
        super::Change::insert("orders").key(1).into()
    }

    pub(super) const LIMIT: i64 = 3;

    #[allow(non_camel_case_types, dead_code)]
    #[derive(Clone, Copy)]
    pub(super) enum Names {
        change,
    }

    impl Names {
        pub(super) fn is_update(self) -> bool {
            true
        }
    }
}

mod macros {
    use event_detector::{Change, Value};

    macro_rules! declare {
        () => {
            const MOVES: &str = "orders";
        };
    }
    macro_rules! opposite {
        ($value:expr, $pattern:pat) => {
            !std::matches!($value, $pattern)
        };
    }
    macro_rules! named {
        ($name:ident) => {
            $name
        };
    }
    /// In which a dot is any character.
    macro_rules! like {
        ($value:expr, $pattern:literal) => {
            $value.len() == $pattern.len()
                && $value.chars().zip($pattern.chars()).all(|(one, other)| other == '.' || one == other)
        };
    }
    pub(super) use {declare, like, named, opposite};

    /// Methods of the names that plans know, which come before none of ours.
    #[allow(dead_code)]
    pub(super) trait Says {
        fn says(&self, what: bool) -> bool {
            what
        }
        fn exists(self) -> bool
        where
            Self: Sized,
        {
            false
        }
        fn is_update(&self) -> bool {
            false
        }
    }
    impl Says for Change {}
    impl Says for Value<'_> {}
    impl Says for event_detector::Operation {}

    /// Methods of names that the expansion might use itself.
    #[allow(dead_code)]
    pub(super) trait Everywhere {
        fn constant(&self) -> bool {
            true
        }
        fn asked(&self) -> bool {
            true
        }
    }
    impl<T> Everywhere for T {}
}

#[event_detector::event("opaque.mutable_parameter")]
mod mutable_parameter {
    use super::*;

    #[allow(unused_assignments, unused_mut)]
    fn detect(mut change: &Change) -> bool {
        static OTHER: std::sync::LazyLock<Change> = std::sync::LazyLock::new(|| Change::update("orders").key(1).into());
        if change.is_update() {
            change = &OTHER;
        }
        change.collection() == "orders"
    }
}

#[event_detector::event("opaque.two_functions")]
mod two_functions {
    use super::*;

    #[cfg(any())]
    fn detect(change: &Change) -> bool {
        change.is_insert()
    }

    #[cfg(not(any()))]
    fn detect(change: &Change) -> bool {
        change.is_update()
    }
}

#[event_detector::event("opaque.macro_below")]
mod macro_below {
    use super::*;

    fn detect(change: &Change) -> bool {
        matches!(change.operation(), Operation::Insert)
    }

    #[allow(unused_macros)]
    macro_rules! matches {
        ($($any:tt)*) => {
            false
        };
    }
}

#[event_detector::event("opaque.by_choice", plan = "opaque")]
mod by_choice {
    use super::*;

    fn detect(change: &Change) -> bool {
        change.collection() == MOVES
    }
}

#[event_detector::event("opaque.alias")]
mod alias {
    use super::{Change as Update, Operation as Change, Value};

    fn detect<'a>(event: &'a Update) -> bool {
        let value: Value<'a> = event.after("n").get("x");
        event.operation() == Change::Update || value.exists()
    }
}

#[test]
fn what_is_not_understood_is_opaque_by_itself() {
    let trees: Vec<_> = TREES.iter().map(|(event, _)| (*event, tree(plan(event).root()))).collect();
    let expected: Vec<_> = TREES.iter().map(|(event, tree)| (*event, (*tree).to_owned())).collect();

    assert_eq!(trees, expected);
    assert!(TREES.iter().all(|(event, _)| !plan(event).is_exact()));
}

#[test]
fn what_may_not_be_the_code_in_the_end_is_opaque_as_a_whole() {
    for event in ["opaque.mutable_parameter", "opaque.two_functions", "opaque.macro_below"] {
        assert!(tree(plan(event).root()).starts_with("?`"), "{event}");
    }
    // Under another name the change is read as well, but nothing is asked on its own.
    assert_eq!(
        tree(plan("opaque.alias").root()),
        "all(??`let value: Value<'a> = event.after(\"n\").get(\"x\");`, any(op(update), ??`value.exists()`))"
    );
}

#[test]
fn an_event_may_have_no_plan() {
    let registry = event_detector::Registry::from_linked().unwrap();

    assert!(registry.get("opaque.by_choice").unwrap().plan().is_none());
}

#[test]
fn an_opaque_clause_is_asked_on_its_own() {
    let change = |text: &str| Change::update("moves").after(serde_json::json!({ "text": text, "n": 4 })).into();
    let holds = |event: &str, clause: usize, change: &Change| {
        let plan = plan(event);
        let clause = plan.root().opaque().nth(clause).unwrap().clone();
        event_detector::Plan::new(clause).evaluate(change)
    };
    use event_detector::Verdict::{Detected, Failed, No};

    assert_eq!(holds("opaque.inferred", 2, &change("5")), Detected);
    assert_eq!(holds("opaque.inferred", 2, &change("1")), No);
    assert_eq!(holds("opaque.depends", 2, &change("")), Detected);
    assert!(matches!(holds("opaque.depends", 2, &Change::insert("moves").after(serde_json::json!({})).into()), Failed(_)));
    assert_eq!(
        holds("opaque.a_loop", 0, &change("")),
        event_detector::Registry::from_linked().unwrap().get("opaque.a_loop").unwrap().evaluate(&change(""))
    );
    assert_eq!(holds("opaque.two_functions", 0, &change("")), Detected);
    assert_eq!(holds("opaque.let_else_true", 0, &change("")), Detected);
}
