//! Changes over HTTP: the route that Hasura's event triggers call, and a server around it.
//!
//! There are three ways to take what Hasura sends, all with the same answers:
//!
//! - [`Server`] is a [`Source`](event_detector_runtime::Source): it listens, answers health checks, and stops in good order;
//! - [`hasura::router`] is an axum router for a program that has a server of its own;
//! - [`Hasura::handle_http`](hasura::Hasura::handle_http) takes one request and gives its response, where there is no server at all.
//!
//! With a ledger, success says that the change is on disk, and a repeat is stored once. Without one nothing is kept: a change whose
//! jobs were cut is answered with 503, so that the sender sends it again, and a repeat that comes after the work ended is handled
//! again.

pub mod hasura;
mod refusal;
mod request_id;
mod server;
#[cfg(feature = "testing")]
pub mod testing;

pub use server::{ServeError, Server, Settings};
