//! What does it cost to keep a change?
//!
//! Changes of 600 bytes, each with one verdict and two jobs whose first attempts begin, are recorded with fsync on and many in flight,
//! beside a loop by hand that writes the same rows into the same tables and indexes in transactions of 100. Both write to fresh files on
//! the same disk in turn, and what is reported as our share is the median over the rounds.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use event_detector::{Change, Effect};
use event_detector_ledger::{Options, Sqlite};
use event_detector_runtime::{DeclaredJob, Entry, Ledger, Outcome, Recorded, RecordedVerdict, Recording, Said};
use futures::stream::{self, StreamExt};
use rusqlite::{Connection, params};
use serde_json::json;

const CHANGES: usize = 20_000;
const IN_FLIGHT: usize = 1_024;
const ROUNDS: usize = 5;
const GROUP: usize = 100;
/// Changes of a ledger that is opened again: with their verdicts, jobs and attempts, a million rows.
const MANY: usize = 170_000;
/// One in so many of its jobs was left in the middle.
const LEFT: i64 = 500;
const EVENT: &str = "move.created";
const JOBS: [&str; 2] = ["rerun_ar", "post_webhook"];
/// Recordings a second while latency is measured, and for how long.
const RATE: u32 = 1_000;
const PACED: Duration = Duration::from_secs(5);

fn change(number: usize) -> Change {
    let filler = "x".repeat(440);
    let change: Change = Change::insert("moves")
        .database("app")
        .id(&format!("82{number:088x}"))
        .key(number as i64)
        .after(json!({ "id": number, "status": "en route", "notes": filler }))
        .into();
    change.with_source("mongodb").with_correlation_id(format!("cause-{number}"))
}

fn recording(number: usize) -> Recording {
    let job = |name: &'static str| DeclaredJob {
        event: EVENT,
        name: name.into(),
        nth: 0,
        options: r#"{"move_id":7}"#.to_owned(),
        effect: Effect::Idempotent,
        ordered: false,
    };
    Recording {
        change: Arc::new(change(number)),
        position: Some(number.to_le_bytes().to_vec()),
        verdicts: vec![RecordedVerdict { event: EVENT, fires: true, said: Said::Detected, detail: None }],
        jobs: JOBS.map(job).into(),
        begins: true,
    }
}

/// Records all of them through the ledger, so many in flight; the time it takes.
fn through_the_ledger(tokio: &tokio::runtime::Runtime, dir: &Path) -> Duration {
    let ledger = Sqlite::open(dir, Options::default()).expect("a new ledger");
    let recordings: Vec<_> = (0..CHANGES).map(recording).collect();
    let begun = Instant::now();
    tokio.block_on(async {
        let mut receipts = stream::iter(recordings).map(|recording| ledger.record(recording)).buffer_unordered(IN_FLIGHT);
        while let Some(recorded) = receipts.next().await {
            assert!(matches!(black_box(recorded), Ok(Recorded::New { .. })));
        }
    });
    let took = begun.elapsed();
    tokio.block_on(ledger.close()).expect("it closes");
    took
}

/// Writes the same rows by hand, in transactions of 100; the time it takes.
fn by_hand(dir: &Path) -> Duration {
    std::fs::create_dir_all(dir).expect("a folder");
    let mut connection = Connection::open(dir.join("ledger.db")).expect("a new database");
    connection.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    connection.pragma_update(None, "synchronous", "FULL").expect("fsync");
    connection.execute_batch(include_str!("../src/schema.sql")).expect("the tables");
    connection.set_prepared_statement_cache_capacity(32);
    let changes: Vec<_> = (0..CHANGES).map(recording).collect();
    let begun = Instant::now();
    let mut row = 0_i64;
    for group in changes.chunks(GROUP) {
        let transaction = connection.transaction().expect("a transaction");
        for recording in group {
            row += 1;
            write_by_hand(&transaction, recording, row).expect("it is written");
        }
        transaction
            .execute("REPLACE INTO positions VALUES ('mongodb', ?1, ?2, 0, 0)", params![row.to_le_bytes(), row])
            .expect("the position");
        transaction.commit().expect("it is on disk");
    }
    begun.elapsed()
}

fn write_by_hand(connection: &Connection, recording: &Recording, row: i64) -> rusqlite::Result<()> {
    let change = &recording.change;
    let stored = change.to_stored();
    connection
        .prepare_cached("INSERT INTO changes VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?12, 0, 0)")?
        .execute(params![
            row,
            change.source(),
            change.id(),
            change.database(),
            change.collection(),
            change.operation().as_str(),
            change.key().to_json().unwrap_or_default().to_string(),
            change.correlation_id(),
            change.committed_at().map(|at| at.timestamp_millis()),
            stored.form.as_str(),
            stored.bytes,
            stored.beside,
        ])?;
    connection.prepare_cached("INSERT INTO verdicts VALUES (?1, 0, ?2, 'detected', 1, NULL, 0)")?.execute(params![row, EVENT])?;
    for (at, job) in recording.jobs.iter().enumerate() {
        let number = (row - 1) * 2 + 1 + at as i64;
        connection
            .prepare_cached(
                "INSERT INTO jobs VALUES (?1, ?2, 0, ?3, ?4, 0, ?5, 'idempotent', 0, 'running', 1, 0, NULL, 0, NULL, NULL, 0)",
            )?
            .execute(params![number, row, EVENT, job.name, job.options])?;
        connection.prepare_cached("INSERT INTO attempts VALUES (?1, 1, 0, NULL, NULL, NULL, 0)")?.execute([number])?;
    }
    Ok(())
}

