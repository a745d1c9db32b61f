//! Where changes come from: recorded files. Other sources are neighbours of these modules.

mod recorded;

pub use recorded::{MAX_LINE, OpenError, Recorded};
