use event_detector::event;

#[event("move.done")]
pub mod done {
    pub use event_detector::Change;

    fn detect(change: &u64) -> bool {
        *change > 3
    }
}

fn main() {}
