//! The embedded ledger: one SQLite database on one node.
//!
//! [`Sqlite`] keeps what a runtime does. The tables are documented in `schema.sql`; people may read them with `sqlite3` while a program
//! writes.

mod check;
mod desk;
mod fault;
mod files;
mod lock;
mod mark;
mod open_error;
mod opening;
mod queue;
mod reader;
mod rows;
mod schema;
mod sqlite;
mod stats;
mod store;
mod writer;

pub use check::{CheckReport, backup, check};
pub use desk::{Decided, Desk};
pub use open_error::OpenError;
pub use reader::{
    Attempt, Content, Counts, Coverage, Filter, Letter, LostPart, Open, Order, Reader, RecordedChange, RecordedJob, Run,
    SourcePosition, Status, StoredVerdict, WholeChange, WholeJob,
};
pub use sqlite::{Options, Sqlite};
pub use stats::Stats;
