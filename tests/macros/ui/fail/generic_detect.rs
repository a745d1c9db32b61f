use event_detector::event;

#[event("move.done")]
pub mod done {
    pub use event_detector::Change;

    fn detect<T>(change: &T) -> bool {
        std::mem::size_of_val(change) > 0
    }
}

fn main() {}
