//! What is a declared event: its name, its predicate, its jobs, and the verdict over one change?

use crate::change::Change;
use crate::job::Job;
use crate::panics::{Panic, catch_panic};
use crate::plan::Plan;
use crate::undecided::{Certain, Decision, Read, Unknown, decide, recording};

/// A declared business event: a predicate over one change, and the jobs to run when it holds.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    name: &'static str,
    detect: fn(&Change) -> bool,
    jobs: Option<fn(&Change) -> Vec<Job>>,
    plan: Option<fn() -> Plan>,
    on_undecided: OnUndecided,
    ordered: bool,
    declared: Declared,
}

/// Where and how an event was declared; all empty for a detector made by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Declared {
    /// The module path of the event.
    pub module: &'static str,
    /// The source file, as the compiler was given it.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// The first line of the module's documentation.
    pub doc: &'static str,
    /// The functions that the source of `jobs` calls by name, candidates for the names of jobs.
    pub calls: &'static [&'static str],
}

/// What an undecided verdict comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnUndecided {
    /// It is reported, and no job runs.
    #[default]
    Report,
    /// It is reported, and the jobs run as if the event had been detected.
    Fire,
}

/// What a detector says of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The event did not happen.
    No,
    /// The event happened.
    Detected,
    /// The change does not say; these reads would have to be known.
    Undecided(Vec<Unknown>),
    /// The predicate panicked.
    Failed(Panic),
}

inventory::collect!(Detector);

impl Verdict {
    /// What `predicate` comes to, whatever it meets.
    pub(crate) fn of(predicate: impl FnMut() -> bool) -> Self {
        match catch_panic(|| decide(predicate)) {
            Ok(Decision::Decided(false)) => Self::No,
            Ok(Decision::Decided(true)) => Self::Detected,
            Ok(Decision::Undecided(unknowns)) => Self::Undecided(unknowns),
            Err(panic) => Self::Failed(panic),
        }
    }
}

impl Detector {
    /// A detector made by hand, for programs that declare events without the macro.
    pub const fn new(name: &'static str, detect: fn(&Change) -> bool) -> Self {
        let declared = Declared { module: "", file: "", line: 0, doc: "", calls: &[] };
        Self { name, detect, jobs: None, plan: None, on_undecided: OnUndecided::Report, ordered: false, declared }
    }

    /// Runs `jobs` when the event is detected.
    #[must_use]
    pub const fn with_jobs(mut self, jobs: fn(&Change) -> Vec<Job>) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Says what is known of the predicate without running it; without a plan it is opaque, and asked about every change.
    #[must_use]
    pub const fn with_plan(mut self, plan: fn() -> Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Says what an undecided verdict comes to.
    #[must_use]
    pub const fn on_undecided(mut self, choice: OnUndecided) -> Self {
        self.on_undecided = choice;
        self
    }

    /// Lets no later change of the document begin before the jobs of this event have succeeded or are dead letters, the waits between
    /// their attempts included.
    #[must_use]
    pub const fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Says where the event was declared.
    #[must_use]
    pub const fn declared_at(mut self, declared: Declared) -> Self {
        self.declared = declared;
        self
    }

    /// The event's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where and how the event was declared.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Whether later changes of the document wait until the jobs of this event have succeeded or are dead letters.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// Whether an undecided verdict runs the jobs.
    pub fn fires_undecided(&self) -> bool {
        self.on_undecided == OnUndecided::Fire
    }

    /// Whether `verdict` runs the jobs.
    pub fn fires(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Detected => true,
            Verdict::Undecided(_) => self.fires_undecided(),
            Verdict::No | Verdict::Failed(_) => false,
        }
    }

    /// What is known of the predicate without running it, made anew with each call; a [`Registry`](crate::Registry) keeps it.
    ///
    /// None also where a pattern or comparison of the user's own panics when it is asked what it stands for.
    pub fn plan(&self) -> Option<Plan> {
        let plan = self.plan?;
        catch_panic(plan).ok()
    }

    /// Whether the event has jobs at all.
    pub fn has_jobs(&self) -> bool {
        self.jobs.is_some()
    }

    /// Asks the predicate about `change`; a panic is a verdict, not a panic of the caller.
    ///
    /// The predicate runs more than once when the change leaves something unknown; see the crate's documentation.
    pub fn evaluate(&self, change: &Change) -> Verdict {
        Verdict::of(|| (self.detect)(change))
    }

    /// Asks each of `detectors` about `change`, and gives every verdict that is not [`Verdict::No`] to `told`, in their order.
    ///
    /// It comes to the same as to [`evaluate`](Self::evaluate) one after another, for less.
    pub fn evaluate_all<'d>(detectors: &'d [Self], change: &Change, told: impl FnMut(&'d Self, Verdict)) {
        Self::evaluate_some(detectors.len(), |place| &detectors[place], change, told);
    }

    /// As [`evaluate_all`](Self::evaluate_all), of `count` detectors, each found `at` its place.
    #[inline]
    pub(crate) fn evaluate_some<'d>(
        count: usize,
        at: impl Fn(usize) -> &'d Self,
        change: &Change,
        mut told: impl FnMut(&'d Self, Verdict),
    ) {
        let mut next = 0;
        while next < count {
            let certain = Certain::default();
            // Whatever ends it, a panic or an answer that is not certain, is looked at again below.
            let _again = catch_panic(|| certain.ask(count - next, |place| (at(next + place).detect)(change)));
            certain.yes().for_each(|place| told(at(next + place), Verdict::Detected));
            let asked = certain.count.get() as usize;
            next += asked;
            if asked < Certain::MOST && next < count {
                let detector = at(next);
                let verdict = detector.evaluate(change);
                if !matches!(verdict, Verdict::No) {
                    told(detector, verdict);
                }
                next += 1;
            }
        }
    }

    /// As [`evaluate`](Self::evaluate), with everything the predicate read.
    pub fn evaluate_recorded(&self, change: &Change) -> (Verdict, Vec<Read>) {
        recording(|| self.evaluate(change))
    }

    /// The jobs to run for `change`, in the order of declaration; nothing is started.
    ///
    /// # Errors
    ///
    /// The panic, when the event's `jobs` panicked.
    pub fn jobs(&self, change: &Change) -> Result<Vec<Job>, Panic> {
        match self.jobs {
            Some(jobs) => catch_panic(|| jobs(change)),
            None => Ok(Vec::new()),
        }
    }
}
