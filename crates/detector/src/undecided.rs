//! What does a detector answer when the change does not say? (Three-valued detection with ordinary `bool` code.)
//!
//! Helpers answer `bool`. While a detector is asked, every distinct unknown that it consults is taken both ways, in the
//! order of consultation, until two answers differ (undecided) or all agree (decided). Assuming only "all false" and
//! "all true" would lose events: `changed(a) && !changed(b)` is false both times.

use std::cell::{Cell, RefCell};

/// The most unknowns that are tried both ways; with more, the verdict is undecided.
pub(crate) const MAX_UNKNOWNS: usize = 6;

/// Something a detector asked that the change cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Unknown {
    /// What was asked, as it is written in code: `column_changed("address.city")`.
    pub read: String,
    /// Why it is unknown, and the setting or the correction that would have decided it.
    pub cure: String,
}

/// What a detector reads of a change, for a dry run that shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Read {
    /// What was asked, as it is written in code.
    pub read: String,
    /// What the change answered.
    pub answer: String,
}

#[derive(Default)]
struct Inquiry {
    /// The unknowns consulted, in order, each with the answer assumed for it.
    assumed: Vec<(Unknown, bool)>,
    /// The unknowns read in a way that has more than two answers.
    unreadable: Vec<Unknown>,
}

impl Inquiry {
    /// Adds the unknowns that were consulted to `met`, each once.
    fn add_to(&self, met: &mut Vec<Unknown>) {
        for unknown in self.assumed.iter().map(|(unknown, _)| unknown).chain(&self.unreadable) {
            if !met.contains(unknown) {
                met.push(unknown.clone());
            }
        }
    }
}

/// Whether a detector is asked for the first time: most meet no unknown, and need no inquiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Off,
    On,
    /// It met an unknown, which counted as "no".
    Met,
}

thread_local! {
    static PROBE: Cell<Probe> = const { Cell::new(Probe::Off) };
    static INQUIRY: RefCell<Option<Inquiry>> = const { RefCell::new(None) };
    static RECORDING: Cell<bool> = const { Cell::new(false) };
    static READS: RefCell<Vec<Read>> = const { RefCell::new(Vec::new()) };
}

/// What all ways of answering the unknowns come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Every way gives this answer.
    Decided(bool),
    /// The answer depends on these.
    Undecided(Vec<Unknown>),
}

/// Runs `ask` under every combination of answers to the unknowns it meets.
///
/// A panic in `ask` passes through; the assumptions are gone afterwards in any case.
pub(crate) fn decide(mut ask: impl FnMut() -> bool) -> Decision {
    let (answer, probe) = probing(&mut ask);
    if probe == Probe::On {
        return Decision::Decided(answer);
    }
    let _scope = Scope::enter();
    let first = ask();
    let mut met: Vec<Unknown> = Vec::new();
    loop {
        let (unreadable, deepest, more) = INQUIRY.with_borrow_mut(|inquiry| {
            let inquiry = inquiry.get_or_insert_default();
            inquiry.add_to(&mut met);
            let deepest = inquiry.assumed.len();
            // The next combination: the last "no" becomes "yes", and what was consulted after it is asked anew.
            while inquiry.assumed.last().is_some_and(|(_, answer)| *answer) {
                inquiry.assumed.pop();
            }
            let more = inquiry.assumed.last_mut().map(|(_, answer)| *answer = true).is_some();
            (!inquiry.unreadable.is_empty(), deepest, more)
        });
        if unreadable || deepest > MAX_UNKNOWNS {
            return Decision::Undecided(met);
        }
        if !more {
            return Decision::Decided(first);
        }
        if ask() != first {
            INQUIRY.with_borrow(|inquiry| inquiry.iter().for_each(|inquiry| inquiry.add_to(&mut met)));
            return Decision::Undecided(met);
        }
    }
}

/// The certain answers of one place after another; at most 64.
#[derive(Default)]
pub(crate) struct Certain {
    /// How many there are.
    pub(crate) count: Cell<u32>,
    /// A bit for each place that says yes.
    pub(crate) yes: Cell<u64>,
}

impl Certain {
    pub(crate) const MOST: usize = 64;

    /// Asks with `ask` about one of `places` after another, as long as the answers are certain. What they were is kept where `ask`
    /// panics, too.
    pub(crate) fn ask(&self, places: usize, ask: impl Fn(usize) -> bool) {
        let (_, _) = probing(|| {
            for place in 0..places.min(Self::MOST) {
                let answer = ask(place);
                if PROBE.get() != Probe::On {
                    break;
                }
                self.yes.set(self.yes.get() | u64::from(answer) << place);
                self.count.set(self.count.get() + 1);
            }
            false
        });
    }

    /// The places that say yes, in their order.
    pub(crate) fn yes(&self) -> impl Iterator<Item = usize> {
        let mut rest = self.yes.get();
        std::iter::from_fn(move || {
            let place = (rest != 0).then_some(rest.trailing_zeros() as usize);
            rest &= rest.wrapping_sub(1);
            place
        })
    }
}

/// Asks once, and says whether an unknown was met.
fn probing(ask: impl FnOnce() -> bool) -> (bool, Probe) {
    struct Restore(Probe);
    impl Drop for Restore {
        fn drop(&mut self) {
            PROBE.set(self.0);
        }
    }
    let _outer = Restore(PROBE.replace(Probe::On));
    (ask(), PROBE.get())
}

