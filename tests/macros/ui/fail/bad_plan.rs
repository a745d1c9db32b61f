use event_detector::event;

#[event("move.done", plan = "none")]
pub mod done {
    use event_detector::Change;

    fn detect(change: &Change) -> bool {
        change.is_update()
    }
}

fn main() {}
