use event_detector::{Change, event};

/// The move is over.
#[event("move.done")]
pub fn done(change: &Change) -> bool {
    change.is_update()
}

fn main() {}
