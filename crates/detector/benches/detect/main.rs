//! What does it cost to find, from the bytes of a change, the events that it is?
//!
//! Every engine is asked about the same changes of about 600 bytes, with the same events, in the same run: this crate, its own
//! events asked one after another, closures over `serde_json::Value`, and (where `node` is on the PATH) JavaScript closures over
//! `JSON.parse`. What each finds is counted and compared with what is to be found before it is timed. The measure is CPU time, and
//! the engines take turns, so that a busy machine disturbs all alike.
//!
//! `-- --work KIND N TIMES` does one kind of work and prints nothing, for `cargo xtask instructions`; `-- --memory` is for itself.

mod build;
mod clock;
mod engines;
mod events;
mod payloads;
mod peer;
mod shapes;

use std::env;
use std::process::ExitCode;

use engines::Engine;
use payloads::{Payloads, Set};

const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => {
            // First, since the memory of a program that has freed nothing yet is the same each time.
            build::measure();
            compare();
            shapes::compare();
            ExitCode::SUCCESS
        }
        ["--memory"] => {
            build::print_memory();
            ExitCode::SUCCESS
        }
        ["--work", kind, count, times] => match (count.parse(), times.parse()) {
            (Ok(count), Ok(times)) if engines::work(kind, count, times) => ExitCode::SUCCESS,
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: detect [--work KIND N TIMES], where KIND is one of {}", engines::KINDS.join(", "));
    ExitCode::from(2)
}

/// All engines, for each number of events, sparse and dense.
fn compare() {
    let node = peer::version();
    match &node {
        Some(version) => println!("node {version} is on the PATH and takes part"),
        None => println!("SKIPPED: the engine in JavaScript; there is no `node` on the PATH"),
    }
    for set in [Set::Sparse, Set::Dense] {
        println!("\n{set:?}: {}; CPU time for a change, median of {ROUNDS} rounds (least, most)\n", set.meaning());
        println!("| engine | N | time | |\n| --- | --- | --- | --- |");
        for count in SIZES {
            let payloads = Payloads::new(set, count);
            let engines = Engine::all(set, count);
            engines.iter().for_each(|engine| engine.check(&payloads));
            let mut times: Vec<Vec<f64>> = vec![Vec::new(); engines.len() + 1];
            for _ in 0..ROUNDS {
                for (engine, times) in engines.iter().zip(&mut times) {
                    times.push(clock::per_change(payloads.len(), || engine.pass(&payloads)));
                }
                if node.is_some() {
                    times[engines.len()].extend(peer::per_change(&payloads));
                }
            }
            let names = engines.iter().map(|engine| engine.name).chain(["JavaScript closures over JSON.parse"]);
            for (name, times) in names.zip(times).filter(|(_, times)| !times.is_empty()) {
                println!("| {name} | {count} | {} |", clock::Summary::of(times));
            }
        }
    }
}
