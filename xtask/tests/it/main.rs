//! What is left of the servers when the program that started them is killed?
#![cfg(unix)]

use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use xtask::mongod::Program;

/// A killed server is gone in 0.2 s on a quiet machine.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// The port of every host in a line `MONGODB_URI='mongodb://127.0.0.1:1,127.0.0.1:2/?…'`.
fn ports(line: &str) -> Vec<u16> {
    let hosts = line.split("127.0.0.1:").skip(1);
    hosts.filter_map(|rest| rest.split(|next: char| !next.is_ascii_digit()).next()?.parse().ok()).collect()
}

fn is_there(port: u16) -> bool {
    folder(port).exists() || TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn folder(port: u16) -> PathBuf {
    env::temp_dir().join(format!("event-detector-mongod-{port}"))
}

#[test]
fn killing_the_program_ends_its_servers_and_removes_their_data() {
    if Program::from_env().is_none() {
        eprintln!("skipped: no MongoDB: MONGOD is not set; `cargo xtask test` provides it");
        return;
    }
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.args(["mongod", "--yes"]).env_remove("MONGODB_URI").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut xtask = xtask.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(xtask.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ports = ports(&line);
    assert!(!ports.is_empty() && ports.iter().all(|port| is_there(*port)), "{line}");

    xtask.kill().unwrap();
    xtask.wait().unwrap();

    let start = Instant::now();
    while ports.iter().any(|port| is_there(*port)) {
        assert!(start.elapsed() < GONE_WITHIN, "{line}");
        thread::sleep(Duration::from_millis(20));
    }
}
