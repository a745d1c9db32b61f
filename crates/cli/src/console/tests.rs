//! What is shown, to the letter. In the snapshots of terminals `␛` stands for the escape character.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use event_detector::{Change, JobOption, Unknown};
use event_detector_runtime::{EventReport, JobReport, JobStatus, Report};
use insta::assert_snapshot;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::{Cures, Look, MAX_ERROR, MAX_RESULT, full, line};

fn report(change: impl Into<Change>, events: Vec<EventReport>) -> Report {
    Report { change: Arc::new(change.into()), events, duplicate: None, duration: Duration::from_millis(3004) }
}

fn event(name: &'static str, jobs: Vec<JobReport>) -> EventReport {
    EventReport { name, detected: true, error: None, undecided: Vec::new(), jobs }
}

fn failed(name: &'static str, error: &str) -> EventReport {
    EventReport { detected: false, error: Some(error.to_owned()), ..event(name, Vec::new()) }
}

fn undecided(name: &'static str, unknowns: &[(&str, &str)]) -> EventReport {
    let unknown = |(read, cure): &(&str, &str)| Unknown { read: (*read).to_owned(), cure: (*cure).to_owned() };
    EventReport { detected: false, undecided: unknowns.iter().map(unknown).collect(), ..event(name, Vec::new()) }
}

fn succeeded(name: &'static str, result: impl Into<Value>, millis: u64) -> JobReport {
    let (name, result) = (Cow::Borrowed(name), Some(result.into()));
    let duration = Duration::from_millis(millis);
    JobReport {
        name,
        options: Vec::new(),
        status: JobStatus::Succeeded,
        attempts: 1,
        attempts_allowed: 1,
        duration,
        result,
        error: None,
        due: None,
    }
}

fn unsuccessful(name: &'static str, status: JobStatus, attempts: (u32, u32), error: &str) -> JobReport {
    let (attempts, attempts_allowed) = attempts;
    JobReport { status, attempts, attempts_allowed, result: None, error: Some(error.to_owned()), ..succeeded(name, 0, 20) }
}

fn shown(report: &Report, look: Look) -> String {
    full(report, look, &Cures::default()).replace('\u{1b}', "␛")
}

/// What a terminal shows: without colours, the signs as they are.
fn on_a_terminal(report: &Report) -> String {
    anstream::adapter::strip_str(&full(report, Look::Fancy, &Cures::default())).to_string()
}

/// The change and the events that the console was designed with.
fn the_first_one() -> Report {
    let change = Change::update("moves").key(13107).before(json!({ "id": 13107 })).after(json!({ "id": 13107 }));
    let refused = unsuccessful("publish_event_log", JobStatus::Failed, (4, 4), "connection refused (127.0.0.1:9)");
    let events = vec![
        event("move.address.edited", vec![succeeded("Job 1", "Job 1 complete!", 3001)]),
        event("move.pickup.done", vec![succeeded("rerun_ar", "You ran AR for move 13107", 20), refused]),
    ];
    report(change, events)
}

