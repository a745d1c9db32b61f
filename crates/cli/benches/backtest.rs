//! How long does `backtest` take for a million recorded changes and a hundred events?
//!
//! `cargo bench -p event-detector-cli --bench backtest`; `BACKTEST_CHANGES` is another number of changes. The changes are in a file, and
//! the program is started anew for each round, as people start it: what is measured is all that it does.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use event_detector::__private::inventory;
use event_detector::{Change, Clause, Comparison, Condition, Constant, Detector, Plan, Side};

/// So many events; a change has the status of one of them, or that of none.
const EVENTS: u64 = 100;

/// Declares an event for each status, in tens.
macro_rules! events {
    ($($ten:literal)*) => {$(
        event!($ten "0"); event!($ten "1"); event!($ten "2"); event!($ten "3"); event!($ten "4");
        event!($ten "5"); event!($ten "6"); event!($ten "7"); event!($ten "8"); event!($ten "9");
    )*};
}

macro_rules! event {
    ($ten:literal $one:literal) => {
        inventory::submit! {
            Detector::new(concat!("move.status.", $ten, $one), |change| is_at(change, concat!("status ", $ten, $one)))
                .with_plan(|| rule(concat!("status ", $ten, $one)))
        }
    };
}

events!("0" "1" "2" "3" "4" "5" "6" "7" "8" "9");

fn is_at(change: &Change, status: &str) -> bool {
    change.collection() == "moves" && change.is_update() && change.column_changed("status") && change.after("status") == status
}

fn rule(status: &'static str) -> Plan {
    let literal = Constant::Text(status.into());
    let clauses = vec![
        Condition::Collection { name: "moves".into() },
        Condition::Changed { path: "status".into() },
        Condition::Compare { side: Side::After, path: "status".into(), comparison: Comparison::Equal, literal },
    ];
    Plan::new(Clause::new(Condition::All { clauses: clauses.into_iter().map(Clause::new).collect() }))
}

/// Writes changes of about 600 bytes, of which one in a hundred is an event.
fn write(path: &Path, changes: u64) -> u64 {
    let mut to = BufWriter::new(File::create(path).expect("a folder for the bench can be written to"));
    let mut bytes = 0;
    for number in 0..changes {
        let status =
            if number % EVENTS == 0 { format!("status {:02}", number / EVENTS % EVENTS) } else { "on its way".to_owned() };
        let row = |status: &str| {
            format!(
                r#"{{"id":{number},"status":"{status}","vin":"WVWZZZ1JZXW{number:06}","city":"Köln","street":"Domkloster 4","zip":"50667","price":{}.5,"weight":1480,"insured":true,"driver":"driver-{}"}}"#,
                number % 1_000,
                number % 50,
            )
        };
        let line = format!(
            "{{\"id\":\"82691EDA0D{number:012}2B0429296E1404\",\"database\":\"app\",\"collection\":\"moves\",\"operation\":\"update\",\
             \"key\":{number},\"committed_at\":{{\"$date\":\"2026-11-20T09:05:38.25Z\"}},\"before\":{},\"after\":{},\
             \"session\":{{\"x-hasura-role\":\"driver\"}}}}\n",
            row("new"),
            row(&status),
        );
        bytes += line.len() as u64;
        to.write_all(line.as_bytes()).expect("the disk has room");
    }
    to.flush().expect("the disk has room");
    bytes / changes.max(1)
}

/// Starts this program as `detector`, and says how long it took, and how long a core was at it where the system tells.
fn timed(arguments: &[&str]) -> (f64, Option<f64>) {
    let (start, before) = (Instant::now(), core_seconds());
    let program = std::env::current_exe().expect("it runs");
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{arguments:?}: {status}");
    (start.elapsed().as_secs_f64(), core_seconds().zip(before).map(|(after, before)| after - before))
}

/// How long cores were at the programs that this one has started and waited for (Linux, "proc(5)": `cutime` and `cstime`).
fn core_seconds() -> Option<f64> {
    /// Linux counts in these on every machine that it runs on today.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let behind_name = stat.rsplit_once(')')?.1;
    let ticks = |at: usize| behind_name.split_whitespace().nth(at)?.parse::<f64>().ok();
    Some((ticks(13)? + ticks(14)?) / TICKS)
}

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|argument| argument == "backtest") {
        return event_detector_cli::main();
    }
    let changes = std::env::var("BACKTEST_CHANGES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder for the bench");
    let path = |name: &str| folder.path().join(name).to_str().expect("a name of plain letters").to_owned();
    let (file, saved) = (path("changes.jsonl"), path("saved.json"));
    let size = write(Path::new(&file), changes);
    println!("{changes} changes of {size} bytes, {EVENTS} events:");
    for (what, arguments) in [
        ("backtest", vec!["backtest", &file]),
        ("backtest --save", vec!["backtest", &file, "--save", &saved]),
        ("backtest --against", vec!["backtest", &file, "--against", &saved]),
        ("backtest --near-misses", vec!["backtest", &file, "--near-misses"]),
    ] {
        let (seconds, core) = timed(&arguments);
        let core = core.map(|core| format!(", {core:.2} s of a core")).unwrap_or_default();
        println!("{what:<24} {seconds:>6.2} s  {:>9.0} changes a second{core}", changes as f64 / seconds);
    }
    let kept = std::fs::metadata(&saved).expect("it was kept").len();
    println!("what is kept of it: {:.1} MB", kept as f64 / 1e6);
    ExitCode::SUCCESS
}
