//! Does the judge notice when a promise is broken? Each test breaks one in a made-up run that is right otherwise.

use super::*;
use crate::history::{Attempt, Verdict};

/// A run of which everything is known.
struct Run {
    written: Vec<Written>,
    ledger: Ledger,
    arrivals: Vec<Arrival>,
    ends: usize,
}

/// Two documents with four versions each, one after another, and one change that no event is in.
fn run() -> Run {
    let mut run = Run { written: Vec::new(), ledger: Ledger::default(), arrivals: Vec::new(), ends: 1 };
    for number in 1..=4 {
        for document in ["a", "b"] {
            let events: &[Event] = match number {
                1 => &[Event::Built],
                2 => &[Event::Painted, Event::Numbered],
                3 => &[Event::Numbered, Event::Billed],
                _ => &[Event::Painted],
            };
            run.add(document, number, events);
        }
    }
    run.written.push(Written { version: version("a", 5), events: [].into() });
    run.ledger.positions = vec![("s".to_owned(), 8)];
    run
}

fn version(document: &str, number: i64) -> Version {
    Version { document: document.to_owned(), number }
}

impl Run {
    fn add(&mut self, document: &str, number: i64, events: &[Event]) {
        let version = version(document, number);
        let row = self.ledger.changes.len() as i64 + 1;
        let id = format!("id {row}");
        let change = Change { row, source: "s".to_owned(), seq: row, id, version: version.clone(), deaths: 0 };
        self.ledger.changes.push(change);
        for event in events {
            let name = event.name().to_owned();
            self.ledger.verdicts.push(Verdict { change: row, event: name.clone(), said: "detected".to_owned(), fires: true });
            for job in event.jobs() {
                let arrival = Arrival {
                    key: format!("{row} {name} {job}"),
                    version: version.clone(),
                    event: name.clone(),
                    job: (*job).to_owned(),
                    attempt: 1,
                    succeeds: true,
                };
                self.arrivals.push(arrival);
                let row_of_job = self.ledger.jobs.len() as i64 + 1;
                self.ledger.attempts.push(Attempt { job: row_of_job, number: 1, outcome: "succeeded".to_owned() });
                self.ledger.jobs.push(Job {
                    row: row_of_job,
                    change: row,
                    event: name.clone(),
                    name: (*job).to_owned(),
                    nth: 0,
                    effect: event.effect().to_owned(),
                    ordered: event.is_ordered(),
                    stage: "succeeded".to_owned(),
                    attempts: 1,
                });
            }
        }
        self.written.push(Written { version, events: events.iter().copied().collect() });
    }

    /// The place of a job, which is also its row less one and that of its first arrival.
    fn job(&self, document: &str, number: i64, name: &str) -> usize {
        let of = |job: &&Job| self.ledger.changes[job.change as usize - 1].version == version(document, number);
        let found = self.ledger.jobs.iter().find(|job| of(job) && job.name == name);
        found.unwrap_or_else(|| panic!("{document} {number} has no {name}")).row as usize - 1
    }

    /// The program died in the middle of the first attempt of a job, which is run again.
    fn interrupt(&mut self, job: usize) {
        self.ledger.jobs[job].attempts = 2;
        let place = self.ledger.attempts.iter().position(|attempt| attempt.job == job as i64 + 1).unwrap();
        self.ledger.attempts[place].outcome = "interrupted".to_owned();
        let again = Attempt { job: job as i64 + 1, number: 2, outcome: "succeeded".to_owned() };
        self.ledger.attempts.insert(place + 1, again);
    }

    /// A job ends as a dead letter after attempts with these outcomes.
    fn die(&mut self, job: usize, outcomes: &[&str]) {
        let row = job as i64 + 1;
        self.ledger.jobs[job].stage = "dead".to_owned();
        self.ledger.jobs[job].attempts = outcomes.len() as i64;
        self.ledger.attempts.retain(|attempt| attempt.job != row);
        let attempts = outcomes.iter().zip(1..);
        self.ledger.attempts.extend(attempts.map(|(outcome, number)| Attempt {
            job: row,
            number,
            outcome: (*outcome).to_owned(),
        }));
        self.ledger.dead_letters.push((row, "because".to_owned()));
    }

    fn checked(&self) -> (Counted, Vec<Violation>) {
        let Self { written, ledger, arrivals, ends } = self;
        check(&Histories { written, ledger, arrivals, ends: *ends, in_flight: 2 })
    }

    /// The promises that are broken, each once.
    #[track_caller]
    fn broken(&self) -> Vec<Promise> {
        let mut broken: Vec<Promise> = self.checked().1.into_iter().map(|violation| violation.promise).collect();
        broken.sort();
        broken.dedup();
        broken
    }
}

#[test]
fn a_run_that_is_right_is_counted_and_blamed_for_nothing() {
    let run = run();

    let (counted, violations) = run.checked();

    assert_eq!(violations, []);
    let expected = Counted { written: 9, matching: 8, recorded: 8, jobs: 16, effects: 16, ..Counted::default() };
    assert_eq!(counted, expected);
}