#[test]
fn a_report_on_a_terminal_has_signs() {
    assert_snapshot!(on_a_terminal(&the_first_one()), @r"
    🔔  Detected 2 events from UPDATE on moves 13107
       ⭐️ move.address.edited
          ✅ Job 1 complete!                                          3.00 s
       ⭐️ move.pickup.done
          ✅ You ran AR for move 13107                                0.02 s
          ❌ publish_event_log  attempt 4 of 4: connection refused (127.0.0.1:9)
    ");
}

#[test]
fn a_report_on_a_terminal_has_colours() {
    assert_snapshot!(shown(&the_first_one(), Look::Fancy), @r"
    🔔  ␛[1mDetected 2 events from UPDATE on moves 13107␛[0m
       ⭐️ ␛[1mmove.address.edited␛[0m
          ✅ Job 1 complete!                                        ␛[2m  3.00 s␛[0m
       ⭐️ ␛[1mmove.pickup.done␛[0m
          ✅ You ran AR for move 13107                              ␛[2m  0.02 s␛[0m
          ❌ ␛[1mpublish_event_log␛[0m  ␛[31mattempt 4 of 4: connection refused (127.0.0.1:9)␛[0m
    ");
}

#[test]
fn a_report_in_a_pipe_is_words_alone() {
    let text = shown(&the_first_one(), Look::Plain);

    assert!(text.is_ascii(), "{text}");
    assert_snapshot!(text, @r"
    Detected 2 events from UPDATE on moves 13107
       * move.address.edited
          ok      Job 1 complete!                                     3.00 s
       * move.pickup.done
          ok      You ran AR for move 13107                           0.02 s
          failed  publish_event_log  attempt 4 of 4: connection refused (127.0.0.1:9)
    ");
}

#[test]
fn a_report_in_one_line_counts() {
    assert_snapshot!(line(&the_first_one(), Look::Plain), @"UPDATE on moves 13107: move.address.edited, move.pickup.done; jobs: 2 ok, 1 failed; 3.00 s");
    let report = report(
        Change::insert("moves"),
        vec![
            undecided("a.b", &[("column_changed(\"x\")", "turn on images")]),
            failed("c.d", "`detect` panicked: no"),
            EventReport { error: Some("`jobs` panicked: no".to_owned()), ..event("e.f", Vec::new()) },
            event("g.h", Vec::new()),
        ],
    );
    assert_snapshot!(line(&report, Look::Plain), @"INSERT on moves: a.b (undecided), c.d (failed), e.f (failed), g.h; 3.00 s");
    assert_snapshot!(line(&report, Look::Fancy).replace('\u{1b}', "␛"), @"INSERT on moves: a.b ␛[31m(undecided)␛[0m, c.d ␛[31m(failed)␛[0m, e.f ␛[31m(failed)␛[0m, g.h; 3.00 s");
}

const IMAGES: &str =
    "turn on images with `db.runCommand({ collMod: \"moves\", changeStreamPreAndPostImages: { enabled: true } })`";

/// Undecided for three columns, two of which have the same cure.
fn undecided_moves() -> Report {
    let whole = |path: &str| format!("the update writes `{path}` whole; {IMAGES}");
    let event = undecided(
        "move.address.edited",
        &[
            ("column_changed(\"address.city\")", &whole("address.city")),
            ("column_changed(\"address.street\")", &whole("address.street")),
            ("after(\"statsu\")", "`app.moves` has no column `statsu`; did you mean `status`? its columns are: id, status"),
        ],
    );
    report(Change::update("moves").key(13110), vec![event])
}

#[test]
fn an_undecided_event_says_what_would_have_decided_it_once_for_each_cure() {
    assert_snapshot!(shown(&undecided_moves(), Look::Plain), @r#"
    Could not decide 1 event from UPDATE on moves 13110
       ? move.address.edited
          undecided: the change does not say `column_changed("address.city")`, `column_changed("address.street")`
             the update writes `address.city` whole
             turn on images with `db.runCommand({ collMod: "moves", changeStreamPreAndPostImages: { enabled: true } })`
          undecided: the change does not say `after("statsu")`
             `app.moves` has no column `statsu`
             did you mean `status`? its columns are: id, status
    "#);
    assert_snapshot!(on_a_terminal(&undecided_moves()), @r#"
    ❔  Could not decide 1 event from UPDATE on moves 13110
       ❔ move.address.edited
          undecided: the change does not say `column_changed("address.city")`, `column_changed("address.street")`
             the update writes `address.city` whole
             turn on images with `db.runCommand({ collMod: "moves", changeStreamPreAndPostImages: { enabled: true } })`
          undecided: the change does not say `after("statsu")`
             `app.moves` has no column `statsu`
             did you mean `status`? its columns are: id, status
    "#);
}

#[test]
fn a_cure_is_shown_the_first_time_and_not_the_second() {
    let cures = Cures::default();

    let first = full(&undecided_moves(), Look::Plain, &cures);
    let second = full(&undecided_moves(), Look::Plain, &cures);

    assert_eq!(first.matches("turn on images").count(), 1);
    assert_snapshot!(second, @r#"
    Could not decide 1 event from UPDATE on moves 13110
       ? move.address.edited
          undecided: the change does not say `column_changed("address.city")`, `column_changed("address.street")`
          undecided: the change does not say `after("statsu")`
    "#);
}

#[test]
fn the_cures_that_are_remembered_do_not_grow_with_what_the_documents_hold() {
    let cures = Cures::default();

    for number in 0..100 {
        let cure = format!("`moves` has no column `x`; its columns are: c{number}");
        full(&report(Change::update("moves"), vec![undecided("a.b", &[("after(\"x\")", &cure)])]), Look::Plain, &cures);
    }

    assert_eq!(cures.0.lock().unwrap().len(), 1);
}

#[test]
fn code_of_an_event_that_fails_is_named() {
    let jobs = EventReport { error: Some("`jobs` panicked at a.rs:9: no id".to_owned()), ..event("b.two", Vec::new()) };
    let both = report(Change::delete("users").key("u1"), vec![failed("a.one", "`detect` panicked at a.rs:3: no\nrow"), jobs]);

    assert_snapshot!(shown(&both, Look::Plain), @r"
    Detected 1 event from DELETE on users u1
       ! a.one
          `detect` panicked at a.rs:3: no\nrow
       * b.two
          `jobs` panicked at a.rs:9: no id
    ");
    assert_snapshot!(on_a_terminal(&both), @r"
    🔔  Detected 1 event from DELETE on users u1
       💥 a.one
          `detect` panicked at a.rs:3: no\nrow
       ⭐️ b.two
          `jobs` panicked at a.rs:9: no id
    ");
}

#[test]
fn the_headline_says_what_the_events_come_to() {
    let unknown: &[(&str, &str)] = &[("after(\"a\")", "because; do this")];
    let cases = [
        (vec![event("a", vec![])], "Detected 1 event"),
        (vec![event("a", vec![]), undecided("b", unknown), failed("c", "no")], "Detected 1 event"),
        (vec![undecided("b", unknown)], "Could not decide 1 event"),
        (vec![failed("c", "no"), failed("d", "no")], "Failed to detect 2 events"),
        (vec![failed("c", "no"), undecided("b", unknown)], "Failed to detect 1 event, and could not decide 1,"),
    ];
    for (events, expected) in cases {
        let text = shown(&report(Change::insert("orders").key(1), events), Look::Plain);

        assert_eq!(text.lines().next().unwrap(), format!("{expected} from INSERT on orders 1"));
    }
}

#[test]
fn every_way_in_which_a_job_does_not_succeed_is_told() {
    let jobs = vec![
        unsuccessful("once", JobStatus::Failed, (1, 1), "no such host"),
        unsuccessful("often", JobStatus::TimedOut, (3, 3), "cut after 30s"),
        unsuccessful("fatal", JobStatus::Failed, (1, 4), "400 Bad Request"),
        unsuccessful("panics", JobStatus::Panicked, (2, 2), "it panicked at a.rs:1: index out of bounds"),
        unsuccessful("late", JobStatus::Cancelled, (0, 1), "the program stopped before it began"),
        JobReport { error: None, ..unsuccessful("silent", JobStatus::Failed, (1, 1), "") },
    ];

    assert_snapshot!(shown(&report(Change::insert("orders"), vec![event("order.placed", jobs)]), Look::Plain), @r"
    Detected 1 event from INSERT on orders
       * order.placed
          failed  once  no such host
          failed  often  attempt 3 of 3: cut after 30s
          failed  fatal  attempt 1 of 4: 400 Bad Request
          failed  panics  attempt 2 of 2: it panicked at a.rs:1: index out of bounds
          failed  late  the program stopped before it began
          failed  silent  it did not succeed
    ");
}

#[test]
fn a_result_that_is_no_text_stands_behind_the_name_and_a_long_one_is_cut() {
    let long = "ab".repeat(MAX_RESULT);
    let jobs = vec![
        succeeded("nothing", Value::Null, 1),
        succeeded("empty", "", 1),
        succeeded("number", 42, 1),
        succeeded("object", json!({ "sent": 3, "to": ["a", "b"] }), 1),
        succeeded("text", long.clone(), 1),
        succeeded("list", json!([long]), 1),
        unsuccessful("error", JobStatus::Failed, (1, 1), &"e".repeat(MAX_ERROR + 1)),
    ];

    assert_snapshot!(shown(&report(Change::insert("orders"), vec![event("order.placed", jobs)]), Look::Plain), @r#"
    Detected 1 event from INSERT on orders
       * order.placed
          ok      nothing                                             0.00 s
          ok      empty                                               0.00 s
          ok      number  42                                          0.00 s
          ok      object  {"sent":3,"to":["a","b"]}                   0.00 s
          ok      abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab…   0.00 s
          ok      list  ["ababababababababababababababababababababababababababababababababababababababababababababababababababababababababababab…   0.00 s
          failed  error  eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee…
    "#);
}

#[test]
fn durations_end_in_one_column_whatever_the_signs_and_the_script() {
    let jobs = || {
        let texts = ["Job 1 complete!", "東京へ送りました", "Köln", "e\u{301}te\u{301}", "done ✅", "👩‍👧 told"];
        texts.into_iter().zip([1, 250, 3_001, 99_990, 100_000, 999_990]).map(|(text, millis)| succeeded("j", text, millis))
    };
    let report = report(Change::insert("orders"), vec![event("order.placed", jobs().collect())]);

    for text in [on_a_terminal(&report), shown(&report, Look::Plain)] {
        let widths: Vec<usize> = text.lines().skip(2).map(UnicodeWidthStr::width).collect();
        assert_eq!(widths, [72; 6], "{text}");
    }
}

#[test]
fn a_word_too_long_for_its_column_keeps_a_space_to_its_duration() {
    let report = report(Change::insert("orders"), vec![event("a", vec![succeeded("j", "x".repeat(90), 1)])]);

    assert!(shown(&report, Look::Plain).contains("x   0.00 s"), "{}", shown(&report, Look::Plain));
}

#[test]
fn nothing_from_outside_reaches_the_terminal_as_an_order() {
    const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}";
    let jobs = vec![
        JobReport { name: EVIL.into(), ..succeeded("", Value::Null, 1) },
        succeeded("text", EVIL, 1),
        succeeded("object", json!({ EVIL: EVIL }), 1),
        JobReport { name: EVIL.into(), ..unsuccessful("", JobStatus::Failed, (1, 1), EVIL) },
    ];
    let mut hurt = undecided("b", &[(&format!("after(\"{EVIL}\")"), &format!("{EVIL}; {EVIL}"))]);
    hurt.error = Some(EVIL.to_owned());
    let report = report(Change::update(EVIL).key(EVIL).database(EVIL), vec![event("a", jobs), hurt]);

    let texts = [on_a_terminal(&report), shown(&report, Look::Plain), line(&report, Look::Plain), crate::terminal::json(&report)];

    for text in &texts {
        let order = text.chars().find(|char| *char != '\n' && (char.is_control() || *char == '\u{202e}'));
        assert_eq!(order, None, "{text}");
    }
    assert_snapshot!(texts[1], @r#"
    Detected 1 event from UPDATE on \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0} \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}
       * a
          ok      \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}   0.00 s
          ok      \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}   0.00 s
          ok      object  {"\u001b[2J\u001b]0;owned\u0007\r\n\u{9b}31m\u{202e}\u0000":"\u001b[2J\u001b]0;owned\u0007\r\n\u{9b}31m\u{202e}\u0000"}   0.00 s
          failed  \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}  \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}
       ? b
          undecided: the change does not say `after("\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}")`
             \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}
             \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}
          \u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{0}
    "#);
}

#[test]
fn a_report_as_json_is_one_line_of_the_promised_shape() {
    let mut report = the_first_one();
    report.change = Arc::new(Change::update("moves").id("c1").key(13107).session("x-correlation-id", "r1").into());
    report.events[0].jobs[0].options = vec![JobOption { name: "message", value: json!("Job\n1") }];
    report.events.push(undecided("z.last", &[("after(\"a\")", "because; do this")]));

    assert_snapshot!(crate::terminal::json(&report), @r#"{"change":{"id":"c1","collection":"moves","operation":"update","key":13107,"correlation_id":"r1"},"events":[{"name":"move.address.edited","detected":true,"jobs":[{"name":"Job 1","options":{"message":"Job\n1"},"completed":true,"status":"succeeded","attempts":1,"duration":3001.0,"result":"Job 1 complete!"}]},{"name":"move.pickup.done","detected":true,"jobs":[{"name":"rerun_ar","options":{},"completed":true,"status":"succeeded","attempts":1,"duration":20.0,"result":"You ran AR for move 13107"},{"name":"publish_event_log","options":{},"completed":false,"status":"failed","attempts":4,"duration":20.0,"result":null,"error":"connection refused (127.0.0.1:9)"}]},{"name":"z.last","detected":false,"undecided":[{"read":"after(\"a\")","cure":"because; do this"}],"jobs":[]}],"duration":3004.0}"#);
}

#[test]
fn a_job_that_waits_for_another_attempt_says_when_and_why() {
    let due = Some(std::time::UNIX_EPOCH + Duration::from_secs(1_795_651_200));
    let waiting = JobReport { due, ..unsuccessful("post_webhook", JobStatus::Retrying, (2, 4), "HTTP 503") };
    let report =
        report(Change::insert("orders").key(1), vec![event("parcel.delivered", vec![waiting, succeeded("log", "logged", 20)])]);

    assert_snapshot!(shown(&report, Look::Plain), @r"
    Detected 1 event from INSERT on orders 1
       * parcel.delivered
          waits   post_webhook  attempt 2 of 4: HTTP 503; tried again at 2026-11-26T00:00:00Z
          ok      logged                                              0.02 s
    ");
    assert_snapshot!(line(&report, Look::Plain), @"INSERT on orders 1: parcel.delivered; jobs: 1 ok, 1 waiting; 3.00 s");
}
