//! Why did an event happen, or not?

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::change::Change;
use crate::detector::{Detector, Verdict};
use crate::registry::Registry;
use crate::undecided::Read;

use super::super::Plan;
use super::Explanation;

/// The verdict of an event over one change, and why.
///
/// It serialises as
/// `{"name","file","line","verdict","detected","error"?,"undecided"?,"reads":[{"read","answer"}],"rule"?}`, where `rule` is the
/// [`Explanation`], and `detected` says whether its jobs run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventExplanation {
    /// The event's name.
    pub event: &'static str,
    /// The source file in which it is declared; empty for a detector made by hand.
    pub file: &'static str,
    /// The line of its attribute.
    pub line: u32,
    /// What the predicate itself says.
    pub verdict: Verdict,
    /// Whether that runs the jobs.
    pub fires: bool,
    /// Everything that the predicate read, in order and once each.
    pub reads: Vec<Read>,
    /// What each clause says; none for an event without plan.
    pub rule: Option<Explanation>,
}

impl EventExplanation {
    fn of(detector: &Detector, plan: Option<&Plan>, change: &Change) -> Self {
        let (verdict, reads) = detector.evaluate_recorded(change);
        Self {
            event: detector.name(),
            file: detector.declared().file,
            line: detector.declared().line,
            fires: detector.fires(&verdict),
            rule: plan.map(|plan| plan.explain_verdict(change, &verdict)),
            verdict,
            reads,
        }
    }
}

impl Detector {
    /// The verdict over `change`, and why.
    pub fn explain(&self, change: &Change) -> EventExplanation {
        EventExplanation::of(self, self.plan().as_ref(), change)
    }
}

impl Registry {
    /// The verdict of the event `name` over `change`, and why; none for an event that is not here.
    pub fn explain(&self, name: &str, change: &Change) -> Option<EventExplanation> {
        self.get(name).map(|detector| EventExplanation::of(detector, self.plan(name), change))
    }
}

impl Serialize for EventExplanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(None)?;
        event.serialize_entry("name", self.event)?;
        event.serialize_entry("file", self.file)?;
        event.serialize_entry("line", &self.line)?;
        let verdict = match &self.verdict {
            Verdict::No => "not detected",
            Verdict::Detected => "detected",
            Verdict::Undecided(_) => "undecided",
            Verdict::Failed(_) => "failed",
        };
        event.serialize_entry("verdict", verdict)?;
        event.serialize_entry("detected", &self.fires)?;
        match &self.verdict {
            Verdict::Failed(panic) => event.serialize_entry("error", &format!("`detect` {panic}"))?,
            Verdict::Undecided(unknowns) => event.serialize_entry("undecided", unknowns)?,
            Verdict::No | Verdict::Detected => {}
        }
        event.serialize_entry("reads", &self.reads)?;
        if let Some(rule) = &self.rule {
            event.serialize_entry("rule", rule)?;
        }
        event.end()
    }
}