#[test]
fn a_change_that_is_not_in_the_ledger_is_lost() {
    let mut run = run();
    run.written.push(Written { version: version("c", 1), events: [Event::Built].into() });

    assert_eq!(run.broken(), [Promise::NothingLost]);
}

#[test]
fn a_change_that_is_recorded_again_is_a_duplicate() {
    let mut run = run();
    run.add("b", 4, &[Event::Painted]);
    run.ledger.positions[0].1 = 9;

    assert!(run.broken().contains(&Promise::RecordedOnce), "{:?}", run.broken());
}

#[test]
fn an_id_of_two_changes_is_a_duplicate() {
    let mut run = run();
    run.ledger.changes[3].id = run.ledger.changes[2].id.clone();

    assert_eq!(run.broken(), [Promise::RecordedOnce]);
}

#[test]
fn a_change_that_nobody_wrote_or_that_no_event_is_in_is_invented() {
    for (document, number) in [("c", 1), ("a", 5)] {
        let mut run = run();
        run.add(document, number, &[]);
        run.written.pop();
        run.ledger.positions[0].1 = 9;

        assert_eq!(run.broken(), [Promise::NothingInvented], "{document}");
    }
}

#[test]
fn a_hole_in_the_sequence_and_a_position_that_is_elsewhere_are_told() {
    let mut hole = run();
    hole.ledger.changes[7].seq = 9;
    hole.ledger.positions[0].1 = 9;
    let mut behind = run();
    behind.ledger.positions[0].1 = 7;
    let mut nowhere = run();
    nowhere.ledger.positions.clear();

    for run in [hole, behind, nowhere] {
        assert_eq!(run.broken(), [Promise::Sequence]);
    }
}

#[test]
fn a_verdict_too_few_and_one_that_did_not_decide_are_told() {
    let mut missing = run();
    missing.ledger.verdicts.pop();
    let mut undecided = run();
    undecided.ledger.verdicts[0].said = "undecided".to_owned();

    assert_eq!(missing.broken(), [Promise::Verdicts]);
    assert_eq!(undecided.broken(), [Promise::Verdicts]);
}

#[test]
fn a_job_that_is_missing_or_left_open_is_told() {
    let mut missing = run();
    missing.ledger.jobs.pop();
    missing.ledger.attempts.pop();
    missing.arrivals.pop();
    let mut open = run();
    open.ledger.jobs[0].stage = "queued".to_owned();

    assert_eq!(missing.broken(), [Promise::Jobs]);
    assert_eq!(open.broken(), [Promise::Jobs]);
}

#[test]
fn a_dead_letter_has_a_reason() {
    let mut failed = run();
    let photograph = failed.job("a", 4, "photograph");
    failed.die(photograph, &["failed"; ATTEMPTS]);
    let first = failed.arrivals[photograph].clone();
    failed.arrivals[photograph].succeeds = false;
    failed.arrivals.extend((2..=5).map(|attempt| Arrival { attempt, succeeds: false, ..first.clone() }));
    let mut once = run();
    let bill = once.job("a", 3, "bill");
    once.die(bill, &["interrupted"]);
    let mut set_aside = run();
    let note = set_aside.job("a", 4, "note");
    set_aside.die(note, &["interrupted"]);
    let change = set_aside.ledger.jobs[note].change as usize - 1;
    set_aside.ledger.changes[change].deaths = 3;

    for run in [&failed, &once, &set_aside] {
        assert_eq!(run.checked().1, []);
        assert_eq!(run.checked().0.dead_letters, 1);
    }
}

#[test]
fn a_dead_letter_without_a_reason_is_told() {
    let mut interrupted = run();
    let note = interrupted.job("a", 4, "note");
    interrupted.die(note, &["interrupted"]);
    let mut without_letter = run();
    let bill = without_letter.job("a", 3, "bill");
    without_letter.die(bill, &["interrupted"]);
    without_letter.ledger.dead_letters.clear();
    let mut succeeded = run();
    succeeded.ledger.dead_letters.push((1, "because".to_owned()));

    let mut too_early = run();
    let photograph = too_early.job("a", 4, "photograph");
    too_early.die(photograph, &["failed"]);
    too_early.arrivals[photograph].succeeds = false;

    for run in [interrupted, without_letter, succeeded, too_early] {
        assert_eq!(run.broken(), [Promise::Jobs]);
    }
}

#[test]
fn a_job_that_succeeded_without_an_effect_is_told() {
    let mut run = run();
    run.arrivals.pop();

    assert_eq!(run.broken(), [Promise::Effects]);
}

#[test]
fn an_effect_without_a_job_is_told() {
    let mut run = run();
    let stranger = Arrival { key: "k".to_owned(), version: version("c", 1), ..run.arrivals[0].clone() };
    run.arrivals.push(stranger);

    assert_eq!(run.broken(), [Promise::Effects]);
}

#[test]
fn an_effect_whose_attempt_is_not_in_the_ledger_is_told() {
    let mut run = run();
    let last = run.arrivals.last().unwrap();
    run.arrivals.push(Arrival { attempt: 2, succeeds: false, ..last.clone() });

    assert_eq!(run.broken(), [Promise::Effects]);
}

