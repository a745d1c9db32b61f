//! Which events are looked for? (Ten thousand functions, as `#[event]` would register them.)

use event_detector::{Change, Clause, Comparison, Condition, Constant, Detector, Operation, Operations, Plan, Registry, Side};

use crate::payloads::{SHARED, Set};

/// The most events.
const MOST: usize = 10_000;

/// A function and the plan of it.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    detect: fn(&Change) -> bool,
    plan: fn() -> Plan,
}

/// What the event of this number is about.
pub(crate) struct Number<const I: usize>;

impl<const I: usize> Number<I> {
    const BYTES: [u8; 12] = {
        let mut bytes = *b"status 00000";
        let (mut rest, mut at) = (I, 11);
        while rest > 0 {
            bytes[at] += (rest % 10) as u8;
            rest /= 10;
            at -= 1;
        }
        bytes
    };
    pub(crate) const STATUS: &'static str = match std::str::from_utf8(&Self::BYTES) {
        Ok(text) => text,
        Err(_) => panic!("digits are text"),
    };
}

/// The same, when the program runs.
pub(crate) fn value(number: usize) -> String {
    format!("status {number:05}")
}

fn detect<const I: usize>(change: &Change) -> bool {
    is(change, Number::<I>::STATUS)
}

/// Bodies and plans stand once, so that ten thousand functions are compiled in seconds.
#[inline(never)]
fn is(change: &Change, status: &'static str) -> bool {
    change.collection() == "moves" && change.is_update() && change.column_changed("status") && change.after("status") == status
}

fn plan<const I: usize>() -> Plan {
    plan_of(Number::<I>::STATUS)
}

#[inline(never)]
fn plan_of(status: &'static str) -> Plan {
    all([on("moves"), update(), changed("status"), equal("status", status)])
}

const fn event<const I: usize>() -> Event {
    Event { detect: detect::<I>, plan: plan::<I> }
}

/// Ten of a family of functions, a hundred, a thousand.
macro_rules! ten {
    ($family:ident, $at:expr) => {
        [
            $family::<{ $at }>(),
            $family::<{ $at + 1 }>(),
            $family::<{ $at + 2 }>(),
            $family::<{ $at + 3 }>(),
            $family::<{ $at + 4 }>(),
            $family::<{ $at + 5 }>(),
            $family::<{ $at + 6 }>(),
            $family::<{ $at + 7 }>(),
            $family::<{ $at + 8 }>(),
            $family::<{ $at + 9 }>(),
        ]
    };
}

macro_rules! hundred {
    ($family:ident, $at:expr) => {
        [
            crate::events::ten!($family, $at),
            crate::events::ten!($family, $at + 10),
            crate::events::ten!($family, $at + 20),
            crate::events::ten!($family, $at + 30),
            crate::events::ten!($family, $at + 40),
            crate::events::ten!($family, $at + 50),
            crate::events::ten!($family, $at + 60),
            crate::events::ten!($family, $at + 70),
            crate::events::ten!($family, $at + 80),
            crate::events::ten!($family, $at + 90),
        ]
    };
}

macro_rules! thousand {
    ($family:ident, $at:expr) => {
        [
            crate::events::hundred!($family, $at),
            crate::events::hundred!($family, $at + 100),
            crate::events::hundred!($family, $at + 200),
            crate::events::hundred!($family, $at + 300),
            crate::events::hundred!($family, $at + 400),
            crate::events::hundred!($family, $at + 500),
            crate::events::hundred!($family, $at + 600),
            crate::events::hundred!($family, $at + 700),
            crate::events::hundred!($family, $at + 800),
            crate::events::hundred!($family, $at + 900),
        ]
    };
}

pub(crate) use {hundred, ten, thousand};

static EVENTS: [[[[Event; 10]; 10]; 10]; 10] = [
    thousand!(event, 0),
    thousand!(event, 1_000),
    thousand!(event, 2_000),
    thousand!(event, 3_000),
    thousand!(event, 4_000),
    thousand!(event, 5_000),
    thousand!(event, 6_000),
    thousand!(event, 7_000),
    thousand!(event, 8_000),
    thousand!(event, 9_000),
];

impl Event {
    pub(crate) const fn new(detect: fn(&Change) -> bool, plan: fn() -> Plan) -> Self {
        Self { detect, plan }
    }

    pub(crate) fn detector(self, name: &'static str) -> Detector {
        Detector::new(name, self.detect).with_plan(self.plan)
    }

    /// The detector without a plan.
    pub(crate) fn opaque(self, name: &'static str) -> Detector {
        Detector::new(name, self.detect)
    }
}

/// Names are made once, since a detector keeps its name for ever.
pub(crate) fn names(count: usize) -> &'static [String] {
    static NAMES: std::sync::LazyLock<Vec<String>> =
        std::sync::LazyLock::new(|| (0..MOST).map(|number| format!("move.status.n{number:05}")).collect());
    &NAMES[..count]
}

/// So many events; in the dense set five have the same condition.
pub(crate) fn detectors(set: Set, count: usize) -> Vec<Detector> {
    let events: Vec<Event> = EVENTS.iter().flatten().flatten().flatten().copied().collect();
    let of = |at: usize| match set {
        Set::Sparse => events[at],
        Set::Dense => events[at / SHARED],
    };
    names(count).iter().enumerate().map(|(at, name)| of(at).detector(name)).collect()
}

pub(crate) fn registry(detectors: Vec<Detector>) -> Registry {
    Registry::try_new(detectors).expect("there is one, and each has its own name")
}

pub(crate) fn all(clauses: impl Into<Vec<Clause>>) -> Plan {
    Plan::new(Clause::new(Condition::All { clauses: clauses.into() }))
}

pub(crate) fn on(collection: &'static str) -> Clause {
    Clause::new(Condition::Collection { name: collection.into() })
}

pub(crate) fn update() -> Clause {
    Clause::new(Condition::Operation { operations: Operations::of(|operation| operation == Operation::Update) })
}

pub(crate) fn changed(path: &'static str) -> Clause {
    Clause::new(Condition::Changed { path: path.into() })
}

pub(crate) fn equal(path: &'static str, text: &'static str) -> Clause {
    compared(path, Comparison::Equal, Constant::Text(text.into()))
}

pub(crate) fn compared(path: &'static str, comparison: Comparison, literal: Constant) -> Clause {
    Clause::new(Condition::Compare { side: Side::After, path: path.into(), comparison, literal })
}
