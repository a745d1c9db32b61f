//! An event that uses all there is, in a crate with strict lints.
#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub, unused, unused_qualifications, clippy::all)]

use event_detector::{Change, Job, JobContext, event, job};

/// Runs accounts receivable for one move again.
#[job(timeout = "30s", retries = 3)]
pub async fn rerun_ar(_cx: JobContext, move_id: Option<i64>) -> std::io::Result<Option<i64>> {
    Ok(move_id)
}

/// The vehicle was handed over to the driver.
#[event("move.pickup.successful", on_undecided = "fire", ordered, crate = ::event_detector)]
pub mod successful {
    //! What confirms the pickup.
    #![allow(clippy::unnecessary_wraps)]
    use super::*;

    fn detect(change: &Change) -> bool {
        change.is_update() && [3, 4].iter().any(|_| !change.query("$.after.items[?@.qty > 3]").is_empty())
    }

    fn jobs(_change: &Change) -> Vec<Job> {
        vec![
            rerun_ar(Some(7)).named("Job 1"),
            Job::new("closure", async move |cx: JobContext| Ok::<_, std::io::Error>(cx.event().len())),
        ]
    }
}

fn main() {
    let linked = event_detector::Registry::from_linked().unwrap();
    let [event] = linked.detectors() else { panic!("{linked:?}") };
    let declared = event.declared();

    assert!(event.is_ordered());
    assert!(declared.module.ends_with("::successful"), "{declared:?}");
    assert!(declared.file.ends_with("full_event.rs"), "{declared:?}");
    assert_eq!(declared.line, 14);
    assert_eq!(declared.doc, "The vehicle was handed over to the driver.");
    assert_eq!(declared.calls, ["rerun_ar", "Job 1", "closure"]);
}
