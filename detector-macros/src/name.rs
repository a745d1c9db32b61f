//! Is this the name of an event?

const LONGEST: usize = 128;

/// Says what is wrong with `name`, with a better one where there is one.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let Some(fault) = fault(name) else { return Ok(()) };
    let rule = "an event's name is lower-case segments of `a-z`, `0-9`, `_` and `-`, joined by dots";
    Err(match corrected(name) {
        Some(better) => format!("{fault}: {rule}; write `{better}`"),
        None => format!("{fault}: {rule}, e.g. `move.pickup.successful`"),
    })
}

fn fault(name: &str) -> Option<String> {
    let shown = name.escape_debug();
    if name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    if let Some(stranger) = name.chars().find(|&c| c != '.' && !is_allowed(c)) {
        return Some(format!("`{shown}` contains `{}`", stranger.escape_debug()));
    }
    if name.split('.').any(str::is_empty) {
        return Some(format!("`{shown}` has an empty segment"));
    }
    (name.len() > LONGEST).then(|| format!("the name has {} characters and may have {LONGEST}", name.len()))
}

fn corrected(name: &str) -> Option<String> {
    let lower: String = name.trim().to_lowercase().chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
    let better: Vec<&str> =
        lower.split('.').map(|segment| segment.trim_matches('_')).filter(|segment| !segment.is_empty()).collect();
    let better = better.join(".");
    fault(&better).is_none().then_some(better)
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn lower_case_segments_joined_by_dots_are_names() {
        for name in ["a", "move.pickup.successful", "order-2.item_3.x", &"a".repeat(128)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_a_better_one() {
        let cases = [
            ("Move.Pickup Successful", "write `move.pickup_successful`"),
            ("move..pickup.", "write `move.pickup`"),
            (" move . x", "write `move.x`"),
        ];

        for (name, cure) in cases {
            assert!(check(name).unwrap_err().ends_with(cure), "{name}: {:?}", check(name));
        }
    }

    #[test]
    fn a_name_beyond_repair_is_answered_with_an_example() {
        for name in ["", "...", "move/pickup", "é", &"a".repeat(129), "move\n!"] {
            let message = check(name).unwrap_err();

            assert!(message.contains("e.g. `move.pickup.successful`") && !message.contains('\n'), "{message}");
        }
    }
}
