//! Whose word counts: the flag's, the environment's, the file's?

use super::{Start, parsed};

/// The events that the program knows, told `arguments`.
fn events(start: Start) -> Vec<String> {
    start.ended().expect(0).out.lines().map(str::to_owned).collect()
}

const LIST: [&str; 2] = ["list", "--quiet"];

#[test]
fn globs_choose_events_from_wherever_they_come() {
    let moves = ["move.address.changed", "move.cancel.pending", "move.deleted", "move.pickup.successful"];
    let cases = [
        (Start::detector(["list", "-q", "--only", "move.*"]), &moves[..]),
        (Start::detector(["--only=move.*", "list", "-q", "--except", "*.deleted,*.pending"]), &[moves[0], moves[3]]),
        (Start::detector(["list", "-q", "--only", "user.*", "--only", "move.d?leted"]), &[moves[2], "user.activated"]),
        (Start::detector(LIST).env("DETECTOR_ONLY", "move.deleted, user.*"), &[moves[2], "user.activated"]),
        (Start::detector(LIST).env("DETECTOR_EXCEPT", "order.*,user.*"), &moves),
        (Start::detector(LIST).env("DETECTOR_ONLY", "").file("detector.toml", "only = [\"user.*\"]"), &["user.activated"]),
        (Start::detector(LIST).file("detector.toml", "except = [\"order.*\", \"user.*\"]"), &moves),
    ];
    for (number, (start, expected)) in cases.into_iter().enumerate() {
        assert_eq!(events(start), expected, "case {number}");
    }
}

#[test]
fn a_flag_is_over_the_environment_and_the_environment_over_the_file() {
    let file = |start: Start| start.file("detector.toml", "only = [\"order.created\"]\ndrain = \"1s\"\n");
    let variable = |start: Start| start.env("DETECTOR_ONLY", "move.deleted");

    assert_eq!(events(file(Start::detector(LIST))), ["order.created"]);
    assert_eq!(events(variable(file(Start::detector(LIST)))), ["move.deleted"]);
    assert_eq!(events(variable(file(Start::detector(["list", "-q", "--only", "user.*"])))), ["user.activated"]);
    let other = file(Start::detector(["list", "-q", "--config", "other.toml"])).file("other.toml", "only = [\"user.*\"]");
    assert_eq!(events(other), ["user.activated"]);
    let other = file(Start::detector(LIST)).file("other.toml", "only = [\"user.*\"]").env("DETECTOR_CONFIG", "other.toml");
    assert_eq!(events(other), ["user.activated"]);
}

#[test]
fn the_context_of_a_flag_is_over_that_of_the_file_and_a_change_has_its_own() {
    let deletion = r#"{"operation":"delete","collection":"moves","key":1,"before":{"id":1}}"#;
    let own = deletion.replace("\"key\"", "\"context\":{\"event_log\":\"own.jsonl\"},\"key\"");
    let toml = "[context]\nevent_log = \"file.jsonl\"\n";
    let written = |arguments: &[&str], change: &str| {
        let start = Start::detector(["run", "--file", "-"].iter().chain(arguments)).file("detector.toml", toml).input(change);
        let (ended, folder) = start.ended_in();
        assert!(ended.expect(0).err.contains("Settings from detector.toml."));
        let names = ["file.jsonl", "flag.jsonl", "own.jsonl"];
        names.into_iter().filter(|name| folder.path().join(name).exists()).collect::<Vec<_>>()
    };

    assert_eq!(written(&[], deletion), ["file.jsonl"]);
    assert_eq!(written(&["--context", "event_log=flag.jsonl"], deletion), ["flag.jsonl"]);
    assert_eq!(written(&["--context", "event_log=\"flag.jsonl\""], &own), ["own.jsonl"]);
}

#[test]
fn a_config_file_that_is_wrong_says_where_and_what_is_right() {
    let cases = [
        ("only = [\"move.*\"]\ndrian = \"5s\"", 78, "detector.toml:2:1: unknown field `drian`", "did you mean `drain`?"),
        ("drain = 5", 78, "detector.toml:1:9: a duration needs its unit: write `5s` or `5ms`", "1 | drain = 5"),
        ("in_flight = 0", 78, "`in_flight` is 0; expected 1 to 10000", "it is set in `detector.toml`"),
        ("in_flight = \"many\"", 78, "detector.toml:1:13: invalid type", "expected u32"),
        ("only = \"move.*\"", 78, "detector.toml:1:8: ", "expected a sequence"),
        ("log = \"warn", 78, "detector.toml:1:", "|            ^"),
        ("only = [\"move.delted\"]", 2, "no event matches `move.delted`", "did you mean `move.deleted`?"),
        ("log = \"jobs=loud\"", 2, "`jobs=loud` is not a log filter", "debug"),
    ];
    for (text, code, words, more) in cases {
        let ended = Start::detector(["list"]).file("detector.toml", text).ended().expect(code);
        assert!(ended.err.contains(words) && ended.err.contains(more), "{words}: {}", ended.err);
        assert_eq!(ended.out, "");

        let ended = Start::detector(["list", "--json"]).file("detector.toml", text).ended().expect(code);
        assert_eq!(parsed(&ended.err)[0]["error"]["code"], code, "{}", ended.err);
    }
    let ended = Start::detector(["--config", "no.toml", "list"]).ended().expect(66);
    assert!(ended.err.contains("`no.toml`"), "{}", ended.err);
    Start::detector(["--config", ".", "list"]).ended().expect(66);
}

