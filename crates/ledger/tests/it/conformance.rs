//! Does a ledger keep what the trait promises?
//!
//! Each promise is a function over a [`Home`], so that every ledger can be held to all of them.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use event_detector_runtime::{DeclaredJob, Entry, Gap, Ledger, LedgerError, MAX_DEATHS, Recorded, Stage};
use futures::FutureExt;
use futures::executor::block_on;

use crate::support::{begin, change, clock, close, died, job, new, note, now, once, open, parked, recording, succeeded};

/// Where ledgers live, from one process to the next.
pub(crate) trait Home {
    /// The ledger as the next process finds it; the process before is gone.
    fn open(&self) -> Box<dyn Ledger>;
}

struct InSqlite<'d>(&'d Path);

impl Home for InSqlite<'_> {
    fn open(&self) -> Box<dyn Ledger> {
        Box::new(open(self.0))
    }
}

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                super::$promise(&super::InSqlite(dir.path()));
            })*
        }
    };
}

promises![
    a_change_is_recorded_once,
    another_change_of_an_id_is_refused_and_its_neighbours_are_not,
    what_comes_with_a_position_is_never_refused_for_its_id,
    an_id_is_of_one_source,
    rows_are_numbered_in_the_order_of_the_calls,
    a_receipt_that_is_dropped_changes_nothing,
    a_position_is_on_disk_with_its_change,
    a_kept_position_gives_way_to_a_later_one_only,
    a_position_outlives_the_process,
    a_job_that_succeeded_is_not_taken_up_again,
    entries_are_noted_together_or_not_at_all,
    a_wrong_entry_is_refused_for_its_call_alone,
    what_was_on_its_way_is_taken_up_again,
    a_job_that_must_not_be_done_twice_is_not_taken_up_again,
    a_change_is_set_aside_after_so_many_deaths,
    what_was_only_queued_has_seen_no_death,
    what_is_due_is_taken_by_change_oldest_first,
    what_waits_is_due_after_a_restart,
    what_did_not_begin_was_never_started,
    what_others_wait_for_goes_on_at_once_after_a_restart,
    a_dead_letter_is_run_again_when_a_person_wants_it,
    whoever_waits_is_told_when_a_job_is_due,
    whoever_waits_is_told_of_a_job_that_is_due_earlier,
    a_closed_ledger_says_so,
];

fn a_change_is_recorded_once(home: &dyn Home) {
    let ledger = home.open();

    let first = now(ledger.record(recording(change("a", "1", 1), None, vec![job("one"), job("two")]))).unwrap();
    let again = now(ledger.record(recording(change("a", "1", 1), None, vec![job("one"), job("two")]))).unwrap();

    let (row, jobs) = new(first);
    assert_eq!(jobs.len(), 2);
    assert!(matches!(again, Recorded::Duplicate { change, .. } if change == row), "{again:?}");
    assert_eq!(now(ledger.recover()).unwrap().unfinished.len(), 1);
}

fn another_change_of_an_id_is_refused_and_its_neighbours_are_not(home: &dyn Home) {
    let ledger = home.open();
    let before = clock();
    now(ledger.record(recording(change("a", "1", 1), None, vec![]))).unwrap();

    let receipts = ["0", "1", "2"].map(|id| ledger.record(recording(change("a", id, 2), None, vec![job("one")])));
    let [zero, one, two] = receipts.map(now);

    assert!(matches!(zero, Ok(Recorded::New { .. })), "{zero:?}");
    let Err(LedgerError::IdReused { id, recorded_at }) = one else { panic!("{one:?}") };
    assert_eq!(id, "1");
    assert!((before..=clock()).contains(&recorded_at), "{recorded_at}");
    assert!(matches!(two, Ok(Recorded::New { .. })), "{two:?}");
}

fn what_comes_with_a_position_is_never_refused_for_its_id(home: &dyn Home) {
    let ledger = home.open();
    now(ledger.record(recording(change("a", "1", 1), Some(b"p1"), vec![]))).unwrap();

    let again = now(ledger.record(recording(change("a", "1", 2), Some(b"p2"), vec![]))).unwrap();

    assert!(matches!(again, Recorded::Duplicate { .. }), "{again:?}");
    assert_eq!(now(ledger.position("a")).unwrap().as_deref(), Some(&b"p2"[..]));
}

fn an_id_is_of_one_source(home: &dyn Home) {
    let ledger = home.open();

    let recorded = ["a", "b"].map(|source| now(ledger.record(recording(change(source, "1", 1), None, vec![]))).unwrap());

    assert!(recorded.iter().all(|recorded| matches!(recorded, Recorded::New { .. })), "{recorded:?}");
}

