//! Which events is a change, which would it nearly be, and what of the others?

use std::fmt::Write as _;

use event_detector::{Change, EventExplanation, Registry, Verdict};
use unicode_width::UnicodeWidthStr;

use crate::console::{Look, shortened};
use crate::terminal::clean;

use super::super::count;
use super::{explain, near};

/// The longest clause that is shown whole, in characters.
const MAX_CLAUSE: usize = 120;

/// A line for each event that happened or could have, then those that nearly did; the others are counted.
pub(super) fn overview(registry: &Registry, change: &Change, explained: &[EventExplanation], look: Look) -> String {
    let (others, told): (Vec<_>, Vec<_>) = explained.iter().partition(|event| event.verdict == Verdict::No);
    let (nearly, others): (Vec<_>, Vec<_>) =
        others.into_iter().map(|event| (event, nearly(registry, change, event))).partition(|(_, words)| words.is_some());
    let names = told.iter().chain(nearly.iter().map(|(event, _)| event)).map(|event| event.event.width());
    let width = names.max().unwrap_or_default();
    let mut text = String::new();
    let mut line = |event: &EventExplanation, words: &str| {
        let gap = width - event.event.width();
        let sign = explain::sign(event, look);
        let _infallible = writeln!(text, "   {sign}{}{:gap$}  {words}", look.strong(&clean(event.event)), "");
    };
    for event in told {
        line(event, &explain::sentence(event));
    }
    for (event, words) in nearly {
        line(event, &words.unwrap_or_default());
    }
    if let Some(words) = rest(registry, change, &others.into_iter().map(|(event, _)| event).collect::<Vec<_>>()) {
        let _infallible = writeln!(text, "   {}", look.dim(&words));
    }
    text
}

/// Which clause alone kept the event from happening.
fn nearly(registry: &Registry, change: &Change, event: &EventExplanation) -> Option<String> {
    let near = near(registry, change, event);
    let first = near.first()?;
    let rule = event.rule.as_ref()?;
    let is_it = |text: &str, line: u32| text == first.words() && line == first.line();
    let actual =
        rule.root().all().into_iter().find(|clause| is_it(&clause.text, clause.line)).map(|clause| clause.actual.as_str());
    let actual = actual.filter(|actual| !actual.is_empty()).map(|actual| format!(" (found {})", clean(actual)));
    let clause = shortened(&first.words(), MAX_CLAUSE).into_owned();
    let others = if near.len() > 1 { ", or another one of an alternative," } else { "" };
    Some(format!("nearly: only `{clause}`{others} does not hold{}", actual.unwrap_or_default()))
}

/// What there is to say of the events that are far from it.
fn rest(registry: &Registry, change: &Change, events: &[&EventExplanation]) -> Option<String> {
    let (mut collections, mut operations) = (0, 0);
    for event in events {
        let Some(scope) = registry.plan(event.event).map(event_detector::Plan::scope) else { continue };
        let lacks =
            |names: &Option<Vec<String>>, name: &str| names.as_ref().is_some_and(|names| names.iter().all(|one| one != name));
        if lacks(&scope.collections, change.collection()) || lacks(&scope.databases, change.database()) {
            collections += 1;
        } else if !scope.operations.contains(change.operation()) {
            operations += 1;
        }
    }
    let reasons = [(collections, "other collections"), (operations, "other operations")];
    let reasons: Vec<String> =
        reasons.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} of {what}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    (!events.is_empty()).then(|| format!("{} did not happen{reasons}", count(events.len() as u64, "other")))
}
