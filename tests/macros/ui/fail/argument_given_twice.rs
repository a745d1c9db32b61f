use event_detector::event;

#[event("move.done", on_undecided = "fire", on_undecided = "report")]
pub mod done {
    use event_detector::Change;

    fn detect(change: &Change) -> bool {
        change.is_update()
    }
}

fn main() {}
