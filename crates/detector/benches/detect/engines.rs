//! Who looks for the events?

use event_detector::{Change, Detector, Registry, Verdict};
use serde_json::Value;

use crate::events::{self, Event};
use crate::payloads::{self, Payloads, SHARED, Set};

/// Finds events in changes that come as bytes.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    /// Looks at every change once, and says how many events there were.
    pass: Box<dyn Fn(&Payloads) -> usize>,
}

type Closure = Box<dyn Fn(&Value) -> bool>;

impl Engine {
    pub(crate) fn all(set: Set, count: usize) -> Vec<Self> {
        let detectors = || events::detectors(set, count);
        let registry = || events::registry(detectors());
        let closures = closures(set, count);
        let of = |name, pass: Box<dyn Fn(&Payloads) -> usize>| Self { name, pass };
        let (bson, json, naive_bson, naive_json) = (registry(), registry(), detectors(), detectors());
        vec![
            of(
                "event-detector, raw BSON",
                Box::new(move |payloads| from_bson(payloads, |change, matches| find(&bson, change, matches))),
            ),
            of(
                "event-detector, JSON",
                Box::new(move |payloads| from_json(payloads, |change, matches| find(&json, change, matches))),
            ),
            of(
                "its events one after another, raw BSON",
                Box::new(move |payloads| from_bson(payloads, |change, matches| ask(&naive_bson, change, matches))),
            ),
            of(
                "its events one after another, JSON",
                Box::new(move |payloads| from_json(payloads, |change, matches| ask(&naive_json, change, matches))),
            ),
            of("closures over serde_json::Value", Box::new(move |payloads| over_values(payloads, &closures))),
        ]
    }

    pub(crate) fn pass(&self, payloads: &Payloads) -> usize {
        (self.pass)(payloads)
    }

    pub(crate) fn check(&self, payloads: &Payloads) {
        assert_eq!(self.pass(payloads), payloads.expected, "{} at N = {}", self.name, payloads.count);
    }
}

/// What was found in a change; the list is used again for the next one.
type Matches = Vec<&'static str>;

/// A source hands its bytes over, so each change is a copy of its own; the copying counts.
pub(crate) fn from_bson(payloads: &Payloads, find: impl Fn(&Change, &mut Matches)) -> usize {
    count(&payloads.bson, |bytes| Change::from_bson(bytes.clone()).expect("it is a change event"), find)
}

fn from_json(payloads: &Payloads, find: impl Fn(&Change, &mut Matches)) -> usize {
    count(&payloads.json, |text| Change::from_json_bytes(text.clone().into_bytes()).expect("it is a payload"), find)
}

fn count<P, C>(payloads: &[P], read: impl Fn(&P) -> C, find: impl Fn(&C, &mut Matches)) -> usize {
    let mut matches = Matches::new();
    let mut count = 0;
    for payload in payloads {
        matches.clear();
        find(&read(payload), &mut matches);
        count += std::hint::black_box(&matches).len();
    }
    count
}

/// The list of events that `change` is, by the registry.
pub(crate) fn find(registry: &Registry, change: &Change, matches: &mut Matches) {
    registry.evaluate(change, |detector, verdict| {
        if verdict == Verdict::Detected {
            matches.push(detector.name());
        }
    });
}

/// The same, by asking everybody.
fn ask(detectors: &[Detector], change: &Change, matches: &mut Matches) {
    let detected = detectors.iter().filter(|detector| detector.evaluate(change) == Verdict::Detected);
    matches.extend(detected.map(Detector::name));
}

fn over_values(payloads: &Payloads, closures: &[Closure]) -> usize {
    let names = events::names(closures.len());
    let read = |text: &String| serde_json::from_str(text).expect("it is JSON");
    count(&payloads.json, read, |payload: &Value, matches| {
        let detected = closures.iter().zip(names).filter(|(closure, _)| closure(payload));
        matches.extend(detected.map(|(_, name)| name.as_str()));
    })
}

fn closures(set: Set, count: usize) -> Vec<Closure> {
    let wanted = |at: usize| match set {
        Set::Sparse => events::value(at),
        Set::Dense => events::value(at / SHARED),
    };
    let closure = |at: usize| -> Closure {
        let status = wanted(at);
        Box::new(move |payload| {
            payload["table"]["name"] == "moves"
                && payload["event"]["op"] == "UPDATE"
                && payload["event"]["data"]["old"]["status"] != payload["event"]["data"]["new"]["status"]
                && payload["event"]["data"]["new"]["status"] == status
        })
    };
    (0..count).map(closure).collect()
}

/// An event that reads three fields and cannot be understood from outside.
fn three_fields<const I: usize>(change: &Change) -> bool {
    let reads = [
        change.after("driver") == events::Number::<I>::STATUS,
        change.after("city") == events::Number::<I>::STATUS,
        change.after("kind") == events::Number::<I>::STATUS,
    ];
    reads.contains(&true)
}

const fn three<const I: usize>() -> Event {
    Event::new(three_fields::<I>, || events::all([]))
}

/// A hundred events without a plan that read the same three fields.
pub(crate) fn opaque() -> Registry {
    static EVENTS: [[Event; 10]; 10] = events::hundred!(three, 0);
    let named = EVENTS.iter().flatten().zip(events::names(100));
    events::registry(named.map(|(event, name)| event.opaque(name)).collect())
}

/// What `--work` can do.
pub(crate) const KINDS: [&str; 6] = ["bson-sparse", "bson-dense", "bson-both", "json-sparse", "json-dense", "opaque"];

/// Does one kind of work over `times` changes; false for a kind that is unknown.
pub(crate) fn work(kind: &str, count: usize, times: usize) -> bool {
    let set = if kind.ends_with("dense") { Set::Dense } else { Set::Sparse };
    let mut payloads = Payloads::new(set, count);
    if kind == "bson-both" {
        payloads.bson = payloads::with_both_documents();
    }
    let registry = if kind == "opaque" { opaque() } else { events::registry(events::detectors(set, count)) };
    let once = |at: &usize| {
        let at = at % payloads.len();
        let change = match kind {
            "bson-sparse" | "bson-dense" | "bson-both" | "opaque" => Change::from_bson(payloads.bson[at].clone()),
            _ => Change::from_json_bytes(payloads.json[at].clone().into_bytes()),
        };
        change.expect("it is a change")
    };
    if !KINDS.contains(&kind) {
        return false;
    }
    let numbers: Vec<usize> = (0..times).collect();
    std::hint::black_box(self::count(&numbers, once, |change, matches| find(&registry, change, matches)));
    true
}
