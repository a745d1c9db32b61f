//! What happens to a name that was copied with the code?

use event_detector::event;

/// The name of an event of `orders-events`, once more.
#[event("linking.order.placed")]
pub mod copied {
    use event_detector::{Change, Job};
    use shared_jobs::charge;

    fn detect(change: &Change) -> bool {
        change.collection() == "orders" && change.is_delete()
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![charge(-100)]
    }
}
