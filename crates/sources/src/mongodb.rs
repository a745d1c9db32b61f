//! How are the changes of a MongoDB deployment taken, whatever happens to its servers?
//!
//! One change stream is shared by all detectors. A reader asks for the next batch while the one before it is handled; when the
//! stream breaks, the source opens another one behind the last change that was handed over.

mod attempts;
mod fault;
mod inspect;
mod position;
mod reader;
mod scope;
mod server;
mod split;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_detector::{AfterImage, Change};
use event_detector_runtime::{Intake, Positions, PositionsInMemory, Source, SourceEnd, SourceError};
use mongodb::bson::{RawArray, RawDocumentBuf};
use mongodb::raw_batch_cursor::RawBatch;

use attempts::Attempts;
use fault::{Class, Fault};
use position::Position;
use reader::{Reader, Said};
use split::Parts;
use watch::{Pace, Watch};

pub use fault::MongoDbError;
pub use inspect::{Finding, Inspection, Level};
pub use scope::{Images, Scope, ScopeError};
pub use server::Server;

/// How long a stream that the server closed stays closed.
const REOPENED_AFTER: Duration = Duration::from_millis(50);

/// A source of the changes of a MongoDB replica set or sharded cluster.
///
/// Changes of one document come in the order in which they were committed; changes of a transaction come one after another.
/// When servers fail, are restarted or elect another primary, the source goes on behind the last change that it handed over: no
/// change is missed as long as the oplog reaches back to it, and none comes twice while the program runs. Where the history is
/// lost, the source ends with an error that says from where on.
pub struct MongoDb {
    server: Server,
    scope: Scope,
    images: Images,
    positions: Arc<dyn Positions>,
}

impl MongoDb {
    /// The changes in `scope` of the deployment that `server` is connected to.
    pub fn new(server: Server, scope: Scope) -> Self {
        Self { server, scope, images: Images::default(), positions: Arc::new(PositionsInMemory::default()) }
    }

    /// Says which documents the changes carry.
    #[must_use]
    pub fn images(mut self, images: Images) -> Self {
        self.images = images;
        self
    }

    /// Says who remembers where the source has got to; without, it is forgotten when the program ends.
    #[must_use]
    pub fn positions(mut self, positions: impl Positions) -> Self {
        self.positions = Arc::new(positions);
        self
    }
}

impl Source for MongoDb {
    fn name(&self) -> String {
        format!("mongodb {}", self.scope)
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        let watch = Watch::new(&self.server, self.images);
        Following::begin(self, intake, watch).await?.follow().await
    }
}

/// A source on its way, over as many change streams as it takes.
struct Following {
    source: MongoDb,
    name: String,
    intake: Intake,
    watch: Watch,
    /// Behind what was handed over.
    position: Position,
    /// The parts of an event that has not come whole.
    parts: Parts,
    attempts: Attempts,
}

/// Why a change stream is not read any further.
enum Ended {
    Stopping,
    /// The server closed it.
    Closed,
    /// It is to be opened again, with other options.
    Reopen,
    Broken(Fault),
}

impl Following {
    /// Finds out where the source begins.
    async fn begin(source: MongoDb, intake: Intake, watch: Watch) -> Result<Self, SourceError> {
        let name = source.name();
        let position = match source.positions.load(&name).await? {
            Some(kept) => Position::try_from_bytes(&kept)?,
            None => Position::now(&source.server).await?,
        };
        source.positions.keep(&name, position.to_bytes()).await?;
        Ok(Self { source, name, intake, watch, position, parts: Parts::default(), attempts: Attempts::default() })
    }

    async fn follow(mut self) -> Result<SourceEnd, SourceError> {
        loop {
            let reader = tokio::select! {
                biased;
                () = self.intake.stopping() => return Ok(self.stopped()),
                opened = self.open() => opened,
            };
            let ended = match reader {
                Ok(mut reader) => {
                    self.parts = Parts::default();
                    self.read(&mut reader).await?
                }
                Err(fault) => Ended::Broken(fault),
            };
            match ended {
                Ended::Stopping => return Ok(self.stopped()),
                Ended::Reopen => {}
                Ended::Closed => {
                    tracing::warn!(
                        source = self.name,
                        "the database that was watched is gone; what comes under its name is followed"
                    );
                    // One that is closed again and again is not opened without a pause.
                    self.pause(REOPENED_AFTER).await;
                }
                Ended::Broken(fault) => {
                    let wait = self.broken(fault)?;
                    self.pause(wait).await;
                }
            }
        }
    }

    /// Waits, at most until the stop.
    async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = self.intake.stopping() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    async fn open(&self) -> Result<Reader, Fault> {
        let stream = self.watch.open(&self.source.server, &self.source.scope, &self.position).await?;
        Ok(Reader::start(stream))
    }

