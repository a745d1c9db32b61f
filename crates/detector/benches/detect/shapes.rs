//! What do events of other shapes cost? (A thousand of each.)

use event_detector::{Change, Clause, Comparison, Condition, Constant, Plan, Registry, Side};

use crate::clock::{self, Summary};
use crate::engines::{find, from_bson};
use crate::events::{self, Event, Number, all, changed, compared, equal, on, update};
use crate::payloads::{self, Payloads, Set};

const EACH: usize = 1_000;
const ROUNDS: usize = 5;

/// The columns of the wide shape.
static COLUMNS: [&str; 50] = [
    "c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10", "c11", "c12", "c13", "c14", "c15", "c16", "c17",
    "c18", "c19", "c20", "c21", "c22", "c23", "c24", "c25", "c26", "c27", "c28", "c29", "c30", "c31", "c32", "c33", "c34", "c35",
    "c36", "c37", "c38", "c39", "c40", "c41", "c42", "c43", "c44", "c45", "c46", "c47", "c48", "c49",
];

const fn wide<const I: usize>() -> Event {
    Event::new(|change| is_wide(change, COLUMNS[I % 50], Number::<I>::STATUS), || wide_plan(COLUMNS[I % 50], Number::<I>::STATUS))
}

const fn wide_plain<const I: usize>() -> Event {
    Event::new(|change| is_wide_greater(change, COLUMNS[I % 50], I as i64), || wide_greater_plan(COLUMNS[I % 50], I as i64))
}

const fn one_of<const I: usize>() -> Event {
    Event::new(|change| is_one_of(change, Number::<I>::STATUS), || one_of_plan(Number::<I>::STATUS))
}

const fn greater<const I: usize>() -> Event {
    Event::new(|change| is_greater(change, 1_000 + I as i64), || greater_plan(1_000 + I as i64))
}

const fn became<const I: usize>() -> Event {
    Event::new(|change| has_become(change, Number::<I>::STATUS), || became_plan(Number::<I>::STATUS))
}

const fn of_two<const I: usize>() -> Event {
    Event::new(|change| is_of_two(change, Number::<I>::STATUS), || of_two_plan(Number::<I>::STATUS))
}

#[inline(never)]
fn is_wide(change: &Change, column: &'static str, text: &'static str) -> bool {
    change.column_changed(column) && change.after(column) == text
}

#[inline(never)]
fn wide_plan(column: &'static str, text: &'static str) -> Plan {
    all([changed(column), equal(column, text)])
}

#[inline(never)]
fn is_wide_greater(change: &Change, column: &'static str, number: i64) -> bool {
    change.column_changed(column) && change.after("c00") > number
}

#[inline(never)]
fn wide_greater_plan(column: &'static str, number: i64) -> Plan {
    all([changed(column), compared("c00", Comparison::Greater, Constant::Int(number))])
}

#[inline(never)]
fn is_one_of(change: &Change, status: &'static str) -> bool {
    change.collection() == "moves" && change.after("status").is_in([status, "never", "ever"])
}

#[inline(never)]
fn one_of_plan(status: &'static str) -> Plan {
    let literals = [status, "never", "ever"].map(|text| Constant::Text(text.into())).into();
    all([on("moves"), Clause::new(Condition::In { side: Side::After, path: "status".into(), literals })])
}

#[inline(never)]
fn is_greater(change: &Change, number: i64) -> bool {
    change.collection() == "moves" && change.after("amount") > number
}

#[inline(never)]
fn greater_plan(number: i64) -> Plan {
    all([on("moves"), compared("amount", Comparison::Greater, Constant::Int(number))])
}

#[inline(never)]
fn has_become(change: &Change, status: &'static str) -> bool {
    change.collection() == "moves" && change.became("status", status)
}

#[inline(never)]
fn became_plan(status: &'static str) -> Plan {
    let literal = Constant::Text(status.into());
    all([on("moves"), Clause::new(Condition::Became { path: "status".into(), literal })])
}

