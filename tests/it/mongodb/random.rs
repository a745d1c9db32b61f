//! Is the document after an update that is computed the one that the server has, whatever the update?
//!
//! Random documents get random updates, each in a transaction that reads the document back at once. `DETECTOR_SEED` repeats a
//! run, and `DETECTOR_CASES` says how many updates there are.

use std::collections::HashMap;
use std::env;
use std::sync::Arc;

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use ::mongodb::error::ErrorKind;
use ::mongodb::options::{FullDocumentBeforeChangeType, UpdateModifications};
use ::mongodb::{ClientSession, Collection, Database};
use event_detector::{AfterImage, Change};
use event_detector_sources::Images;
use fastrand::Rng;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::{LONG, Watching, after, database, uri, with_images};

/// Updates in a run, unless the environment says otherwise.
const CASES: usize = 5_000;
/// Updates of one document, one after another.
const UPDATES: usize = 10;
/// Names of fields; a number is an index in an array and a name in a document.
const NAMES: [&str; 7] = ["a", "b", "c", "0", "1", "2", "longer_name"];
/// Names that no path can mean.
const DOTTED: [&str; 3] = ["a.b", "b.", "c.0.x"];

fn from_env(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Random documents and updates.
struct Random {
    rng: Rng,
    /// Whether names may have dots.
    dotted: bool,
}

impl Random {
    fn name(&mut self) -> &'static str {
        let dotted = self.dotted && self.rng.u8(..8) == 0;
        self.rng.choice(if dotted { &DOTTED[..] } else { &NAMES[..] }).unwrap()
    }

    fn scalar(&mut self) -> Bson {
        match self.rng.u8(..9) {
            0 => Bson::Null,
            1 => self.rng.bool().into(),
            2 => self.rng.i32(-3..3).into(),
            3 => self.rng.i64(..).into(),
            4 => Bson::Double(f64::from(self.rng.i32(-9..9)) / 2.0),
            5 => Bson::DateTime(::mongodb::bson::DateTime::from_millis(self.rng.i64(0..1 << 40))),
            6 => ObjectId::from_bytes(std::array::from_fn(|_| self.rng.u8(..))).into(),
            7 => "x".repeat(self.rng.usize(..60)).into(),
            _ => "text.with.dots".into(),
        }
    }

    fn value(&mut self, depth: usize) -> Bson {
        match self.rng.u8(..6) {
            0 | 1 if depth > 0 => self.document(depth - 1).into(),
            2 if depth > 0 => (0..self.rng.usize(..6)).map(|_| self.value(depth - 1)).collect::<Vec<_>>().into(),
            _ => self.scalar(),
        }
    }

    fn document(&mut self, depth: usize) -> Document {
        (0..self.rng.usize(..6)).map(|_| (self.name().to_owned(), self.value(depth))).collect()
    }

    /// A path, mostly to something that is there.
    fn path(&mut self, document: &Document) -> String {
        let mut path = Vec::new();
        let mut here = Bson::Document(document.clone());
        loop {
            let names: Vec<String> = match &here {
                Bson::Document(document) => {
                    document.keys().filter(|name| *name != "_id" && !name.contains('.')).cloned().collect()
                }
                Bson::Array(items) => (0..=items.len()).map(|index| index.to_string()).collect(),
                _ => Vec::new(),
            };
            let name = match self.rng.choice(names) {
                Some(name) if self.rng.u8(..6) > 0 => name,
                _ => self.rng.choice(NAMES).unwrap().to_owned(),
            };
            let inside = match &here {
                Bson::Document(document) => document.get(&name).cloned(),
                Bson::Array(items) => name.parse::<usize>().ok().and_then(|index| items.get(index).cloned()),
                _ => None,
            };
            path.push(name);
            match inside {
                Some(inside @ (Bson::Document(_) | Bson::Array(_))) if self.rng.u8(..3) > 0 => here = inside,
                _ => return path.join("."),
            }
        }
    }

    /// An update by operators, which the server may refuse.
    fn operators(&mut self, document: &Document) -> Document {
        let mut update = Document::new();
        for _ in 0..self.rng.usize(1..4) {
            let path = self.path(document);
            let (operator, argument) = match self.rng.u8(..12) {
                0..4 => ("$set", self.value(2)),
                4 | 5 => ("$unset", 1.into()),
                6 => ("$inc", self.rng.i32(-2..3).into()),
                7 => ("$push", self.value(1)),
                8 => (
                    "$push",
                    doc! { "$each": [self.scalar(), self.scalar()], "$position": self.rng.i32(-1..3), "$slice": self.rng.i32(-4..5) }
                        .into(),
                ),
                9 => ("$pop", (if self.rng.bool() { 1 } else { -1 }).into()),
                10 => ("$addToSet", self.scalar()),
                _ => ("$rename", self.rng.choice(["new", "a.renamed", "b"]).unwrap().into()),
            };
            let part = update.entry(operator.to_owned()).or_insert_with(|| Document::new().into());
            if let Bson::Document(part) = part {
                part.insert(path, argument);
            }
        }
        update
    }

    /// An update by pipeline.
    fn pipeline(&mut self, document: &Document) -> Vec<Document> {
        let pad = doc! { "$set": { "pad": "p".repeat(self.rng.usize(..400)) } };
        let literal = |value: Bson| doc! { "$literal": value };
        let name = self.rng.choice(NAMES).unwrap();
        let stage = match self.rng.u8(..7) {
            0 | 1 => doc! { "$set": { self.rng.choice(NAMES).unwrap(): literal(self.value(2)) } },
            2 => doc! { "$unset": self.path(document) },
            3 => doc! { "$set": { name: { "$cond": [
                { "$isArray": format!("${name}") },
                { "$concatArrays": [[self.scalar()], { "$slice": [format!("${name}"), self.rng.i32(1..4)] }] },
                literal((0..self.rng.i32(..30)).collect::<Vec<_>>().into()),
            ] } } },
            4 => doc! { "$replaceWith": { "$mergeObjects": [literal(self.document(2).into()), "$$ROOT"] } },
            5 if self.dotted => {
                let name = self.rng.choice(DOTTED).unwrap();
                doc! { "$replaceWith": { "$setField": { "field": name, "input": "$$ROOT", "value": literal(self.value(1)) } } }
            }
            _ => doc! { "$set": { "pad": { "$concat": [{ "$ifNull": ["$pad", ""] }, "q"] } } },
        };
        if self.rng.bool() { vec![pad, stage] } else { vec![stage] }
    }

    fn update(&mut self, document: &Document) -> UpdateModifications {
        match self.rng.u8(..3) {
            0 => self.pipeline(document).into(),
            _ => self.operators(document).into(),
        }
    }
}