    /// Hands over what the reader brings.
    async fn read(&mut self, reader: &mut Reader) -> Result<Ended, SourceError> {
        loop {
            let said = tokio::select! {
                biased;
                () = self.intake.stopping() => return Ok(Ended::Stopping),
                said = reader.next() => said,
            };
            match said {
                Said::Batch(batch) => {
                    self.is_back();
                    let ended = match batch.doc_slices() {
                        Ok(events) if events.is_empty() => self.nothing(&batch),
                        Ok(events) => self.take(events).await,
                        Err(error) => Some(Ended::Broken(error.into())),
                    };
                    // A position behind a part is of no use to a stream that does not split events.
                    if self.watch.pace != Pace::Alone {
                        self.source.positions.keep(&self.name, self.position.to_bytes()).await?;
                    }
                    if let Some(ended) = ended {
                        return Ok(ended);
                    }
                }
                Said::Closed => return Ok(Ended::Closed),
                Said::Broken(fault) => return Ok(Ended::Broken(fault)),
            }
        }
    }

    /// Notes where the server is that has nothing new; returns why the stream is not read any further.
    fn nothing(&mut self, batch: &RawBatch) -> Option<Ended> {
        if self.parts.is_waiting() {
            // A position between two parts would split their event.
            return None;
        }
        if let Some(position) = position::of_batch(batch) {
            self.position = position;
        }
        let was_slow = self.watch.pace != Pace::Full;
        self.watch.pace = Pace::Full;
        was_slow.then_some(Ended::Reopen)
    }

    /// Hands over events in their order; returns why the stream is not read any further.
    async fn take(&mut self, events: &RawArray) -> Option<Ended> {
        let mut token = Vec::new();
        for event in events {
            let event = match event {
                Ok(event) => event.as_document(),
                Err(error) => return Some(Ended::Broken(mongodb::error::Error::from(error).into())),
            };
            let ends_alone = self.watch.pace == Pace::Alone && !event.is_some_and(split::is_part);
            let Some(event) = event.and_then(|event| self.parts.join(event)) else { continue };
            position::read_token(&event, &mut token);
            match self.change(event) {
                Ok(change) => {
                    if self.must_be_stored(&change) {
                        return Some(Ended::Reopen);
                    }
                    if self.intake.submit(change).await.is_err() {
                        return Some(Ended::Stopping);
                    }
                }
                Err(problem) => self.intake.reject(format!("the change event {}", position::name(&token)), problem),
            }
            self.position.move_to(&mut token);
            // Behind a part, only a stream that splits events can go on.
            if ends_alone {
                self.watch.pace = Pace::Full;
                return Some(Ended::Reopen);
            }
        }
        None
    }

    /// The event as a change, or why it is none.
    fn change(&self, event: RawDocumentBuf) -> Result<Change, String> {
        let change = readable(event)?;
        Ok(match self.watch.images {
            Images::Computed => change.with_computed_after(),
            Images::Lookup => change.with_after_image(AfterImage::Lookup),
            Images::Stored | Images::None => change,
        })
    }

    /// Whether the server's own images are needed from here on, because a field name with a dot was seen.
    fn must_be_stored(&mut self, change: &Change) -> bool {
        let is_dotted = || match change.after_image() {
            AfterImage::Ambiguous => true,
            // The names of the document before it were looked at.
            AfterImage::Computed => false,
            _ => change.has_dotted_names(),
        };
        if self.watch.images != Images::Computed || self.watch.tells_paths_apart || !is_dotted() {
            return false;
        }
        tracing::warn!(
            source = self.name,
            collection = change.collection(),
            "a field name has a dot, so documents after an update cannot be computed without doubt; from here on the server's \
             stored images are used (`--images stored` does so from the start)"
        );
        self.watch.images = Images::Stored;
        true
    }

    /// Notes that the stream is alive.
    fn is_back(&mut self) {
        if let Some(lost) = self.attempts.succeeded() {
            let after = humantime::format_duration(lost);
            tracing::warn!(source = self.name, %after, "the change stream is back, behind the last change that was handed over");
        }
    }

    /// How long to wait before the next stream is opened; an error when there is none to be opened.
    fn broken(&mut self, fault: Fault) -> Result<Duration, SourceError> {
        let class = fault.class();
        let at = self.position.to_string();
        // Taken alone it should have come, so then the error is like any other.
        if class == Class::Oversize && self.watch.pace != Pace::Alone {
            self.watch.pace = self.watch.pace.slower();
            if self.watch.pace == Pace::Alone && !self.watch.splits {
                tracing::warn!(
                    source = self.name,
                    at,
                    "the next change is larger with its images than the server can send, and comes without them; servers from \
                     6.0.9 on send it whole"
                );
            }
            return Ok(Duration::ZERO);
        }
        match self.attempts.failed(class, Instant::now()) {
            Some(wait) => {
                let again =
                    humantime::format_duration(Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
                tracing::warn!(source = self.name, error = %fault, at, "the change stream broke; it is opened again in {again}");
                Ok(wait)
            }
            None => Err(fault.into_error(class, at).into()),
        }
    }

    fn stopped(&self) -> SourceEnd {
        SourceEnd::Stopped { left: format!("everything after {}", self.position) }
    }
}

/// The event as a change, or why it is none, with its first bytes.
fn readable(event: RawDocumentBuf) -> Result<Change, String> {
    const SHOWN: usize = 96;
    let bytes = event.into_bytes();
    let length = bytes.len();
    let mut head = [0; SHOWN];
    let shown = length.min(SHOWN);
    head[..shown].copy_from_slice(&bytes[..shown]);
    Change::from_bson(bytes).map_err(|error| {
        let hex: String = head[..shown].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{error}; its {length} bytes begin with {hex}")
    })
}
