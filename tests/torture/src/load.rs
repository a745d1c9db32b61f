//! Where do the changes come from? Writers of a MongoDB, or senders of payloads, who all go on until each change is acknowledged.

mod http;
mod mongodb;

use std::sync::Arc;

use anyhow::Context;
use fastrand::Rng;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::history::Written;
use crate::plan;

pub(crate) use http::Http;
pub(crate) use mongodb::MongoDb;

/// A way for changes into the program.
#[derive(Debug, Clone)]
pub(crate) enum Load {
    MongoDb(MongoDb),
    Http(Http),
}

impl Load {
    /// What the program is told on its command line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        match self {
            Self::MongoDb(mongodb) => mongodb.arguments(),
            Self::Http(http) => http.arguments(),
        }
    }

    /// How often the program said that something is to be sent again.
    pub(crate) fn refused(&self) -> usize {
        match self {
            Self::MongoDb(_) => 0,
            Self::Http(http) => http.refused(),
        }
    }

    /// How many write at a time.
    fn writers(&self) -> usize {
        match self {
            Self::MongoDb(_) => 8,
            Self::Http(_) => 20,
        }
    }

    /// Whether the program takes changes.
    pub(crate) async fn is_taken(&self, connection: Option<&rusqlite::Connection>) -> bool {
        match self {
            // What is written before the source knows where it begins is none of its changes.
            Self::MongoDb(_) => connection.is_some_and(crate::history::has_position),
            Self::Http(http) => http.is_listening().await,
        }
    }

    async fn write(self, changes: Vec<Written>, gate: Arc<Gate>, rng: Rng) -> anyhow::Result<()> {
        match self {
            Self::MongoDb(mongodb) => mongodb.write(changes, gate).await,
            Self::Http(http) => http.send(changes, gate, rng).await,
        }
    }
}

/// Lets as many changes be written as the run is ready for.
#[derive(Debug)]
pub(crate) struct Gate(Semaphore);

impl Gate {
    fn new() -> Self {
        Self(Semaphore::new(0))
    }

    /// Lets `changes` more be written.
    pub(crate) fn open(&self, changes: usize) {
        self.0.add_permits(changes);
    }

    /// Waits until one more may be written.
    async fn pass(&self) -> anyhow::Result<()> {
        self.0.acquire().await.context("nothing more is to be written")?.forget();
        Ok(())
    }
}

/// Changes that are being written.
pub(crate) struct Writing {
    writers: JoinSet<anyhow::Result<()>>,
    gate: Arc<Gate>,
    planned: Vec<Written>,
}

impl Writing {
    /// Begins to write `changes` changes, as the gate lets them.
    pub(crate) fn start(load: &Load, rng: &mut Rng, changes: usize) -> Self {
        let plan = plan::plan(rng, changes, load.writers());
        let gate = Arc::new(Gate::new());
        let planned = plan.iter().flatten().cloned().collect();
        let writers = plan.into_iter().map(|changes| load.clone().write(changes, Arc::clone(&gate), rng.fork())).collect();
        Self { writers, gate, planned }
    }

    /// What lets changes be written.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Waits until all is written, and returns it.
    ///
    /// # Errors
    ///
    /// When something cannot be written.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Vec<Written>> {
        while let Some(ended) = self.writers.join_next().await {
            ended.context("a writer has panicked")??;
        }
        Ok(self.planned)
    }
}