fn rows_are_numbered_in_the_order_of_the_calls(home: &dyn Home) {
    let ledger = home.open();

    let receipts: Vec<_> = (0..1_200)
        .map(|number| ledger.record(recording(change("a", &number.to_string(), number), None, vec![job("one")])))
        .collect();
    let rows: Vec<_> = receipts.into_iter().map(|receipt| new(now(receipt).unwrap())).collect();

    assert!(rows.is_sorted_by(|one, next| one.0 < next.0 && one.1[0] < next.1[0]));
}

fn a_receipt_that_is_dropped_changes_nothing(home: &dyn Home) {
    let ledger = home.open();

    drop(ledger.record(recording(change("a", "1", 1), None, vec![])));

    let again = now(ledger.record(recording(change("a", "1", 1), None, vec![]))).unwrap();
    assert!(matches!(again, Recorded::Duplicate { .. }), "{again:?}");
}

fn a_position_is_on_disk_with_its_change(home: &dyn Home) {
    let ledger = home.open();

    now(ledger.record(recording(change("a", "1", 1), Some(b"p1"), vec![]))).unwrap();
    now(ledger.record(recording(change("a", "2", 2), None, vec![]))).unwrap();

    assert_eq!(now(ledger.position("a")).unwrap().as_deref(), Some(&b"p1"[..]));
    assert_eq!(now(ledger.position("b")).unwrap(), None);
}

fn a_kept_position_gives_way_to_a_later_one_only(home: &dyn Home) {
    let ledger = home.open();

    ledger.keep("a", b"k1".to_vec());
    ledger.keep("b", b"other".to_vec());
    drop(ledger.record(recording(change("a", "1", 1), Some(b"p2"), vec![])));
    assert_eq!(now(ledger.position("a")).unwrap().as_deref(), Some(&b"p2"[..]));
    ledger.keep("a", b"k3".to_vec());
    ledger.keep("a", b"k4".to_vec());

    assert_eq!(now(ledger.position("a")).unwrap().as_deref(), Some(&b"k4"[..]));
    assert_eq!(now(ledger.position("b")).unwrap().as_deref(), Some(&b"other"[..]));
}

fn a_position_outlives_the_process(home: &dyn Home) {
    let ledger = home.open();
    now(ledger.record(recording(change("a", "1", 1), Some(b"p1"), vec![]))).unwrap();
    ledger.keep("b", b"kept".to_vec());
    close(&*ledger);

    let ledger = home.open();

    assert_eq!(now(ledger.position("a")).unwrap().as_deref(), Some(&b"p1"[..]));
    assert_eq!(now(ledger.position("b")).unwrap().as_deref(), Some(&b"kept"[..]));
}

fn a_job_that_succeeded_is_not_taken_up_again(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("one"), job("two")]);
    note(&*ledger, vec![(jobs[0], succeeded())]);
    close(&*ledger);

    let recovered = now(home.open().recover()).unwrap();

    let [unfinished] = &recovered.unfinished[..] else { panic!("{recovered:?}") };
    assert_eq!(unfinished.jobs.iter().map(|job| job.row).collect::<Vec<_>>(), jobs[1..]);
}

fn entries_are_noted_together_or_not_at_all(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("one"), job("two")]);

    let noted = now(ledger.note(vec![(jobs[0], succeeded()), (jobs[1], Entry::Started { at: clock() })]));

    assert!(matches!(noted, Err(LedgerError::Failed(_))), "{noted:?}");
    assert_eq!(now(ledger.recover()).unwrap().unfinished[0].jobs.len(), 2);
}

fn a_wrong_entry_is_refused_for_its_call_alone(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("one"), job("two")]);

    let calls = [
        vec![(jobs[0], succeeded())],
        vec![(jobs[0], succeeded())],
        vec![(jobs[1] + 1_000, succeeded())],
        vec![(jobs[1], parked(0)), (jobs[1], Entry::Queued), (jobs[1], Entry::Started { at: 0 }), (jobs[1], succeeded())],
    ];
    let [first, twice, unknown, whole_life] = calls.map(|entries| ledger.note(entries)).map(now);

    assert_eq!(first, Ok(()));
    assert!(matches!(&twice, Err(LedgerError::Failed(why)) if why.contains("succeeded cannot be finished")), "{twice:?}");
    assert!(matches!(&unknown, Err(LedgerError::Failed(why)) if why.contains("there is no job")), "{unknown:?}");
    assert_eq!(whole_life, Ok(()));
    assert!(now(ledger.recover()).unwrap().unfinished.is_empty());
}

