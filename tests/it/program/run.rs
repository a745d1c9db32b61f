//! How are recorded changes handled, the broken ones too?

use std::path::Path;

use super::{Start, deletion, parsed};

/// Three deletions in `moves`, with two lines between them that are no changes.
fn partly_broken() -> String {
    let log = Path::new("log.jsonl");
    let unknown = r#"{"operation":"upsert","collection":"moves"}"#;
    [&deletion(1, log), "nonsense", "", &deletion(2, log), unknown, &deletion(3, log)].map(|line| format!("{line}\n")).concat()
}

#[test]
fn a_malformed_line_is_told_with_its_number_and_the_next_one_is_read() {
    let file = Start::detector(["run", "--file", "changes.jsonl", "--quiet"]).file("changes.jsonl", &partly_broken());
    let (ended, folder) = file.ended_in();

    let ended = ended.expect(65);
    assert_eq!(ended.out.matches("move.deleted; jobs: 1 ok").count(), 3, "{}", ended.out);
    assert!(ended.err.contains("changes.jsonl, line 2: ") && ended.err.contains("changes.jsonl, line 5: "), "{}", ended.err);
    assert!(ended.err.contains("Handled 3 changes in ") && ended.err.contains("2 lines were no change"), "{}", ended.err);
    assert_eq!(std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap().lines().count(), 3);
}

#[test]
fn standard_input_is_a_file_too() {
    let ended = Start::detector(["run", "--file", "-"]).input(partly_broken()).ended().expect(65);

    assert_eq!(ended.out.matches("Detected 1 event from DELETE on moves").count(), 3, "{}", ended.out);
    assert!(ended.err.contains("Watching 1 source (stdin) for 8 events with 4 declared jobs."), "{}", ended.err);
    assert!(ended.err.contains("stdin, line 2: "), "{}", ended.err);
}

#[test]
fn strict_stops_at_the_first_malformed_line() {
    let ended = Start::detector(["run", "--file", "-", "--strict"]).input(partly_broken()).ended().expect(65);

    assert_eq!(ended.out.matches("Detected").count(), 1, "{}", ended.out);
    assert!(ended.err.contains("stdin, line 2: ") && !ended.err.contains("line 5"), "{}", ended.err);
    assert_eq!(ended.err.matches("expected").count(), 1, "told once: {}", ended.err);
}

#[test]
fn as_json_what_is_no_change_and_what_came_of_it_all_are_json_on_standard_error() {
    let ended = Start::detector(["run", "--file", "-", "--json", "--log", "off"]).input(partly_broken()).ended().expect(65);

    assert_eq!(ended.json().len(), 3);
    let said = parsed(&ended.err);
    let names: Vec<&str> = said.iter().map(|line| line.as_object().unwrap().keys().next().unwrap().as_str()).collect();
    assert_eq!(names, ["started", "rejected", "rejected", "ended"]);
    assert_eq!(said[1]["rejected"]["place"], "line 2");
    assert_eq!(said[3]["ended"]["changes"], 3);
    assert_eq!(said[3]["ended"]["jobs_succeeded"], 3);
    assert!(said[3]["ended"]["changes_per_second"].is_u64());
}

#[test]
fn nothing_to_read_is_nothing_to_do() {
    for input in ["", "\n\n", " \r\n"] {
        let ended = Start::detector(["run", "--file", "-"]).input(input).ended().expect(0);

        assert_eq!(ended.out, "");
        assert!(ended.err.contains("Handled 0 changes in "), "{}", ended.err);
    }
}

#[test]
fn bytes_that_are_no_text_are_a_malformed_line() {
    let mut input = vec![0xff, 0xfe, 0x00, b'\n'];
    input.extend(deletion(1, Path::new("log.jsonl")).bytes());

    let ended = Start::detector(["run", "--file", "-"]).input(input).ended().expect(65);

    assert!(ended.err.contains("stdin, line 1: ") && ended.out.contains("Detected 1 event"), "{}{}", ended.err, ended.out);
}

#[test]
fn the_exit_code_says_why_there_is_nothing_to_read() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["run", "--file", "no/such.jsonl"], 66, "`no/such.jsonl` cannot be read: No such file"),
        (&["detect", "no/such.jsonl"], 66, "`no/such.jsonl` cannot be read: No such file"),
        (&["run", "--file", "."], 66, "`.` cannot be read: is a directory"),
        (&["detect", "."], 66, "`.` cannot be read: is a directory"),
        (&["run"], 2, "--file FILE"),
        (&["run", "--strict"], 2, "--file <FILE>"),
    ];
    for (arguments, code, words) in cases {
        let ended = Start::detector(*arguments).ended().expect(*code);
        assert!(ended.err.contains(words), "{words}: {}", ended.err);

        let ended = Start::detector(arguments.iter().chain(&["--json"])).ended().expect(*code);
        let error = &parsed(&ended.err)[0]["error"];
        assert_eq!((error["code"].as_i64(), ended.out.as_str()), (Some(i64::from(*code)), ""), "{}", ended.err);
        assert!(error["message"].is_string(), "{}", ended.err);
    }
}

#[test]
#[cfg(unix)]
fn what_may_not_be_read_is_told_apart_from_what_is_not_there() {
    use std::os::unix::fs::PermissionsExt;

    let forbid = |start: Start| {
        for name in ["changes.jsonl", "detector.toml"] {
            let path = start.folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        start
    };
    for arguments in
        [&["--config", "/dev/null", "run", "--file", "changes.jsonl"][..], &["--config", "detector.toml", "list"], &["list"]]
    {
        let start = forbid(Start::detector(arguments));
        if std::fs::read(start.folder.path().join("changes.jsonl")).is_ok() {
            eprintln!("skipped: this user may read everything");
            return;
        }
        let ended = start.ended().expect(77);
        assert!(ended.err.contains("cannot be read: Permission denied"), "{}", ended.err);
    }
}

#[test]
fn a_job_that_fails_is_in_the_exit_code() {
    // Without a URL the job fails for good.
    let order = r#"{"operation":"insert","collection":"orders","key":1,"after":{"amount":5000}}"#;

    let ended = Start::detector(["run", "--file", "-", "--only", "order.large.approval"]).input(order).ended().expect(1);

    assert!(ended.out.contains("failed  post_webhook  attempt 1 of 4: "), "{}", ended.out);
    assert!(ended.err.contains("0 jobs succeeded, 1 failed."), "{}", ended.err);
}

#[test]
fn a_change_deadline_that_cuts_a_job_is_in_the_exit_code() {
    let moved = r#"{"operation":"update","collection":"moves","key":1,"before":{"address":{"city":"a"}},"after":{"address":{"city":"b"}}}"#;

    let ended = Start::detector(["run", "--file", "-", "--change-deadline", "50ms"]).input(moved).ended().expect(1);

    assert!(ended.err.contains("1 cut"), "{}", ended.err);
}
