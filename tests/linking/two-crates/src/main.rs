//! Which events and jobs does a program know that names two crates of events?
#![deny(unused_crate_dependencies)] // a listed crate that is never named would register nothing

use std::process::ExitCode;

#[cfg(not(feature = "forget-billing"))]
use billing_events as _;
use event_detector::{JobDeclaration, Registry};
#[cfg(not(feature = "forget-orders"))]
use orders_events as _;

fn main() -> ExitCode {
    match Registry::from_linked() {
        Ok(registry) => {
            for detector in registry.detectors() {
                println!("event {}", detector.name());
            }
            for job in JobDeclaration::linked() {
                println!("job {}", job.name);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
