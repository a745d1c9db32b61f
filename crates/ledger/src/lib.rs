//! The embedded ledger: one SQLite database on one node.

mod reader;

pub use reader::{
    Attempt, Counts, Filter, Letter, LostPart, Open, Order, ReadError, Reader, RecordedChange, RecordedJob, Run, SourcePosition,
    Status, StoredVerdict, WholeChange, WholeJob,
};
