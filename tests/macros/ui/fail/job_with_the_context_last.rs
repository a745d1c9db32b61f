use event_detector::{JobContext, job};

#[job]
pub async fn rerun(move_id: i64, _cx: JobContext) -> std::io::Result<i64> {
    Ok(move_id)
}

fn main() {}
