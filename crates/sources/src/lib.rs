//! Where changes come from: MongoDB's change streams, and recorded files. Other sources are neighbours of these modules.

mod mongodb;
mod recorded;

pub use mongodb::{Finding, Images, Inspection, Level, MongoDb, MongoDbError, OnGap, Scope, ScopeError, Server, Start};
pub use recorded::{MAX_LINE, OpenError, Recorded};
