use event_detector::{JobContext, job};

#[job(timeout = "30 seconds")]
pub async fn rerun(_cx: JobContext, move_id: i64) -> std::io::Result<i64> {
    Ok(move_id)
}

fn main() {}
