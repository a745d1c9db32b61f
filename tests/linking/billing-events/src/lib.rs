//! What can happen to an invoice?

use event_detector::event;

/// An invoice was paid.
#[event("linking.invoice.paid")]
pub mod paid {
    use event_detector::{Change, Job};
    use shared_jobs::charge;

    fn detect(change: &Change) -> bool {
        change.collection() == "invoices" && change.became("status", "paid")
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![charge(0)]
    }
}
