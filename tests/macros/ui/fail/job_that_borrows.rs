use event_detector::{JobContext, job};

#[job]
pub async fn rerun(_cx: JobContext, reason: &str) -> std::io::Result<usize> {
    Ok(reason.len())
}

fn main() {}
