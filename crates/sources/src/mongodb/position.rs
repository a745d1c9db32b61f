//! Where in the history of a deployment has a source got to?

use std::cmp::Ordering;
use std::fmt;

use mongodb::bson::{Document, RawDocument, RawDocumentBuf, Timestamp, cstr};
use mongodb::raw_batch_cursor::RawBatch;

use super::fault::MongoDbError;
use super::server::Server;

/// A place in the history of a deployment; what comes after it is still to be handed over.
///
/// A resume token is kept whole. It is looked into for the cluster time at its beginning, and to see whether an event comes a second
/// time, where that can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Position {
    /// Behind the change, or the moment, of this resume token: the bytes of its document.
    Token(Vec<u8>),
    /// Behind an event that came in parts: the token of its last one. Only a stream that splits events can go on there.
    Part(Vec<u8>),
    /// Before the first change of this cluster time.
    Time(Timestamp),
}

impl Position {
    /// Behind everything that has happened.
    pub(super) async fn now(server: &Server) -> Result<Self, MongoDbError> {
        let Timestamp { time, increment } = server.operation_time().await?;
        Ok(Self::Time(Timestamp { time, increment: increment + 1 }))
    }

    /// Moves behind the change whose token this is; nowhere, where it has none. What was the position's is left in `token`.
    pub(super) fn move_to(&mut self, token: &mut Vec<u8>, is_part: bool) {
        if token.is_empty() {
            return;
        }
        let mut bytes = match std::mem::replace(self, Self::Time(Timestamp { time: 0, increment: 0 })) {
            Self::Token(here) | Self::Part(here) => here,
            Self::Time(_) => Vec::new(),
        };
        std::mem::swap(&mut bytes, token);
        *self = if is_part { Self::Part(bytes) } else { Self::Token(bytes) };
    }

    /// The token, if this is one.
    pub(super) fn token(&self) -> Option<Document> {
        RawDocument::from_bytes(self.token_bytes()?).ok()?.try_into().ok()
    }

    fn token_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Token(bytes) | Self::Part(bytes) => Some(bytes),
            Self::Time(_) => None,
        }
    }

    /// The cluster time; a token begins with it.
    pub(super) fn time(&self) -> Option<Timestamp> {
        let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
        match self {
            Self::Time(time) => Some(*time),
            Self::Token(bytes) | Self::Part(bytes) => {
                let data = name(bytes);
                let is_time = data.get(..2) == Some("82");
                is_time.then(|| Some(Timestamp { time: hex(data.get(2..10)?)?, increment: hex(data.get(10..18)?)? }))?
            }
        }
    }

    /// Whether the event with this token was handed over, as far as the tokens say so.
    ///
    /// A cluster's shards can commit in one collection at the same time, and their events come in the order of the whole tokens.
    /// Only where the tokens are of different versions is an event at the same place taken for the same.
    pub(super) fn is_behind(&self, token: &[u8]) -> bool {
        let Some(here) = self.token_bytes() else { return false };
        let (event, here) = (name(token), name(here));
        let Some((place_of_event, place_of_here)) = place(event).zip(place(here)) else { return false };
        match place_of_event.cmp(&place_of_here) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal if version(event) != version(here) => true,
            // Another stream may bring the event of the last part whole, or in more parts.
            Ordering::Equal => event <= here || matches!(self, Self::Part(_)) && event.starts_with(without_part(here)),
        }
    }
}

/// The version of a token.
fn version(data: &str) -> Option<&str> {
    data.get(18..22)
}

/// The token without the number of its part, which is the last that it has.
fn without_part(data: &str) -> &str {
    let data = data.strip_suffix("04").unwrap_or(data);
    // A number: none is in no byte, and up to 63 in one.
    let number = data.len().checked_sub(4).and_then(|at| data.get(at..)).filter(|number| number.starts_with("2B"));
    data.strip_suffix(number.unwrap_or("29")).unwrap_or(data)
}

