//! What is known of the rules of events?

use std::fmt::Write as _;

use event_detector::{Clause, Condition, Plan};
use unicode_width::UnicodeWidthStr;

use crate::console::{Look, shortened};
use crate::terminal::clean;

/// The longest source text of a clause that is shown whole, in characters.
const MAX_CLAUSE: usize = 200;
/// The column in which the places stand, where the source text leaves room.
const PLACES: usize = 72;

/// How much of a rule is understood, for programs.
pub(super) fn understood(plan: Option<&Plan>) -> &'static str {
    match plan {
        None => "opaque",
        Some(plan) if plan.is_exact() => "exact",
        Some(_) => "partial",
    }
}

/// What is opaque of a rule, in a few words; nothing for one that is understood wholly.
pub(super) fn opaque(plan: Option<&Plan>) -> Option<String> {
    let Some(plan) = plan else { return Some("opaque: its rule is not known, so it is asked about every change".to_owned()) };
    match plan.root().opaque().count() {
        0 => None,
        1 => Some("1 clause of its rule is opaque: `list --plans` shows it".to_owned()),
        number => Some(format!("{number} clauses of its rule are opaque: `list --plans` shows them")),
    }
}

/// The rule as a tree, with what is opaque and why, and the changes that it is asked about.
pub(super) fn rule(text: &mut String, plan: Option<&Plan>, look: Look) {
    let Some(plan) = plan else {
        let _infallible = writeln!(text, "   asked about: every change");
        let _infallible =
            writeln!(text, "   rule: opaque (its `detect` is not read, or was opted out of with `plan = \"opaque\"`)");
        return;
    };
    let _infallible = writeln!(text, "   asked about: {}", clean(&plan.scope().to_string()));
    match plan.root().condition() {
        Condition::All { clauses } if clauses.is_empty() => {
            let _infallible = writeln!(text, "   rule: it always happens");
        }
        Condition::All { clauses } => {
            let _infallible = writeln!(text, "   rule: all of");
            clauses.iter().for_each(|part| clause(text, part, 6, look));
        }
        _ => {
            let _infallible = writeln!(text, "   rule:");
            clause(text, plan.root(), 6, look);
        }
    }
}

fn clause(text: &mut String, part: &Clause, indent: usize, look: Look) {
    let is_leaf = part.parts().is_empty() || part.is_one_text();
    let words = match part.condition() {
        Condition::All { clauses } if clauses.is_empty() => "always".to_owned(),
        Condition::Any { clauses } if clauses.is_empty() => "never".to_owned(),
        Condition::All { .. } => "all of".to_owned(),
        Condition::Any { .. } if !is_leaf => "one of".to_owned(),
        Condition::Not { clause } if !clause.parts().is_empty() && !clause.is_one_text() => "not".to_owned(),
        _ => shortened(&part.words(), MAX_CLAUSE).into_owned(),
    };
    // A negation of one clause is one clause.
    let is_shown_whole = is_leaf || words != "all of" && words != "one of" && words != "not";
    let place = if part.line() > 0 && is_shown_whole { format!("line {}", part.line()) } else { String::new() };
    let _infallible = write!(text, "{:indent$}{words}", "");
    if !place.is_empty() {
        let gap = PLACES.saturating_sub(indent + words.width()).max(2);
        let _infallible = write!(text, "{:gap$}{}", "", look.dim(&place));
    }
    text.push('\n');
    if is_shown_whole {
        for opaque in part.opaque() {
            if let Condition::Opaque { why, .. } = opaque.condition() {
                let indent = indent + 3;
                let _infallible = writeln!(text, "{:indent$}{}", "", look.unsure(&clean(&format!("opaque: {why}"))));
            }
        }
    } else {
        part.parts().iter().for_each(|part| clause(text, part, indent + 3, look));
    }
}

#[cfg(test)]
mod tests;