fn what_was_on_its_way_is_taken_up_again(home: &dyn Home) {
    let ledger = home.open();
    let running = begin(&*ledger, "1", vec![job("one")]);
    let queued = new(now(ledger.record(recording(change("b", "2", 2), None, vec![job("one")]))).unwrap()).1;
    let failed = begin(&*ledger, "3", vec![job("one")]);
    note(&*ledger, vec![(failed[0], parked(clock() + 600_000))]);
    close(&*ledger);

    let recovered = now(home.open().recover()).unwrap();

    assert_eq!(recovered.quarantined, 0);
    let jobs: Vec<_> = recovered.unfinished.iter().flat_map(|unfinished| &unfinished.jobs).collect();
    assert_eq!(jobs.iter().map(|job| job.row).collect::<Vec<_>>(), [running[0], queued[0]]);
    assert!(jobs.iter().all(|job| job.state.stage == Stage::Queued && job.state.failures == 0), "{jobs:?}");
    assert_eq!(jobs.iter().map(|job| job.state.attempts).collect::<Vec<_>>(), [1, 0]);
    let changes: Vec<_> = recovered.unfinished.iter().map(|unfinished| unfinished.change.as_ref().unwrap().id()).collect();
    assert_eq!(changes, ["1", "2"]);
    assert_eq!(recovered.unfinished.iter().map(|unfinished| unfinished.deaths).collect::<Vec<_>>(), [1, 0]);
}

fn a_job_that_must_not_be_done_twice_is_not_taken_up_again(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![once("one"), job("two")]);
    close(&*ledger);

    let ledger = home.open();
    let recovered = now(ledger.recover()).unwrap();

    assert_eq!(recovered.unfinished[0].jobs.iter().map(|job| job.row).collect::<Vec<_>>(), jobs[1..]);
    note(&*ledger, vec![(jobs[0], Entry::Retried { at: 0 })]);
    assert_eq!(now(ledger.take_due(9)).unwrap()[0].jobs[0].row, jobs[0]);
}

fn a_change_is_set_aside_after_so_many_deaths(home: &dyn Home) {
    let mut ledger = home.open();
    let poison = begin(&*ledger, "poison", vec![job("one"), job("parked")]);
    note(&*ledger, vec![(poison[1], parked(clock() + 600_000))]);

    for deaths in 1..MAX_DEATHS {
        close(&*ledger);
        ledger = home.open();
        let recovered = now(ledger.recover()).unwrap();
        assert_eq!((recovered.quarantined, recovered.unfinished[0].deaths), (0, deaths));
        note(&*ledger, vec![(poison[0], Entry::Started { at: clock() })]);
    }
    close(&*ledger);
    ledger = home.open();
    let recovered = now(ledger.recover()).unwrap();

    assert_eq!((recovered.quarantined, recovered.unfinished.len()), (1, 0));
    // Both of its jobs are dead letters, which a person may want to be run.
    note(&*ledger, poison.iter().map(|job| (*job, Entry::Retried { at: 0 })).collect());
    assert_eq!(now(ledger.take_due(9)).unwrap()[0].jobs.len(), 2);
}

fn what_was_only_queued_has_seen_no_death(home: &dyn Home) {
    let ledger = home.open();
    now(ledger.record(recording(change("a", "1", 1), None, vec![job("one")]))).unwrap();
    close(&*ledger);

    for _restart in 0..=MAX_DEATHS {
        let ledger = home.open();
        let recovered = now(ledger.recover()).unwrap();
        close(&*ledger);

        assert_eq!((recovered.quarantined, recovered.unfinished[0].deaths), (0, 0));
    }
}

fn what_is_due_is_taken_by_change_oldest_first(home: &dyn Home) {
    let ledger = home.open();
    let jobs = ["1", "2", "3", "4"].map(|id| begin(&*ledger, id, vec![job("one"), job("two")]));
    for (jobs, due) in jobs.iter().zip([30, 10, 20, clock() + 600_000]) {
        note(&*ledger, vec![(jobs[0], parked(due)), (jobs[1], parked(due + 15))]);
    }

    let first = now(ledger.take_due(2)).unwrap();
    let second = now(ledger.take_due(2)).unwrap();
    let third = now(ledger.take_due(2)).unwrap();

    let rows = |taken: &[event_detector_runtime::Unfinished]| -> Vec<Vec<i64>> {
        taken.iter().map(|unfinished| unfinished.jobs.iter().map(|job| job.row).collect()).collect()
    };
    assert_eq!(rows(&first), [&*jobs[1], &*jobs[2]]);
    assert_eq!(rows(&second), [&*jobs[0]]);
    assert!(third.is_empty(), "{third:?}");
    assert_eq!(first[0].change.as_ref().unwrap().id(), "2");
    let state = first[0].jobs[0].state;
    assert_eq!((state.stage, state.attempts, state.failures), (Stage::Queued, 1, 1));
}

