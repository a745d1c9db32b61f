//! How is the program under torture started, killed and told to stop?

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};

/// Stands beside this program once it is built.
const NAME: &str = "event-detector-torture-program";

/// What no program needs that is told to stop.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// How long a program may need until it listens to signals.
const LISTENING_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at a program.
const PAUSE: Duration = Duration::from_millis(10);

/// What `ledger check` needs at most, for ledgers of this size.
const CHECKED_WITHIN: Duration = Duration::from_secs(60);

/// How the program is started, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    program: PathBuf,
    log: PathBuf,
    /// What follows `run`.
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

/// A program that runs. It ends with this.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// Its standard input; apart from the child, because to wait for that is to close it.
    _owner: Option<ChildStdin>,
    started: Instant,
}

impl Start {
    /// A program that handles changes as `arguments` say, tells the receiver of its jobs, and adds what it says to the file `log`.
    ///
    /// # Errors
    ///
    /// When it is not built.
    pub(crate) fn new(log: &Path, arguments: Vec<String>, receiver: SocketAddr) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?.with_file_name(NAME);
        if !program.is_file() {
            bail!("{} is not there; `cargo xtask torture` builds it", program.display());
        }
        let environment = vec![("TORTURE_RECEIVER", receiver.to_string())];
        Ok(Self { program, log: log.to_owned(), arguments, environment })
    }

    /// The same with one more variable of the environment.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut start = self.clone();
        start.environment.push((name, value.to_owned()));
        start
    }

    /// What the program itself finds wrong with the ledger in the folder `data`; nothing, where that is whole.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub(crate) async fn check(&self, data: &Path) -> anyhow::Result<Option<String>> {
        let mut command = Command::new(&self.program);
        command.args(["ledger", "check", "--data"]).arg(data).kill_on_drop(true);
        let asked = timeout(CHECKED_WITHIN, command.output()).await.context("`ledger check` does not end")?;
        let output = asked.context("`ledger check` cannot be asked")?;
        if output.status.success() {
            return Ok(None);
        }
        let said = [output.stdout, output.stderr].concat();
        Ok(Some(format!("{}: {}", output.status, String::from_utf8_lossy(&said).trim())))
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// When the system does not.
    pub(crate) fn spawn(&self) -> anyhow::Result<Program> {
        let log = || -> io::Result<File> { OpenOptions::new().create(true).append(true).open(&self.log) };
        let log = || log().with_context(|| format!("cannot write {}", self.log.display()));
        let mut command = Command::new(&self.program);
        command.arg("run").args(&self.arguments);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("DETECTOR_"))) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        // It ends at the end of its standard input, which is the end of this process.
        command.stdin(Stdio::piped()).stdout(log()?).stderr(log()?).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let owner = child.stdin.take();
        Ok(Program { child, _owner: owner, started: Instant::now() })
    }
}

impl Program {
    /// How long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Errors
    ///
    /// When it had ended by itself before.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.is_running()?;
        self.child.kill().await.context("the program cannot be killed")
    }

    /// Tells it to stop, and returns at once.
    ///
    /// # Errors
    ///
    /// When it had ended before.
    pub(crate) async fn tell_to_stop(&mut self) -> anyhow::Result<()> {
        self.is_running()?;
        let id = self.child.id().context("the program has ended")?;
        let sent = Command::new("kill").args(["-s", "TERM", &id.to_string()]).status().await.context("cannot run `kill`")?;
        ensure!(sent.success(), "the program cannot be told to stop");
        Ok(())
    }

    /// Tells it to stop once it listens to that; how it ended, and after how long.
    ///
    /// # Errors
    ///
    /// When it had ended before, or does not end at all.
    pub(crate) async fn terminate(mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        while !self.listens() && self.age() < LISTENING_WITHIN {
            self.is_running()?;
            sleep(PAUSE).await;
        }
        let told = Instant::now();
        self.tell_to_stop().await?;
        match timeout(STOPPED_WITHIN, self.child.wait()).await {
            Ok(status) => Ok((status?, told.elapsed())),
            Err(_) => bail!("the program was told to stop {} s ago, and runs on", STOPPED_WITHIN.as_secs()),
        }
    }

    /// Whether SIGTERM is no longer the end of it at once, as of any process; where the system does not say, nobody knows.
    fn listens(&self) -> bool {
        let status = self.child.id().and_then(|id| fs::read_to_string(format!("/proc/{id}/status")).ok());
        status.is_some_and(|status| catches_term(&status))
    }

    /// Waits until it has died, or `within` has passed; whether it has.
    ///
    /// # Errors
    ///
    /// When it ended in another way.
    pub(crate) async fn died(&mut self, within: Duration) -> anyhow::Result<bool> {
        let Ok(status) = timeout(within, self.child.wait()).await else { return Ok(false) };
        let status = status.context("cannot wait for the program")?;
        // No code: a signal ended it.
        ensure!(status.code().is_none(), "the program ended with {status}, and was to die");
        Ok(true)
    }

    /// That it runs.
    ///
    /// # Errors
    ///
    /// When it has ended, though nobody told it to.
    pub(crate) fn is_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot look after the program")? {
            Some(status) => bail!("the program ended by itself: {status}"),
            None => Ok(()),
        }
    }
}

/// Whether the process of this `/proc/ID/status` has a handler for SIGTERM.
fn catches_term(status: &str) -> bool {
    const TERM: u32 = 15;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|caught| u64::from_str_radix(caught.trim(), 16).ok());
    caught.is_some_and(|caught| caught & (1 << (TERM - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::catches_term;

    #[test]
    fn a_handler_for_sigterm_is_seen() {
        assert!(catches_term("Name:\tdetector\nSigIgn:\t0000000000001000\nSigCgt:\t0000000100004442\n"));
        assert!(!catches_term("Name:\tdetector\nSigIgn:\t0000000000004000\nSigCgt:\t0000000100000440\n"));
        assert!(!catches_term(""));
    }
}
