//! Does every example do what it says?

use std::process::Command;

use serde_json::{Value, json};

/// What the program prints; it must end well.
fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn quickstart_reports_the_event_and_its_job() {
    let report: Value = serde_json::from_str(&output_of(env!("CARGO_BIN_EXE_quickstart"), &["demo", "--json"])).unwrap();

    let event = &report["events"][0];
    assert_eq!(event["name"], "move.pickup.successful");
    assert_eq!(event["jobs"][0]["result"], "Sent the invoice for move 13107 to Ana");
    assert_eq!(event["jobs"][0]["options"], json!({ "customer": "Ana" }));
}

#[test]
fn quickstart_is_short() {
    assert!(include_str!("../../quickstart.rs").lines().count() <= 40);
}

#[test]
fn custom_plugin_adds_to_the_change_and_sees_both_jobs_end() {
    let output = output_of(env!("CARGO_BIN_EXE_custom_plugin"), &[]);

    let lines = [
        "invoice.paid 7: book Succeeded",
        "invoice.paid 7: print_receipt Failed",
        "somebody should look after print_receipt: out of paper",
        "\"booked in eu\"",
    ];
    for line in lines {
        assert!(output.lines().any(|printed| printed == line), "{line}: {output}");
    }
}

#[test]
fn custom_source_hands_over_its_changes_and_rejects_the_rest() {
    let output = output_of(env!("CARGO_BIN_EXE_custom_source"), &[]);

    assert!(output.starts_with("message 3: not JSON"), "{output}");
    assert!(output.ends_with("changes: 2, events: 1, rejected: 1\n"), "{output}");
}
