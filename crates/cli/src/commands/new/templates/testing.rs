//! What do the tests of jobs stand on?

use std::sync::Arc;

use event_detector::{Cancellation, Change, JobContext, JobEnvironment, JobRun, JobScope, State};

/// The first attempt of a job of the event `test.event`, in a program without state.
pub(crate) fn context(change: impl Into<Change>) -> JobContext {
    let (_canceller, cancellation) = Cancellation::new();
    let environment = Arc::new(JobEnvironment { state: State::default(), cancellation });
    let run = JobRun { event: "test.event", job: "job".into(), nth: 0 };
    JobContext::new(Arc::new(JobScope { change: Arc::new(change.into()), environment }), run, 1, None)
}
