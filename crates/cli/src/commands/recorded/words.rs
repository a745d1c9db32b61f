//! How are times, durations and outcomes of what was recorded put into words?

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use event_detector_ledger::{RecordedChange, RecordedJob, Status};
use event_detector_runtime::{Millis, Stage};

use crate::console::Look;
use crate::terminal::clean;

/// The longest document key that is shown whole, in characters.
const MAX_KEY: usize = 60;

/// A time to the millisecond.
pub(in crate::commands) fn moment(at: Millis) -> String {
    let since = Duration::from_millis(at.max(0).unsigned_abs());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// A time to the second, for columns.
pub(in crate::commands) fn second(at: Millis) -> String {
    let since = Duration::from_millis(at.max(0).unsigned_abs());
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

/// How long something took.
pub(super) fn took(from: Millis, to: Millis) -> String {
    let millis = to.saturating_sub(from).max(0);
    if millis < 60_000 {
        #[expect(clippy::cast_precision_loss, reason = "less than a minute")]
        return format!("{:.2} s", millis as f64 / 1000.0);
    }
    humantime::format_duration(Duration::from_secs(millis.unsigned_abs() / 1000)).to_string()
}

/// The change in a few words: `UPDATE on moves 13107`.
pub(super) fn describe(change: &RecordedChange) -> String {
    let key = match serde_json::from_str(&change.key) {
        // As `run` shows it: text without its quotes, an id without what makes it one.
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Object(members)) if members.len() == 1 => match members.get("$oid").and_then(|id| id.as_str()) {
            Some(id) => id.to_owned(),
            None => change.key.clone(),
        },
        _ => change.key.clone(),
    };
    let key = if key.is_empty() { key } else { format!(" {}", shortened(&key, MAX_KEY)) };
    format!("{} on {}{key}", clean(&change.operation.to_uppercase()), clean(&change.collection))
}

/// Text from outside in one line, of which at most `most` characters are shown.
pub(super) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", clean(&text[..end])).into(),
        None => clean(text),
    }
}

/// A sign for a status, else its name in a column.
pub(super) fn sign(status: Status, look: Look) -> &'static str {
    match status {
        Status::Ok => look.sign("✅ ", "ok         "),
        Status::Failed => look.sign("💥 ", "failed     "),
        Status::Running => look.sign("⏳ ", "running    "),
        Status::Waiting => look.sign("⏰ ", "waiting    "),
        Status::Dead => look.sign("❌ ", "dead       "),
        Status::Undecided => look.sign("❔ ", "undecided  "),
    }
}

/// Where a job is, in words.
pub(super) fn stage(job: &RecordedJob) -> String {
    match job.state.stage {
        Stage::Queued | Stage::Running => "running".to_owned(),
        Stage::Waiting { due } => format!("waits until {}", moment(due)),
        Stage::Succeeded => "succeeded".to_owned(),
        Stage::Dead => "dead letter".to_owned(),
        Stage::Dropped => "dropped".to_owned(),
    }
}

/// A sign for where a job is, else a word in a column.
pub(super) fn job_sign(job: &RecordedJob, look: Look) -> &'static str {
    match job.state.stage {
        Stage::Queued | Stage::Running => look.sign("⏳ ", "running  "),
        Stage::Waiting { .. } => look.sign("⏰ ", "waiting  "),
        Stage::Succeeded => look.sign("✅ ", "ok       "),
        Stage::Dead => look.sign("❌ ", "dead     "),
        Stage::Dropped => look.sign("🗑  ", "dropped  "),
    }
}

/// A job by its name, and its number where there are several of that name.
pub(super) fn job_name(job: &RecordedJob) -> String {
    if job.nth == 0 { clean(&job.name).into_owned() } else { format!("{} #{}", clean(&job.name), job.nth + 1) }
}

/// What the jobs came to: `2 ok, 1 dead`.
pub(super) fn tally<'j>(jobs: impl IntoIterator<Item = &'j RecordedJob>) -> String {
    let mut numbers = [("ok", 0), ("running", 0), ("waiting", 0), ("dead", 0), ("dropped", 0)];
    for job in jobs {
        let at = match job.state.stage {
            Stage::Succeeded => 0,
            Stage::Queued | Stage::Running => 1,
            Stage::Waiting { .. } => 2,
            Stage::Dead => 3,
            Stage::Dropped => 4,
        };
        numbers[at].1 += 1;
    }
    let said = numbers.iter().filter(|(_, number)| *number > 0).map(|(word, number)| format!("{number} {word}"));
    said.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{moment, second, took};

    #[test]
    fn times_are_those_of_the_calendar_and_the_clock() {
        assert_eq!(moment(1_795_651_200_123), "2026-11-26T00:00:00.123Z");
        assert_eq!(second(1_795_651_200_123), "2026-11-26T00:00:00Z");
        assert_eq!(moment(-1), "1970-01-01T00:00:00.000Z");
        assert_eq!(took(1000, 1250), "0.25 s");
        assert_eq!(took(0, 3_723_000), "1h 2m 3s");
        assert_eq!(took(5, 1), "0.00 s");
    }
}
