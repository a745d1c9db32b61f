//! Which id ties an answer to the request and to what is logged of it?

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Builder, Uuid};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones only make logs hard to read.
const MAX_LENGTH: usize = 128;

/// The sender's own id where it is fit for a log, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    match headers.get(REQUEST_ID) {
        Some(id) if is_sane(id.as_bytes()) => id.clone(),
        _ => new_id(),
    }
}

fn is_sane(id: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(fits)
}

/// A UUID of version 7. It is no secret, so its random part need not come from the system, which would cost a call.
fn new_id() -> HeaderValue {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = Builder::from_unix_timestamp_millis(u64::try_from(since.as_millis()).unwrap_or_default(), &random).into_uuid();
    let mut text = Uuid::encode_buffer();
    let text: &str = id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).expect("a UUID is visible ASCII")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{MAX_LENGTH, REQUEST_ID, request_id};

    fn answered(sent: &[u8]) -> HeaderValue {
        let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(sent).unwrap())]);
        request_id(&headers)
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_is_replaced() {
        assert_eq!(answered(b"7f3c:moves/1"), "7f3c:moves/1");
        for odd in [&b""[..], b"two words", b"\"quoted\"", "ümlaut".as_bytes(), &[b'a'; MAX_LENGTH + 1]] {
            let made = answered(odd);
            assert!(uuid::Uuid::parse_str(made.to_str().unwrap()).is_ok(), "{odd:?} became {made:?}");
        }
    }
}
