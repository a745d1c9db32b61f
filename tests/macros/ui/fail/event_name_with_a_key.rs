use event_detector::event;

#[event(name = "move.done")]
pub mod done {
    use event_detector::Change;

    fn detect(change: &Change) -> bool {
        change.is_update()
    }
}

fn main() {}
