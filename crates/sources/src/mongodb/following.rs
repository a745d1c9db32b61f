//! How does a source go on, over as many change streams as it takes?

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_detector::{AfterImage, Change};
use event_detector_runtime::{Intake, NotTaken, SourceEnd, SourceError, SourceMetrics};
use mongodb::bson::{RawArray, RawDocumentBuf};
use mongodb::raw_batch_cursor::RawBatch;

use super::attempts::Attempts;
use super::fault::{Class, Fault};
use super::position::{self, Origin, Position};
use super::reader::{Reader, Said};
use super::scope::Images;
use super::split::{self, Parts};
use super::start::Begin;
use super::watch::{Pace, Watch};
use super::window::{Oplog, Window};
use super::{MongoDb, OnGap};

/// How long a stream that the server closed stays closed.
const REOPENED_AFTER: Duration = Duration::from_millis(50);
/// How often a position is kept while nothing happens.
const KEPT_EVERY: Duration = Duration::from_secs(5);

/// A source on its way.
pub(super) struct Following {
    source: MongoDb,
    intake: Intake,
    watch: Watch,
    /// Behind what was handed over.
    position: Position,
    /// What the stream may bring again, as it begins before its end.
    seen: Option<Position>,
    of: Origin,
    /// Whether it is recorded that the history after the position is lost.
    is_lost: bool,
    /// When the position was kept last.
    kept: Instant,
    metrics: Arc<SourceMetrics>,
    window: Window,
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
    /// Finds out where the source begins, and keeps that before anything is handed over.
    pub(super) async fn begin(source: MongoDb, intake: Intake, mut watch: Watch) -> Result<Self, SourceError> {
        let options = watch.fingerprint(&source.scope);
        let of = Origin { deployment: source.server.deployment().await, options };
        let Begin { position, seen, is_lost } = Begin::find(&intake, &source.name, &source.server, &of, source.start).await?;
        if matches!(position, Position::Part(_)) {
            watch.pace = Pace::Alone;
        }
        let metrics = intake.metrics().source(&source.name);
        let window = Window::watch(source.name.clone(), source.server.clone(), Arc::clone(&metrics), position.time());
        let (parts, attempts) = (Parts::default(), Attempts::default());
        let mut following =
            Self { source, intake, watch, position, seen, of, is_lost, kept: Instant::now(), metrics, window, parts, attempts };
        if !is_lost {
            following.keep_first().await?;
        }
        following.note_time();
        Ok(following)
    }

    /// Waits until the position is on disk: what is handed over behind one that is not would be begun anew after an end, from
    /// another place. A stop ends the wait, since then nothing is handed over.
    async fn keep_first(&mut self) -> Result<(), SourceError> {
        if self.seen.is_none() {
            let position = self.of.at(&self.position);
            tokio::select! {
                biased;
                () = self.intake.stopping() => {}
                kept = self.intake.keep_now(position) => kept?,
            }
        }
        self.kept = Instant::now();
        Ok(())
    }

    /// Has the ledger keep the position.
    fn keep(&mut self) {
        // As long as the stream brings what was handed over, what is kept already is the better one.
        if self.intake.has_ledger() && self.seen.is_none() {
            self.intake.keep(self.of.at(&self.position));
        }
        self.kept = Instant::now();
    }

    /// Tells those who measure where the source is.
    fn note_time(&self) {
        let time = self.position.time();
        self.window.set_position(time);
        if let Some(time) = time {
            self.metrics.set_read_up_to(i64::from(time.time) * 1_000);
        }
    }

