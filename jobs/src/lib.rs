//! What work can events ask for? One job per file, shared by all events.

mod http;
mod job_simulator;
mod post_webhook;
mod publish_event_log;
mod rerun_ar;
#[cfg(test)]
mod testing;

pub use job_simulator::job_simulator;
pub use post_webhook::{WebhookUrl, post_webhook};
pub use publish_event_log::publish_event_log;
pub use rerun_ar::rerun_ar;