/// Updates a document in a transaction, and returns what it then is; nothing where the server refuses the update.
async fn updated(
    session: &mut ClientSession,
    collection: &Collection<Document>,
    id: i64,
    update: UpdateModifications,
) -> Option<Document> {
    // The one before may have been refused.
    let _gone = session.abort_transaction().await;
    session.start_transaction().await.unwrap();
    let this = doc! { "_id": id };
    let update = async {
        let done = collection.update_one(this.clone(), update).session(&mut *session).await?;
        let now = collection.find_one(this).session(&mut *session).await?.unwrap();
        session.commit_transaction().await?;
        Ok::<_, ::mongodb::error::Error>((done.modified_count == 1).then_some(now))
    };
    update.await.unwrap_or_else(|error| {
        // A busy server takes an update for a conflict.
        let is_refused = matches!(*error.kind, ErrorKind::Command(_) | ErrorKind::Write(_));
        assert!(is_refused && !error.contains_label("UnknownTransactionCommitResult"), "{error}");
        None
    })
}

/// Whether a name in the value has a dot.
fn is_dotted(value: &Bson) -> bool {
    match value {
        Bson::Document(document) => document.iter().any(|(name, value)| name.contains('.') || is_dotted(value)),
        Bson::Array(items) => items.iter().any(is_dotted),
        _ => false,
    }
}

/// One update that was written.
struct Write {
    /// The document after it.
    now: Document,
    by_operators: bool,
    /// Whether a name in the document before it had a dot.
    was_dotted: bool,
}

/// What the computed documents came to.
#[derive(Debug, Default)]
struct Tally {
    computed: usize,
    /// Of those: in the server's own order of fields too.
    in_order: usize,
    sent_whole: usize,
    /// Not computed, because of a name with a dot.
    ambiguous: usize,
    /// The first name with a dot in its document, which nothing in the change tells from a path.
    first_dotted: usize,
}