    pub(super) async fn follow(mut self) -> Result<SourceEnd, SourceError> {
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
                        source = self.source.name,
                        "the database that was watched is gone; what comes under its name is followed"
                    );
                    // One that is closed again and again is not opened without a pause.
                    self.pause(REOPENED_AFTER).await;
                }
                Ended::Broken(fault) => {
                    let wait = self.broken(fault).await?;
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
                        Ok(events) => self.take(events).await?,
                        Err(error) => Some(Ended::Broken(error.into())),
                    };
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
            self.seen = None;
            self.window.set_position(self.position.time());
        }
        self.metrics.set_caught_up();
        if self.kept.elapsed() >= KEPT_EVERY {
            self.keep();
        }
        let was_slow = self.watch.pace != Pace::Full;
        self.watch.pace = Pace::Full;
        was_slow.then_some(Ended::Reopen)
    }

    /// Hands over events in their order; returns why the stream is not read any further.
    async fn take(&mut self, events: &RawArray) -> Result<Option<Ended>, SourceError> {
        let ended = self.take_each(events).await;
        self.keep();
        self.note_time();
        ended
    }

    async fn take_each(&mut self, events: &RawArray) -> Result<Option<Ended>, SourceError> {
        let mut token = Vec::new();
        for event in events {
            let event = match event {
                Ok(event) => event.as_document(),
                Err(error) => return Ok(Some(Ended::Broken(mongodb::error::Error::from(error).into()))),
            };
            let is_alone = self.watch.pace == Pace::Alone;
            let is_part = is_alone && event.is_some_and(split::is_part);
            let ends_alone = is_alone && !is_part;
            let Some(event) = event.and_then(|event| self.parts.join(event)) else { continue };
            position::read_token(&event, &mut token);
            if !self.was_seen(&token) {
                match self.change(event) {
                    Ok(change) => {
                        if self.must_be_stored(&change) {
                            return Ok(Some(Ended::Reopen));
                        }
                        match self.intake.submit_at(change, || self.of.behind(&token, is_part)).await {
                            Ok(()) => {}
                            Err(NotTaken::Stopping) => return Ok(Some(Ended::Stopping)),
                            Err(error) => return Err(error.into()),
                        }
                    }
                    Err(problem) => {
                        if let Some(ended) = self.missed(format!("the change event {}", position::name(&token)), problem).await? {
                            return Ok(Some(ended));
                        }
                    }
                }
            }
            self.position.move_to(&mut token, is_part);
            // Behind a part, only a stream that splits events can go on.
            if ends_alone {
                self.watch.pace = Pace::Full;
                return Ok(Some(Ended::Reopen));
            }
        }
        Ok(None)
    }

    /// Tells of an event that cannot be read, and records it as a gap of its own before the position moves behind it; returns why the
    /// stream is not read any further.
    async fn missed(&self, place: String, problem: String) -> Result<Option<Ended>, SourceError> {
        self.intake.reject(place.as_str(), &problem);
        tokio::select! {
            biased;
            () = self.intake.stopping() => Ok(Some(Ended::Stopping)),
            recorded = self.intake.gap(place.as_str(), place.as_str(), problem.as_str()) => Ok(recorded.map(|()| None)?),
        }
    }

    /// Whether the event with this token was handed over before the stream was opened.
    fn was_seen(&mut self, token: &[u8]) -> bool {
        let was_seen = self.seen.as_ref().is_some_and(|seen| seen.is_behind(token));
        if !was_seen {
            self.seen = None;
        }
        was_seen
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
            source = self.source.name,
            collection = change.collection(),
            "a field name has a dot, so documents after an update cannot be computed without doubt; from here on the server's \
             stored images are used (`--images stored` does so from the start)"
        );
        self.watch.images = Images::Stored;
        true
    }

    /// Notes that the stream is alive.
    fn is_back(&mut self) {
        self.is_lost = false;
        if let Some(lost) = self.attempts.succeeded() {
            let after = humantime::format_duration(lost);
            tracing::warn!(source = self.source.name, %after, "the change stream is back, behind the last change that was handed over");
        }
    }

    /// How long to wait before the next stream is opened; an error when there is none to be opened.
    async fn broken(&mut self, fault: Fault) -> Result<Duration, SourceError> {
        let class = fault.class();
        let at = self.position.to_string();
        if class == Class::Elsewhere && self.begin_with_time() {
            tracing::warn!(
                source = self.source.name,
                error = %fault,
                at,
                "the server does not find the position in the change stream; it is opened with the position's cluster time"
            );
            return Ok(Duration::ZERO);
        }
        if matches!(class, Class::Lost | Class::Elsewhere) {
            return self.lost(fault, class).await.map(|()| Duration::ZERO);
        }
        // Taken alone it should have come, so then the error is like any other.
        if class == Class::Oversize && self.watch.pace != Pace::Alone {
            self.watch.pace = self.watch.pace.slower();
            if self.watch.pace == Pace::Alone && !self.watch.splits {
                tracing::warn!(
                    source = self.source.name,
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
                tracing::warn!(source = self.source.name, error = %fault, at, "the change stream broke; it is opened again in {again}");
                Ok(wait)
            }
            None => Err(fault.into_error(class, at).into()),
        }
    }

    /// Goes back to the cluster time of the position; false where that is the position, or nobody knows it.
    fn begin_with_time(&mut self) -> bool {
        let Some(time) = self.position.token().and_then(|_| self.position.time()) else { return false };
        let behind = std::mem::replace(&mut self.position, Position::Time(time));
        self.seen = Some(behind);
        self.watch.pace = Pace::Full;
        true
    }

    /// Records that history is lost, and goes on from now where that is wanted.
    async fn lost(&mut self, fault: Fault, class: Class) -> Result<(), SourceError> {
        let from = self.seen.as_ref().unwrap_or(&self.position).clone();
        let error = fault.into_error(class, from.to_string());
        match self.source.on_gap {
            OnGap::Stop => {
                // A supervisor may start the program again and again.
                if !self.is_lost {
                    let to = Oplog::of(&self.source.server).await.map(|oplog| position::shown(oplog.oldest));
                    self.intake.gap(from.to_string(), to.unwrap_or_default(), error.to_string()).await?;
                    self.intake.keep(self.of.lost_after(&from));
                }
                Err(error.into())
            }
            OnGap::Skip => {
                let now = Position::now(&self.source.server).await?;
                self.intake.gap(from.to_string(), now.to_string(), error.to_string()).await?;
                tracing::error!(
                    source = self.source.name,
                    %error,
                    from = %from,
                    to = %now,
                    "changes were missed; the gap is recorded, and the source goes on from now"
                );
                self.position = now;
                self.seen = None;
                self.is_lost = false;
                self.keep();
                Ok(())
            }
        }
    }

    fn stopped(&mut self) -> SourceEnd {
        if !self.is_lost {
            self.keep();
        }
        SourceEnd::Stopped { left: format!("everything after {}", self.position) }
    }
}

/// The event as a change, or why it is none, with its first bytes.
pub(super) fn readable(event: RawDocumentBuf) -> Result<Change, String> {
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

#[cfg(test)]
mod tests;
