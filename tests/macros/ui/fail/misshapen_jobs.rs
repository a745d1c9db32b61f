use event_detector::event;

#[event("move.done")]
pub mod done {
    use event_detector::{Change, Job};

    fn detect(change: &Change) -> bool {
        change.is_update()
    }

    fn jobs(_: &Change) -> Job {
        Job::new("hello", async |_| Ok::<_, std::io::Error>(()))
    }
}

fn main() {}
