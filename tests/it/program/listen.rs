//! Does the program take changes over HTTP, and end well?
#![cfg(unix)]

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[cfg(target_os = "linux")]
use event_detector_server::testing::{RetryConf, Sender};
use serde_json::{Value, json};

use super::{Start, said, signal};
#[cfg(target_os = "linux")]
use super::{detector, resident};
use crate::files::root;

/// `detector run --listen 127.0.0.1:0` that is ready.
struct Listening {
    child: Child,
    address: SocketAddr,
    err: BufReader<ChildStderr>,
    out: JoinHandle<String>,
    _start: Start,
}

impl Listening {
    fn start(mut start: Start) -> Self {
        let mut child = start.spawn();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut stdout = child.stdout.take().unwrap();
        let out = thread::spawn(move || {
            let mut out = String::new();
            stdout.read_to_string(&mut out).unwrap();
            out
        });
        let line = said(&mut err, "event triggers post to");
        let address = line.split_once("http://").unwrap().1.split_once("/hasura").unwrap().0.parse().unwrap();
        Self { child, address, err, out, _start: start }
    }

    fn plain() -> Self {
        Self::start(Start::detector(["run", "--listen", "127.0.0.1:0"]))
    }

    /// Sends a request, and returns the status and the body.
    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        request(self.address, method, path, headers, body)
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let headers = [&[("Content-Type", "application/json")], headers].concat();
        self.request("POST", path, &headers, &body.to_string())
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    fn said(&mut self, words: &str) {
        said(&mut self.err, words);
    }

    /// The exit code, and what is left of its output.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), self.out.join().unwrap(), err)
    }
}

fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    try_request(address, method, path, headers, body, None).unwrap_or_else(|error| panic!("no answer: {error}"))
}

/// As [`request`]; an error when there is no answer, or none within `patience`.
fn try_request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
    patience: Option<Duration>,
) -> io::Result<(u16, Value)> {
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(patience)?;
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, serde_json::from_str(body).unwrap_or_else(|_| body.into())))
}

/// An UPDATE of the move `key`, as Hasura sends it; with another city its job takes three seconds.
fn update(key: u64, before: Value, after: Value) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{key:012}"),
        "created_at": "2026-11-21T10:00:00.000000Z",
        "delivery_info": { "current_retry": 0, "max_retries": 0 },
        "event": { "op": "UPDATE", "session_variables": { "x-hasura-role": "driver" }, "data": { "old": before, "new": after } },
        "table": { "schema": "public", "name": "moves" },
        "trigger": { "name": "moves" },
    })
}

fn row(key: u64, status: &str, city: &str) -> Value {
    json!({ "id": key, "status": status, "address": { "city": city, "street": "Main" } })
}

fn slow(key: u64) -> Value {
    update(key, row(key, "open", "a"), row(key, "open", "b"))
}

fn cancelled(key: u64) -> Value {
    update(key, row(key, "open", "a"), row(key, "cancel pending", "a"))
}

fn events(report: &Value) -> Vec<&str> {
    report["events"]
        .as_array()
        .unwrap_or_else(|| panic!("{report}"))
        .iter()
        .map(|event| event["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_posted_payload_is_answered_with_its_report_and_shown_on_the_console() {
    let program = Listening::plain();

    let (status, report) = program.post("/hasura", &[], &cancelled(7));
    let (ready, _) = program.request("GET", "/readyz", &[], "");
    let (version, about) = program.request("GET", "/version", &[], "");
    program.signal("TERM");

    assert_eq!((status, events(&report)), (200, vec!["move.cancel.pending"]), "{report}");
    assert_eq!((ready, version), (200, 200));
    assert!(about.to_string().contains(env!("CARGO_PKG_VERSION")), "{about}");
    let (code, out, err) = program.ended();
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("Detected 1 event from UPDATE on moves 7\n   * move.cancel.pending"), "{out}");
    assert!(err.contains("Handled 1 change"), "{err}");
}

#[test]
fn the_payload_in_the_readme_is_the_event_that_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (command, rest) = readme.split_once("<<'JSON'\n").expect("the README posts a payload");
    let payload = serde_json::from_str(rest.split_once("\nJSON\n").unwrap().0).unwrap();
    let program = Listening::plain();

    let (status, report) = program.post("/hasura", &[], &payload);
    program.signal("TERM");

    assert!(command.ends_with("curl http://127.0.0.1:8080/hasura -H 'Content-Type: application/json' --data @- "));
    assert_eq!((status, events(&report)), (200, vec!["user.activated"]), "{report}");
    let jobs: Vec<_> = report["events"][0]["jobs"].as_array().unwrap().iter().map(|job| &job["status"]).collect();
    assert_eq!(jobs, ["succeeded"; 2], "{report}");
    assert_eq!(program.ended().0, Some(0));
}

