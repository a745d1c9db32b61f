//! What holds between the crates of this workspace, and against a real MongoDB?
#![deny(unused_crate_dependencies)] // a listed crate that is never named would register nothing

mod files;
mod house;
mod linking;
mod mongodb;
mod plans;
mod program;
mod readme;
mod registry;

use events as _;
