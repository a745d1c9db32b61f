//! What work can events ask for? One job per file, shared by all events.

mod notify_recipient;
#[cfg(test)]
mod testing;

pub use notify_recipient::notify_recipient;
