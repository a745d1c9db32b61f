//! What can be done to one server?

use std::env;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::guard::{Guard, Signal, wait_until};
use super::program::Program;
use super::wire::{Hello, Role, Session};
use crate::Failure;

/// A primary that is told to end first steps down and then sends its clients away, for 15 s.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// A server needs 0.3 s on a quiet machine; a busy one may compile beside it, and a killed one replays its journal.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(120);

/// Between two looks at whether a server has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// Between two questions to a server, which cost it a connection each.
pub(super) const PAUSE_OF_QUESTIONS: Duration = Duration::from_millis(25);

/// Ports that systems do not give to outgoing connections: a client's could sit on the port of a server that restarts.
const PORTS: std::ops::Range<u16> = 16_384..32_768;

/// One server, on a port of the loopback that stays its own.
///
/// It is killed and its data removed when the [`Deployment`](super::Deployment) is dropped, and when the process that
/// started it ends, whatever ends it.
#[derive(Debug)]
pub struct Node {
    program: Program,
    port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    is_alone: bool,
    run: Mutex<Run>,
}

#[derive(Debug)]
struct Run {
    guard: Guard,
    is_frozen: bool,
}

impl Node {
    /// Starts a server that listens soon; `key` is what the members of a replica set know each other by.
    pub(super) fn start(program: &Program, arguments: &[String], key: Option<&str>, is_alone: bool) -> Result<Self, Failure> {
        let cannot = |error: io::Error| Failure::failed(format!("cannot start {program}: {error}"));
        let (port, folder) = reserve().map_err(cannot)?;
        let mut arguments = arguments.to_vec();
        arguments.extend(["--port".to_owned(), port.to_string()]);
        let started = fs::create_dir(folder.join("data")).and_then(|()| {
            if let Some(key) = key {
                let file = folder.join("key");
                write_secret(&file, key)?;
                arguments.extend(["--keyFile".to_owned(), file.to_string_lossy().into_owned()]);
            }
            Guard::start(program, &folder, &arguments)
        });
        match started {
            Ok(guard) => {
                let run = Mutex::new(Run { guard, is_frozen: false });
                Ok(Self { program: program.clone(), port, folder, arguments, is_alone, run })
            }
            Err(error) => {
                // A folder that stays costs a few bytes and a port.
                let _ = fs::remove_dir_all(&folder);
                Err(cannot(error))
            }
        }
    }

