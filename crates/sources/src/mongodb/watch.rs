//! With which pipeline and options is a change stream opened?

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::raw_batch_cursor::RawBatchCursor;

use super::fault::Fault;
use super::position::Position;
use super::scope::{Images, Scope};
use super::server::Server;

/// Events in a batch: a hundred costs an eighth of the throughput, ten thousand brings nothing.
pub(super) const BATCH: u32 = 1_000;
/// An idle server answers this often, with where it is.
pub(super) const MAX_AWAIT: Duration = Duration::from_secs(1);

/// What is asked of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) images: Images,
    /// Whether the server can send an event in parts that is too large for one message, as it may be with its images. It is asked
    /// to only where such an event is next: always to be ready for it costs a tenth of the server's rate.
    pub(super) splits: bool,
    /// Whether the server can take the paths of a description apart; it does so among its expanded events alone.
    pub(super) tells_paths_apart: bool,
    pub(super) pace: Pace,
}

/// How many events are asked for at a time: one that is too large for one message is looked for one by one, and then taken alone,
/// in parts where the server can send it so, else without images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Full,
    OneByOne,
    /// The event that is too large, and then as before.
    Alone,
}

impl Pace {
    /// The pace after an event turned out to be too large.
    pub(super) fn slower(self) -> Self {
        match self {
            Self::Full => Self::OneByOne,
            Self::OneByOne | Self::Alone => Self::Alone,
        }
    }
}

impl Watch {
    /// What a deployment is asked for that can do this much.
    pub(super) fn new(server: &Server, images: Images) -> Self {
        let (splits, tells_paths_apart) = (server.splits_large_events(), server.tells_paths_apart());
        Self { images, splits, tells_paths_apart, pace: Pace::Full }
    }

    /// Tells what is watched, and with which images, from everything else: a position is of no use to a stream of other events.
    pub(super) fn fingerprint(&self, scope: &Scope) -> i64 {
        let mut databases = scope.databases().to_vec();
        let mut collections = scope.collections().to_vec();
        databases.sort_unstable();
        collections.sort_unstable();
        // No name has a character of 0.
        let images = format!("{:?} {}", self.images, self.tells_paths_apart);
        fnv(&format!("{}\0\0{}\0\0{images}", databases.join("\0"), collections.join("\0")))
    }

    /// Opens a change stream behind `position`.
    ///
    /// It is read in whole batches, and without the driver's own attempts to go on after an error: where to go on, and when, is
    /// decided in one place, and said.
    pub(super) async fn open(&self, server: &Server, scope: &Scope, position: &Position) -> Result<RawBatchCursor, Fault> {
        let pipeline = self.pipeline(scope, position);
        let database = match scope.databases() {
            [database] => server.client().database(database),
            _ => server.client().database("admin"),
        };
        let batch = if self.pace == Pace::Full { BATCH } else { 1 };
        Ok(database.aggregate(pipeline).batch_size(batch).max_await_time(MAX_AWAIT).batch().await?)
    }

    pub(super) fn pipeline(&self, scope: &Scope, position: &Position) -> Vec<Document> {
        let split = (self.pace == Pace::Alone && self.splits).then(|| doc! { "$changeStreamSplitLargeEvent": {} });
        let stream = doc! { "$changeStream": self.options(scope, position) };
        std::iter::once(stream).chain(scope.filter()).chain(split).collect()
    }

    fn options(&self, scope: &Scope, position: &Position) -> Document {
        let mut options = Document::new();
        if scope.databases().len() > 1 {
            options.insert("allChangesForCluster", true);
        }
        match position {
            Position::Token(_) | Position::Part(_) => options.insert("startAfter", position.token()),
            Position::Time(time) => options.insert("startAtOperationTime", *time),
        };
        if self.images == Images::None || (self.pace == Pace::Alone && !self.splits) {
            return options;
        }
        options.insert("fullDocumentBeforeChange", "whenAvailable");
        match self.images {
            Images::Stored => _ = options.insert("fullDocument", "whenAvailable"),
            Images::Lookup => _ = options.insert("fullDocument", "updateLookup"),
            // An option that is not needed costs the server a part of its rate.
            Images::Computed if self.tells_paths_apart => _ = options.insert("showExpandedEvents", true),
            Images::Computed | Images::None => {}
        }
        options
    }
}

