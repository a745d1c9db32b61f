//! How is what was recorded written as JSON?

use event_detector_ledger::{Attempt, Letter, RecordedChange, RecordedJob, Run, Status, StoredVerdict, WholeJob};
use event_detector_runtime::{Millis, Stage};
use serde_json::{Value, json};

use super::words::moment;

/// A change with its verdicts and jobs.
pub(super) fn change(change: &RecordedChange) -> Value {
    let mut object = facts(change);
    object["status"] = Status::of(change).as_str().into();
    object["verdicts"] = change.verdicts.iter().map(verdict).collect();
    object["jobs"] = change.jobs.iter().map(job).collect();
    object
}

/// What identifies a change.
pub(super) fn facts(change: &RecordedChange) -> Value {
    json!({
        "row": change.row, "id": change.id, "source": change.source, "seq": change.seq, "database": change.database,
        "collection": change.collection, "operation": change.operation, "key": parsed(&change.key),
        "correlation_id": change.correlation_id, "committed_at": time(change.committed_at), "recorded_at": moment(change.recorded_at),
        "deaths": change.deaths,
    })
}

pub(super) fn verdict(verdict: &StoredVerdict) -> Value {
    json!({
        "event": verdict.event, "run": verdict.run, "said": verdict.said, "fires": verdict.fires,
        "detail": verdict.detail.as_deref().map(parsed),
    })
}

pub(super) fn job(job: &RecordedJob) -> Value {
    let due = match job.state.stage {
        Stage::Waiting { due } => Some(due),
        _ => None,
    };
    json!({
        "job": job.row, "event": job.event, "run": job.run, "name": job.name, "nth": job.nth, "options": parsed(&job.options),
        "effect": job.effect.as_str(), "ordered": job.ordered, "stage": job.state.stage.as_str(), "attempts": job.state.attempts,
        "failures": job.state.failures, "due_at": time(due), "updated_at": moment(job.updated_at),
        "result": job.result.as_deref().map(parsed), "error": job.error,
    })
}

/// A job with its attempts and dead letters.
pub(super) fn whole_job(whole: &WholeJob) -> Value {
    let mut object = job(&whole.job);
    object["attempts_made"] = whole.attempts.iter().map(attempt).collect();
    object["dead_letters"] = whole.letters.iter().map(letter).collect();
    object
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "attempt": attempt.attempt, "started_at": moment(attempt.started_at), "finished_at": time(attempt.finished_at),
        "outcome": attempt.outcome, "error": attempt.error,
    })
}

pub(super) fn letter(letter: &Letter) -> Value {
    json!({
        "letter": letter.letter, "job": letter.job, "reason": letter.reason, "died_at": moment(letter.died_at),
        "resolved_at": time(letter.resolved_at), "resolution": letter.resolution,
    })
}

pub(super) fn run(run: &Run) -> Value {
    json!({
        "run": run.run, "started_at": moment(run.started_at), "finished_at": time(run.finished_at),
        "selection": parsed(&run.selection), "reached": run.reached,
    })
}

fn time(at: Option<Millis>) -> Option<String> {
    at.map(moment)
}

/// JSON as it was stored; text that is none stays text.
fn parsed(text: &str) -> Value {
    match text {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}
