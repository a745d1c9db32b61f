//! Which parts of sources' histories were lost?

use std::fmt::Write as _;

use event_detector_ledger::LostPart;
use serde_json::json;

use crate::app::Program;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::terminal::{clean, json as json_line, out, say};

use super::words::moment;
use super::{failure, open};

/// Shows each gap, in the order in which they were noticed.
pub(super) fn gaps(program: &Program) -> Result<Exit, Failure> {
    let gaps = open(program)?.gaps().map_err(failure)?;
    match Form::choose(&program.options) {
        Form::Json => gaps.iter().for_each(|gap| {
            let object = json!({
                "gap": gap.gap, "source": gap.source, "from": gap.from, "to": gap.to, "reason": gap.reason,
                "noticed_at": moment(gap.noticed_at),
            });
            out(&(json_line(&object) + "\n"));
        }),
        Form::Quiet(_) | Form::Full(_) if gaps.is_empty() => say("No part of a source's history was lost."),
        Form::Quiet(look) | Form::Full(look) => gaps.iter().for_each(|gap| out(&lines(gap, look))),
    }
    Ok(Exit::Success)
}

fn lines(gap: &LostPart, look: Look) -> String {
    let source = look.strong(&clean(&gap.source));
    let mut text =
        format!("{:>4}  {}  {source}: {}\n", gap.gap, look.dim(&moment(gap.noticed_at)), look.bad(&clean(&gap.reason)));
    let to = if gap.to.is_empty() { "a time that nobody knows".into() } else { clean(&gap.to) };
    let _infallible = writeln!(text, "      lost: behind {}, up to {to}", clean(&gap.from));
    text
}

#[cfg(test)]
mod tests {
    use event_detector_ledger::LostPart;

    use super::lines;
    use crate::console::Look;

    #[test]
    fn a_gap_says_what_was_lost_and_why() {
        let gap = |to: &str| LostPart {
            gap: 1,
            source: "mongodb".to_owned(),
            from: "2026-11-26T00:00:00Z".to_owned(),
            to: to.to_owned(),
            reason: "the oplog does not reach back\u{1b}".to_owned(),
            noticed_at: 1_795_651_200_000,
        };

        let expected = "   1  2026-11-26T00:00:00.000Z  mongodb: the oplog does not reach back\\u{1b}\n      \
                        lost: behind 2026-11-26T00:00:00Z, up to 2026-11-26T01:00:00Z\n";
        assert_eq!(lines(&gap("2026-11-26T01:00:00Z"), Look::Plain), expected);
        assert!(lines(&gap(""), Look::Plain).ends_with("up to a time that nobody knows\n"), "{}", lines(&gap(""), Look::Plain));
    }
}
