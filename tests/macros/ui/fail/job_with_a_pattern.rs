use event_detector::{JobContext, job};

#[job]
pub async fn rerun(_cx: JobContext, (from, to): (i64, i64)) -> std::io::Result<i64> {
    Ok(to - from)
}

fn main() {}
