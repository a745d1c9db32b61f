//! Does what happens to one document happen in order?

use super::{Found, Promise};
use crate::history::{Change, Event, Job};

impl<'h> Found<'h> {
    /// The changes of a document are recorded in their order, and the jobs of one have begun before those of the next begin.
    pub(super) fn check_order(&mut self) {
        for changes in self.documents().into_values() {
            for pair in changes.windows(2) {
                let [before, after] = pair else { continue };
                if before.version.number >= after.version.number {
                    self.violate(Promise::Order, format!("{} is recorded before {}", before.version, after.version));
                }
            }
            // An attempt that was interrupted before its effect is known to nobody; the next one has the job's first effect then.
            let first = |found: &Self, change, job| found.arrivals_of(change, job).first().map(|(place, _)| *place);
            self.check_apart(
                Promise::Order,
                &changes,
                |_| true,
                |found, change, job| {
                    let first = first(found, change, job)?;
                    Some((first, first))
                },
            );
        }
    }

    /// The jobs of an ordered event have ended before those of the next one of the document begin.
    pub(super) fn check_ordered_events(&mut self) {
        let is_ordered = |job: &Job| Event::ALL.iter().any(|event| event.is_ordered() && event.name() == job.event);
        for changes in self.documents().into_values() {
            self.check_apart(Promise::OrderedEvents, &changes, is_ordered, |found, change, job| {
                let arrivals = found.arrivals_of(change, job);
                Some((arrivals.first()?.0, arrivals.last()?.0))
            });
        }
    }

    /// Whether what happens of one change lies before what happens of the next; `places` says of a job where it begins and ends.
    fn check_apart(
        &mut self,
        promise: Promise,
        changes: &[&'h Change],
        is_meant: impl Fn(&Job) -> bool,
        places: impl Fn(&Self, &'h Change, &'h Job) -> Option<(usize, usize)>,
    ) {
        let mut latest: Option<(usize, String)> = None;
        for change in changes {
            let jobs = self.jobs_of_change.get(&change.row).cloned().unwrap_or_default();
            let mut own: Option<(usize, String)> = None;
            for job in jobs.into_iter().filter(|job| is_meant(job)) {
                let Some((first, last)) = places(self, change, job) else { continue };
                let name = format!("{}: {} of {}", change.version, job.name, job.event);
                if let Some((place, earlier)) = &latest
                    && *place > first
                {
                    self.violate(promise, format!("{name} came before {earlier}"));
                }
                if own.as_ref().is_none_or(|(place, _)| *place < last) {
                    own = Some((last, name));
                }
            }
            if let Some(own) = own
                && latest.as_ref().is_none_or(|(place, _)| *place < own.0)
            {
                latest = Some(own);
            }
        }
    }
}
