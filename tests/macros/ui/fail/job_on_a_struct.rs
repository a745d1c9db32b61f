use event_detector::job;

#[job]
pub struct Rerun {
    pub move_id: i64,
}

fn main() {}
