use event_detector::event;

#[event("move.done")]
pub mod done;

fn main() {}
