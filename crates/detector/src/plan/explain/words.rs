//! What does a clause demand, and what does the change hold instead, in a few words?

use std::borrow::Cow;
use std::fmt;

use crate::change::{Change, Operation, Side};
use crate::undecided::Read;
use crate::value::{Origin, Value};

use super::super::{Clause, Comparison, Condition, Constant, Operations};

/// The longest value that is shown whole, in characters.
const MAX_VALUE: usize = 80;
/// So many reads of opaque code are shown.
const MAX_READS: usize = 4;

impl Clause {
    /// Its source code; what it demands, written as code, where it has none.
    pub fn words(&self) -> Cow<'_, str> {
        match self.text() {
            "" => self.condition.written().into(),
            text => text.into(),
        }
    }

    /// What has to be, so that it holds, or does not; of alternatives, what each of them asks for.
    pub(super) fn expected(&self, negated: bool) -> String {
        match self.parts() {
            [] => self.condition.expected(negated),
            parts => {
                let each: Vec<String> = parts.iter().map(|part| part.condition.expected(false)).collect();
                format!("{}{}", if negated { "not " } else { "" }, each.join(" or "))
            }
        }
    }

    /// What the change holds where it looks.
    pub(super) fn actual(&self, change: &Change) -> String {
        self.parts().first().unwrap_or(self).condition.actual(change)
    }
}

impl Clause {
    /// The clause as a part of another one.
    fn grouped(&self) -> Cow<'_, str> {
        match self.parts().len() {
            0 | 1 => self.words(),
            _ => format!("({})", self.words()).into(),
        }
    }
}

fn joined(clauses: &[Clause], by: &str) -> String {
    clauses.iter().map(Clause::grouped).collect::<Vec<_>>().join(by)
}

impl Condition {
    /// The condition as somebody would write it.
    fn written(&self) -> String {
        match self {
            Self::All { clauses } if clauses.is_empty() => "true".to_owned(),
            Self::Any { clauses } if clauses.is_empty() => "false".to_owned(),
            Self::All { clauses } => joined(clauses, " && "),
            Self::Any { clauses } => joined(clauses, " || "),
            Self::Not { clause } if clause.condition.is_call() => format!("!{}", clause.words()),
            Self::Not { clause } => format!("!({})", clause.words()),
            Self::Operation { operations } => format!("operation() is {operations}"),
            Self::Collection { name } => format!("collection() == {name:?}"),
            Self::Database { name } => format!("database() == {name:?}"),
            Self::Changed { path } => format!("column_changed({path:?})"),
            Self::Compare { side, path, comparison, literal } => {
                format!("{}({path:?}) {} {literal}", word(*side), comparison.as_str())
            }
            Self::Exists { side, path } => format!("{}({path:?}).exists()", word(*side)),
            Self::Null { side, path } => format!("{}({path:?}).is_null()", word(*side)),
            Self::In { side, path, literals } => format!("{}({path:?}).is_in([{}])", word(*side), listed(literals)),
            Self::Became { path, literal } => format!("became({path:?}, {literal})"),
            Self::FromTo { path, from, to } => format!("changed_from_to({path:?}, {from}, {to})"),
            Self::Opaque { .. } => "code that is not understood".to_owned(),
        }
    }

    /// Whether it is written as a call alone.
    fn is_call(&self) -> bool {
        use Condition::{Became, Changed, Exists, FromTo, In, Null};
        matches!(self, Changed { .. } | Exists { .. } | Null { .. } | In { .. } | Became { .. } | FromTo { .. })
    }