#[test]
fn a_stop_in_the_middle_answers_what_is_in_flight_and_refuses_what_is_new() {
    let mut program = Listening::plain();
    let address = program.address;
    let headers = [("Content-Type", "application/json")];
    let in_flight: Vec<_> =
        (1..=3).map(|key| thread::spawn(move || request(address, "POST", "/hasura", &headers, &slow(key).to_string()))).collect();
    // Each of them is in flight once it can be joined.
    for key in 1..=3 {
        let (status, joined) = program.post("/hasura?wait=false", &[], &slow(key));
        assert_eq!(status, 202, "{joined}");
    }

    program.signal("TERM");
    program.said("Stopping");
    // The signal is told of before the server hears of it; from then on it is not ready, and takes nothing.
    while program.request("GET", "/readyz", &[], "").0 != 503 {}
    let (refused, problem) = program.post("/hasura", &[], &cancelled(4));

    assert_eq!((refused, &problem["code"]), (503, &json!("draining")), "{problem}");
    for answered in in_flight {
        let (status, report) = answered.join().unwrap();
        assert_eq!((status, events(&report)), (200, vec!["move.address.changed"]), "{report}");
    }
    let (code, _, err) = program.ended();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("Handled 3 changes") && err.contains("1 request answered 503"), "{err}");
}

/// Fifty senders of a thousand events. A quarter is sent twice at about the same time, and a twentieth takes three seconds; of those,
/// half the senders leave and send it again.
struct Load {
    address: SocketAddr,
    queue: Mutex<Vec<u64>>,
    answered: AtomicUsize,
    is_stopping: AtomicBool,
}

impl Load {
    const SENDERS: usize = 50;

    fn is_slow(key: u64) -> bool {
        key.is_multiple_of(20)
    }

    fn is_left(key: u64) -> bool {
        key.is_multiple_of(40)
    }

    fn new(address: SocketAddr) -> Self {
        let queue = (1..=1_000).flat_map(|key: u64| vec![key; if key.is_multiple_of(4) { 2 } else { 1 }]).collect();
        Self { address, queue: Mutex::new(queue), answered: AtomicUsize::new(0), is_stopping: AtomicBool::new(false) }
    }

    /// What one sender was answered, by keys, until nothing is left or nobody listens.
    fn send(&self) -> Vec<(u64, u16, Value)> {
        let mut answers = Vec::new();
        let next = || self.queue.lock().unwrap().pop();
        'events: while let Some(key) = next() {
            let payload = if Self::is_slow(key) { slow(key) } else { cancelled(key) }.to_string();
            let headers = [("Content-Type", "application/json")];
            // What is refused is sent once more, too.
            for patience in [Self::is_left(key).then_some(Duration::from_millis(200)), None] {
                match try_request(self.address, "POST", "/hasura", &headers, &payload, patience) {
                    Ok((status, body)) => {
                        self.answered.fetch_add(1, Ordering::SeqCst);
                        answers.push((key, status, body));
                        if status == 200 {
                            continue 'events;
                        }
                    }
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                    Err(error) => {
                        assert!(self.is_stopping.load(Ordering::SeqCst), "{error}");
                        return answers;
                    }
                }
            }
        }
        answers
    }
}

