//! Where have sources got to?

use std::collections::HashMap;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::job_threads::lock;
use crate::source::SourceError;

/// Remembers where sources have got to, so that they go on from there.
///
/// A position is whatever the source wrote; nobody else reads it.
pub trait Positions: Send + Sync + 'static {
    /// The position that was kept last for the source `name`.
    ///
    /// # Errors
    ///
    /// What keeps it from being read; the source cannot start.
    fn load<'p>(&'p self, name: &'p str) -> BoxFuture<'p, Result<Option<Vec<u8>>, SourceError>>;

    /// Keeps a position of the source `name`: everything before it was handed over.
    ///
    /// # Errors
    ///
    /// What keeps it from being kept; the source cannot go on.
    fn keep<'p>(&'p self, name: &'p str, position: Vec<u8>) -> BoxFuture<'p, Result<(), SourceError>>;
}

/// Positions that are forgotten when the program ends.
#[derive(Debug, Default)]
pub struct PositionsInMemory(Mutex<HashMap<String, Vec<u8>>>);

impl Positions for PositionsInMemory {
    fn load<'p>(&'p self, name: &'p str) -> BoxFuture<'p, Result<Option<Vec<u8>>, SourceError>> {
        async move { Ok(lock(&self.0).get(name).cloned()) }.boxed()
    }

    fn keep<'p>(&'p self, name: &'p str, position: Vec<u8>) -> BoxFuture<'p, Result<(), SourceError>> {
        async move {
            lock(&self.0).insert(name.to_owned(), position);
            Ok(())
        }
        .boxed()
    }
}