/// What tokens of both versions say of where their event is: cluster time, place in its transaction, collection. One event has a
/// token of another version in a stream that splits events.
fn place(data: &str) -> Option<(&str, &str)> {
    const VERSIONS: [&str; 2] = ["2B02", "2B04"];
    const EVENT: &str = "2C0100";
    const COLLECTION: &str = "5A1004";
    let time = data.strip_prefix("82")?.get(..16)?;
    let rest = data.get(22..).filter(|_| version(data).is_some_and(|version| VERSIONS.contains(&version)))?;
    let Some(operation) = rest.strip_prefix(EVENT) else {
        // Of a moment, which is before the events of its time.
        return Some((time, rest));
    };
    // A number: how many bytes it has, and these.
    let digits = match operation.get(..2)? {
        "29" => 0,
        "2B" => 2,
        "2C" => 4,
        "2D" => 6,
        "2E" => 8,
        _ => return None,
    };
    // Then whether the event ends the stream.
    let collection = operation.get(2 + digits + 2..)?.strip_prefix(COLLECTION)?;
    let end = rest.len() - collection.len() + 32;
    Some((time, rest.get(..end)?))
}

/// What is kept of a position, for the next run of the program.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) position: Position,
    pub(super) of: Origin,
    /// Whether it is recorded already that the history after it is lost.
    pub(super) is_lost: bool,
}

/// Where, and of what, a position is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) deployment: Deployment,
    /// Tells what is watched, and with which images, from everything else.
    pub(super) options: i64,
}

/// Which deployment it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployment {
    /// The name of its replica set; empty for a sharded cluster.
    pub(super) name: String,
    /// What tells it from others of its name; unknown where the user may not ask.
    pub(super) id: Option<String>,
}

impl Deployment {
    /// Whether it can be the same.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(one), Some(other)) => one == other,
            _ => self.name == other.name,
        }
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => formatter.write_str("a sharded cluster")?,
            name => write!(formatter, "the replica set `{name}`")?,
        }
        self.id.as_ref().map_or(Ok(()), |id| write!(formatter, " ({id})"))
    }
}

impl Origin {
    /// The bytes that are kept of a position behind the event of this token.
    pub(super) fn behind(&self, token: &[u8], is_part: bool) -> Vec<u8> {
        self.bytes(|kept| append_token(kept, token, is_part), false)
    }

    pub(super) fn at(&self, position: &Position) -> Vec<u8> {
        self.bytes(|kept| append(kept, position), false)
    }

    /// As [`at`](Self::at), where it is recorded that the history behind the position is lost.
    pub(super) fn lost_after(&self, position: &Position) -> Vec<u8> {
        self.bytes(|kept| append(kept, position), true)
    }

    fn bytes(&self, append: impl FnOnce(&mut RawDocumentBuf), is_lost: bool) -> Vec<u8> {
        let mut kept = RawDocumentBuf::new();
        append(&mut kept);
        kept.append(cstr!("options"), self.options);
        kept.append(cstr!("deployment"), self.deployment.name.as_str());
        if let Some(id) = &self.deployment.id {
            kept.append(cstr!("deployment_id"), id.as_str());
        }
        if is_lost {
            kept.append(cstr!("lost"), true);
        }
        kept.into_bytes()
    }
}

fn append(kept: &mut RawDocumentBuf, position: &Position) {
    match position {
        Position::Token(token) => append_token(kept, token, false),
        Position::Part(token) => append_token(kept, token, true),
        Position::Time(time) => kept.append(cstr!("time"), *time),
    }
}

fn append_token(kept: &mut RawDocumentBuf, token: &[u8], is_part: bool) {
    // The bytes came as a document.
    if let Ok(token) = RawDocument::from_bytes(token) {
        kept.append(if is_part { cstr!("part") } else { cstr!("token") }, token);
    }
}

