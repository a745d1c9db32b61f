//! How is what a run came to written as JSON?

use event_detector::{Detector, NearMiss};
use serde_json::{Value, json};

use crate::args::Difference;
use crate::commands::recorded::moment;

use super::Ended;
use super::against::{Against, Compared, Firing, Stands};
use super::input::Covers;
use super::tally::Tally;

/// All that a run came to.
pub(super) fn run(ended: &Ended<'_>, covers: Option<&Covers>, records_all: bool) -> Value {
    let event = |(detector, tally): (&Detector, Tally)| {
        let mut event = json!({
            "name": detector.name(), "fired": tally.fired, "not_fired": tally.not_fired, "undecided": tally.undecided,
            "failed": tally.failed, "rate": tally.rate() / 100.0, "fires_undecided": detector.fires_undecided(),
        });
        if let Some(misses) = &ended.near_misses {
            let missed = misses.iter().filter(|miss| miss.event == detector.name());
            let object = |miss: &NearMiss| json!({ "clause": miss.clause, "line": miss.line, "changes": miss.count });
            event["near_misses"] = missed.map(object).collect();
        }
        event
    };
    let mut object = json!({
        "changes": ended.trial.changes,
        "events": ended.trial.tallies().map(event).collect::<Vec<_>>(),
        "rejected": ended.rejected,
        "seconds": ended.seconds,
    });
    if let Some(covers) = covers {
        object["ledger"] = self::covers(covers, records_all);
    }
    if let Some(against) = &ended.against {
        object["against"] = self::against(against);
    }
    object
}

/// What a ledger holds, and what it does not.
fn covers(covers: &Covers, records_all: bool) -> Value {
    let coverage = covers.coverage;
    json!({
        "changes": coverage.changes, "from": coverage.first.map(moment), "to": coverage.last.map(moment), "gaps": covers.gaps.len(),
        "deleted": coverage.deleted, "record": if records_all { "all" } else { "matched" },
    })
}

fn against(against: &Against) -> Value {
    json!({
        "changes": against.changes(), "new_changes": against.new_changes, "gone_changes": against.gone_changes(),
        "added": against.number(Difference::Added), "removed": against.number(Difference::Removed),
        "undecided": against.number(Difference::Undecided), "not_compared": against.not_compared,
        "events": against.events.iter().map(compared).collect::<Vec<_>>(),
    })
}

fn compared(event: &Compared) -> Value {
    let stands = match event.stands {
        Stands::InBoth => "in_both",
        Stands::New => "new",
        Stands::Gone => "gone",
    };
    json!({
        "name": event.name, "stands": stands, "added": event.added, "removed": event.removed, "unchanged": event.unchanged,
        "undecided": event.undecided, "rule_then": event.rule.then, "rule_now": event.rule.now,
        "firings": event.firings.iter().map(firing).collect::<Vec<_>>(),
    })
}

fn firing(firing: &Firing) -> Value {
    let clause = firing.says_no.as_ref();
    let (file, line) = clause.and_then(|clause| clause.at).unzip();
    json!({
        "kind": firing.kind.as_str(), "id": firing.id, "key": firing.key, "change": firing.what, "place": firing.place,
        "then": firing.then.as_str(), "now": firing.now.as_str(), "clause": clause.map(|clause| &clause.clause), "file": file,
        "line": line, "expected": clause.map(|clause| &clause.expected), "actual": clause.map(|clause| &clause.actual),
    })
}
