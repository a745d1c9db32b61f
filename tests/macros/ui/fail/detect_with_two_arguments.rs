use event_detector::event;

#[event("move.done")]
pub mod done {
    use event_detector::Change;

    fn detect(before: &Change, after: &Change) -> bool {
        before.is_update() && after.is_update()
    }
}

fn main() {}
