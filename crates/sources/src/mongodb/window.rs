//! How long will the server still have what the source has not read?

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use event_detector_runtime::SourceMetrics;
use mongodb::bson::{Bson, Document, Timestamp, doc};
use mongodb::error::Error;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::fault::{Class, classify};
use super::server::Server;

/// How often the oplog is looked at.
const EVERY: Duration = Duration::from_secs(60);
/// How full an oplog is whose oldest entries the server cuts, or soon will.
const FULL: f64 = 0.9;
/// Parts of the window that are told once each time that so much is used up.
const TOLD: [f64; 2] = [0.5, 0.8];

/// The history that a server keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Oplog {
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
    /// How full it is, from 0 to 1.
    pub(super) filled: f64,
}

impl Oplog {
    /// The history of the replica set that `server` is connected to; an error where the user may not look at it, or it is none.
    pub(super) async fn of(server: &Server) -> Result<Self, Error> {
        let local = server.client().database("local");
        let ends = local.collection::<Document>("oplog.rs");
        let end = async |natural: i32| {
            let entry = ends.find_one(doc! {}).sort(doc! { "$natural": natural }).projection(doc! { "ts": 1 }).await?;
            let time = entry.and_then(|entry| entry.get_timestamp("ts").ok());
            time.ok_or_else(|| Error::custom("the oplog has no entries"))
        };
        let (oldest, newest) = (end(1).await?, end(-1).await?);
        let stats = local.run_command(doc! { "collStats": "oplog.rs" }).await?;
        let number =
            |name| stats.get(name).and_then(|size| size.as_f64().or(size.as_i32().map(f64::from)).or(wide(size))).unwrap_or(0.0);
        let filled = number("size") / number("maxSize").max(1.0);
        Ok(Self { oldest, newest, filled })
    }

    /// How much of it lies behind `position`, a cluster time in seconds: from 0, where nothing does, to 1, where its oldest entries
    /// were not read.
    fn used_at(&self, position: u32) -> f64 {
        let (behind, whole) = (self.newest.time.saturating_sub(position), self.length().as_secs());
        // What is not cut lasts.
        if self.filled < FULL {
            return 0.0;
        }
        (f64::from(behind) / whole.max(1) as f64).min(1.0)
    }

    /// From its oldest entry to its newest.
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(self.newest.time.saturating_sub(self.oldest.time).into())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size, of which a part is taken")]
fn wide(size: &Bson) -> Option<f64> {
    size.as_i64().map(|size| size as f64)
}

/// Looks at the oplog every minute, and warns when the source falls behind. It ends when this is dropped.
pub(super) struct Window {
    /// The cluster time of the source's position, in seconds; beyond all times where nobody knows it.
    position: Arc<AtomicU32>,
    _task: JoinSet<()>,
}

impl Window {
    pub(super) fn watch(source: String, server: Server, metrics: Arc<SourceMetrics>, at: Option<Timestamp>) -> Self {
        let position = Arc::new(AtomicU32::new(at.map_or(u32::MAX, |at| at.time)));
        let mut task = JoinSet::new();
        let here = Arc::clone(&position);
        task.spawn(async move {
            let mut minutes = interval(EVERY);
            minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut warnings = Warnings::default();
            loop {
                minutes.tick().await;
                let oplog = match Oplog::of(&server).await {
                    Ok(oplog) => oplog,
                    // To ask again would only fill the server's log; `check` says that it may not be read.
                    Err(error) if classify(&error) == Class::Denied => return,
                    Err(error) => {
                        tracing::debug!(source, %error, "the oplog cannot be looked at now");
                        metrics.forget_window();
                        continue;
                    }
                };
                let used = oplog.used_at(here.load(Ordering::Relaxed));
                metrics.set_window_used(used);
                if let Some(part) = warnings.passed(used) {
                    tracing::warn!(
                        source,
                        used = %format_args!("{:.0} %", used * 100.0),
                        window = %humantime::format_duration(oplog.length()),
                        "the source has fallen behind by more than {:.0} % of the history that the server keeps; what it has not \
                         read by the end of it is lost: a larger oplog (`replSetResizeOplog`) gives it time",
                        part * 100.0
                    );
                }
            }
        });
        Self { position, _task: task }
    }

    /// Notes where the source has got to.
    pub(super) fn set_position(&self, time: Option<Timestamp>) {
        if let Some(time) = time {
            self.position.store(time.time, Ordering::Relaxed);
        }
    }
}

/// What was warned of, until it is better again.
#[derive(Debug, Default)]
struct Warnings {
    told: Option<f64>,
}

impl Warnings {
    /// The greatest part of the window that is used up now and was not told.
    fn passed(&mut self, used: f64) -> Option<f64> {
        let passed = TOLD.into_iter().rfind(|part| used >= *part);
        let is_new = passed > self.told;
        self.told = passed;
        passed.filter(|_| is_new)
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::Timestamp;

    use super::{Oplog, Warnings};

    fn oplog(filled: f64) -> Oplog {
        let at = |time| Timestamp { time, increment: 1 };
        Oplog { oldest: at(1_000), newest: at(2_000), filled }
    }

    #[test]
    fn what_is_used_up_is_what_lies_behind_the_position_of_what_the_server_keeps() {
        let used = [2_000, 1_750, 1_000, 1, 3_000].map(|position| oplog(0.95).used_at(position));

        assert_eq!(used, [0.0, 0.25, 1.0, 1.0, 0.0]);
        assert_eq!(oplog(0.1).used_at(1_000), 0.0, "nothing is cut yet");
        let empty =
            Oplog { oldest: Timestamp { time: 7, increment: 1 }, newest: Timestamp { time: 7, increment: 1 }, filled: 1.0 };
        assert_eq!(empty.used_at(7), 0.0);
    }

    #[test]
    fn each_mark_is_told_once_and_again_when_it_was_better_in_between() {
        let mut warnings = Warnings::default();

        let told = [0.1, 0.5, 0.6, 0.81, 0.9, 0.7, 0.85, 0.2, 0.5, 1.0].map(|used| warnings.passed(used));

        assert_eq!(told, [None, Some(0.5), None, Some(0.8), None, None, Some(0.8), None, Some(0.5), Some(0.8)]);
    }
}