    /// The port of 127.0.0.1 that the server listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the server takes writes; one that ended, is frozen or does not answer does not.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.hello().is_ok_and(|hello| hello.role == Role::Primary)
    }

    /// Ends the server cleanly (SIGTERM), and returns when it has ended; its data stays.
    ///
    /// A primary steps down first, and every member of a replica set waits for its clients to go; this can take 15 s. A
    /// frozen server is thawed, and one that has ended already is left as it is.
    ///
    /// # Errors
    ///
    /// When the server has not ended after a minute.
    pub fn terminate(&self) -> Result<(), Failure> {
        self.end_by(&[Signal::Terminate, Signal::Continue])
    }

    /// Kills the server (SIGKILL), and returns when it has ended; its data stays as it is.
    ///
    /// # Errors
    ///
    /// When the server has not ended after a minute.
    pub fn kill(&self) -> Result<(), Failure> {
        self.end_by(&[Signal::Kill])
    }

    /// Starts the server again, on its port and its data, and returns when it is in service: as the primary where it is the
    /// only one, else as a primary or a secondary. One that still runs is terminated first.
    ///
    /// # Errors
    ///
    /// When it does not end or start; the message has the end of its log.
    pub fn restart(&self) -> Result<(), Failure> {
        self.terminate()?;
        let guard = Guard::start(&self.program, &self.folder, &self.arguments).map_err(|error| self.cannot("start", error))?;
        // Between the two there is never a moment without a guard for the data.
        std::mem::replace(&mut self.run().guard, guard).leave();
        let is_in_service = |hello: Hello| match hello.role {
            Role::Primary => true,
            Role::Secondary => !self.is_alone,
            Role::Fresh | Role::Other => false,
        };
        if wait_until(READY_WITHIN, PAUSE_OF_QUESTIONS, || self.has_ended() || self.hello().is_ok_and(is_in_service))
            && !self.has_ended()
        {
            return Ok(());
        }
        Err(self.did_not_start("it did not come into service"))
    }

    /// Stops the server where it is (SIGSTOP): its connections stay open, and nothing is answered.
    ///
    /// # Errors
    ///
    /// When there is no server to stop.
    pub fn freeze(&self) -> Result<(), Failure> {
        self.set_frozen(Signal::Stop)
    }

    /// Lets a frozen server go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When there is no server to go on.
    pub fn thaw(&self) -> Result<(), Failure> {
        self.set_frozen(Signal::Continue)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.run().guard.has_ended()
    }

    pub(super) fn session(&self) -> io::Result<Session> {
        Session::connect(self.port)
    }

    /// What the server says of itself; one that cannot answer is not asked.
    pub(super) fn hello(&self) -> io::Result<Hello> {
        let (is_frozen, has_ended) = {
            let run = self.run();
            (run.is_frozen, run.guard.has_ended())
        };
        if is_frozen || has_ended {
            return Err(io::Error::other(if has_ended { "it ended" } else { "it is frozen" }));
        }
        self.session()?.hello()
    }

    /// Kills what did not start, and says why and how its log ends.
    pub(super) fn did_not_start(&self, why: &str) -> Failure {
        let why = if self.has_ended() { "it ended" } else { why };
        let log = self.run().guard.kill_for_log();
        Failure::failed(format!("{} did not start: {why}; the end of its log:\n{log}", self.program))
    }

    fn end_by(&self, signals: &[Signal]) -> Result<(), Failure> {
        if self.has_ended() {
            return Ok(());
        }
        for signal in signals {
            self.run().guard.send(*signal).map_err(|error| self.cannot("end", error))?;
        }
        self.run().is_frozen = false;
        // Whoever asks for the primary meanwhile is not kept waiting: nothing is locked in between.
        if !wait_until(ENDED_WITHIN, PAUSE, || self.has_ended()) {
            return Err(self.cannot("end", io::ErrorKind::TimedOut.into()));
        }
        self.run().guard.note_end().map_err(|error| self.cannot("end", error))
    }

    fn set_frozen(&self, signal: Signal) -> Result<(), Failure> {
        let mut run = self.run();
        if run.guard.has_ended() {
            return Err(Failure::failed(format!("the server on port {} has ended", self.port)));
        }
        run.guard.send(signal).map_err(|error| self.cannot("signal", error))?;
        run.is_frozen = signal == Signal::Stop;
        Ok(())
    }

    fn cannot(&self, what: &str, error: io::Error) -> Failure {
        Failure::failed(format!("cannot {what} the server on port {}: {error}", self.port))
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        // Nothing is left half done by a panic.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A free port, and a folder that is made for it: two that start servers at the same time cannot make the same.
fn reserve() -> io::Result<(u16, PathBuf)> {
    let count = PORTS.end - PORTS.start;
    let first = u16::try_from(random() % u64::from(count)).expect("less than the number of ports");
    let ports = (0..count).map(|next| PORTS.start + (first + next) % count);
    for port in ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
        let folder = env::temp_dir().join(format!("event-detector-mongod-{port}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok((port, folder)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("no port from {} to {} is free", PORTS.start, PORTS.end - 1)))
}

/// A number that no other process gets; good enough for a port and for a key of the loopback.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Writes a file that its owner alone can read; the server refuses any other as a key.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_port_is_reserved_once() {
        let (first, second) = (reserve().unwrap(), reserve().unwrap());

        assert_ne!(first.0, second.0);
        assert!(PORTS.contains(&first.0) && PORTS.contains(&second.0));
        for (_, folder) in [first, second] {
            fs::remove_dir(folder).unwrap();
        }
    }
}
