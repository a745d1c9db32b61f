//! Where in the history of a deployment has a source got to?

use std::fmt;

use mongodb::bson::{Document, RawDocument, RawDocumentBuf, Timestamp, doc};
use mongodb::raw_batch_cursor::RawBatch;

use super::fault::MongoDbError;
use super::server::Server;

/// A place in the history of a deployment; what comes after it is still to be handed over.
///
/// A resume token is kept whole and never looked into, but for the cluster time at its beginning, which is shown to people.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Position {
    /// Behind the change, or the moment, of this resume token: the bytes of its document.
    Token(Vec<u8>),
    /// Before the first change of this cluster time.
    Time(Timestamp),
}

impl Position {
    /// Behind everything that has happened.
    pub(super) async fn now(server: &Server) -> Result<Self, MongoDbError> {
        let Timestamp { time, increment } = server.operation_time().await?;
        Ok(Self::Time(Timestamp { time, increment: increment + 1 }))
    }

    /// Moves behind the change whose token this is; nowhere, where it has none.
    pub(super) fn move_to(&mut self, token: &mut Vec<u8>) {
        if token.is_empty() {
            return;
        }
        match self {
            Self::Token(here) => std::mem::swap(here, token),
            Self::Time(_) => *self = Self::Token(std::mem::take(token)),
        }
    }

    /// The token, if this is one.
    pub(super) fn token(&self) -> Option<Document> {
        match self {
            Self::Token(bytes) => RawDocument::from_bytes(bytes).ok()?.try_into().ok(),
            Self::Time(_) => None,
        }
    }

    /// The cluster time; a token begins with it.
    fn time(&self) -> Option<Timestamp> {
        let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
        match self {
            Self::Time(time) => Some(*time),
            Self::Token(bytes) => {
                let data = name(bytes);
                let is_time = data.get(..2) == Some("82");
                is_time.then(|| Some(Timestamp { time: hex(data.get(2..10)?)?, increment: hex(data.get(10..18)?)? }))?
            }
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let document = match self {
            Self::Token(bytes) => {
                let mut document = RawDocumentBuf::new();
                if let Ok(token) = RawDocument::from_bytes(bytes) {
                    document.append(mongodb::bson::cstr!("token"), token.to_owned());
                }
                return document.into_bytes();
            }
            Self::Time(time) => doc! { "time": *time },
        };
        document.to_vec().unwrap_or_default()
    }

    pub(super) fn try_from_bytes(bytes: &[u8]) -> Result<Self, MongoDbError> {
        let read = || {
            let document = RawDocument::from_bytes(bytes).ok()?;
            match (document.get_document("token"), document.get_timestamp("time")) {
                (Ok(token), _) => Some(Self::Token(token.as_bytes().to_vec())),
                (_, Ok(time)) => Some(Self::Time(time)),
                _ => None,
            }
        };
        read().ok_or(MongoDbError::Position)
    }
}

/// Copies the resume token of a change event into `token`, which is empty where it has none.
pub(super) fn read_token(event: &RawDocument, token: &mut Vec<u8>) {
    token.clear();
    // It is the first field of every event.
    if let Some(Ok(element)) = event.iter_elements().next()
        && element.key().as_str() == "_id"
        && let Ok(id) = element.value()
        && let Some(id) = id.as_document()
    {
        token.extend(id.as_bytes());
    }
}

/// Where the server was when it answered with a batch.
pub(super) fn of_batch(batch: &RawBatch) -> Option<Position> {
    let cursor = batch.as_raw_document().get_document("cursor").ok()?;
    let token = cursor.get_document("postBatchResumeToken").ok()?;
    Some(Position::Token(token.as_bytes().to_vec()))
}

/// The text of a resume token.
pub(super) fn name(token: &[u8]) -> &str {
    RawDocument::from_bytes(token).ok().and_then(|token| token.get_str("_data").ok()).unwrap_or_default()
}

/// The cluster time, for people.
impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time() {
            Some(Timestamp { time, increment }) => {
                let time = mongodb::bson::DateTime::from_millis(i64::from(time) * 1_000);
                write!(formatter, "{}.{increment}", time.try_to_rfc3339_string().unwrap_or_default())
            }
            None => formatter.write_str("an unknown time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Timestamp, rawdoc};

    use super::{Position, name, read_token};

    #[test]
    fn a_position_is_kept_and_found_again_whole() {
        let token = rawdoc! { "_data": "826B011AAE000000022B0229296E04", "_typeBits": 7 };

        for position in [Position::Token(token.into_bytes()), Position::Time(Timestamp { time: 1_795_234_057, increment: 7 })] {
            assert_eq!(Position::try_from_bytes(&position.to_bytes()).unwrap(), position);
        }
        assert!(Position::try_from_bytes(b"nonsense").is_err());
    }

    #[test]
    fn a_token_says_when_it_was() {
        let token = rawdoc! { "_data": "826B011AAE000000022B0229296E04" };

        assert_eq!(Position::Token(token.into_bytes()).to_string(), "2026-11-21T04:14:38Z.2");
        assert_eq!(Position::Token(rawdoc! { "_data": "zz" }.into_bytes()).to_string(), "an unknown time");
    }

    #[test]
    fn a_position_moves_with_the_events_and_stays_where_one_has_no_token() {
        let mut token = Vec::new();
        let mut position = Position::Time(Timestamp { time: 1, increment: 1 });

        for (event, expected) in [
            (rawdoc! { "_id": { "_data": "82AA" } }, "82AA"),
            (rawdoc! { "operationType": "insert" }, "82AA"),
            (rawdoc! { "_id": { "_data": "82AB" } }, "82AB"),
        ] {
            read_token(&event, &mut token);
            position.move_to(&mut token);

            assert!(matches!(&position, Position::Token(bytes) if name(bytes) == expected));
        }
    }
}
