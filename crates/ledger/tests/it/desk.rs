//! Can a person decide while a program runs, and is what is copied and checked the ledger?

use std::thread;
use std::time::{Duration, Instant};

use event_detector_ledger::{Desk, OpenError, backup, check};
use event_detector_runtime::{DeclaredJob, Ledger, RecordedVerdict, Said, Stage};
use futures::FutureExt;
use futures::executor::block_on;

use crate::support::{EVENT, begin, change, clock, close, died, job, new, note, now, open, parked, recording, rows, succeeded};

#[test]
fn a_person_retries_and_drops_while_a_program_runs() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let jobs = begin(&ledger, "1", vec![job("retried"), job("dropped"), job("done"), job("parked")]);
    note(&ledger, vec![(jobs[0], died()), (jobs[1], died()), (jobs[2], succeeded()), (jobs[3], parked(clock() + 600_000))]);
    let mut desk = Desk::open(dir.path()).unwrap();

    let retried = desk.retry(&[jobs[0], jobs[2], jobs[3]], clock()).unwrap();
    let dropped = desk.drop_jobs(&[jobs[1], 999], clock()).unwrap();

    assert_eq!(retried.done, [jobs[0], jobs[3]]);
    assert_eq!(retried.refused, [(jobs[2], format!("job {}: a job that is succeeded cannot be retried", jobs[2]))]);
    assert_eq!(dropped.done, [jobs[1]]);
    assert_eq!(dropped.refused, [(999, "there is no job 999".to_owned())]);
    let taken = now(ledger.take_due(9)).unwrap();
    let states: Vec<_> = taken[0].jobs.iter().map(|job| (job.row, job.state.stage, job.state.failures)).collect();
    assert_eq!(states, [(jobs[0], Stage::Queued, 0), (jobs[3], Stage::Queued, 0)]);
    assert_eq!(ledger.stats().open_dead_letters, 0);
    assert_eq!(rows(dir.path(), "SELECT resolution FROM dead_letters ORDER BY letter"), ["retried", "dropped"]);
    assert!(check(dir.path()).unwrap().is_whole());
}

#[test]
fn whoever_waits_for_jobs_is_told_of_what_a_person_decides() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let jobs = begin(&ledger, "1", vec![job("one")]);
    note(&ledger, vec![(jobs[0], died())]);
    assert!(now(ledger.take_due(9)).unwrap().is_empty());
    // It may be told without need, but not without end.
    let mut wait = ledger.wait_for_due();
    while wait.as_mut().now_or_never().is_some() {
        wait = ledger.wait_for_due();
    }

    let begun = Instant::now();
    Desk::open(dir.path()).unwrap().retry(&jobs, clock()).unwrap();
    block_on(wait);

    assert_eq!(now(ledger.take_due(9)).unwrap()[0].jobs[0].row, jobs[0]);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn a_run_adds_jobs_that_the_owner_takes_up_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let changes = ["1", "2"].map(|id| new(now(ledger.record(recording(change("a", id, 1), None, vec![]))).unwrap()).0);
    let verdicts = [RecordedVerdict { event: EVENT, fires: true, said: Said::Detected, detail: None }];
    let mut desk = Desk::open(dir.path()).unwrap();

    let run = desk.begin_run(r#"{"event":"move.created"}"#).unwrap();
    let first = desk.add_to_run(run, changes[0], &verdicts, &[job("later")], 0).unwrap();
    let again = desk.add_to_run(run, changes[0], &verdicts, &[job("later")], 0).unwrap();
    let second = desk.add_to_run(run, changes[1], &verdicts, &[job("later")], clock() + 600_000).unwrap();
    desk.finish_run(run).unwrap();

    assert_eq!((run, first.len(), again.len(), second.len()), (1, 1, 0, 1));
    let taken = now(ledger.take_due(9)).unwrap();
    assert_eq!(taken.iter().map(|taken| (taken.row, taken.jobs[0].row)).collect::<Vec<_>>(), [(changes[0], first[0])]);
    let next = begin(&ledger, "3", vec![job("one")]);
    assert_eq!(next, [second[0] + 1]);
    assert_eq!(rows(dir.path(), "SELECT reached, finished_at > 0 FROM runs"), [format!("{} 1", changes[1])]);
    assert!(desk.add_to_run(run, changes[1] + 1, &verdicts, &[], 0).unwrap_err().to_string().contains("run 1 is finished"));
    assert!(desk.finish_run(7).unwrap_err().to_string().contains("there is no run 7"));
    assert!(check(dir.path()).unwrap().is_whole());
}

