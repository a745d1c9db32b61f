//! What is done with events, without a server that sends them.

use std::future::{Future, pending};

use event_detector::{Detector, Registry};
use event_detector_runtime::{Runtime, Source, Sources, Summary};
use mongodb::bson::{RawArrayBuf, Timestamp, rawdoc};
use tokio::sync::Notify;

use super::super::scope::Scope;
use super::super::server::Server;
use super::super::tests::Positions;
use super::*;

/// A source that begins, and hands over these events.
struct Events(MongoDb, Vec<RawDocumentBuf>);

impl Source for Events {
    fn name(&self) -> String {
        self.0.name()
    }

    async fn run(self, intake: Intake) -> Result<SourceEnd, SourceError> {
        let watch = Watch::new(&self.0.server, self.0.images);
        let mut following = Following::begin(self.0, intake, watch).await?;
        let mut events = RawArrayBuf::new();
        self.1.into_iter().for_each(|event| events.push(event));
        match following.take(&events).await? {
            Some(Ended::Stopping) => Ok(following.stopped()),
            Some(_) => Err("the stream is not read to its end".into()),
            None => Ok(SourceEnd::Exhausted),
        }
    }
}

fn insert(data: &str) -> RawDocumentBuf {
    rawdoc! {
        "_id": { "_data": data }, "operationType": "insert", "ns": { "db": "app", "coll": "moves" },
        "documentKey": { "_id": 1 }, "fullDocument": { "_id": 1 }
    }
}

/// Hands `events` over, behind a position that is in the ledger.
async fn handed_over(ledger: &Positions, events: Vec<RawDocumentBuf>, stop: impl Future<Output = ()>) -> Summary {
    let server = Server::nowhere().await;
    let scope = Scope::try_new(vec!["app".to_owned()], vec![]).unwrap();
    let source = MongoDb::new(server.clone(), scope);
    let options = Watch::new(&server, source.images).fingerprint(&source.scope);
    let of = Origin { deployment: server.deployment().await, options };
    ledger.0.lock().unwrap().position = Some(of.at(&Position::Time(Timestamp { time: 1, increment: 1 })));
    let all = Registry::try_new([Detector::new("all", |_| true)]).unwrap();
    let runtime = Runtime::builder(all).ledger(ledger.clone()).build().unwrap();
    let mut sources = Sources::default();
    sources.add(Events(source, events));
    runtime.run(sources, stop, |_| ()).await
}

#[tokio::test]
async fn nothing_is_handed_over_before_the_first_position_is_on_disk() {
    let (ledger, full) = (Positions::default(), Arc::new(Notify::new()));
    ledger.0.lock().unwrap().full = Some(Arc::clone(&full));

    let summary = handed_over(&ledger, vec![insert("82AA")], full.notified()).await;

    assert_eq!((summary.changes, summary.left.len()), (0, 1), "{summary:?}");
    assert!(summary.source_errors.is_empty(), "{summary:?}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_a_gap_in_the_ledger_and_holds_up_nothing() {
    let ledger = Positions::default();
    let odd = rawdoc! { "_id": { "_data": "82AB" }, "operationType": 7 };

    let summary = handed_over(&ledger, vec![insert("82AA"), odd, insert("82AC")], pending()).await;

    assert_eq!((summary.changes, summary.rejected), (2, 1), "{summary:?}");
    let gaps = ledger.0.lock().unwrap().gaps.clone();
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!((gap.from.as_str(), &gap.to), ("the change event 82AB", &gap.from));
    assert!(gap.reason.contains("/operationType"), "{gap:?}");
}