fn what_waits_is_due_after_a_restart(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("one")]);
    note(&*ledger, vec![(jobs[0], parked(5))]);
    close(&*ledger);

    let ledger = home.open();
    let recovered = now(ledger.recover()).unwrap();

    assert!(recovered.unfinished.is_empty() && recovered.interrupted == 0, "{recovered:?}");
    assert_eq!(now(ledger.take_due(9)).unwrap()[0].jobs[0].row, jobs[0]);
}

fn what_did_not_begin_was_never_started(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("one"), once("two")]);

    note(&*ledger, jobs.iter().map(|row| (*row, Entry::NotBegun { at: 5 })).collect());

    let taken = now(ledger.take_due(9)).unwrap();
    let states: Vec<_> = taken[0].jobs.iter().map(|job| (job.state.stage, job.state.attempts)).collect();
    assert_eq!(states, [(Stage::Queued, 0), (Stage::Queued, 0)]);
    note(&*ledger, vec![(jobs[0], Entry::Started { at: 6 }), (jobs[0], succeeded())]);
}

fn what_others_wait_for_goes_on_at_once_after_a_restart(home: &dyn Home) {
    let ledger = home.open();
    let ordered = begin(&*ledger, "1", vec![DeclaredJob { ordered: true, ..job("one") }]);
    note(&*ledger, vec![(ordered[0], parked(5))]);
    let (_, not_begun) = new(now(ledger.record(recording(change("a", "2", 2), None, vec![job("one")]))).unwrap());
    close(&*ledger);

    let ledger = home.open();
    let recovered = now(ledger.recover()).unwrap();

    let rows: Vec<_> = recovered.unfinished.iter().map(|unfinished| unfinished.jobs[0].row).collect();
    assert_eq!(rows, [ordered[0], not_begun[0]]);
    assert!(recovered.interrupted == 0 && recovered.unfinished[0].deaths == 0, "{recovered:?}");
    assert!(now(ledger.take_due(9)).unwrap().is_empty());
}

fn a_dead_letter_is_run_again_when_a_person_wants_it(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("one"), job("two")]);
    note(&*ledger, vec![(jobs[0], died()), (jobs[1], died())]);
    assert!(now(ledger.recover()).unwrap().unfinished.is_empty());

    note(&*ledger, vec![(jobs[0], Entry::Retried { at: 0 }), (jobs[1], Entry::Dropped { at: 0 })]);

    let taken = now(ledger.take_due(9)).unwrap();
    assert_eq!(taken[0].jobs.len(), 1);
    let state = taken[0].jobs[0].state;
    assert_eq!((state.stage, state.attempts, state.failures), (Stage::Queued, 1, 0));
}

fn whoever_waits_is_told_when_a_job_is_due(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("one")]);
    note(&*ledger, vec![(jobs[0], parked(clock() + 300))]);
    let begun = Instant::now();

    // It may be told without need, but not without end.
    while now(ledger.take_due(9)).unwrap().is_empty() {
        block_on(ledger.wait_for_due());
    }

    let waited = begun.elapsed();
    assert!((Duration::from_millis(250)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
}

fn whoever_waits_is_told_of_a_job_that_is_due_earlier(home: &dyn Home) {
    let ledger = home.open();
    let jobs = begin(&*ledger, "1", vec![job("late"), job("early")]);
    note(&*ledger, vec![(jobs[0], parked(clock() + 600_000))]);
    let mut wait = ledger.wait_for_due();
    while wait.as_mut().now_or_never().is_some() {
        wait = ledger.wait_for_due();
    }

    note(&*ledger, vec![(jobs[1], parked(clock()))]);

    let told = thread::spawn(move || block_on(wait));
    told.join().unwrap();
    assert_eq!(now(ledger.take_due(9)).unwrap()[0].jobs[0].row, jobs[1]);
}

fn a_closed_ledger_says_so(home: &dyn Home) {
    let ledger = home.open();
    let last = ledger.record(recording(change("a", "1", 1), None, vec![]));
    close(&*ledger);

    assert!(now(last).is_ok());
    assert_eq!(now(ledger.record(recording(change("a", "2", 2), None, vec![]))), Err(LedgerError::Closed));
    assert_eq!(now(ledger.note(vec![])), Err(LedgerError::Closed));
    assert_eq!(now(ledger.position("a")), Err(LedgerError::Closed));
    let gap = Gap { source: "a".to_owned(), from: String::new(), to: String::new(), reason: String::new() };
    assert_eq!(now(ledger.gap(gap)), Err(LedgerError::Closed));
    assert_eq!(now(ledger.recover()).unwrap_err(), LedgerError::Closed);
    assert_eq!(now(ledger.take_due(1)).unwrap_err(), LedgerError::Closed);
    assert_eq!(now(ledger.close()), Err(LedgerError::Closed));
    block_on(ledger.wait_for_due());
    ledger.keep("a", vec![]);
}
