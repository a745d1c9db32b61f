//! Which recorded changes are asked for?

use event_detector_runtime::{ChangeRow, LedgerError, Millis, Stage};
use rusqlite::types::Value;

use super::rows::RecordedChange;

/// Which recorded changes are asked for: those of which all holds that is set. Nothing set means every change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Changes that a detector of one of these events did not say no to.
    pub events: Option<Vec<String>>,
    /// Recorded at this time or later.
    pub since: Option<Millis>,
    /// Recorded before this time.
    pub until: Option<Millis>,
    /// Where one of its events or jobs is.
    pub status: Option<Status>,
    /// The document key as JSON; one of these.
    pub keys: Option<Vec<String>>,
    /// The collection, or table.
    pub collection: Option<String>,
    /// What ties together everything that follows from one cause.
    pub correlation_id: Option<String>,
    /// The name of the source.
    pub source: Option<String>,
    /// These rows.
    pub rows: Option<Vec<ChangeRow>>,
}

/// What may be said of a change by its verdicts and jobs. Several may hold, but nothing else where it is [`Status::Ok`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Nothing below holds: each of its jobs succeeded, or a person decided that it is not to be run.
    Ok,
    /// An event's own code failed, or a job is a dead letter or failed in its last attempt.
    Failed,
    /// A process has a job of it.
    Running,
    /// A job is to be taken up at a time.
    Waiting,
    /// A job is a dead letter.
    Dead,
    /// The change did not say whether an event happened.
    Undecided,
}

/// In which order changes are returned, and from where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    Newest,
    /// As they were recorded, those behind this row; 0 is before them all.
    After(ChangeRow),
}

impl Status {
    /// All of them, the one that asks most for a person first.
    pub const ALL: [Self; 6] = [Self::Dead, Self::Failed, Self::Waiting, Self::Running, Self::Undecided, Self::Ok];

    /// Its name, as people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::Undecided => "undecided",
        }
    }

    /// Whether it may be said of `change`.
    pub fn is_of(self, change: &RecordedChange) -> bool {
        let has_job = |wanted: fn(&Stage) -> bool| change.jobs.iter().any(|job| wanted(&job.state.stage));
        match self {
            Self::Ok => Self::ALL.into_iter().all(|other| other == self || !other.is_of(change)),
            Self::Failed => {
                change.verdicts.iter().any(|verdict| verdict.said == "failed")
                    || change
                        .jobs
                        .iter()
                        .any(|job| job.state.stage == Stage::Dead || (!job.state.stage.is_final() && job.state.failures > 0))
            }
            Self::Running => has_job(|stage| matches!(stage, Stage::Queued | Stage::Running)),
            Self::Waiting => has_job(|stage| matches!(stage, Stage::Waiting { .. })),
            Self::Dead => has_job(|stage| *stage == Stage::Dead),
            Self::Undecided => change.verdicts.iter().any(|verdict| verdict.said == "undecided"),
        }
    }

    /// What of [`ALL`](Self::ALL) may be said of `change` first.
    pub fn of(change: &RecordedChange) -> Self {
        Self::ALL.into_iter().find(|status| status.is_of(change)).unwrap_or(Self::Ok)
    }

    /// The same as [`is_of`](Self::is_of), over the tables. What is rare is looked for by its index, which SQLite takes only where its
    /// own condition is said.
    fn condition(self) -> String {
        const FAILED: &str = "EXISTS (SELECT 1 FROM verdicts f WHERE f.change = c.change AND f.said = 'failed')";
        const FAILING: &str =
            "c.change IN (SELECT change FROM jobs WHERE stage IN ('queued', 'running', 'waiting') AND failures > 0)";
        const OPEN: &str =
            "c.change IN (SELECT change FROM jobs WHERE stage IN ('queued', 'running', 'waiting') AND stage <> 'waiting')";
        const WAITING: &str =
            "c.change IN (SELECT change FROM jobs WHERE stage IN ('queued', 'running', 'waiting') AND stage = 'waiting')";
        const DEAD: &str =
            "c.change IN (SELECT l.change FROM dead_letters d JOIN jobs l ON l.job = d.job WHERE d.resolved_at IS NULL)";
        const UNDECIDED: &str = "EXISTS (SELECT 1 FROM verdicts u WHERE u.change = c.change AND u.said = 'undecided')";
        match self {
            Self::Ok => format!("NOT ({FAILED} OR {OPEN} OR {WAITING} OR {DEAD} OR {UNDECIDED})"),
            Self::Failed => format!("({FAILED} OR {FAILING} OR {DEAD})"),
            Self::Running => OPEN.to_owned(),
            Self::Waiting => WAITING.to_owned(),
            Self::Dead => DEAD.to_owned(),
            Self::Undecided => UNDECIDED.to_owned(),
        }
    }
}