/// The hash FNV-1a, which is the same in every build.
fn fnv(text: &str) -> i64 {
    let hash = text.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, Timestamp, doc, rawdoc};

    use super::{Images, Pace, Position, Scope, Watch};

    const START: Position = Position::Time(Timestamp { time: 7, increment: 1 });

    fn scope(databases: &[&str], collections: &[&str]) -> Scope {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Scope::try_new(names(databases), names(collections)).unwrap()
    }

    fn watch(images: Images) -> Watch {
        Watch { images, splits: true, tells_paths_apart: false, pace: Pace::Full }
    }

    fn options(watch: &Watch) -> Document {
        watch.pipeline(&scope(&["app"], &[]), &START)[0].get_document("$changeStream").unwrap().clone()
    }

    #[test]
    fn the_stage_that_splits_events_is_the_last_and_there_only_for_the_event_that_is_too_large() {
        let scope = scope(&["app"], &["moves"]);
        let alone = Watch { pace: Pace::Alone, ..watch(Images::Computed) };

        let pipeline = alone.pipeline(&scope, &START);

        assert_eq!(pipeline.len(), 3);
        assert_eq!(pipeline[2], doc! { "$changeStreamSplitLargeEvent": {} });
        assert_eq!(watch(Images::Computed).pipeline(&scope, &START).len(), 2);
        assert_eq!(Watch { splits: false, ..alone }.pipeline(&scope, &START).len(), 2);
    }

    #[test]
    fn each_way_to_have_images_asks_for_what_it_needs_and_no_more() {
        let start = Timestamp { time: 7, increment: 1 };

        assert_eq!(options(&watch(Images::None)), doc! { "startAtOperationTime": start });
        let before = doc! { "startAtOperationTime": start, "fullDocumentBeforeChange": "whenAvailable" };
        assert_eq!(options(&watch(Images::Computed)), before);
        for (images, after) in [(Images::Stored, "whenAvailable"), (Images::Lookup, "updateLookup")] {
            let mut both = before.clone();
            both.insert("fullDocument", after);
            assert_eq!(options(&watch(images)), both);
        }
        let mut expanded = before;
        expanded.insert("showExpandedEvents", true);
        assert_eq!(options(&Watch { tells_paths_apart: true, ..watch(Images::Computed) }), expanded);
        let without_parts = Watch { pace: Pace::Alone, splits: false, ..watch(Images::Stored) };
        assert_eq!(options(&without_parts), doc! { "startAtOperationTime": start });
    }

    #[test]
    fn what_is_watched_has_its_fingerprint_whatever_the_order_of_its_names() {
        let all = watch(Images::Computed);
        let fingerprints = [
            all.fingerprint(&scope(&["app"], &["moves", "orders"])),
            all.fingerprint(&scope(&["app"], &["moves"])),
            all.fingerprint(&scope(&["app"], &[])),
            all.fingerprint(&scope(&["app", "moves"], &[])),
            watch(Images::Stored).fingerprint(&scope(&["app"], &["moves"])),
            Watch { tells_paths_apart: true, ..watch(Images::Computed) }.fingerprint(&scope(&["app"], &["moves"])),
        ];

        let different: std::collections::HashSet<_> = fingerprints.iter().collect();
        assert_eq!(different.len(), fingerprints.len());
        assert_eq!(fingerprints[0], all.fingerprint(&scope(&["app"], &["orders", "moves"])));
        assert_eq!(super::fnv("foobar").cast_unsigned(), 0x8594_4171_F739_67E8, "as the hash is defined");
    }

    #[test]
    fn a_stream_goes_on_behind_a_token_and_one_of_several_databases_is_the_clusters() {
        let token = rawdoc! { "_data": "82", "_typeBits": 1 };

        let pipeline = watch(Images::None).pipeline(&scope(&["a", "b"], &[]), &Position::Token(token.into_bytes()));

        let expected = doc! { "allChangesForCluster": true, "startAfter": { "_data": "82", "_typeBits": 1 } };
        assert_eq!(pipeline[0], doc! { "$changeStream": expected });
    }

    #[test]
    fn an_event_that_is_too_large_is_looked_for_and_taken_alone() {
        assert_eq!(Pace::Full.slower(), Pace::OneByOne);
        assert_eq!([Pace::OneByOne.slower(), Pace::Alone.slower()], [Pace::Alone, Pace::Alone]);
    }
}
