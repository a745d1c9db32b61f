//! Where does a source begin?

use std::time::{SystemTime, UNIX_EPOCH};

use event_detector_runtime::{Intake, SourceError};
use mongodb::bson::Timestamp;

use super::fault::MongoDbError;
use super::position::{Kept, Origin, Position, shown};
use super::server::Server;

/// Where a source begins that has no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Behind everything that has happened.
    Now,
    /// With the first change that was committed in the second of this time, or later.
    At(SystemTime),
}

/// Where a source begins.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) position: Position,
    /// What was handed over already, where the stream begins before it.
    pub(super) seen: Option<Position>,
    /// Whether it is recorded already that the history after the position is lost.
    pub(super) is_lost: bool,
}

impl Begin {
    /// Where the source of this intake begins, now that `here` is watched.
    pub(super) async fn find(
        intake: &Intake,
        source: &str,
        server: &Server,
        here: &Origin,
        start: Option<Start>,
    ) -> Result<Self, SourceError> {
        let Some(kept) = intake.position().await? else {
            let position = first(server, start.unwrap_or(Start::Now)).await?;
            tracing::info!(source, at = %position, "the source has no position yet, and begins here");
            return Ok(Self { position, seen: None, is_lost: false });
        };
        let Kept { position, of, is_lost } = Kept::try_from_bytes(&kept)?;
        if !of.deployment.may_be(&here.deployment) {
            let (kept, here) = (of.deployment.to_string(), here.deployment.to_string());
            let Some(start) = start else { return Err(MongoDbError::OtherDeployment { kept, here }.into()) };
            let first = first(server, start).await?;
            let reason = format!("the source watched {kept}, and now watches {here}");
            tracing::warn!(source, from = %position, to = %first, reason, "changes were missed; a gap is recorded");
            intake.gap(position.to_string(), first.to_string(), reason).await?;
            return Ok(Self { position: first, seen: None, is_lost: false });
        }
        if of.options != here.options
            && let Some(time) = position.time()
        {
            tracing::warn!(
                source,
                at = %position,
                "what is watched, or its images, changed since the last run; the source begins with the cluster time of its \
                 position, and passes over what it has handed over"
            );
            return Ok(Self { position: Position::Time(time), seen: Some(position), is_lost });
        }
        Ok(Self { position, seen: None, is_lost })
    }
}

/// The position of a source that has none.
async fn first(server: &Server, start: Start) -> Result<Position, MongoDbError> {
    let time = match start {
        Start::Now => return Position::now(server).await,
        Start::At(time) => time,
    };
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = server.operation_time().await?;
    match u32::try_from(seconds).ok().filter(|seconds| *seconds <= now.time) {
        // A server takes no time 0.
        Some(seconds) => Ok(Position::Time(Timestamp { time: seconds.max(1), increment: 1 })),
        None => Err(MongoDbError::Start { start: humantime::format_rfc3339_seconds(time).to_string(), now: shown(now) }),
    }
}
