use event_detector::{JobContext, job};

#[job]
pub async fn rerun<'a>(_cx: JobContext, reason: std::borrow::Cow<'a, str>) -> std::io::Result<usize> {
    Ok(reason.len())
}

fn main() {}