    /// What has to be, so that it holds, or does not.
    fn expected(&self, negated: bool) -> String {
        let not = if negated { "not " } else { "" };
        match self {
            Self::All { .. } | Self::Any { .. } | Self::Not { .. } | Self::Opaque { .. } => (!negated).to_string(),
            Self::Operation { operations } if negated => operations.complement().to_string(),
            Self::Operation { operations } => operations.to_string(),
            Self::Collection { name } | Self::Database { name } => format!("{not}{name:?}"),
            Self::Changed { .. } => if negated { "not changed" } else { "changed" }.to_owned(),
            Self::Compare { comparison, literal, .. } => match (comparison, negated) {
                (Comparison::Equal, false) | (Comparison::NotEqual, true) => literal.to_string(),
                (Comparison::Equal, true) | (Comparison::NotEqual, false) => format!("not {literal}"),
                _ => format!("{not}{} {literal}", comparison.as_str()),
            },
            Self::Exists { .. } => if negated { "missing" } else { "there" }.to_owned(),
            Self::Null { .. } => format!("{not}null"),
            Self::In { literals, .. } => format!("{}one of {}", if negated { "not " } else { "" }, listed(literals)),
            Self::Became { literal, .. } => format!("{not}→ {literal}"),
            Self::FromTo { from, to, .. } => format!("{not}{from} → {to}"),
        }
    }

    /// What the change holds where the condition looks.
    fn actual(&self, change: &Change) -> String {
        match self {
            Self::All { .. } | Self::Any { .. } | Self::Not { .. } | Self::Opaque { .. } => String::new(),
            Self::Operation { .. } => change.operation().as_str().to_owned(),
            Self::Collection { .. } => shortened(&format!("{:?}", change.collection())),
            Self::Database { .. } => shortened(&format!("{:?}", change.database())),
            Self::Compare { side, path, .. }
            | Self::Exists { side, path }
            | Self::Null { side, path }
            | Self::In { side, path, .. } => value(change, *side, path),
            Self::Became { path, .. } if change.operation() == Operation::Insert => value(change, Side::After, path),
            Self::Changed { path } | Self::Became { path, .. } | Self::FromTo { path, .. } => match change.operation() {
                Operation::Update => step(change, path),
                other => format!("{other} changes no column"),
            },
        }
    }
}

/// What code that is not understood came to, with what it read.
pub(super) fn opaque(condition: &Condition, text: &str, answer: Option<bool>, error: Option<&str>, reads: &[Read]) -> String {
    if matches!(condition, Condition::Opaque { ask: None, .. }) {
        return "it cannot be asked on its own".to_owned();
    }
    let came_to = match (answer, error) {
        (_, Some(error)) => return shortened(error),
        (Some(answer), None) => answer.to_string(),
        (None, None) => return "unknown".to_owned(),
    };
    let told = match reads {
        [] => return came_to,
        // The text says what was read.
        [read] if text.contains(&read.read) => shortened(&read.answer),
        several => {
            let shown = several.iter().take(MAX_READS).map(|read| format!("{} = {}", read.read, shortened(&read.answer)));
            let more = if several.len() > MAX_READS { ", …" } else { "" };
            shown.collect::<Vec<_>>().join(", ") + more
        }
    };
    format!("{came_to} ({told})")
}

/// What an update made of a field.
fn step(change: &Change, path: &str) -> String {
    let is_known = |side| Value::new(change.read(side, path), Origin::Inside).is_known();
    let (before, after) = (value(change, Side::Before, path), value(change, Side::After, path));
    match (is_known(Side::Before), is_known(Side::After), change.changed(path)) {
        // The update's description says so, and no more.
        (false, false, Ok(true)) => "changed, as the update says".to_owned(),
        (false, false, Ok(false)) => "not changed, as the update says".to_owned(),
        (false, true, Ok(false)) => format!("{after}, not changed"),
        (true, false, Ok(false)) => format!("{before}, not changed"),
        _ => format!("{before} → {after}"),
    }
}

fn value(change: &Change, side: Side, path: &str) -> String {
    shortened(&format!("{:?}", Value::new(change.read(side, path), Origin::Inside)))
}

/// Text of which only so much is shown.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// In words; where there are many, those that are not among them.
impl fmt::Display for Operations {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |operations: Self| operations.iter().map(Operation::as_str).collect::<Vec<_>>().join(" or ");
        let others = self.complement();
        match (self.iter().count(), others.iter().count()) {
            (_, 0) => out.write_str("any operation"),
            (0, _) => out.write_str("no operation"),
            (most, few) if most > few => write!(out, "not {}", joined(others)),
            _ => out.write_str(&joined(*self)),
        }
    }
}

fn listed(literals: &[Constant]) -> String {
    literals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Before => "before",
        Side::After => "after",
    }
}