impl Kept {
    pub(super) fn try_from_bytes(bytes: &[u8]) -> Result<Self, MongoDbError> {
        let read = || {
            let kept = RawDocument::from_bytes(bytes).ok()?;
            let token = |name| kept.get_document(name).ok().map(|token| token.as_bytes().to_vec());
            let position = token("token")
                .map(Position::Token)
                .or_else(|| token("part").map(Position::Part))
                .or_else(|| kept.get_timestamp("time").ok().map(Position::Time))?;
            let deployment = Deployment {
                name: kept.get_str("deployment").ok()?.to_owned(),
                id: kept.get_str("deployment_id").ok().map(str::to_owned),
            };
            let of = Origin { deployment, options: kept.get_i64("options").ok()? };
            Some(Self { position, of, is_lost: kept.get_bool("lost").unwrap_or(false) })
        };
        read().ok_or(MongoDbError::Position)
    }
}

/// Copies the resume token of a change event into `token`, which is empty where it has none.
pub(super) fn read_token(event: &RawDocument, token: &mut Vec<u8>) {
    token.clear();
    // It is the first field of an event, but for those of transactions.
    if let Ok(id) = event.get_document("_id") {
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
            Some(time) => formatter.write_str(&shown(time)),
            None => formatter.write_str("an unknown time"),
        }
    }
}

