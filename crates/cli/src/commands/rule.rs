//! How is a rule, as it is read from the source of an event, put into words?

use std::borrow::Cow;

use event_detector::{Clause, Condition, Plan, Side};

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
    conjuncts(plan).into_iter().map(|clause| words(clause).into_owned()).collect()
}

/// A clause as it is written in the source, else as one would write it.
pub(super) fn words(clause: &Clause) -> Cow<'_, str> {
    if !clause.text().is_empty() {
        return clause.text().into();
    }
    let joined = |clauses: &[Clause], by: &str| {
        let parts: Vec<_> = clauses.iter().map(|clause| grouped(clause)).collect();
        parts.join(by)
    };
    match clause.condition() {
        Condition::All { clauses } if clauses.is_empty() => "true".into(),
        Condition::Any { clauses } if clauses.is_empty() => "false".into(),
        Condition::All { clauses } => joined(clauses, " && ").into(),
        Condition::Any { clauses } => joined(clauses, " || ").into(),
        Condition::Not { clause } => format!("!{}", grouped(clause)).into(),
        Condition::Operation { operations } => {
            let names: Vec<&str> = operations.iter().map(|operation| operation.as_str()).collect();
            format!("operation() is {}", names.join(" or ")).into()
        }
        Condition::Collection { name } => format!("collection() == {name:?}").into(),
        Condition::Database { name } => format!("database() == {name:?}").into(),
        Condition::Changed { path } => format!("column_changed({path:?})").into(),
        Condition::Compare { side, path, comparison, literal } => {
            format!("{} {} {literal}", field(*side, path), comparison.as_str()).into()
        }
        Condition::Exists { side, path } => format!("{}.exists()", field(*side, path)).into(),
        Condition::Null { side, path } => format!("{}.is_null()", field(*side, path)).into(),
        Condition::In { side, path, literals } => {
            let literals: Vec<String> = literals.iter().map(ToString::to_string).collect();
            format!("{}.is_in([{}])", field(*side, path), literals.join(", ")).into()
        }
        Condition::Became { path, literal } => format!("became({path:?}, {literal})").into(),
        Condition::FromTo { path, from, to } => format!("changed_from_to({path:?}, {from}, {to})").into(),
        Condition::Opaque { .. } => "code of its own".into(),
        _ => "a condition of a kind that is not known here".into(),
    }
}

/// A clause as a part of another one.
fn grouped(clause: &Clause) -> Cow<'_, str> {
    match clause.parts().len() {
        0 | 1 => words(clause),
        _ => format!("({})", words(clause)).into(),
    }
}

fn field(side: Side, path: &str) -> String {
    match side {
        Side::Before => format!("before({path:?})"),
        Side::After => format!("after({path:?})"),
    }
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
