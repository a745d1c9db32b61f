/// The `{{column}}` of a document in `{{collection}}` became `{{value}}`.
#[{{attribute}}("{{event}}")]
pub mod {{module}} {
    use event_detector::{Change, Job};

    fn detect(change: &Change) -> bool {
        change.collection() == "{{collection}}" && change.became("{{column}}", "{{value}}")
    }

    /// The work to start then: jobs of the crate `jobs`, such as `vec![jobs::send_receipt()]`.
    fn jobs(_change: &Change) -> Vec<Job> {
        vec![]
    }
}
