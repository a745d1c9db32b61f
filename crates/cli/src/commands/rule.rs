//! How is a rule, as it is read from the source of an event, put into words?

use event_detector::{Clause, Condition, Plan};

/// The clauses that all have to hold, in the order in which they are asked.
pub(super) fn conjuncts(plan: &Plan) -> Vec<&Clause> {
    let mut found = Vec::new();
    collect(plan.root(), &mut found);
    found
}

fn collect<'p>(clause: &'p Clause, found: &mut Vec<&'p Clause>) {
    match clause.condition() {
        Condition::All { clauses } => clauses.iter().for_each(|clause| collect(clause, found)),
        _ => found.push(clause),
    }
}

/// The texts of the clauses that all have to hold.
pub(super) fn texts(plan: &Plan) -> Vec<String> {
    conjuncts(plan).into_iter().map(|clause| clause.words().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use event_detector::{Clause, Comparison, Condition, Constant, Plan, Side};

    use super::texts;

    #[test]
    fn a_rule_without_source_is_written_as_one_would_write_it() {
        let leaf = |condition| Clause::new(condition);
        let changed = |path: &'static str| leaf(Condition::Changed { path: path.into() });
        let literal = Constant::Int(3);
        let more = Condition::Compare { side: Side::After, path: "n".into(), comparison: Comparison::Greater, literal };
        let plan = Plan::new(leaf(Condition::All {
            clauses: vec![
                leaf(Condition::Collection { name: "moves".into() }),
                leaf(Condition::All { clauses: vec![changed("a"), leaf(more)] }),
                leaf(Condition::Not { clause: Box::new(leaf(Condition::Any { clauses: vec![changed("b"), changed("c")] })) }),
            ],
        }));

        let expected = [
            r#"collection() == "moves""#,
            r#"column_changed("a")"#,
            r#"after("n") > 3"#,
            r#"!(column_changed("b") || column_changed("c"))"#,
        ];
        assert_eq!(texts(&plan), expected);
    }
}
