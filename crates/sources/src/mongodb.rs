//! How are the changes of a MongoDB deployment taken, whatever happens to its servers?
//!
//! One change stream is shared by all detectors. A reader asks for the next batch while the one before it is handled; when the
//! stream breaks, the source opens another one behind the last change that was handed over. With a ledger, the position is recorded
//! with the changes that it is behind, so that the next run of the program goes on there.

mod attempts;
mod fault;
mod following;
mod inspect;
mod position;
mod reader;
mod scope;
mod server;
mod split;
mod start;
mod watch;
mod window;

#[cfg(test)]
mod tests;

use event_detector_runtime::{Intake, Source, SourceEnd, SourceError};

use following::Following;
use watch::Watch;

pub use fault::MongoDbError;
pub use inspect::{Finding, Inspection, Level};
pub use scope::{Images, Scope, ScopeError};
pub use server::Server;
pub use start::Start;

/// A source of the changes of a MongoDB replica set or sharded cluster.
///
/// Changes of one document come in the order in which they were committed; changes of a transaction come one after another.
/// When servers fail, are restarted or elect another primary, the source goes on behind the last change that it handed over: no
/// change is missed as long as the oplog reaches back to it, and none comes twice while the program runs.
///
/// With a ledger, the next run of the program goes on where this one ended, however it ended; where what is watched changed in
/// between, it begins with the cluster time of its position. Where the history is lost, a gap is recorded, and the source ends with
/// an error that says from where on, or [goes on](OnGap::Skip).
pub struct MongoDb {
    server: Server,
    name: String,
    scope: Scope,
    images: Images,
    start: Option<Start>,
    on_gap: OnGap,
}

/// What a source does where a part of the history is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnGap {
    /// It ends with an error: a person decides.
    #[default]
    Stop,
    /// It says so, and goes on with what happens from now on.
    Skip,
}

impl MongoDb {
    /// The changes in `scope` of the deployment that `server` is connected to.
    pub fn new(server: Server, scope: Scope) -> Self {
        let (images, on_gap) = (Images::default(), OnGap::default());
        Self { server, name: "mongodb".to_owned(), scope, images, start: None, on_gap }
    }

    /// Names the source; its changes and its position are kept under its name, so that those of one program need different ones.
    /// Without, it is `mongodb`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Says which documents the changes carry.
    #[must_use]
    pub fn images(mut self, images: Images) -> Self {
        self.images = images;
        self
    }

    /// Says where the source begins when it has no position, or one of another deployment; without, a new source begins now, and a
    /// position of another deployment is refused.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// Says what the source does where a part of the history is lost; without, it ends.
    #[must_use]
    pub fn on_gap(mut self, on_gap: OnGap) -> Self {
        self.on_gap = on_gap;
        self
    }
}

impl Source for MongoDb {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        let watch = Watch::new(&self.server, self.images);
        Following::begin(self, intake, watch).await?.follow().await
    }
}
