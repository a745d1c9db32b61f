//! Five hundred events whose `detect` was written by the build script, and compiled as anybody's is.
//!
//! `PLAN_BODIES_SEED` (a number, when the package is compiled) gives others.

/// What predicates ask for and changes hold: few words, so that they meet.
pub mod vocabulary;

/// Constants in another module than the predicates.
pub mod constants {
    /// A collection.
    pub const ORDERS: &str = "orders";
    /// A column.
    pub const STATUS: &str = "status";
    /// A text.
    pub const OPEN: &str = "open";
    /// A number.
    pub const TWO: i64 = 2;
    /// Texts.
    pub const STATES: [&str; 2] = ["new", "done"];
    /// A text that is not constant to the compiler, and yet is.
    pub static DONE: &str = "done";
}

/// The seed that the bodies were made from.
pub const SEED: &str = env!("PLAN_BODIES_SEED");

/// An event that was written, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The event's name. One that begins with `exact.` is made of recognised forms only.
    pub event: &'static str,
    /// The source of its module.
    pub source: &'static str,
}

/// What the build script wrote.
#[allow(
    unused,
    invalid_nan_comparisons,
    nonstandard_style,
    clippy::all,
    clippy::pedantic,
    missing_docs,
    reason = "nobody writes like this on purpose; it has to mean the same all the same"
)]
mod bodies {
    include!(concat!(env!("OUT_DIR"), "/bodies.rs"));
}

pub use bodies::WRITTEN;
