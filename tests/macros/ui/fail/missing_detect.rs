use event_detector::event;

#[event("move.done")]
pub mod done {
    use event_detector::{Change, Job};

    fn jobs(_: &Change) -> Vec<Job> {
        Vec::new()
    }
}

fn main() {}
