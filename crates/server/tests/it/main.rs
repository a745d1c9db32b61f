//! The route of Hasura's event triggers as their sender meets it, without a server and over real sockets.
//!
//! What depends on time runs on tokio's paused clock, or waits for a cause: a connection that closes, an answer that comes. Real
//! limits are short, and tests assert what came of them, not how long it took.

mod access;
mod answers;
mod bad_input;
mod bodies;
mod connections;
mod disk;
mod in_flight;
mod load;
mod logs;
mod metrics;
mod payloads;
mod recorded;
mod sender;
mod server;
mod stopping;
mod support;