#[inline(never)]
fn is_of_two(change: &Change, status: &'static str) -> bool {
    (change.collection() == "moves" || change.collection() == "orders")
        && change.is_update()
        && change.column_changed("status")
        && change.after("status") == status
}

#[inline(never)]
fn of_two_plan(status: &'static str) -> Plan {
    let either = Clause::new(Condition::Any { clauses: vec![on("moves"), on("orders")] });
    all([either, update(), changed("status"), equal("status", status)])
}

fn registry(family: &[[[Event; 10]; 10]; 10]) -> Registry {
    let named = family.iter().flatten().flatten().zip(events::names(EACH));
    events::registry(named.map(|(event, name)| event.detector(name)).collect())
}

/// A document of all 50 columns, of which one changed.
fn wide_changes() -> Vec<Vec<u8>> {
    let change = |at: usize| {
        let document = |text: &str| {
            let mut document = bson::Document::new();
            document.insert("_id", 1);
            COLUMNS.iter().for_each(|column| {
                document.insert(*column, "the same text");
            });
            document.insert(COLUMNS[at % 50], text);
            document
        };
        let event = bson::doc! {
            "_id": { "_data": format!("826B{at:08X}") }, "operationType": "update", "ns": { "db": "shop", "coll": "moves" },
            "documentKey": { "_id": 1 }, "fullDocument": document("another text"), "fullDocumentBeforeChange": document("a text"),
        };
        event.to_vec().expect("it can be written")
    };
    (0..200).map(change).collect()
}

/// Updates with the document from after, from before too, or with neither.
fn changes(images: Images) -> Vec<Vec<u8>> {
    let change = |at: usize| {
        let status = format!("another {at:05}");
        let before = (images == Images::Both).then_some("en route");
        let mut event = bson::Document::try_from(&*payloads::mongodb(at, &status, before)).expect("it is a document");
        if images == Images::None {
            event.remove("fullDocument");
        }
        event.to_vec().expect("it can be written")
    };
    (0..400).map(change).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Images {
    After,
    Both,
    None,
}

/// Prints what a change costs that is no event, with a thousand events of each shape.
pub(crate) fn compare() {
    type Thousand = [[[Event; 10]; 10]; 10];
    static WIDE: Thousand = events::thousand!(wide, 0);
    static WIDE_PLAIN: Thousand = events::thousand!(wide_plain, 0);
    static ONE_OF: Thousand = events::thousand!(one_of, 0);
    static GREATER: Thousand = events::thousand!(greater, 0);
    static BECAME: Thousand = events::thousand!(became, 0);
    static OF_TWO: Thousand = events::thousand!(of_two, 0);
    let usual = || events::registry(events::detectors(Set::Sparse, EACH));
    let shapes: [(&str, Registry, Vec<Vec<u8>>); 9] = [
        ("the usual shape, document from after", usual(), changes(Images::After)),
        ("the usual shape, both documents", usual(), changes(Images::Both)),
        ("the usual shape, no document", usual(), changes(Images::None)),
        ("values in 50 columns, both documents with 51 fields", registry(&WIDE), wide_changes()),
        ("50 columns that change, each with a comparison besides", registry(&WIDE_PLAIN), wide_changes()),
        ("one of three values", registry(&ONE_OF), changes(Images::After)),
        ("an amount greater than 1,000 + i", registry(&GREATER), changes(Images::After)),
        ("became", registry(&BECAME), changes(Images::Both)),
        ("one of two collections", registry(&OF_TWO), changes(Images::After)),
    ];
    println!("\nOther shapes, N = {EACH}, raw BSON, changes that are no event: CPU time for a change\n");
    println!("| shape | time | |\n| --- | --- | --- |");
    for (name, registry, bson) in shapes {
        let payloads = Payloads { bson, ..Payloads::new(Set::Sparse, 1) };
        let pass = || from_bson(&payloads, |change: &Change, matches: &mut _| find(&registry, change, matches));
        assert_eq!(pass(), 0, "{name}");
        let times = (0..ROUNDS).map(|_| clock::per_change(payloads.bson.len(), pass)).collect();
        println!("| {name} | {} |", Summary::of(times));
    }
}
