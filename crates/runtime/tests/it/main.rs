//! The runtime as a program meets it: registries made by hand, changes in, reports out.
//!
//! Jobs run on threads of their own, which tokio's paused clock does not stop. So where a time limit is what a test is about, it
//! is a real one, short, and the test asserts what came of it, not how long it took. Everything else meets at barriers and channels.

mod build;
mod detection;
mod lanes;
mod ledger;
mod limits;
mod memory;
mod plugins;
mod reports;
mod retries;
mod settle;
mod sources;
mod spans;
mod stopping;
mod support;
mod threads;