#[test]
fn a_stop_in_the_middle_of_a_load_answers_all_that_was_taken_and_handles_nothing_twice() {
    let program = Listening::start(Start::detector(["run", "--listen", "127.0.0.1:0"]));
    let load = Load::new(program.address);

    let answers: Vec<(u64, u16, Value)> = thread::scope(|scope| {
        let senders: Vec<_> = (0..Load::SENDERS).map(|_| scope.spawn(|| load.send())).collect();
        while load.answered.load(Ordering::SeqCst) < 300 {
            thread::sleep(Duration::from_millis(1));
        }
        load.is_stopping.store(true, Ordering::SeqCst);
        program.signal("TERM");
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });

    let (code, out, err) = program.ended();
    assert_eq!(code, Some(0), "{err}");
    let reports: Vec<&str> = out.lines().filter(|line| line.starts_with("Detected 1 event from UPDATE")).collect();
    let handled = |key: u64| reports.iter().filter(|line| line.ends_with(&format!(" on moves {key}"))).count();
    let slow_and_taken = (1..=1_000).filter(|key| Load::is_slow(*key) && handled(*key) > 0);
    assert!(slow_and_taken.clone().count() > 5);
    for key in slow_and_taken {
        assert_eq!(handled(key), 1, "the repeats of {key} came while it was in flight");
        let is_answered = answers.iter().any(|(other, status, _)| (*other, *status) == (key, 200));
        assert!(is_answered || Load::is_left(key), "{key} was taken, and nobody was answered");
    }
    for (key, status, body) in &answers {
        match status {
            200 => {
                let id = if body["duplicate"] == true && body["change"].is_null() { &body["id"] } else { &body["change"]["id"] };
                assert!(*id == slow(*key)["id"] && handled(*key) == 1, "{key}: {body}");
            }
            _ => assert_eq!((*status, &body["code"]), (503, &json!("draining")), "{key}: {body}"),
        }
    }
    assert!(answers.iter().any(|(_, status, _)| *status == 503), "what came after the stop was refused");
}

#[test]
fn the_config_file_names_passphrases_and_what_triggers_are_watched_for() {
    let config = "listen = \"127.0.0.1:0\"\n[hasura]\npassphrase_header = \"x-secret\"\npassphrases = [\"${OLD}\", \"${NEW}\"]\n\
                  [hasura.triggers]\norders = [\"order.*\"]\nmoves = [\"move.*\"]\n";
    let start = Start::detector(["run"]).file("detector.toml", config).env("OLD", "CANARY-old").env("NEW", "CANARY-new");
    let program = Listening::start(start);
    let post = |path, passphrase, key| program.post(path, &[("X-Secret", passphrase)], &cancelled(key));

    let (missing, problem) = program.post("/hasura/moves", &[], &cancelled(7));
    let (wrong, same) = post("/hasura/moves", "CANARY", 7);
    let answers = [("CANARY-old", 8), ("CANARY-new", 9)].map(|(passphrase, key)| post("/hasura/moves", passphrase, key));
    let (other, none) = post("/hasura/orders", "CANARY-old", 10);
    let (unknown, hint) = post("/hasura/move", "CANARY-old", 11);
    program.signal("TERM");

    assert_eq!((missing, wrong, &problem["message"]), (401, 401, &same["message"]));
    for (status, report) in answers {
        assert_eq!((status, events(&report)), (200, vec!["move.cancel.pending"]), "{report}");
    }
    assert_eq!((other, events(&none)), (200, vec![]), "{none}");
    assert!(unknown == 404 && hint.to_string().contains("did you mean `moves`?"), "{hint}");
    let (code, out, err) = program.ended();
    assert_eq!(code, Some(0), "{err}");
    assert!(!out.contains("CANARY") && !err.contains("CANARY"), "{out}{err}");
}

