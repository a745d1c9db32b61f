use event_detector::job;

#[job]
pub async fn rerun(move_id: i64) -> std::io::Result<i64> {
    Ok(move_id)
}

fn main() {}
