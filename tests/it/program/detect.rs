//! Does a dry run stay dry?

use insta::assert_snapshot;

use super::{Start, deletion};

#[test]
fn no_job_runs_in_a_dry_run_however_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (log, file) = (folder.path().join("log.jsonl"), folder.path().join("changes.jsonl"));
    std::fs::write(&file, deletion(1, &log) + "\n" + &deletion(2, &log)).unwrap();

    for form in ["--verbose", "-v", "--json", "--quiet", "--strict"] {
        let ended = Start::detector(["detect".as_ref(), file.as_os_str(), form.as_ref()]).ended().expect(0);
        assert_eq!(ended.out.matches("move.deleted").count(), 2, "{}", ended.out);
    }
    let input = Start::detector(["detect", "-"]).input(std::fs::read(&file).unwrap()).ended().expect(0);
    assert_eq!(input.out.matches("would run publish_event_log").count(), 2, "{}", input.out);
    assert!(input.err.contains("2 changes, 2 events. This was a dry run"), "{}", input.err);
    assert!(!log.exists(), "a job ran");

    Start::detector(["run".as_ref(), "--file".as_ref(), file.as_os_str()]).ended().expect(0);
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2, "the same changes do run jobs");
}

const CHANGES: &str = r#"{"operation":"update","collection":"users","key":7,"before":{"active":false},"after":{"active":true}}
{"operation":"insert","collection":"things","key":1,"after":{}}
nonsense
{"_id":{"_data":"82"},"operationType":"update","ns":{"db":"app","coll":"moves"},"documentKey":{"_id":9},"updateDescription":{"updatedFields":{"address":{"city":"Bonn"}},"removedFields":[]}}
"#;

#[test]
fn what_would_happen_is_told_for_each_change() {
    let ended = Start::detector(["detect", "-"]).input(CHANGES).ended().expect(65);

    assert_snapshot!(ended.out, @r#"
    UPDATE on users 7
       user.activated  detected
          would run job_simulator {"delay":"300ms","message":"Welcome"}
          would run publish_event_log {"user":null}
    INSERT on things 1
       no event
    UPDATE on moves 9
       move.address.changed  undecided
          undecided: the change does not say `column_changed("address.city")`, `column_changed("address.street")`
             the update writes `address.city`, its parent or a part of it, which may equal what was there, and the change does not carry the images of `app.moves` from before and after it
             turn on images with `db.runCommand({ collMod: "moves", changeStreamPreAndPostImages: { enabled: true } })`
    "#);
    assert_snapshot!(ended.err, @r"
    stdin, line 3: not JSON at column 1, near `nonsense`: expected an object

    3 changes, 1 event, 1 undecided, 1 line was no change. This was a dry run: no job ran.
    ");
    let strict = Start::detector(["detect", "-", "--strict", "--quiet"]).input(CHANGES).ended().expect(65);
    assert_snapshot!(strict.out, @r"
    UPDATE on users 7: user.activated
    INSERT on things 1: no event
    ");
}

#[test]
fn verbose_shows_the_verdict_of_every_event_and_what_it_read() {
    let arguments = ["detect", "-", "--verbose", "--only", "user.activated,order.created"];
    let ended = Start::detector(arguments).input(CHANGES.lines().next().unwrap()).ended().expect(0);

    assert_snapshot!(ended.out, @r#"
    UPDATE on users 7
       order.created  not detected
       user.activated  detected
          became("active", true) = true
          would run job_simulator {"delay":"300ms","message":"Welcome"}
          would run publish_event_log {"user":null}
    "#);
}

#[test]
fn as_json_every_change_is_a_line_with_its_verdicts() {
    let ended = Start::detector(["detect", "-", "--json"]).input(CHANGES).ended().expect(65);

    let changes = ended.json();
    assert_eq!(changes.len(), 3);
    assert_eq!(changes[0]["events"][0]["name"], "user.activated");
    assert_eq!(changes[0]["events"][0]["verdict"], "detected");
    assert_eq!(changes[0]["events"][0]["jobs"][0]["name"], "job_simulator");
    assert_eq!(changes[1]["events"], serde_json::json!([]));
    assert_eq!(changes[2]["events"][0]["verdict"], "undecided");
    assert_eq!(changes[2]["events"][0]["jobs"], serde_json::json!([]));
    let errors = super::parsed(&ended.err);
    assert_eq!(errors[0]["rejected"]["place"], "line 3");
}
