//! How is a body read that may be too large, packed, slow, or not what it says?

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::refusal::Refusal;

/// No more room than this is made on the mere word of a header.
const TRUSTED_LENGTH: usize = 16 * 1024;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
}

/// The packing of a body that says it is JSON, from its headers alone.
pub(super) fn packing(headers: &HeaderMap) -> Result<Packing, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("something that is not text"));
    if !content_type.is_some_and(is_json) {
        let found = content_type.map_or_else(|| "none".to_owned(), |found| format!("`{}`", found.escape_debug()));
        let refusal = unsupported(format!("the content type is {found}; expected `application/json` in UTF-8"));
        return Err(refusal.hint("send the header `content-type: application/json`"));
    }
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let packing = match encodings.next().map(|value| value.as_bytes()) {
        None => Some(Packing::Plain),
        Some(encoding) if encoding.eq_ignore_ascii_case(b"identity") => Some(Packing::Plain),
        Some(encoding) if encoding.eq_ignore_ascii_case(b"gzip") => Some(Packing::Gzip),
        Some(_) => None,
    };
    packing.filter(|_| encodings.next().is_none()).ok_or_else(|| {
        let refusal = unsupported("the content encoding is unknown; expected `gzip` or `identity`, once".to_owned());
        refusal.header(header::ACCEPT_ENCODING, "gzip, identity").hint("send the body as it is, or packed with gzip")
    })
}

fn unsupported(message: String) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
}

/// Whether a content type is JSON in UTF-8.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_json = kind == "application/json"
        || kind.strip_prefix("application/").is_some_and(|kind| kind.len() > "+json".len() && kind.ends_with("+json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// Reads the whole body, at most `limit` bytes of it, within `time`.
pub(super) async fn read(
    body: Body,
    headers: &HeaderMap,
    packing: Packing,
    limit: usize,
    time: Duration,
) -> Result<Vec<u8>, Refusal> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = length.filter(|length| *length > limit as u64) {
        return Err(too_large(limit, &format!("the request says that it has {length}")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is not more than the limit")]
    let room = length.map_or(0, |length| length as usize).min(TRUSTED_LENGTH);
    let bytes = timeout(time, collect(body, room, limit)).await.map_err(|_| late(time))??;
    match packing {
        Packing::Plain => Ok(bytes),
        Packing::Gzip => unpack(&bytes, limit),
    }
}

async fn collect(mut body: Body, room: usize, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(room);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let message = format!("the body ended after {} bytes, before its end", bytes.len());
            Refusal::new(StatusCode::BAD_REQUEST, "incomplete_body", message).hint("send it again, whole")
        })?;
        if let Some(data) = frame.data_ref() {
            if data.len() > limit - bytes.len() {
                return Err(too_large(limit, &format!("{} came before reading stopped", bytes.len() + data.len())));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// Unpacks at most `limit` bytes, whatever the packed ones would become.
fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let unpacked = MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut bytes);
    if bytes.len() > limit {
        return Err(too_large(limit, "unpacked it has more"));
    }
    match unpacked {
        Ok(_) => Ok(bytes),
        Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_gzip", "the body says it is gzip and is not")
            .hint("send it as it is, or packed whole with gzip")),
    }
}

fn too_large(limit: usize, seen: &str) -> Refusal {
    let message = format!("the body may have {limit} bytes; {seen}");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
        .hint("send fewer columns, or raise the receiver's `body_limit`")
}

fn late(time: Duration) -> Refusal {
    let message = format!("the body did not arrive within {}", humantime::format_duration(time));
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
        .header(header::CONNECTION, "close")
        .hint("send it again, or raise the receiver's `body_timeout`")
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn json_in_utf_8_is_json_under_its_names() {
        for json in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/vnd.api+json; version=2",
        ] {
            assert!(is_json(json), "{json}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for other in [
            "",
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/+json",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }
}
