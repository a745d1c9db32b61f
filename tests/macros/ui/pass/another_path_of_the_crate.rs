//! A crate that knows event-detector under another name.
mod house {
    pub mod vocabulary {
        pub use ::event_detector::__private;
        pub use ::event_detector::*;
    }
}

use house::vocabulary::{Change, Job, JobContext, event, job};

#[job(crate = crate::house::vocabulary)]
async fn hello(_cx: JobContext) -> std::io::Result<()> {
    Ok(())
}

#[event("greeting", crate = crate::house::vocabulary)]
mod greeting {
    use super::*;

    fn detect(_: &Change) -> bool {
        true
    }

    fn jobs(_: &Change) -> Vec<Job> {
        vec![hello()]
    }
}

fn main() {
    assert_eq!(house::vocabulary::Registry::from_linked().unwrap().detectors().len(), 1);
}
