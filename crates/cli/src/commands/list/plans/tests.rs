use event_detector::__private::At;
use event_detector::{Clause, Constant, Operation, Plan};
use insta::assert_snapshot;

use super::{opaque, rule, understood};
use crate::console::Look;

fn orders() -> Clause {
    At("change.collection() == \"orders\"", 14).collection(Some(Constant::Text("orders".into())))
}

fn inserted() -> Clause {
    At("change.is_insert()", 15).operation(|operation| operation == Operation::Insert)
}

fn items() -> Clause {
    At("change.column_changed(\"items\")", 15).changed(Some(Constant::Text("items".into())))
}

fn query() -> Clause {
    At("!change.query(\"$.after.items[?@.qty > @.stock]\").is_empty()", 16)
        .not(At("change.query(\"$.after.items[?@.qty > @.stock]\").is_empty()", 16).opaque("a JSONPath is not looked into"))
}

fn all(clauses: Vec<Clause>) -> Plan {
    Plan::new(At("", 14).all(clauses))
}

fn shown(plan: Option<&Plan>) -> String {
    let mut text = String::new();
    rule(&mut text, plan, Look::Plain);
    text
}

#[test]
fn a_rule_is_a_tree_with_what_is_opaque_and_why() {
    let not = At("!(…)", 17).not(At("…", 17).all(vec![inserted(), items()]));
    let plan = all(vec![orders(), At("…", 15).any(vec![inserted(), items()]), query(), not]);

    assert_snapshot!(shown(Some(&plan)), @r#"
    asked about: insert or update of orders
    rule: all of
       change.collection() == "orders"                                   line 14
       one of
          change.is_insert()                                             line 15
          change.column_changed("items")                                 line 15
       !change.query("$.after.items[?@.qty > @.stock]").is_empty()       line 16
          opaque: a JSONPath is not looked into
       not
          all of
             change.is_insert()                                          line 15
             change.column_changed("items")                              line 15
    "#);
    assert_eq!(understood(Some(&plan)), "partial");
    assert_eq!(opaque(Some(&plan)).unwrap(), "1 clause of its rule is opaque: `list --plans` shows it");
}

#[test]
fn an_event_that_nothing_is_left_out_of_says_so() {
    assert_snapshot!(shown(None), @r#"
    asked about: every change
    rule: opaque (its `detect` is not read, or was opted out of with `plan = "opaque"`)
    "#);
    assert_snapshot!(shown(Some(&Plan::new(query()))), @r#"
    asked about: every change
    rule:
       !change.query("$.after.items[?@.qty > @.stock]").is_empty()       line 16
          opaque: a JSONPath is not looked into
    "#);
    assert_snapshot!(shown(Some(&all(Vec::new()))), @r"
    asked about: every change
    rule: it always happens
    ");
    assert_eq!(understood(None), "opaque");
    assert_eq!(opaque(None).unwrap(), "opaque: its rule is not known, so it is asked about every change");
}

#[test]
fn a_rule_that_is_understood_wholly_needs_no_remark() {
    let plan = Plan::new(orders());

    assert_snapshot!(shown(Some(&plan)), @r#"
    asked about: any operation of orders
    rule:
       change.collection() == "orders"                                   line 14
    "#);
    assert_eq!((understood(Some(&plan)), opaque(Some(&plan))), ("exact", None));
}
