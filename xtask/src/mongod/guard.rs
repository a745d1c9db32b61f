//! How does a server end with the process that owns it?

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::program::Program;

/// Lines of the server's log that are shown when it does not start.
const LOG_LINES: usize = 20;

/// Keeps a server no longer than its owner lives, whatever ends the owner, SIGKILL too: the end of the shell's standard
/// input is the end of the process that holds the other side. The server is killed then because its data goes with it.
///
/// Until then a line of standard input is a signal for the server; ENDED says that it is gone and its number no longer its
/// own, LEAVE that another guard has its folder now. Each but the last is answered with a line of standard error. Standard
/// output is left to the server alone, so that its end of file is the server's end.
///
/// HUP is what the system sends to a group of processes that lost its owner while one of them is stopped.
const GUARD: &str = r#"
folder=$1; container=$2; shift 2
trap '' HUP PIPE
"$@" </dev/null 2>&1 & server=$!
exec 3>&2 >/dev/null 2>&1
while read -r order; do
    case $order in
        LEAVE) exit ;;
        ENDED) wait "$server"; server= ;;
        *) if [ "$container" ]; then docker kill -s "$order" "$container"; else kill -s "$order" "$server"; fi ;;
    esac
    echo >&3
done
if [ "$server" ]; then kill -s KILL "$server"; wait "$server"; fi
if [ "$container" ]; then docker rm --force --volumes "$container"; fi
rm -rf "$folder"
"#;

/// What a server can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Terminate,
    Kill,
    Stop,
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// A server that was started, until it ends, and its folder.
#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
    /// Closed to end the server.
    orders: Option<ChildStdin>,
    answers: Option<BufReader<ChildStderr>>,
    log: Option<JoinHandle<String>>,
}

impl Guard {
    /// Starts `program`; `folder` is removed in the end, and its name is the container's.
    pub(super) fn start(program: &Program, folder: &Path, arguments: &[String]) -> io::Result<Self> {
        let container = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARD, "guard"]).arg(folder).arg(if program.is_image() { &*container } else { "" });
        shell.args(program.words(&container)).arg("--dbpath").arg(program.data_path(folder)).args(arguments);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for the owner; the guard acts when that has gone.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut shell = shell.spawn()?;
        let orders = shell.stdin.take();
        let answers = shell.stderr.take().map(BufReader::new);
        let log = shell.stdout.take().map(|log| thread::spawn(move || last_lines(log)));
        Ok(Self { shell, orders, answers, log })
    }

    /// Sends `signal`, which has been delivered when this returns.
    pub(super) fn send(&mut self, signal: Signal) -> io::Result<()> {
        self.order(signal.name())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.log.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Notes that the server has ended, for its number may become another's.
    pub(super) fn note_end(&mut self) -> io::Result<()> {
        self.order("ENDED")
    }

    /// Leaves the folder to the guard of another server.
    pub(super) fn leave(mut self) {
        if let Some(orders) = &mut self.orders {
            // A guard that does not read this has gone already.
            let _ = writeln!(orders, "LEAVE");
        }
    }

    /// Kills a server that still runs, and gives the end of its log; its folder stays.
    pub(super) fn kill_for_log(&mut self) -> String {
        if !self.has_ended() {
            // It ends with its guard in any case.
            let _ = self.send(Signal::Kill);
        }
        self.log.take().and_then(|log| log.join().ok()).unwrap_or_default()
    }

    fn order(&mut self, word: &str) -> io::Result<()> {
        let (Some(orders), Some(answers)) = (&mut self.orders, &mut self.answers) else {
            return Err(io::Error::other("the server has no guard"));
        };
        writeln!(orders, "{word}")?;
        match answers.read_line(&mut String::new())? {
            0 => Err(io::Error::other("the guard of the server has gone")),
            _ => Ok(()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.orders.take());
        // The guard cannot fail in a way that could be mended here.
        let _ = self.shell.wait();
    }
}

/// Asks `is_done` once in a `pause` until it is, or `within` has passed; whether it is.
pub(super) fn wait_until(within: Duration, pause: Duration, mut is_done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if is_done() {
            return true;
        }
        if start.elapsed() >= within {
            return false;
        }
        thread::sleep(pause);
    }
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

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let log: String = (0..50_000).map(|line| format!("line {line}\n")).collect();

        let kept = last_lines(log.as_bytes());

        assert_eq!(kept.lines().count(), LOG_LINES);
        assert!(kept.ends_with("line 49999"), "{kept}");
    }
}
