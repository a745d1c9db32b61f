//! Why is a request of a sender refused, and what is it to do?

use std::time::{Duration, SystemTime};

use axum::http::{StatusCode, header};
use event_detector_runtime::LedgerError;

use super::hand_over::HandOver;
use crate::refusal::Refusal;

/// One text, whatever it was.
pub(crate) fn unauthorized() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "the passphrase is missing or wrong")
        .hint("send one of the receiver's passphrases, once, in the header that it asks for")
}

/// Any page that is open on this machine can make a browser post to it; the passphrase is what pages do not know.
pub(super) fn from_a_browser() -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "from_a_browser", "browsers may not send changes to a receiver without a passphrase")
        .hint("set a passphrase, or send without the header `origin`")
}

pub(super) fn id_reused(state: &str, since: SystemTime) -> Refusal {
    let since = humantime::format_rfc3339_millis(since);
    let message = format!("another change with this id is {state}, first seen {since}");
    Refusal::new(StatusCode::CONFLICT, "id_reused", message)
        .hint("an id names one change; when it is sent again, only `delivery_info` may differ")
}

/// Why the ledger did not take a change. What the store says is for those who run it.
pub(super) fn not_recorded(error: &LedgerError) -> Refusal {
    match error {
        LedgerError::Full => {
            let message = "the disk of the receiver's ledger is full, so the change is not recorded";
            Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "ledger_full", message)
                .header(header::RETRY_AFTER, "30")
                .hint("send it again when there is space; nothing was lost that was answered with success")
        }
        LedgerError::IdReused { recorded_at, .. } => {
            let since = Duration::from_millis(u64::try_from(*recorded_at).unwrap_or(0));
            id_reused("recorded", SystemTime::UNIX_EPOCH + since)
        }
        error => {
            tracing::error!(%error, "a change could not be recorded");
            let message = "the receiver's ledger cannot be used, so the change is not recorded";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ledger_unavailable", message)
                .header(header::RETRY_AFTER, "10")
                .hint("send it again; the receiver's log says what is wrong")
        }
    }
}

/// Nobody knows whether the change is on disk.
pub(super) fn not_recorded_yet() -> Refusal {
    let message = "the receiver's ledger has not said in time that the change is on disk";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ledger_slow", message)
        .header(header::RETRY_AFTER, "10")
        .hint("send it again; it is stored once, however often it is sent")
}

pub(super) fn interrupted() -> Refusal {
    let message = "the receiver stopped before all jobs had settled, so what they did is not known";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "interrupted", message).header(header::RETRY_AFTER, "10").hint("send it again")
}

pub(super) fn full(to: &HandOver) -> Refusal {
    let message = format!("the changes in flight are as many as are admitted at a time: {}", to.admitted());
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "full", message)
        .header(header::RETRY_AFTER, "1")
        .hint("send it again; a receiver with a higher `in_flight` is sooner ready for it")
}
