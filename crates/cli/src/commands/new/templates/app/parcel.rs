//! What can happen to a parcel?

use event_detector::event;

/// The parcel was handed over to its recipient.
#[event("parcel.delivered")]
pub mod delivered {
    use event_detector::{Change, Job};
    use jobs::notify_recipient;

    fn detect(change: &Change) -> bool {
        change.collection() == "parcels" && change.became("status", "delivered")
    }

    fn jobs(change: &Change) -> Vec<Job> {
        vec![notify_recipient(change.after("recipient").as_str().map(Into::into))]
    }
}

{{tests}}
