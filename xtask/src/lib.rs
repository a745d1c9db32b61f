//! What do the tests of this repository need from its chores? Real MongoDB servers, started and stopped at will.

mod failure;
pub mod mongod;

pub use failure::Failure;
