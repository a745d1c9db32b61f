//! Is what docs/deploy.md says true of the program?
#![cfg(unix)]

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use event_detector_runtime::Config;
use event_detector_server::Settings;
use event_detector_server::testing::Sender;
use serde_json::json;

use super::{Start, detector};
use crate::files::root;

/// Where the unit finds its config file.
const CONFIG: &str = "/etc/detector/detector.toml";

/// Where the unit and the proxy meet.
const ADDRESS: &str = "127.0.0.1:8080";

/// The page.
fn page() -> String {
    fs::read_to_string(root().join("docs/deploy.md")).unwrap()
}

/// The block of the page in `language` that contains `needle`.
fn block(language: &str, needle: &str) -> String {
    let (page, fence) = (page(), format!("```{language}\n"));
    let mut blocks = page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(needle)).unwrap_or_else(|| panic!("no block in {language} with `{needle}`")).to_owned()
}

fn unit() -> String {
    block("ini", "[Service]")
}

fn proxy() -> String {
    block("nginx", "server {")
}

fn trigger() -> String {
    block("yaml", "event_triggers:")
}

/// What stands behind `name` in a line of `text`.
#[track_caller]
fn value<'t>(text: &'t str, name: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix(name));
    found.unwrap_or_else(|| panic!("no line begins with `{name}`: {text}")).trim_end_matches(';')
}

/// A number of seconds, with or without its unit.
#[track_caller]
fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.trim_end_matches('s').parse().unwrap_or_else(|_| panic!("`{text}` is no number of seconds")))
}

/// What `program` says; nothing where it is not installed, and then the test says so.
fn output_of(program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program).args(arguments).output();
    if output.is_err() {
        eprintln!("skipped: `{program}` is not installed, and what docs/deploy.md writes for it is not checked");
    }
    output.ok()
}

/// The status of `GET path`.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// The statuses of a payload that is sent as the page's trigger sends it, with each of the passphrases.
fn statuses(address: SocketAddr, passphrases: &[&str]) -> Vec<Option<u16>> {
    let payload = json!({
        "id": "6f1c1c52-9d3c-4f0e-8a51-0d6f3c8b7e10", "created_at": "2026-11-21T10:00:00Z", "trigger": { "name": "moves" },
        "table": { "schema": "public", "name": "moves" }, "event": { "op": "DELETE", "data": { "old": { "id": 7 }, "new": null } },
    });
    let page = page();
    let (_, url) = page.split_once("`MOVES_WEBHOOK` is `https://events.example.com").expect("the page names the webhook");
    let sender = Sender::new(address, url.split('`').next().unwrap());
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let trigger = trigger();
    let (_, header) = trigger.split_once("headers:\n").expect("the trigger sends a header");
    let status = |passphrase: &&str| {
        let sender = sender.clone().header(value(header, "name: "), *passphrase);
        tokio.block_on(sender.deliver(payload.clone())).answer().map(|(status, _)| status)
    };
    passphrases.iter().map(status).collect()
}

#[test]
fn the_command_of_the_unit_takes_changes_with_either_passphrase_and_stops_well() {
    let (unit, page) = (unit(), page());
    let command: Vec<&str> = value(&unit, "ExecStart=").split(' ').collect();
    assert!(command[0].ends_with("/detector") && command.contains(&CONFIG) && command.contains(&ADDRESS), "{command:?}");
    // In a folder and at a port of its own; else it is what the page says.
    let arguments = command[1..].iter().map(|argument| match *argument {
        ADDRESS => "127.0.0.1:0",
        CONFIG => "detector.toml",
        other => other,
    });
    let (_, rotated) = page.split_once("`DETECTOR_PASSPHRASES=").expect("the page says how two passphrases are written");
    let (passphrases, _) = rotated.split_once('`').unwrap();
    let start = Start::detector(arguments).file("detector.toml", &block("toml", "[hasura.triggers]"));
    let mut start = start.env("DETECTOR_PASSPHRASES", passphrases);
    let mut child = start.spawn();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut said = super::said(&mut err, "event triggers post to");
    let address = said.rsplit_once("http://").unwrap().1.split_once("/hasura").unwrap().0.parse().unwrap();

    let health: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix("| `GET ")?.split('`').next()).map(|path| get(address, path)).collect();
    let known: Vec<&str> = passphrases.split(',').collect();
    let taken = statuses(address, &[&known[..], &["another"]].concat());
    super::signal(&child, "TERM");

    assert_eq!(health, ["200", "200", "200", "200"]);
    assert_eq!(taken, [Some(200), Some(200), None]);
    err.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
}

