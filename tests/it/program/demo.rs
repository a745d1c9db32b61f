//! What does a newcomer see?

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use super::{Ended, Start, detector};

/// Signs and colours belong on terminals alone.
fn assert_plain(text: &str) {
    let sign = text
        .chars()
        .find(|char| *char == '\u{1b}' || *char == '\u{fe0f}' || matches!(char, '\u{2600}'..='\u{2bff}' | '\u{1f000}'..));
    assert_eq!(sign, None, "{text}");
}

#[test]
fn without_a_command_it_says_what_can_be_done_next() {
    let ended = Start::detector([""; 0]).ended().expect(0);

    assert_snapshot!(ended.out, @r"
    Turns database changes into named business events, and runs their jobs.

    Try:
      detector demo               play recorded changes, and watch events being detected and jobs run
      detector list               see the events of this program, and where they are declared
      detector detect FILE        see which events recorded changes would be; no job runs
      detector why --change FILE  see why events happened or not, clause by clause
      detector run --file FILE    handle recorded changes, one JSON object a line
      detector run --listen 127.0.0.1:8080  take what Hasura's event triggers post
      detector run --mongodb URI --database NAME  watch a database
      detector new app DIR        make a workspace of your own, with an event, a job and their tests
      detector --help             see everything else
    ");
    assert_eq!(ended.err, "");
}

#[test]
fn under_cargo_it_says_what_to_write_there() {
    let ended = Start::detector([""; 0]).env("CARGO", "cargo").ended().expect(0);

    assert!(ended.out.contains("  cargo run -- demo  "), "{}", ended.out);
}

#[test]
fn the_demo_shows_every_event_and_what_to_try_next_every_time() {
    let list = Start::detector(["list", "--quiet"]).ended().expect(0).out;

    for _ in 0..2 {
        let ended = Start::detector(["demo"]).ended().expect(0);

        assert_plain(&ended.out);
        assert_plain(&ended.err);
        for event in list.lines() {
            assert!(ended.out.contains(&format!("   * {event}\n")), "{event}: {}", ended.out);
        }
        for words in [
            "Detected 2 events from UPDATE on moves 13107",
            "ok      Job 1 complete!",
            "ok      You ran AR for move 13107",
            "failed  post_webhook  attempt 4 of 4: connection refused (127.0.0.1:9)",
            "Could not decide 1 event from UPDATE on moves 13110",
        ] {
            assert!(ended.out.contains(words), "{words}: {}", ended.out);
        }
        assert_eq!(ended.out.matches("turn on images").count(), 1, "{}", ended.out);
        for words in ["9 events, 16 jobs in 3.", "detector list", "detector detect FILE"] {
            assert!(ended.err.contains(words), "{words}: {}", ended.err);
        }
    }
}

#[test]
fn jobs_run_side_by_side_and_a_report_has_the_promised_shape() {
    let start = Instant::now();
    let ended = Start::detector(["demo", "--json"]).ended().expect(0);
    let took = start.elapsed();

    let reports = ended.json();
    assert_eq!(reports.len(), 9, "a report for each change");
    for report in &reports {
        assert_shape(report);
    }
    let jobs = reports
        .iter()
        .flat_map(|report| report["events"].as_array().unwrap())
        .flat_map(|event| event["jobs"].as_array().unwrap());
    let durations: Vec<Duration> = jobs.map(|job| Duration::from_secs_f64(job["duration"].as_f64().unwrap() / 1_000.0)).collect();
    let (sum, longest) = (durations.iter().sum::<Duration>(), *durations.iter().max().unwrap());
    assert!(
        longest >= Duration::from_secs(3) && took >= longest && took < sum,
        "longest {longest:?}, took {took:?}, sum {sum:?}"
    );
    assert_eq!(ended.err.lines().filter(|line| !line.contains("WARN")).collect::<String>(), "");
}

/// `{"change":{…},"events":[{"name","detected","error"?,"jobs":[{"name","options","completed","status","attempts","duration","result","error"?}]}],"duration"}`
fn assert_shape(report: &Value) {
    let keys = |value: &Value| value.as_object().unwrap_or_else(|| panic!("{value}")).keys().cloned().collect::<BTreeSet<_>>();
    let without = |value: &Value, optional: &str| keys(value).into_iter().filter(|key| key != optional).collect::<Vec<_>>();
    assert_eq!(without(report, ""), ["change", "duration", "events"], "{report}");
    for key in ["id", "collection", "operation", "key", "correlation_id"] {
        assert!(!report["change"][key].is_null(), "{key}: {report}");
    }
    for event in report["events"].as_array().unwrap() {
        let is_undecided = event["undecided"].is_array();
        assert_eq!(without(event, "undecided"), ["detected", "jobs", "name"], "{event}");
        assert_eq!(event["detected"], !is_undecided, "{event}");
        for job in event["jobs"].as_array().unwrap() {
            let expected = ["attempts", "completed", "duration", "name", "options", "result", "status"];
            assert_eq!(without(job, "error"), expected, "{job}");
            let completed = job["completed"] == true;
            assert_eq!(job["status"], if completed { "succeeded" } else { "failed" }, "{job}");
            assert_eq!(job["error"].is_string(), !completed, "{job}");
            assert!(job["options"].is_object() && job["attempts"].as_u64() >= Some(1) && job["duration"].is_f64(), "{job}");
        }
    }
}

#[test]
fn quiet_is_one_line_for_each_change_that_came_to_something() {
    let ended = Start::detector(["demo", "--quiet"]).ended().expect(0);

    assert_eq!(ended.out.lines().count(), 8, "{}", ended.out);
    assert!(ended.out.contains("UPDATE on moves 13107: move.address.changed, move.pickup.successful; jobs: 3 ok, 1 failed; 3.0"));
    assert!(ended.out.contains("UPDATE on moves 13110: move.address.changed (undecided); "));
    assert!(ended.err.lines().all(|line| line.contains("WARN") && line.contains("turn on images")), "{}", ended.err);
}

#[test]
fn events_that_are_not_wanted_are_not_played() {
    let ended = Start::detector(["demo", "--quiet", "--only", "move.*", "--except", "*.changed"]).ended().expect(0);

    assert!(
        ended.out.contains("move.deleted") && !ended.out.contains("order.") && !ended.out.contains("address"),
        "{}",
        ended.out
    );
}

#[test]
fn the_list_names_places_and_jobs() {
    let ended = Start::detector(["list", "--only", "move.pickup.*,order.*"]).ended().expect(0);

    assert_plain(&ended.out);
    assert_snapshot!(without_lines(&ended.out), @r"
    move.pickup.successful  events/src/move_pickup.rs:LINE
       The vehicle was handed over to the driver.
       jobs: rerun_ar, publish_event_log, post_webhook
    order.created  events/src/order.rs:LINE
       A customer ordered.
       jobs: job_simulator, publish_event_log
    order.item.backordered  events/src/order_item.rs:LINE
       More was ordered of some item than there is in stock.
       jobs: job_simulator, publish_event_log
       2 clauses of its rule are opaque: `list --plans` shows them
    order.large.approval  events/src/order.rs:LINE
       The order is so large that somebody has to approve it.
       jobs: post_webhook

    4 events
    ");
}

/// The text without the numbers of lines, which change with every edit.
fn without_lines(text: &str) -> String {
    let line = |line: &str| match line.rsplit_once(".rs:") {
        Some((before, _)) => format!("{before}.rs:LINE\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_list_as_json_is_one_event_a_line() {
    let events = Start::detector(["list", "--json"]).ended().expect(0).json();

    let pickup = events.iter().find(|event| event["name"] == "move.pickup.successful").unwrap();
    assert_eq!(events.len(), 8);
    assert_eq!(pickup["file"], "events/src/move_pickup.rs");
    assert!(pickup["line"].as_u64() > Some(0));
    assert_eq!(pickup["jobs"], serde_json::json!(["rerun_ar", "publish_event_log", "post_webhook"]));
    let understood: Vec<_> = events.iter().filter(|event| event["plan"] != "exact").map(|event| &event["name"]).collect();
    assert_eq!(understood, ["order.item.backordered"]);
    assert!(events.iter().all(|event| event.get("rule").is_none()), "it is there where it is asked for");
}

#[test]
fn the_list_shows_each_rule_with_what_is_opaque_and_what_it_is_asked_about() {
    let ended = Start::detector(["list", "--plans", "--only", "order.item.*,move.address.*"]).ended().expect(0);

    assert_plain(&ended.out);
    let text: String =
        ended.out.lines().map(|line| line.split("  line ").next().unwrap_or_default().trim_end().to_owned() + "\n").collect();
    assert_snapshot!(without_lines(&text), @r#"
    move.address.changed  events/src/move_address.rs:LINE
       The vehicle has to go to another place.
       jobs: job_simulator
       asked about: update of moves
       rule: all of
          change.collection() == "moves"
          one of
             change.column_changed("address.city")
             change.column_changed("address.street")
    order.item.backordered  events/src/order_item.rs:LINE
       More was ordered of some item than there is in stock.
       jobs: job_simulator, publish_event_log
       asked about: insert or update of orders
       rule: all of
          change.collection() == "orders"
          one of
             change.is_insert()
             change.column_changed("items")
          !change.query("$.after.items[?@.qty > @.stock]").is_empty()
             opaque: `query` is read in a way that only the code itself can follow
          change.query("$.before.items[?@.qty > @.stock]").is_empty()
             opaque: `query` is read in a way that only the code itself can follow

    2 events
    "#);
    let events = Start::detector(["list", "--plans", "--json"]).ended().expect(0).json();
    let event = |name: &str| events.iter().find(|event| event["name"] == name).unwrap();
    assert_eq!(event("user.activated")["rule"]["clauses"][1]["path"], "active");
    assert_eq!(event("order.created")["asked_about"]["operations"], serde_json::json!(["insert"]));
    assert_eq!(event("order.item.backordered")["asked_about"]["collections"], serde_json::json!(["orders"]));
}

#[test]
fn the_help_tells_of_commands_settings_and_exit_codes() {
    let help = Start::detector(["--help"]).ended().expect(0).out;

    for words in
        ["Usage: detector", "  emit ", "[context]", "Exit codes: 0 ", "[env: DETECTOR_ONLY]", "Each command has its own --help"]
    {
        assert!(help.contains(words), "{words}: {help}");
    }
    assert_snapshot!(Start::detector(["run", "--help"]).ended().expect(0).out);
    let version = Start::detector(["--version"]).ended().expect(0).out;
    assert_eq!(version, format!("event-detector {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_event_by_hand_is_reported_with_its_correlation_id() {
    let arguments = ["emit", "orders", "--data", "{\"id\": 7}", "--correlation-id", "r-1", "--session", "x-hasura-role=admin"];
    let ended = Start::detector(arguments).env("DETECTOR_LOG", "off").ended().expect(0);
    assert_eq!(ended.out, "");
    assert!(
        ended.err.contains("No event came of MANUAL on orders") && ended.err.contains("`change.is_manual()`"),
        "{}",
        ended.err
    );

    let reports = Start::detector(arguments.into_iter().chain(["--json"])).ended().expect(0).json();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["change"]["operation"], "manual");
    assert_eq!(reports[0]["change"]["correlation_id"], "r-1");
    assert_eq!(reports[0]["events"], serde_json::json!([]));
}

/// What the program shows on a terminal, or nothing where none can be made; then the test says so and ends.
fn on_a_terminal(arguments: &str, no_color: &str) -> Option<String> {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("'{}' {arguments}", detector().display()), "/dev/null"]);
    command.env("TERM", "xterm-256color").env("NO_COLOR", no_color).stdin(std::process::Stdio::null());
    match command.output() {
        Ok(output) => Some(Ended::new(output).expect(0).out),
        Err(error) => {
            eprintln!("skipped: no terminal: `script` cannot be run: {error}");
            None
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_signs_and_colours_unless_it_wants_none() {
    let Some(text) = on_a_terminal("demo --only user.activated", "") else { return };
    assert!(text.contains("🔔") && text.contains("✅ Welcome complete!") && text.contains("\u{1b}[1m"), "{text}");

    let Some(text) = on_a_terminal("demo --only user.activated 2>/dev/null", "1") else { return };
    assert_plain(&text);
    assert!(text.contains("ok      Welcome complete!"), "{text}");
}
