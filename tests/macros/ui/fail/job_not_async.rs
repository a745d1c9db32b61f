use event_detector::{JobContext, job};

#[job]
pub fn rerun(_cx: JobContext, move_id: i64) -> std::io::Result<i64> {
    Ok(move_id)
}

pub mod done {
    use event_detector::Job;

    pub fn jobs() -> Vec<Job> {
        vec![super::rerun(7)]
    }
}

fn main() {}
