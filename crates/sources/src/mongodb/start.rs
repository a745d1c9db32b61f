//! Where does a source begin?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event_detector_runtime::{Intake, SourceError};
use mongodb::bson::Timestamp;

use super::fault::MongoDbError;
use super::position::{Kept, Origin, Position, shown};
use super::server::Server;

/// A time that is ahead of the server by no more than this is now: clocks differ, and the time of an idle server stands still for
/// seconds.
const SKEW: Duration = Duration::from_secs(60);

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
    match start {
        Start::Now => Position::now(server).await,
        Start::At(time) => at(time, server.operation_time().await?),
    }
}

/// The position before the changes of a time, on a server that has got to `now`.
fn at(time: SystemTime, now: Timestamp) -> Result<Position, MongoDbError> {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let ahead = seconds.saturating_sub(now.time.into());
    match u32::try_from(seconds) {
        // A server takes no time 0.
        Ok(seconds) if ahead == 0 => Ok(Position::Time(Timestamp { time: seconds.max(1), increment: 1 })),
        _ if ahead < SKEW.as_secs() => Ok(Position::Time(Timestamp { time: now.time, increment: now.increment + 1 })),
        _ => Err(MongoDbError::Start { start: humantime::format_rfc3339_seconds(time).to_string(), now: shown(now) }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use mongodb::bson::Timestamp;

    use super::{MongoDbError, Position, at};

    #[test]
    fn a_time_that_is_a_little_ahead_of_the_server_is_now() {
        let now = Timestamp { time: 1_000, increment: 7 };
        let begin = |seconds| at(UNIX_EPOCH + Duration::from_secs(seconds), now);
        let position = |time, increment| Position::Time(Timestamp { time, increment });

        for (seconds, expected) in
            [(0, position(1, 1)), (999, position(999, 1)), (1_000, position(1_000, 1)), (1_059, position(1_000, 8))]
        {
            assert_eq!(begin(seconds).unwrap(), expected, "{seconds}");
        }
        for seconds in [1_060, u64::from(u32::MAX) + 1] {
            assert!(matches!(begin(seconds), Err(MongoDbError::Start { .. })), "{seconds}");
        }
    }
}
