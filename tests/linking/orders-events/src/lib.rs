//! What can happen to an order?

use event_detector::event;

/// An order came in.
#[event("linking.order.placed")]
pub mod placed {
    use event_detector::{Change, Job};
    use shared_jobs::charge;

    fn detect(change: &Change) -> bool {
        change.collection() == "orders" && change.is_insert()
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![charge(100)]
    }
}