/// A cluster time, for people.
pub(super) fn shown(Timestamp { time, increment }: Timestamp) -> String {
    let time = mongodb::bson::DateTime::from_millis(i64::from(time) * 1_000);
    format!("{}.{increment}", time.try_to_rfc3339_string().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{RawDocumentBuf, Timestamp, rawdoc};

    use super::{Deployment, Kept, Origin, Position, name, read_token};

    const EVENT: &str = "826B011AAE000000022B022C0100296E5A10040123456789ABCDEF0123456789ABCDEF46645F696400290004";

    fn origin(id: Option<&str>) -> Origin {
        Origin { deployment: Deployment { name: "rs0".to_owned(), id: id.map(str::to_owned) }, options: -7 }
    }

    fn token(data: &str) -> Vec<u8> {
        rawdoc! { "_data": data }.into_bytes()
    }

    #[test]
    fn a_position_is_kept_and_found_again_whole() {
        let token = rawdoc! { "_data": "826B011AAE000000022B0229296E04", "_typeBits": 7 }.into_bytes();
        let time = Timestamp { time: 1_795_234_057, increment: 7 };

        for position in [Position::Token(token.clone()), Position::Part(token.clone()), Position::Time(time)] {
            for of in [origin(None), origin(Some("67"))] {
                let kept = Kept { position: position.clone(), of: of.clone(), is_lost: false };
                assert_eq!(Kept::try_from_bytes(&of.at(&position)).unwrap(), kept);
                assert_eq!(Kept::try_from_bytes(&of.lost_after(&position)).unwrap(), Kept { is_lost: true, ..kept });
            }
        }
        assert_eq!(origin(None).behind(&token, true), origin(None).at(&Position::Part(token)));
        for nonsense in [b"nonsense".to_vec(), RawDocumentBuf::new().into_bytes(), rawdoc! { "time": time }.into_bytes()] {
            assert!(Kept::try_from_bytes(&nonsense).is_err());
        }
    }

    #[test]
    fn deployments_are_told_apart_by_their_ids_and_where_one_is_unknown_by_their_names() {
        let named = |name: &str, id: Option<&str>| Deployment { name: name.to_owned(), id: id.map(str::to_owned) };

        assert!(named("rs0", Some("1")).may_be(&named("rs0", Some("1"))));
        assert!(!named("rs0", Some("1")).may_be(&named("rs0", Some("2"))));
        assert!(named("rs0", None).may_be(&named("rs0", Some("2"))));
        assert!(!named("rs0", None).may_be(&named("rs1", Some("2"))));
    }

    #[test]
    fn a_token_says_when_it_was() {
        assert_eq!(Position::Token(token("826B011AAE000000022B0229296E04")).to_string(), "2026-11-21T04:14:38Z.2");
        assert_eq!(Position::Token(token("zz")).to_string(), "an unknown time");
    }

    #[test]
    fn a_position_moves_with_the_events_and_stays_where_one_has_no_token() {
        let mut token = Vec::new();
        let mut position = Position::Time(Timestamp { time: 1, increment: 1 });

        for (event, expected) in [
            (rawdoc! { "_id": { "_data": "82AA" } }, "82AA"),
            (rawdoc! { "operationType": "insert" }, "82AA"),
            (rawdoc! { "txnNumber": 7_i64, "lsid": {}, "_id": { "_data": "82AB" } }, "82AB"),
        ] {
            read_token(&event, &mut token);
            position.move_to(&mut token, false);

            assert!(matches!(&position, Position::Token(bytes) if name(bytes) == expected));
        }
        position.move_to(&mut super::tests::token("82AC"), true);
        assert!(matches!(&position, Position::Part(bytes) if name(bytes) == "82AC"));
    }

    #[test]
    fn what_was_handed_over_is_known_by_either_version_of_its_token() {
        let of_parts = EVENT.replace("2B022C", "2B042C").replace("46645F", "465A6F7065726174696F6E");
        let later = EVENT.replace("AAE00000002", "AAE00000003");
        let next_of_transaction = EVENT.replace("2C0100296E", "2C01002B026E");
        let position = Position::Token(token(EVENT));

        assert!(position.is_behind(&token(EVENT)) && position.is_behind(&token(&of_parts)));
        assert!(Position::Part(token(&of_parts)).is_behind(&token(EVENT)));
        assert!(!position.is_behind(&token(&later)) && Position::Token(token(&later)).is_behind(&token(EVENT)));
        assert!(!position.is_behind(&token(&next_of_transaction)));
        assert!(Position::Token(token(&next_of_transaction)).is_behind(&token(EVENT)));
    }

    #[test]
    fn another_document_of_the_same_time_and_collection_was_not_handed_over() {
        let later = EVENT.replace("6964002900", "6964002B0200");
        let of_parts = |data: &str| data.replace("2B022C", "2B042C");

        for (one, other) in [(EVENT.to_owned(), later.clone()), (of_parts(EVENT), of_parts(&later))] {
            assert!(!Position::Token(token(&one)).is_behind(&token(&other)), "{other} comes behind {one}");
            assert!(Position::Token(token(&other)).is_behind(&token(&one)), "{one} comes before {other}");
        }
    }

    #[test]
    fn an_event_that_came_in_parts_was_handed_over_in_whatever_parts_it_comes_again() {
        let whole = EVENT.replace("2B022C", "2B042C");
        let part = |number: &str| format!("{}{number}04", whole.strip_suffix("04").unwrap());
        let position = Position::Part(token(&part("2B02")));

        for again in [whole.clone(), part("29"), part("2B02"), part("2B04")] {
            assert!(position.is_behind(&token(&again)), "{again}");
        }
        assert!(!position.is_behind(&token(&part("2B02").replace("6964002900", "6964002B0200"))));
    }

    #[test]
    fn what_a_token_does_not_say_was_not_handed_over() {
        let moment = "826B011AAE000000022B0229296E04";

        assert!(!Position::Token(token(moment)).is_behind(&token(EVENT)), "it is before the events of its time");
        assert!(!Position::Time(Timestamp { time: u32::MAX, increment: 1 }).is_behind(&token(EVENT)));
        for odd in ["", "82", "zz", &EVENT[..40], &EVENT.replace("2B022C", "2B062C"), &EVENT.replace("5A1004", "461004")] {
            assert!(!Position::Token(token(EVENT)).is_behind(&token(odd)), "{odd}");
        }
    }
}
