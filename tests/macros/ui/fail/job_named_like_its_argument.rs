use event_detector::{JobContext, job};

#[job]
pub async fn rerun(_cx: JobContext, rerun: i64) -> std::io::Result<i64> {
    Ok(rerun)
}

fn main() {}
