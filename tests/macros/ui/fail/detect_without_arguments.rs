use event_detector::event;

#[event("move.done")]
pub mod done {
    pub use event_detector::Change;

    fn detect() -> bool {
        true
    }
}

fn main() {}