#[test]
fn a_wrong_command_line_is_answered_with_what_was_meant() {
    let cases: &[(&[&str], &str)] = &[
        (&["rn"], "did you mean `run`?"),
        (&["--jsno", "list"], "'--json'"),
        (&["run", "--fiel", "x"], "'--file'"),
        (&["run", "--in-flight", "0"], "1..=10000"),
        (&["run", "--in-flight", "10001"], "1..=10000"),
        (&["run", "--job-timeout", "5"], "write `5s` or `5ms`"),
        (&["run", "--drain", "soon"], "such as `500ms`"),
        (&["run", "--change-deadline", "0s"], "longer than zero"),
        (&["run", "--job-retries", "-1"], "--job-retries"),
        (&["list", "--only", "move.deletd"], "did you mean `move.deleted`?"),
        (&["list", "--except", "xyz"], "`list` shows every event"),
        (&["list", "--log", "loud=loud"], "is not a log filter"),
        (&["emit"], "<COLLECTION>"),
        (&["emit", "orders", "--data", "[1]"], "expected a JSON object"),
        (&["emit", "orders", "--context", "flag"], "expected a name, `=` and a value"),
        (&["detect"], "<FILE>"),
    ];
    for (arguments, words) in cases {
        let ended = Start::detector(*arguments).ended().expect(2);
        assert!(ended.err.contains(words) && ended.err.starts_with("error: ") && ended.out.is_empty(), "{words}: {}", ended.err);

        let ended = Start::detector(arguments.iter().chain(&["--json"])).ended().expect(2);
        let error = &parsed(&ended.err)[0]["error"];
        assert_eq!(error["code"], 2, "{}", ended.err);
        assert!(error["message"].is_string() && error["hint"].is_string() && ended.out.is_empty(), "{}", ended.err);
    }
    let ended = Start::detector(["run"]).env("DETECTOR_IN_FLIGHT", "many").ended().expect(2);
    assert!(ended.err.contains("the environment variable DETECTOR_IN_FLIGHT is set"), "{}", ended.err);
}

#[test]
fn what_the_console_shows_of_undecided_events_is_not_logged_besides() {
    let moved = r#"{"_id":{"_data":"82"},"operationType":"update","ns":{"db":"app","coll":"moves"},"documentKey":{"_id":9},"updateDescription":{"updatedFields":{"address":{"city":"Bonn"}},"removedFields":[]}}"#;
    let cures = |arguments: &[&str]| {
        let ended = Start::detector(["run", "--file", "-"].iter().chain(arguments)).input(moved).ended().expect(0);
        (ended.out.matches("turn on images").count() > 0, ended.err.matches("turn on images").count() > 0)
    };

    assert_eq!(cures(&[]), (true, false));
    assert_eq!(cures(&["--log", "info"]), (true, false));
    assert_eq!(cures(&["--log", "event_detector::undecided=warn"]), (true, true));
    assert_eq!(cures(&["--quiet"]), (false, true));
    assert_eq!(cures(&["--json"]), (true, true));
}

#[test]
fn a_secret_is_never_printed() {
    const SECRET: &str = "S3CR3T-CANARY";
    let url = format!("http://ana:{SECRET}@127.0.0.1:9/{SECRET}?token={SECRET}");
    let toml = format!("[context]\nwebhook_url = \"{url}\"\nother = \"{SECRET}\"\n");
    let order = r#"{"operation":"insert","collection":"orders","key":1,"after":{"amount":5000}}"#;
    let other = format!("more={SECRET}");
    let run = ["run", "--file", "-", "--only", "order.large.approval", "--log", "trace", "--context", &other];
    let detect = ["detect", "-", "--verbose", "--context", &other];
    let started = |arguments: &[&str]| Start::detector(arguments).file("detector.toml", &toml).input(order);
    let cases = [
        (started(&run), 1, "attempt 4 of 4: connection refused"),
        (started(&[&run[..], &["--json"]].concat()), 1, "connection refused"),
        (started(&detect), 0, "would run post_webhook"),
        (started(&[&detect[..], &["--json"]].concat()), 0, "post_webhook"),
        (started(&["--help"]).env("DETECTOR_CONFIG", SECRET), 0, "DETECTOR_CONFIG"),
        (started(&["list"]).file("detector.toml", &toml.replace("/S3", "\"S3")), 78, "detector.toml:2:"),
        (started(&["emit", "orders", "--session", SECRET]), 2, "--session"),
    ];
    for (number, (start, code, words)) in cases.into_iter().enumerate() {
        let ended = start.ended().expect(code);

        let text = ended.out + &ended.err;
        assert!(text.contains(words), "case {number}: {words}: {text}");
        assert!(!text.contains(SECRET), "case {number}: {text}");
    }
}