#[test]
fn what_cannot_be_listened_at_is_refused_with_its_cure() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let missing = "[hasura]\npassphrases = [\"${NOT_SET}\"]";
    let glob = "[hasura.triggers]\nmoves = [\"move.cancel.pendign\"]";
    for (address, config, code, needles) in [
        ("0.0.0.0:0", "", 78, ["without a passphrase anybody could send changes", "DETECTOR_PASSPHRASES"]),
        ("nonsense", "", 2, ["no address to listen at", "127.0.0.1:8080"]),
        (&*taken, "", 69, ["cannot be listened at", "Port 0 takes a free one"]),
        ("127.0.0.1:0", missing, 78, ["`NOT_SET`", "not set"]),
        ("127.0.0.1:0", glob, 78, ["no event matches `move.cancel.pendign`", "did you mean `move.cancel.pending`?"]),
        ("127.0.0.1:0", "[hasura]\nbody_limit = 0", 78, ["`body_limit` is 0", "256 MiB"]),
        ("127.0.0.1:0", "[hasura]\npasphrases = []", 78, ["unknown field `pasphrases`", "did you mean `passphrases`?"]),
    ] {
        let ended = Start::detector(["run", "--listen", address]).file("detector.toml", config).ended().expect(code);

        assert!(needles.iter().all(|needle| ended.err.contains(needle)), "{needles:?}: {}", ended.err);
        assert_eq!(ended.out, "");
    }
}

#[test]
fn a_variable_for_passphrases_that_holds_none_opens_nothing() {
    use std::os::unix::ffi::OsStrExt;

    let config = "listen = \"127.0.0.1:0\"\n[hasura]\npassphrases = [\"CANARY\"]\n";
    for (value, needle) in [(&b""[..], "holds no passphrase"), (b" , ,", "holds no passphrase"), (b"CANARY\xFF", "is not UTF-8")]
    {
        for config in ["", config] {
            let mut start = Start::detector(["run", "--listen", "127.0.0.1:0"]).file("detector.toml", config);
            start.command.env("DETECTOR_PASSPHRASES", std::ffi::OsStr::from_bytes(value));
            let ended = start.ended().expect(78);

            let said = format!("the environment variable DETECTOR_PASSPHRASES is set, but {needle}");
            assert!(ended.err.contains(&said) && ended.err.contains("or unset it"), "{}", ended.err);
            assert!(!ended.err.contains("CANARY"), "{}", ended.err);
        }
    }
}

#[test]
fn a_passphrase_in_plain_text_is_warned_of_and_not_shown() {
    let config = "listen = \"127.0.0.1:0\"\n[hasura]\npassphrases = [\"CANARY\"]\n";
    let mut start = Start::detector(["run"]).file("detector.toml", config);
    let mut child = start.spawn();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("event triggers post to") {
        assert!(err.read_line(&mut said).unwrap() > 0, "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(said.contains("passphrases in plain text; write `${NAME}` there") && !said.contains("CANARY"), "{said}");
}

/// What memory may grow by over four thousand events, in KiB, once four thousand before them have filled the allocator's arenas.
#[cfg(target_os = "linux")]
const GROWTH: u64 = 2 * 1024;

#[test]
#[cfg(target_os = "linux")]
fn thousands_of_events_by_fifty_senders_leave_memory_flat() {
    // A ledger keeps pages of its own in memory, up to a bound.
    let program = Listening::start(Start::of(detector(), ["run", "--listen", "127.0.0.1:0", "--quiet", "--no-ledger"]));
    let retry = RetryConf { num_retries: 5, interval: Duration::from_millis(10), ..RetryConf::default() };
    let sender = Sender::new(program.address, "/hasura").retry(retry);
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let thousand = |from: u64| {
        let deliveries = tokio.block_on(sender.deliver_all((from..from + 1_000).map(cancelled).collect(), 50, 10));
        assert_eq!(deliveries.len(), 1_100);
        for delivery in deliveries {
            let (status, report) = delivery.answer().unwrap_or_else(|| panic!("{delivery:?}"));
            assert_eq!((status, &report["change"]["id"]), (200, &delivery.id));
        }
    };

    (0..4).for_each(|round| thousand(round * 1_000));
    let early = resident(program.child.id());
    (4..8).for_each(|round| thousand(round * 1_000));
    let late = resident(program.child.id());
    program.signal("TERM");

    let (code, _, err) = program.ended();
    assert_eq!(code, Some(0), "{err}");
    assert!(late.saturating_sub(early) <= GROWTH, "{early} KiB grew to {late} KiB");
}
