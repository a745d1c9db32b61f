use event_detector::{JobContext, job};

#[job]
pub async fn rerun(_cx: JobContext, move_id: i64) {
    drop(move_id);
}

fn main() {}
