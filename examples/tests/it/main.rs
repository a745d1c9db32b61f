//! Does every example do what it says?

use std::io::Write;
use std::process::{Command, Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// What the program prints; it must end well.
fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the program prints that reads `input`; it must end well.
fn output_from(program: &str, input: &Value) -> String {
    let mut child = Command::new(program).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
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

#[test]
fn mongodb_watch_sees_its_own_delivery_and_what_was_before_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_mongodb_watch")).env_remove("MONGODB_URI").output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && words.contains("`cargo xtask mongod` starts one"), "{words}");
    if std::env::var_os("MONGODB_URI").is_none_or(|uri| uri.is_empty()) {
        eprintln!("skipped: no MongoDB: MONGODB_URI is not set; `cargo xtask test` provides one");
        return;
    }

    let output = output_of(env!("CARGO_BIN_EXE_mongodb_watch"), &[]);

    assert!(output.contains("parcel.delivered: \"thanked Ana, whose parcel was on its way\""), "{output}");
}

#[test]
fn embed_axum_answers_its_own_payload_and_ends() {
    let output = output_of(env!("CARGO_BIN_EXE_embed_axum"), &[]);

    let report: Value = serde_json::from_str(output.lines().last().unwrap().strip_prefix("200 ").unwrap()).unwrap();
    assert_eq!(report["events"][0]["jobs"][0]["result"], "welcome, Ana", "{report}");
}

#[test]
#[cfg(unix)]
fn embed_axum_stays_with_a_port_and_shows_its_own_page() {
    use std::io::{BufRead, BufReader, Read};

    let mut child = Command::new(env!("CARGO_BIN_EXE_embed_axum")).arg("0").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_once("http://").unwrap().1.split_once("/hasura").unwrap().0;
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };

    let (page, route) = (get("/"), get("/hasura"));
    let interrupted = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();

    assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("this program's own page\n"), "{page}");
    assert!(route.starts_with("HTTP/1.1 405"), "{route}");
    assert!(interrupted.success() && child.wait().unwrap().success());
}

#[test]
fn hasura_webhook_shows_every_answer_and_handles_each_event_once() {
    let output = output_of(env!("CARGO_BIN_EXE_hasura_webhook"), &[]);

    let id = |number: u64| format!("00000000-0000-4000-8000-{number:012}");
    let answers: Vec<(Value, u16, Value)> = output.lines().filter_map(|line| line.strip_prefix("sent ")).map(answer).collect();
    let statuses: Vec<u16> = answers.iter().map(|(_, status, _)| *status).collect();
    assert_eq!(statuses, [401, 401, 202, 202, 202, 202, 202, 202, 429, 200], "{output}");
    for number in 1..=3 {
        let mut duplicates: Vec<bool> = answers[2..8]
            .iter()
            .filter(|(sent, _, _)| *sent == id(number))
            .map(|(_, _, body)| body["duplicate"].as_bool().unwrap_or_default())
            .collect();
        duplicates.sort_unstable();
        assert_eq!(duplicates, [false, true], "{output}");
    }
    for number in 1..=4 {
        let handled = format!("handled {}: packed book {number}", id(number));
        assert_eq!(output.lines().filter(|line| *line == handled).count(), 1, "{output}");
    }
    let events = answers[9].2["events"].as_array().unwrap();
    assert_eq!(events.iter().map(|event| &event["name"]).collect::<Vec<_>>(), ["order.placed"], "what the trigger names");
}

/// The id, the status and the body in `"id": 200 {…}`.
fn answer(line: &str) -> (Value, u16, Value) {
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {line}"));
    let (id, rest) = line.split_once(": ").unwrap();
    let (status, body) = rest.split_once(' ').unwrap();
    (json(id), status.parse().unwrap(), json(body))
}

#[test]
fn lambda_shape_answers_in_the_shape_of_its_gateway() {
    let response: Value = serde_json::from_str(&output_of(env!("CARGO_BIN_EXE_lambda_shape"), &[])).unwrap();

    assert_eq!((&response["statusCode"], &response["isBase64Encoded"]), (&json!(200), &json!(false)), "{response}");
    assert_eq!(response["headers"]["content-type"], "application/json");
    let report: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(report["events"][0]["name"], "invoice.overdue");
}

#[test]
fn lambda_shape_takes_what_the_gateway_encoded_and_passes_refusals_on() {
    let body = json!({
        "id": "5d9c2c1e-77f5-4b0a-8f3b-1f3f0c6f2a11", "created_at": "2026-11-21T10:00:00Z",
        "table": { "schema": "public", "name": "invoices" },
        "event": { "op": "INSERT", "data": { "old": null, "new": { "id": 8, "status": "overdue" } } },
    });
    let event = |method: &str, passphrase: &str| {
        json!({
            "version": "2.0", "rawPath": "/hasura", "rawQueryString": "wait=false",
            "headers": { "content-type": "application/json", "x-passphrase": passphrase },
            "requestContext": { "http": { "method": method } },
            "body": STANDARD.encode(body.to_string()), "isBase64Encoded": true,
        })
    };

    for (method, passphrase, status, needle) in [
        ("POST", "only for this example", 200, "invoice.overdue"),
        ("POST", "a guess", 401, "unauthorized"),
        ("GET", "only for this example", 405, "wrong_method"),
    ] {
        let output = output_from(env!("CARGO_BIN_EXE_lambda_shape"), &event(method, passphrase));
        let response: Value = serde_json::from_str(&output).unwrap();

        assert_eq!(response["statusCode"], status, "{response}");
        assert!(response["body"].as_str().unwrap().contains(needle), "{response}");
    }
}
