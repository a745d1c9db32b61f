use event_detector::{JobContext, job};

#[job(effect)]
pub async fn rerun(_cx: JobContext, move_id: i64) -> std::io::Result<i64> {
    Ok(move_id)
}

fn main() {}