/// Whether an unknown is met in a first question, which then is asked again in an inquiry.
fn is_probed() -> bool {
    let is_probed = PROBE.get() != Probe::Off;
    if is_probed {
        PROBE.set(Probe::Met);
    }
    is_probed
}

/// The answer to take for an unknown: the assumed one while a detector is asked, else no.
pub(crate) fn consult(unknown: impl FnOnce() -> Unknown) -> bool {
    if is_probed() {
        return false;
    }
    INQUIRY.with_borrow_mut(|inquiry| {
        let Some(inquiry) = inquiry else { return false };
        let unknown = unknown();
        if let Some((_, answer)) = inquiry.assumed.iter().find(|(known, _)| known.read == unknown.read) {
            return *answer;
        }
        inquiry.assumed.push((unknown, false));
        false
    })
}

/// Notes an unknown that was read in a way that has more than two answers, so it cannot be tried both ways.
pub(crate) fn unreadable(unknown: impl FnOnce() -> Unknown) {
    if is_probed() {
        return;
    }
    INQUIRY.with_borrow_mut(|inquiry| {
        if let Some(inquiry) = inquiry {
            let unknown = unknown();
            if !inquiry.unreadable.contains(&unknown) {
                inquiry.unreadable.push(unknown);
            }
        }
    });
}

/// Whether a dry run wants to show what is read.
#[inline]
pub(crate) fn is_recording() -> bool {
    RECORDING.get()
}

/// Notes what was read and answered, when a dry run wants to show it.
#[inline]
pub(crate) fn record(read: impl FnOnce() -> Read) {
    if is_recording() {
        note(read());
    }
}

#[cold]
fn note(read: Read) {
    READS.with_borrow_mut(|reads| {
        if !reads.contains(&read) {
            reads.push(read);
        }
    });
}

/// Runs `body` and returns, besides its result, everything it read of changes, in order and once each.
pub(crate) fn recording<T>(body: impl FnOnce() -> T) -> (T, Vec<Read>) {
    struct Stop;
    impl Drop for Stop {
        fn drop(&mut self) {
            RECORDING.set(false);
        }
    }
    READS.take();
    RECORDING.set(true);
    let _stop = Stop;
    let result = body();
    (result, READS.take())
}

/// One detector's inquiry; its end restores what was before, also after a panic.
struct Scope(Probe, Option<Inquiry>);

impl Scope {
    fn enter() -> Self {
        Self(PROBE.replace(Probe::Off), INQUIRY.replace(Some(Inquiry::default())))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        PROBE.set(self.0);
        INQUIRY.set(self.1.take());
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Unknown, consult, decide, unreadable};

    fn ask(name: &str) -> bool {
        consult(|| Unknown { read: name.to_owned(), cure: String::new() })
    }

    fn names(decision: Decision) -> Vec<String> {
        match decision {
            Decision::Undecided(unknowns) => unknowns.into_iter().map(|unknown| unknown.read).collect(),
            Decision::Decided(answer) => panic!("decided: {answer}"),
        }
    }

    #[test]
    fn a_detector_that_meets_no_unknown_is_asked_once() {
        let mut times = 0;

        let decision = decide(|| {
            times += 1;
            true
        });

        assert_eq!((decision, times), (Decision::Decided(true), 1));
    }

    #[test]
    fn one_that_answers_the_same_either_way_is_decided() {
        assert_eq!(decide(|| ask("a") || !ask("a")), Decision::Decided(true));
        assert_eq!(decide(|| ask("a") && !ask("a")), Decision::Decided(false));
    }

    #[test]
    fn exclusive_conditions_are_undecided_although_all_no_and_all_yes_agree() {
        assert_eq!(names(decide(|| ask("a") && !ask("b"))), ["a", "b"]);
    }

    #[test]
    fn every_combination_of_six_unknowns_is_tried() {
        let letters = ["a", "b", "c", "d", "e", "f"];

        let only_last = decide(|| letters.map(ask) == [true, false, true, true, false, true]);

        assert_eq!(names(only_last).len(), 6);
    }

    #[test]
    fn seven_unknowns_are_undecided_although_the_answer_is_always_no() {
        let letters = ["a", "b", "c", "d", "e", "f", "g"];

        assert_eq!(names(decide(|| letters.map(ask).len() > 7)).len(), 7);
    }

    #[test]
    fn an_unknown_read_as_a_value_is_undecided_whatever_the_answer() {
        let decision = decide(|| {
            unreadable(|| Unknown { read: "after(\"a\").as_i64()".to_owned(), cure: String::new() });
            false
        });

        assert_eq!(names(decision), ["after(\"a\").as_i64()"]);
    }

    #[test]
    fn an_unknown_met_in_the_pass_that_differs_is_told_too() {
        let decision = decide(|| {
            ask("a") && {
                unreadable(|| Unknown { read: "query".to_owned(), cure: String::new() });
                true
            }
        });

        assert_eq!(names(decision), ["a", "query"]);
    }

    #[test]
    fn outside_of_a_detector_an_unknown_is_no() {
        assert!(!ask("a"));
    }

    #[test]
    fn a_panic_leaves_no_assumption_behind() {
        let panicked = crate::panics::catch_panic(|| decide(|| if ask("a") { true } else { panic!("no") }));

        assert!(panicked.is_err());
        assert!(!ask("b"));
        assert_eq!(decide(|| true), Decision::Decided(true));
    }
}
