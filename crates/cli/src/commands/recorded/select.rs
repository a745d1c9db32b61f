//! Which recorded changes does somebody mean?

use event_detector::nearest;
use event_detector_ledger::{Filter, Reader};
use event_detector_runtime::ChangeRow;
use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::app::Program;
use crate::args::Selected;
use crate::exit::{Exit, Failure};

use super::failure;

/// So many changes of one beginning are named.
const NAMED: usize = 5;

/// The filter for what was said on the command line.
pub(super) fn filter(program: &Program, reader: &Reader, selected: &Selected) -> Result<Filter, Failure> {
    let events = match selected.event.is_empty() {
        true => None,
        false => Some(events(program, reader, &selected.event)?),
    };
    if let (Some(since), Some(until)) = (selected.since, selected.until)
        && since >= until
    {
        return Err(Failure::new(Exit::Usage, "`--since` is not before `--until`, so no change can match"));
    }
    Ok(Filter {
        events,
        since: selected.since.map(|time| time.0),
        until: selected.until.map(|time| time.0),
        status: selected.status.map(Into::into),
        keys: selected.key.as_deref().map(keys),
        collection: selected.collection.clone(),
        correlation_id: selected.correlation_id.clone(),
        source: selected.source.clone(),
        rows: None,
    })
}

/// The events that globs stand for: of those that the program has or the ledger knows. A glob that stands for none is a mistake.
pub(super) fn events(program: &Program, reader: &Reader, globs: &[String]) -> Result<Vec<String>, Failure> {
    let mut known = reader.events().map_err(failure)?;
    known.extend(program.registry.detectors().iter().map(|detector| detector.name().to_owned()));
    known.sort_unstable();
    known.dedup();
    for glob in globs {
        if !known.iter().any(|name| WildMatch::new(glob).matches(name)) {
            let failure =
                Failure::new(Exit::Usage, format!("no event matches `{glob}`, neither of this program nor in the ledger"));
            return Err(match nearest(glob, known.iter().map(String::as_str)) {
                Some(name) => failure.with_hint(format!("did you mean `{name}`? `list` shows every event of this program")),
                None => failure.with_hint("`list` shows every event of this program"),
            });
        }
    }
    known.retain(|name| globs.iter().any(|glob| WildMatch::new(glob).matches(name)));
    Ok(known)
}

/// The document keys as JSON that somebody may mean who writes `text`.
fn keys(text: &str) -> Vec<String> {
    let mut keys = vec![Value::from(text).to_string()];
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        keys.push(value.to_string());
    }
    if text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        keys.push(json!({ "$oid": text.to_ascii_lowercase() }).to_string());
    }
    keys.dedup();
    keys
}

/// The one change that is named by a row, an id, or what it begins with.
pub(super) fn row(reader: &Reader, id: &str) -> Result<ChangeRow, Failure> {
    let found = reader.find(id, NAMED + 1).map_err(failure)?;
    match found.as_slice() {
        [row] => Ok(*row),
        [] => Err(Failure::new(Exit::NoInput, format!("the ledger has no change `{id}`")).with_hint(
            "a change is named by its row, its id or its correlation id, or by what one of these begins with; `events` shows the rows",
        )),
        several => {
            let rows: Vec<String> = several.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if several.len() > NAMED { ", and more" } else { "" };
            Err(Failure::new(Exit::Usage, format!("several changes are named by `{id}`: the rows {}{more}", rows.join(", ")))
                .with_hint("name one by its row, or write more of its id; `events --correlation-id ID` lists those of one cause"))
        }
    }
}

/// The changes that are named one by one, without repeats.
pub(super) fn rows(reader: &Reader, ids: &[String]) -> Result<Vec<ChangeRow>, Failure> {
    let mut rows = ids.iter().map(|id| row(reader, id)).collect::<Result<Vec<_>, _>>()?;
    rows.sort_unstable();
    rows.dedup();
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn a_key_is_a_number_a_text_an_id_or_json() {
        assert_eq!(keys("13107"), ["\"13107\"", "13107"]);
        assert_eq!(keys("abc"), ["\"abc\""]);
        assert_eq!(keys("\"abc\""), ["\"\\\"abc\\\"\"", "\"abc\""]);
        assert_eq!(keys("66F0AA00BB11CC22DD33EE44")[1], r#"{"$oid":"66f0aa00bb11cc22dd33ee44"}"#);
        assert_eq!(keys("{ \"a\" : 1 }")[1], r#"{"a":1}"#);
    }
}