/// A query in the making: its tables, its conditions, and what they are compared with.
pub(super) struct Query {
    pub(super) tables: &'static str,
    /// The column that names the change.
    pub(super) row: &'static str,
    conditions: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Query {
    /// The query for the changes that `filter` asks for; `collections` are all that the ledger has.
    pub(super) fn new(
        filter: &Filter,
        collections: impl FnOnce() -> Result<Vec<String>, LedgerError>,
    ) -> Result<Self, LedgerError> {
        let mut query = Self { tables: "changes c", row: "c.change", conditions: Vec::new(), values: Vec::new() };
        if let Some(events) = &filter.events {
            match events.as_slice() {
                // The index has the changes of one event in their order.
                [event] => {
                    query.tables = "verdicts v CROSS JOIN changes c ON c.change = v.change";
                    query.row = "v.change";
                    query.push("v.event = ?", [event.clone()]);
                }
                events => {
                    let condition = format!(
                        "EXISTS (SELECT 1 FROM verdicts v WHERE v.change = c.change AND v.event {})",
                        among(events.len())
                    );
                    query.push(condition, events.iter().cloned());
                }
            }
        }
        if let Some(since) = filter.since {
            // Rows are in the order of recording, but for what the clock did. A plus keeps SQLite from the index that would be slower.
            query.push("c.change >= (SELECT min(+change) FROM changes WHERE recorded_at >= ?)", [since]);
            query.push("+c.recorded_at >= ?", [since]);
        }
        if let Some(until) = filter.until {
            query.push("c.change <= (SELECT max(+change) FROM changes WHERE recorded_at < ?)", [until]);
            query.push("+c.recorded_at < ?", [until]);
        }
        if let Some(keys) = &filter.keys {
            // The index of documents begins with the collection.
            let collections = match &filter.collection {
                Some(collection) => vec![collection.clone()],
                None => collections()?,
            };
            query.push(format!("c.collection {}", among(collections.len())), collections);
            query.push(format!(r#"c."key" {}"#, among(keys.len())), keys.iter().cloned());
        } else if let Some(collection) = &filter.collection {
            query.push("c.collection = ?", [collection.clone()]);
        }
        if let Some(id) = &filter.correlation_id {
            query.push("c.correlation_id = ?", [id.clone()]);
        }
        if let Some(source) = &filter.source {
            query.push("c.source = ?", [source.clone()]);
        }
        if let Some(rows) = &filter.rows {
            query.push(format!("c.change {}", among(rows.len())), rows.iter().copied());
        }
        if let Some(status) = filter.status {
            query.push::<i64>(status.condition(), []);
        }
        Ok(query)
    }

    pub(super) fn push<V: Into<Value>>(&mut self, condition: impl Into<String>, values: impl IntoIterator<Item = V>) {
        self.conditions.push(condition.into());
        self.values.extend(values.into_iter().map(Into::into));
    }

    /// The conditions behind `WHERE`.
    pub(super) fn conditions(&self) -> String {
        if self.conditions.is_empty() { "1".to_owned() } else { self.conditions.join(" AND ") }
    }
}

/// `IN (?, ?, ?)`.
fn among(number: usize) -> String {
    format!("IN ({})", vec!["?"; number].join(", "))
}