impl Tally {
    fn judge(&mut self, change: &Change, write: &Write, seed: u64) {
        let Write { now, by_operators, was_dotted } = write;
        let is_first_dotted = !was_dotted && is_dotted(&now.clone().into());
        match change.after_image() {
            AfterImage::Computed if is_first_dotted => self.first_dotted += 1,
            AfterImage::Computed => {
                let computed = after(change);
                assert!(
                    equal(&computed.clone().into(), &now.clone().into()),
                    "seed {seed}: {computed}\nis not {now}\n{:?}",
                    change.to_json()
                );
                let in_order = computed.to_vec().unwrap() == now.to_vec().unwrap();
                assert!(
                    in_order || !*by_operators,
                    "seed {seed}: {computed}\nis in another order than {now}\n{:?}",
                    change.to_json()
                );
                self.computed += 1;
                self.in_order += usize::from(in_order);
            }
            AfterImage::Exact => {
                assert_eq!(after(change), *now, "seed {seed}");
                self.sent_whole += 1;
            }
            AfterImage::Ambiguous => self.ambiguous += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
}

/// Whether two values are equal to the last bit, but for the order of fields.
fn equal(left: &Bson, right: &Bson) -> bool {
    match (left, right) {
        (Bson::Document(left), Bson::Document(right)) => {
            left.len() == right.len() && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| equal(value, other)))
        }
        (Bson::Array(left), Bson::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (left, right) => left == right,
    }
}

/// The changes of a database as the server sends them, with what is computed from them, and without a source.
async fn bare(database: &Database) -> UnboundedReceiver<Arc<Change>> {
    let images = FullDocumentBeforeChangeType::WhenAvailable;
    let stream = database.watch().full_document_before_change(images).await.unwrap();
    let mut stream = stream.with_type::<RawDocumentBuf>();
    let (tell, changes) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = stream.next().await {
            let change = Change::from_bson(event.unwrap().into_bytes()).unwrap().with_computed_after();
            if tell.send(Arc::new(change)).is_err() {
                return;
            }
        }
    });
    changes
}

async fn run(cases: usize, dotted: bool) -> Option<Tally> {
    let database = database().await?;
    let seed = from_env("DETECTOR_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("DETECTOR_SEED={seed} DETECTOR_CASES={cases} repeats this run");
    let mut random = Random { rng: Rng::with_seed(seed), dotted };
    let collection = with_images(&database, "docs").await;
    // A source would turn to the server's own images at the first name with a dot.
    let mut changes = if dotted { bare(&database).await } else { Watching::all(&database, Images::Computed).await.changes };
    let client = ::mongodb::Client::with_uri_str(uri()?).await.unwrap();
    let mut session = client.start_session().await.unwrap();
    let collection = client.database(database.name()).collection::<Document>(collection.name());
    let mut wrote: HashMap<i64, Vec<Write>> = HashMap::new();
    let (mut tally, mut written, mut id) = (Tally::default(), 0, 0);
    while written < cases {
        id += 1;
        let mut document = random.document(3);
        document.insert("_id", id);
        collection.insert_one(&document).await.unwrap();
        for _ in 0..UPDATES {
            let update = random.update(&document);
            let by_operators = matches!(update, UpdateModifications::Document(_));
            if let Some(now) = updated(&mut session, &collection, id, update).await {
                let was_dotted = is_dotted(&document.into());
                wrote.entry(id).or_default().push(Write { now: now.clone(), by_operators, was_dotted });
                document = now;
                written += 1;
            }
        }
        // Whatever has come already is judged, so that nothing piles up.
        while let Some(change) = changes.recv().now_or_never().flatten() {
            judge(&mut tally, &change, &mut wrote, seed);
        }
    }
    while wrote.values().any(|wrote| !wrote.is_empty()) {
        let change = timeout(LONG, changes.recv()).await.expect("a change comes").expect("the stream is open");
        judge(&mut tally, &change, &mut wrote, seed);
    }
    eprintln!("{written} updates: {tally:?}");
    database.drop().await.unwrap();
    Some(tally)
}

/// Changes of one document come in the order in which they were written.
fn judge(tally: &mut Tally, change: &Change, wrote: &mut HashMap<i64, Vec<Write>>, seed: u64) {
    if change.is_update() {
        let write = wrote.get_mut(&change.key().as_i64().unwrap()).unwrap().remove(0);
        tally.judge(change, &write, seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_after_an_update_is_the_servers_own() {
    let cases = from_env("DETECTOR_CASES").map_or(CASES, |cases| usize::try_from(cases).unwrap());
    let Some(tally) = run(cases, false).await else { return };

    assert_eq!(tally.ambiguous, 0, "without a dotted name everything is computed");
    assert!(tally.computed > cases / 2, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_dotted_names_it_is_the_servers_own_or_not_computed() {
    let Some(tally) = run(CASES / 5, true).await else { return };

    assert!(tally.ambiguous > CASES / 20 && tally.computed > 0, "{tally:?}");
}

#[test]
fn equality_is_of_types_too_and_not_of_order() {
    assert!(equal(&doc! { "a": 1, "b": [1] }.into(), &doc! { "b": [1], "a": 1 }.into()));
    assert!(!equal(&doc! { "a": 1 }.into(), &doc! { "a": 1_i64 }.into()));
    assert!(!equal(&doc! { "a": [1, 2] }.into(), &doc! { "a": [2, 1] }.into()));
    assert!(is_dotted(&doc! { "a": [{ "b.c": 1 }] }.into()) && !is_dotted(&doc! { "a": "b.c" }.into()));
}
