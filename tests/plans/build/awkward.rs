//! Which predicates are written so that a reader of tokens might be taken in?

mod forms;

use crate::Body;
use crate::template::filled;
use crate::words::{CONSTANTS, Words};

use forms::{BODIES, MODULES};

/// The body of that number: each form in its turn, with other words each time, then recognised and other conditions mixed.
pub(crate) fn body(words: &mut Words, nth: usize) -> Body {
    let forms = BODIES.len() + MODULES.len();
    let (round, form) = (nth / forms, nth % forms);
    let items = match form.checked_sub(BODIES.len()) {
        // From the second round on, every other is a mixture.
        _ if round > 0 && nth % 2 == 1 => detect(&mixture(words)),
        None => detect(&filled(BODIES[form], words)),
        Some(form) => filled(MODULES[form], words),
    };
    Body { items: format!("{CONSTANTS}\n{items}") }
}

fn detect(body: &str) -> String {
    format!("    fn detect(change: &Change) -> bool {{\n        {body}\n    }}\n")
}

/// Recognised conditions and others, joined at random.
fn mixture(words: &mut Words) -> String {
    let mut body = String::new();
    for _ in 0..words.below(3) {
        body += &filled(
            words.one(&[
                "if !%C {\n            return false;\n        }\n        ",
                "if %O {\n            return %L;\n        }\n        ",
                "if !%O {\n            return false;\n        }\n        ",
                "if %E {\n            return true;\n        }\n        ",
                "if %L {\n            return %O;\n        }\n        ",
            ]),
            words,
        );
    }
    let depth = 1 + words.below(3);
    let last = joined(words, depth);
    body + &if words.chance(60) { filled("%C && ", words) + &format!("({last})") } else { last }
}

fn joined(words: &mut Words, depth: usize) -> String {
    if depth == 0 || words.chance(25) {
        return filled(words.one(&["%O", "%L", "%E"]), words);
    }
    let (left, right) = (joined(words, depth - 1), joined(words, depth - 1));
    match words.below(8) {
        0..3 => format!("({left} && {right})"),
        3..5 => format!("({left} || {right})"),
        5 => format!("!{left}"),
        6 => format!("(if {left} {{ {right} }} else {{ {} }})", joined(words, depth - 1)),
        _ => format!(
            "(match change.operation() {{ Operation::Insert => {left}, Operation::Update if {right} => {}, _ => {} }})",
            joined(words, depth - 1),
            joined(words, depth - 1)
        ),
    }
}
