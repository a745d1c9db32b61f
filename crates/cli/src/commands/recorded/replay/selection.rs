//! What was a run of recorded changes asked for, so that it can go on where it was cut off?

use event_detector_ledger::{Filter, Status};
use event_detector_runtime::{ChangeRow, Millis};
use serde::{Deserialize, Serialize};

/// What a run was asked for, as its row keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Selection {
    /// The events that are asked; `None` for all of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<Vec<String>>,
    /// The last change that was recorded when the run began: it ends there.
    pub(super) up_to: ChangeRow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collection: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<Vec<ChangeRow>>,
    /// Whether jobs run, too, whose effect is `once`.
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) include_once: bool,
    /// Whether jobs run, too, that have succeeded for the change.
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) include_succeeded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_not(flag: &bool) -> bool {
    !flag
}

impl Selection {
    /// The changes of `filter`, whose events are those that are asked.
    pub(super) fn new(filter: Filter, up_to: ChangeRow) -> Self {
        let Filter { events, since, until, status, keys, collection, correlation_id, source, rows } = filter;
        let status = status.map(|status| status.as_str().to_owned());
        Self {
            events,
            up_to,
            since,
            until,
            status,
            keys,
            collection,
            correlation_id,
            source,
            rows,
            include_once: false,
            include_succeeded: false,
        }
    }

    /// The changes that are meant, whatever events they had.
    pub(super) fn filter(&self) -> Filter {
        let status = self.status.as_deref();
        Filter {
            events: None,
            since: self.since,
            until: self.until,
            status: Status::ALL.into_iter().find(|known| Some(known.as_str()) == status),
            keys: self.keys.clone(),
            collection: self.collection.clone(),
            correlation_id: self.correlation_id.clone(),
            source: self.source.clone(),
            rows: self.rows.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use event_detector_ledger::{Filter, Status};

    use super::Selection;

    #[test]
    fn what_a_run_was_asked_for_is_read_as_it_was_written() {
        let filter = Filter {
            events: Some(vec!["a.b".to_owned()]),
            since: Some(1),
            until: Some(2),
            status: Some(Status::Failed),
            keys: Some(vec!["7".to_owned()]),
            collection: Some("moves".to_owned()),
            correlation_id: Some("cause".to_owned()),
            source: Some("file".to_owned()),
            rows: Some(vec![4, 5]),
        };
        let selection = Selection { include_once: true, ..Selection::new(filter.clone(), 9) };

        let text = serde_json::to_string(&selection).unwrap();
        let again: Selection = serde_json::from_str(&text).unwrap();

        assert_eq!(again, selection);
        assert_eq!(again.filter(), Filter { events: None, ..filter });
        assert_eq!(serde_json::from_str::<Selection>("{\"up_to\":9}").unwrap().filter(), Filter::default());
    }
}
