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
    let to = if gap.to.is_empty() { "nobody knows".into() } else { clean(&gap.to) };
    let _infallible = writeln!(text, "      lost: behind {}, up to {to}", clean(&gap.from));
    text
}
