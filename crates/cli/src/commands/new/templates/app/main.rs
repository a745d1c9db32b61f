//! What does this program detect? The events that this file names.

#![deny(unused_crate_dependencies)] // a listed crate that is never named would register nothing

use std::process::ExitCode;

use events as _;

fn main() -> ExitCode {
    // What jobs share, such as a pool, is handed over here: `.state(pool)`.
    event_detector_cli::App::default().demo(include_str!("../demo.jsonl")).main()
}
