//! Do plans and the index keep what detectors say, whatever changes come?
//!
//! `PLAN_CHANGES_SEED`, `PLAN_CHANGES` (how many) and `PLAN_CHANGES_FROM` (the number of the first) choose other changes, and
//! `PLAN_EVENT` one event.
#![deny(unused_crate_dependencies)] // a listed crate that is never named would register nothing

mod chances;
mod changes;
mod documents;
mod holds;
mod tally;
