//! What does a program say whose crates declare one name twice?
#![deny(unused_crate_dependencies)] // a listed crate that is never named would register nothing

use std::process::ExitCode;

use copied_events as _;
use event_detector::Registry;
use orders_events as _;

fn main() -> ExitCode {
    match Registry::from_linked() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