fn per_second(took: Duration) -> f64 {
    CHANGES as f64 / took.as_secs_f64()
}

fn throughput(tokio: &tokio::runtime::Runtime) {
    let mut shares: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let dir = tempfile::tempdir_in(".").expect("a folder");
            // Each goes first in turn, since the disk is not equally fast all the time.
            let (ours, hand) = if round % 2 == 0 {
                let ours = through_the_ledger(tokio, &dir.path().join("ours"));
                (ours, by_hand(&dir.path().join("hand")))
            } else {
                let hand = by_hand(&dir.path().join("hand"));
                (through_the_ledger(tokio, &dir.path().join("ours")), hand)
            };
            let share = hand.as_secs_f64() / ours.as_secs_f64();
            println!("ledger: {:.0} changes/s, by hand {:.0}: {:.0} %", per_second(ours), per_second(hand), share * 100.0);
            share
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    println!("ledger: our share of the loop by hand is {:.0} % (median of {ROUNDS} rounds)", shares[ROUNDS / 2] * 100.0);
}

/// How long a receipt takes while so many a second are recorded.
fn latency(tokio: &tokio::runtime::Runtime) {
    let dir = tempfile::tempdir_in(".").expect("a folder");
    let ledger = Sqlite::open(dir.path(), Options::default()).expect("a new ledger");
    let count = RATE * u32::try_from(PACED.as_secs()).expect("a few seconds");
    let mut took: Vec<Duration> = tokio.block_on(async {
        let mut pace = tokio::time::interval(Duration::from_millis(1));
        let mut waiting = Vec::new();
        let begun = Instant::now();
        for number in 0..count {
            while begun.elapsed() < Duration::from_secs(1) * number / RATE {
                pace.tick().await;
            }
            let asked = Instant::now();
            let receipt = ledger.record(recording(number as usize));
            waiting.push(tokio::spawn(async move {
                receipt.await.expect("it is recorded");
                asked.elapsed()
            }));
        }
        let mut took = Vec::new();
        for receipt in waiting {
            took.push(receipt.await.expect("nobody panics"));
        }
        took
    });
    took.sort_unstable();
    let at = |part: f64| took[(took.len() as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "ledger: receipts at {RATE} recordings/s: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        took[took.len() - 1].as_secs_f64() * 1e3
    );
    tokio.block_on(ledger.close()).expect("it closes");
}

/// How long a program takes to own a ledger of a million rows, and to take up what its predecessor left in the middle of.
fn restart(tokio: &tokio::runtime::Runtime) {
    let dir = tempfile::tempdir_in(".").expect("a folder");
    let ledger = Sqlite::open(dir.path(), Options::default()).expect("a new ledger");
    tokio.block_on(async {
        for chunk in (0..MANY).step_by(IN_FLIGHT) {
            let receipts: Vec<_> = (chunk..MANY.min(chunk + IN_FLIGHT)).map(|number| ledger.record(recording(number))).collect();
            let mut entries = Vec::new();
            for receipt in receipts {
                let Recorded::New { jobs, .. } = receipt.await.expect("it is recorded") else { continue };
                entries.extend(jobs.into_iter().filter(|job| job % LEFT != 0).map(|job| (job, succeeded())));
            }
            ledger.note(entries).await.expect("it is noted");
        }
        ledger.close().await.expect("it closes");
    });
    let begun = Instant::now();
    let ledger = Sqlite::open(dir.path(), Options::default()).expect("a ledger");
    let opened = begun.elapsed();
    let recovered = tokio.block_on(ledger.recover()).expect("it is taken over");
    let recovered_in = begun.elapsed();
    tokio.block_on(ledger.record(recording(MANY))).expect("it is recorded");
    println!(
        "ledger: with {} rows, open after {opened:.0?}, {} changes taken up after {recovered_in:.0?}, a new one on disk after {:.0?}",
        MANY * 6,
        recovered.unfinished.len(),
        begun.elapsed()
    );
    tokio.block_on(ledger.close()).expect("it closes");
}

fn succeeded() -> Entry {
    Entry::Finished { at: 0, outcome: Outcome::Succeeded { result: json!({ "ok": true }) } }
}

fn ledger(criterion: &mut Criterion) {
    let tokio =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started");
    throughput(&tokio);
    latency(&tokio);
    restart(&tokio);
    let dir = tempfile::tempdir_in(".").expect("a folder");
    let ledger = Sqlite::open(dir.path(), Options::default()).expect("a new ledger");
    let mut number = 0;
    criterion.bench_function("ledger/one recording after the other", |bench| {
        bench.iter(|| {
            number += 1;
            tokio.block_on(ledger.record(recording(number))).expect("it is recorded")
        });
    });
    criterion.bench_function("ledger/keep a position", |bench| {
        bench.iter(|| ledger.keep("mongodb", black_box(vec![7; 90])));
    });
    tokio.block_on(ledger.close()).expect("it closes");
}

criterion_group!(benches, ledger);
criterion_main!(benches);