#[test]
fn a_run_takes_dead_letters_over_so_that_no_job_runs_twice() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let jobs = begin(&ledger, "1", vec![job("one"), DeclaredJob { nth: 1, ..job("one") }, job("other")]);
    note(&ledger, jobs.iter().map(|job| (*job, died())).collect());
    let verdicts = [RecordedVerdict { event: EVENT, fires: true, said: Said::Detected, detail: None }];
    let mut desk = Desk::open(dir.path()).unwrap();

    let run = desk.begin_run("{}").unwrap();
    let added = desk.add_to_run(run, 1, &verdicts, &[job("one")], 0).unwrap();
    let decided = desk.retry(&[jobs[0], jobs[1], added[0]], 0).unwrap();

    assert_eq!(decided.done, [jobs[1], added[0]]);
    assert_eq!(decided.refused, [(jobs[0], format!("job {}: run {run} has it anew", jobs[0]))]);
    assert_eq!(rows(dir.path(), "SELECT stage FROM jobs ORDER BY job"), ["dropped", "waiting", "dead", "waiting"]);
    assert_eq!(rows(dir.path(), "SELECT resolution FROM dead_letters ORDER BY letter"), ["replayed", "retried", "null"]);
    let taken = now(ledger.take_due(9)).unwrap();
    assert_eq!(taken.iter().flat_map(|taken| &taken.jobs).map(|job| job.row).collect::<Vec<_>>(), [jobs[1], added[0]]);
    assert_eq!(ledger.stats().open_dead_letters, 1);
    assert!(check(dir.path()).unwrap().is_whole());
}

#[test]
fn a_person_and_a_program_write_at_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let jobs: Vec<_> = (0..40).map(|number| begin(&ledger, &number.to_string(), vec![job("one")])[0]).collect();
    note(&ledger, jobs.iter().map(|job| (*job, died())).collect());
    let mut desk = Desk::open(dir.path()).unwrap();
    let decided = jobs.clone();

    let person = thread::spawn(move || decided.into_iter().for_each(|job| drop(desk.retry(&[job], 0).unwrap())));
    for number in 100..200 {
        begin(&ledger, &number.to_string(), vec![job("one")]);
    }
    person.join().unwrap();

    assert_eq!(now(ledger.take_due(100)).unwrap().len(), 40);
    let report = check(dir.path()).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert!(report.rows.contains(&("changes", 140)), "{report:?}");
}

#[test]
fn where_there_is_no_ledger_nobody_sits_down() {
    let dir = tempfile::tempdir().unwrap();

    for error in [
        Desk::open(dir.path()).unwrap_err(),
        check(dir.path()).unwrap_err(),
        backup(dir.path(), &dir.path().join("copy")).unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_copy_is_the_ledger_at_one_moment_and_can_take_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (home, restored) = (dir.path().join("home"), dir.path().join("restored"));
    let ledger = open(&home);
    begin(&ledger, "1", vec![job("one")]);
    std::fs::create_dir(&restored).unwrap();
    let copy = restored.join("ledger.db");

    backup(&home, &copy).unwrap();
    begin(&ledger, "2", vec![job("one")]);

    assert!(matches!(backup(&home, &copy), Err(OpenError::File { .. })));
    let again = open(&restored);
    assert_eq!(now(again.recover()).unwrap().unfinished.len(), 1);
    close(&again);
    assert!(check(&restored).unwrap().is_whole());
}

#[test]
fn a_check_names_what_does_not_fit_together() {
    let misfits = [
        ("DELETE FROM changes WHERE change = 2", "the changes 2 to 2 are missing"),
        ("DELETE FROM changes WHERE change = 2", "job 2 is of a change that is not there"),
        ("DELETE FROM changes WHERE change = 3", "its last change is 2, and its position says 3"),
        ("DELETE FROM positions", "its last change is 3, and its position says 0"),
        ("DELETE FROM attempts WHERE job = 1", "job 1 has another number of attempts than it says"),
        ("DELETE FROM jobs WHERE job = 3", "attempt 1 of job 3 is of a job that is not there"),
        ("DELETE FROM dead_letters", "job 2 is a dead letter in one table and not in the other"),
        ("UPDATE gaps SET reason = ''", "table `gaps`, gap 1 is not what was written"),
        ("UPDATE ledger SET commits = 1", "transactions were lost"),
    ];
    for (damage, named) in misfits {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path());
        let jobs: Vec<_> = (1..=3).map(|number| begin(&ledger, &number.to_string(), vec![job("one")])[0]).collect();
        note(&ledger, vec![(jobs[1], died())]);
        let (source, from, to, reason) = ("a".to_owned(), String::new(), String::new(), "told so".to_owned());
        now(ledger.gap(event_detector_runtime::Gap { source, from, to, reason })).unwrap();
        close(&ledger);
        assert!(check(dir.path()).unwrap().is_whole());

        rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap().execute_batch(damage).unwrap();

        let problems = check(dir.path()).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains(named)), "{damage}: {problems:?}");
    }
}
