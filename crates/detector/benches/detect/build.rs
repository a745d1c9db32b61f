//! What does it cost to build the index, and to keep it?

use std::fs;
use std::process::Command;
use std::time::Instant;

use event_detector::{Change, Plan, Registry};

use crate::clock::{self, Summary};
use crate::engines::{self, from_bson};
use crate::events;
use crate::payloads::{Payloads, Set};

const MOST: usize = 10_000;
const ROUNDS: usize = 5;

/// Prints how long 10,000 detectors take to build, how much they need, and what events without a plan cost.
pub(crate) fn measure() {
    println!("\n| | |\n| --- | --- |");
    let times = (0..ROUNDS).map(|_| {
        let detectors = events::detectors(Set::Sparse, MOST);
        let start = Instant::now();
        std::hint::black_box(events::registry(detectors));
        start.elapsed().as_secs_f64() * 1e9
    });
    println!("| building a registry of {MOST} | {} |", Summary::of(times.collect()));
    let program = std::env::current_exe().expect("this program has a place");
    let output = Command::new(program).arg("--memory").output().expect("this program can be run");
    let bytes = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match bytes.is_empty() {
        true => println!("| memory | SKIPPED: the system does not tell |"),
        false => println!("| memory of a detector with its name, its plan and its part of the index | {bytes} bytes |"),
    }
    opaque();
}

/// Prints how many bytes a detector needs, in a program that has freed nothing yet.
pub(crate) fn print_memory() {
    let before = resident();
    let registry = events::registry(events::detectors(Set::Sparse, MOST));
    if let Some((before, after)) = before.zip(resident()) {
        println!("{}", (after - before) / registry.detectors().len());
    }
}

/// The memory that the program has, of its own.
fn resident() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|size| size * 1024)
}

/// A hundred events without a plan that read the same three fields, beside one that nothing is.
fn opaque() {
    fn never(_: &Change) -> bool {
        false
    }
    let nothing = || Plan::new(event_detector::Clause::new(event_detector::Condition::Any { clauses: Vec::new() }));
    let registry = engines::opaque();
    let none = events::registry(vec![event_detector::Detector::new("none", never).with_plan(nothing)]);
    let payloads = Payloads::new(Set::Sparse, 1);
    let each = |registry: &Registry| {
        clock::per_change(payloads.len(), || from_bson(&payloads, |change, matches| engines::find(registry, change, matches)))
    };
    let times = (0..ROUNDS).map(|_| (each(&registry) - each(&none)) / 100.0).collect();
    let Summary { median, .. } = Summary::of(times);
    println!("| each of 100 events without a plan that read the same three fields | {median:.1} ns |");
}
