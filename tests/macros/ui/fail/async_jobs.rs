use event_detector::event;

#[event("move.done")]
pub mod done {
    use event_detector::{Change, Job};

    fn detect(change: &Change) -> bool {
        change.is_update()
    }

    async fn jobs(_: &Change) -> Vec<Job> {
        Vec::new()
    }
}

fn main() {}
