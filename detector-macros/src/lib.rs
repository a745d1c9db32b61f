//! How do the attributes of `event-detector` read what a developer wrote?
//!
//! `event-detector` re-exports both and documents them there; nobody else depends on this crate.

use proc_macro::TokenStream;

mod args;
mod docs;
mod duration;
mod event;
mod job;
mod jsonpath;
mod mistakes;
mod name;
mod plan;
mod scan;
#[cfg(test)]
mod tests;
mod types;

/// Declares the inline module below as a business event.
#[proc_macro_attribute]
pub fn event(args: TokenStream, item: TokenStream) -> TokenStream {
    event::expand_event(args.into(), item.into()).into()
}

/// Makes the `async fn` below a job: calling it gives a lazy `Job`.
#[proc_macro_attribute]
pub fn job(args: TokenStream, item: TokenStream) -> TokenStream {
    job::expand_job(args.into(), item.into()).into()
}
