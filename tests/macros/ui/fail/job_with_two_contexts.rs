use event_detector::{JobContext, job};

#[job]
pub async fn rerun(_cx: JobContext, _other: JobContext) -> std::io::Result<()> {
    Ok(())
}

fn main() {}
