use event_detector::{JobContext, job};

#[job]
pub async fn rerun(_cx: JobContext, reason: &i64) -> std::io::Result<i64> {
    Ok(*reason)
}

pub mod done {
    use event_detector::Job;

    pub fn jobs() -> Vec<Job> {
        vec![super::rerun(7)]
    }
}

fn main() {}
