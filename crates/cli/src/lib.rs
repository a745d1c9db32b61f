//! The ready-made program: every command, with the user's own events inside.
//!
//! A user's whole `main.rs` is
//!
//! ```ignore
//! use events as _;
//!
//! fn main() -> std::process::ExitCode {
//!     event_detector_cli::main()
//! }
//! ```
//!
//! and [`App`] is the same with state for the jobs, plugins and sources.

mod app;
mod args;
mod commands;
mod console;
mod exit;
mod files;
mod globs;
mod logging;
mod receiver;
mod settings;
mod signals;
mod terminal;
mod usage;

pub use app::{App, main};
