use event_detector::{JobContext, job};

pub struct Moves;

impl Moves {
    #[job]
    async fn rerun(&self, cx: JobContext) -> std::io::Result<String> {
        Ok(cx.event().to_owned())
    }
}

fn main() {}