#[test]
fn a_passphrase_is_written_where_there_is_one_and_else_none() {
    let block = block("sh", "openssl rand");
    let line = block.lines().find(|line| line.contains("openssl rand")).unwrap().replace("/etc/detector/", "");
    let written = |before: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{before}{line}")]).env("PATH", "").current_dir(folder.path());
        let output = shell.output().unwrap();
        (output.status.success(), fs::read_to_string(folder.path().join("environment")).ok())
    };

    assert_eq!(written("openssl() { echo secret; }; "), (true, Some("DETECTOR_PASSPHRASES=secret\n".to_owned())));
    assert_eq!(written(""), (false, None), "openssl is not there");
}

#[test]
fn whoever_stops_the_program_waits_longer_than_it_needs() {
    let config = Config::default();
    // A moment for what was cut, two last hooks of plugins, and the ledger's end.
    let needed = config.drain + Duration::from_secs(1) + 3 * config.plugin_timeout;

    let (docker, pod) = (block("sh", "docker stop"), block("yaml", "containers:"));
    for given in [
        value(&unit(), "TimeoutStopSec="),
        value(&docker, "docker stop -t ").trim_end_matches(" detector"),
        value(&pod, "terminationGracePeriodSeconds: "),
    ] {
        assert!(seconds(given) > needed, "{given} is not longer than {needed:?}");
    }
    let drain = format!("\"{}s\"", config.drain.as_secs());
    assert!(value(&block("toml", "drain"), "drain = ").starts_with(&drain), "the page shows the default");
}

#[test]
fn each_in_the_chain_waits_longer_than_the_next_and_takes_as_much() {
    let Settings { hasura, header_timeout, idle_timeout, connections, .. } = Settings::default();
    let (proxy, trigger) = (proxy(), trigger());

    let waits = seconds(value(&proxy, "proxy_read_timeout "));
    assert!(hasura.answer_within < waits && waits < seconds(value(&trigger, "timeout_sec: ")));
    assert_eq!(value(&proxy, "client_max_body_size "), format!("{}m", hasura.body_limit / (1024 * 1024)));
    assert_eq!(seconds(value(&proxy, "client_body_timeout ")), hasura.body_timeout);
    assert_eq!(seconds(value(&proxy, "client_header_timeout ")), header_timeout);
    assert!(proxy.contains(&format!("there after {} s", idle_timeout.as_secs())));
    assert!(proxy.contains(&format!("server {ADDRESS};")));
    assert!(value(&unit(), "LimitNOFILE=").parse::<usize>().unwrap() >= 4 * connections);
    let tries: u64 = value(&trigger, "num_retries: ").parse().unwrap();
    assert!(tries * seconds(value(&trigger, "interval_sec: ")).as_secs() > 60, "the page says that it bridges a minute");
}

#[test]
fn every_flag_variable_and_key_of_the_page_is_one_of_the_program() {
    let help = [&["--help"][..], &["run", "--help"]].map(|arguments| Start::detector(arguments).ended().expect(0).out).concat();
    let page = page();
    let parts: Vec<&str> = page.split("```").collect();
    let (prose, blocks) = (parts.iter().step_by(2).copied(), parts.iter().skip(1).step_by(2).copied().collect::<String>());
    let spans: Vec<&str> = prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect();
    let is_word = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';

    let variables = page.split(|byte| !is_word(byte)).filter(|word| word.starts_with("DETECTOR_"));
    let flags = spans.iter().copied().filter(|span| span.starts_with("--"));
    // What the program does not know must be a name of nginx or Hasura that one of the blocks uses.
    let keys = spans.iter().flat_map(|span| span.split(|byte| !is_word(byte)));
    let keys = keys.filter(|word| word.contains('_') && word.chars().all(|byte| byte.is_ascii_lowercase() || byte == '_'));

    let of_the_program: Vec<&str> = variables.chain(flags).collect();
    assert!(of_the_program.len() > 5, "{of_the_program:?}");
    for name in of_the_program {
        assert!(help.contains(name), "docs/deploy.md names `{name}`, which no help does");
    }
    for key in keys {
        assert!(help.contains(key) || blocks.contains(key), "docs/deploy.md names `{key}`, which no help and no block does");
    }
}

#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("detector.service");
    let program = value(&unit(), "ExecStart=").split(' ').next().unwrap().to_owned();
    fs::write(&path, unit().replace(&program, detector().to_str().unwrap())).unwrap();

    let Some(output) = output_of("systemd-analyze", &["verify", path.to_str().unwrap()]) else { return };

    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("detector.service"), "{said}");
}

#[test]
fn nginx_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Without the certificates, which are not there, and with every path in a folder of its own.
    let server: String =
        proxy().lines().filter(|line| !line.trim_start().starts_with("ssl_")).map(|line| line.to_owned() + "\n").collect();
    let server = server.replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"));
    let paths: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};\n")).concat();
    let path = folder.path().join("nginx.conf");
    fs::write(&path, format!("pid nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{server}}}\n"))
        .unwrap();

    let arguments = ["-t", "-p", folder.path().to_str().unwrap(), "-c", path.to_str().unwrap()];
    let Some(output) = output_of("nginx", &arguments) else { return };

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