#[test]
fn an_attempt_that_ended_otherwise_than_its_effect_is_told() {
    let mut run = run();
    run.arrivals.last_mut().unwrap().succeeds = false;

    assert_eq!(run.broken(), [Promise::Effects]);
}

#[test]
fn an_idempotency_key_that_changes_or_is_of_two_jobs_is_told() {
    let mut shared = run();
    shared.arrivals[1].key = shared.arrivals[0].key.clone();
    let mut changed = run();
    let last = changed.arrivals.len() - 1;
    changed.interrupt(last);
    changed.arrivals.push(Arrival { attempt: 2, key: "another".to_owned(), ..changed.arrivals[last].clone() });

    assert_eq!(shared.broken(), [Promise::Effects]);
    assert_eq!(changed.broken(), [Promise::Effects]);
}

#[test]
fn an_interrupted_attempt_explains_one_effect_more() {
    let mut run = run();
    let note = run.job("b", 4, "note");
    run.interrupt(note);
    run.arrivals.push(Arrival { attempt: 2, ..run.arrivals[note].clone() });

    let (counted, violations) = run.checked();

    assert_eq!(violations, []);
    assert_eq!((counted.doubles, counted.interrupted), (1, 1));
}

#[test]
fn an_effect_that_is_repeated_for_no_reason_is_told() {
    let mut run = run();
    let note = run.job("b", 4, "note");
    run.arrivals.push(run.arrivals[note].clone());

    assert_eq!(run.broken(), [Promise::Effects, Promise::Doubles]);
}

#[test]
fn more_repeated_effects_than_the_ends_explain_are_told() {
    let mut run = run();
    run.ends = 0;
    let note = run.job("b", 4, "note");
    run.interrupt(note);
    run.arrivals.push(Arrival { attempt: 2, ..run.arrivals[note].clone() });

    assert_eq!(run.broken(), [Promise::Doubles]);
}

#[test]
fn a_job_that_must_not_run_twice_is_told_when_it_does() {
    let mut run = run();
    let bill = run.job("b", 3, "bill");
    run.interrupt(bill);
    let again = Arrival { attempt: 2, ..run.arrivals[bill].clone() };
    run.arrivals.insert(bill + 1, again);

    assert_eq!(run.broken(), [Promise::Once]);
}

#[test]
fn changes_of_a_document_that_are_recorded_out_of_order_are_told() {
    let mut run = run();
    let (one, other) = (run.ledger.changes[4].version.clone(), run.ledger.changes[6].version.clone());
    run.ledger.changes[4].version = other;
    run.ledger.changes[6].version = one;

    assert!(run.broken().contains(&Promise::Order), "{:?}", run.broken());
}

#[test]
fn a_job_that_begins_before_one_of_an_earlier_change_is_told() {
    let mut run = run();
    let (early, late) = (run.job("a", 1, "note"), run.job("a", 2, "photograph"));
    run.arrivals.swap(early, late);

    assert_eq!(run.broken(), [Promise::Order]);
}

#[test]
fn other_documents_may_be_faster() {
    let mut run = run();
    run.arrivals.sort_by_key(|arrival| arrival.version.document.clone());

    assert_eq!(run.broken(), []);
}

/// A job fails at first; its second attempt arrives at `place`.
fn retried(run: &mut Run, job: usize, place: usize) {
    let row = job as i64 + 1;
    run.ledger.jobs[job].attempts = 2;
    let of = run.ledger.attempts.iter().position(|attempt| attempt.job == row).unwrap();
    run.ledger.attempts[of].outcome = "failed".to_owned();
    run.ledger.attempts.insert(of + 1, Attempt { job: row, number: 2, outcome: "succeeded".to_owned() });
    let again = Arrival { attempt: 2, ..run.arrivals[job].clone() };
    run.arrivals[job].succeeds = false;
    run.arrivals.insert(place, again);
}

#[test]
fn a_retry_may_be_overtaken() {
    let mut run = run();
    let (photograph, end) = (run.job("a", 2, "photograph"), run.arrivals.len());

    retried(&mut run, photograph, end);

    assert_eq!(run.broken(), []);
}

#[test]
fn a_retry_of_an_ordered_event_may_not_be_overtaken() {
    let mut overtaken = run();
    let (engrave, end) = (overtaken.job("a", 2, "engrave"), overtaken.arrivals.len());
    retried(&mut overtaken, engrave, end);
    let mut kept = run();
    let (engrave, next) = (kept.job("a", 2, "engrave"), kept.job("a", 3, "engrave"));
    retried(&mut kept, engrave, next);

    assert_eq!(overtaken.broken(), [Promise::OrderedEvents]);
    assert_eq!(kept.broken(), []);
}

#[test]
fn a_gap_is_told() {
    let mut run = run();
    run.ledger.gaps.push("s: the history is lost".to_owned());

    assert_eq!(run.broken(), [Promise::NoGap]);
}
