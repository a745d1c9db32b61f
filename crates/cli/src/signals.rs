//! When does somebody want the program to stop?

use std::future::{Future, pending};
use std::process;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::terminal::{note_at_spinner, say, say_json};

/// What becomes of the work in flight where the program ends at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// Nobody knows of it any more.
    Lost,
    /// It is in the ledger.
    Kept,
}

impl Unfinished {
    fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "Stopped at once; the work in flight is lost.",
            Self::Kept => "Stopped at once; the ledger has the work in flight, and the next run goes on with it.",
        }
    }
}

/// Listens for Ctrl-C and SIGTERM as long as it lives: the first one asks for a stop, a second one ends the program at once.
pub(crate) struct Stop {
    told: watch::Receiver<bool>,
    _listener: JoinSet<()>,
}

impl Stop {
    /// Starts to listen; whoever asks for a stop is told that it may take as long as `drain`, and
    /// whoever does not wait for that, what becomes of the unfinished work.
    pub(crate) fn listen(drain: Duration, unfinished: Unfinished, as_json: bool) -> Self {
        let (tell, told) = watch::channel(false);
        let mut listener = JoinSet::new();
        // Before anything else can happen: a signal from here on is a wish, not the end.
        let mut signals = Signals::new();
        listener.spawn(async move {
            signals.next().await;
            note_at_spinner("stopping");
            if as_json {
                say_json(&json!({ "stopping": { "drain_seconds": drain.as_secs_f64() } }));
            } else {
                let drain = humantime::format_duration(drain);
                say(&format!("Stopping: no more changes are taken; those in flight have {drain}. A second signal ends at once."));
            }
            // Said first: whoever is told may end the program before another word is out.
            tell.send_replace(true);
            let code = signals.next().await;
            if as_json {
                say_json(&json!({ "stopped": "at once" }));
            } else {
                say(unfinished.as_str());
            }
            process::exit(code);
        });
        Self { told, _listener: listener }
    }

    /// Waits until somebody asks for a stop.
    pub(crate) fn requested(&self) -> impl Future<Output = ()> + 'static {
        let mut told = self.told.clone();
        async move {
            if told.wait_for(|told| *told).await.is_err() {
                pending().await
            }
        }
    }

    /// Whether somebody asked for a stop.
    pub(crate) fn was_requested(&self) -> bool {
        *self.told.borrow()
    }
}

/// The signals that ask for a stop. Where no handler can be installed, the system's own handling ends the program.
#[cfg(unix)]
struct Signals(Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        Self(signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok()))
    }

    /// Waits for a signal, and returns the exit code that shells know it by.
    async fn next(&mut self) -> i32 {
        match &mut self.0 {
            Some((interrupt, terminate)) => tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            },
            None => pending().await,
        }
    }
}

/// Ctrl-C. Where no handler can be installed, the system's own handling ends the program.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) -> i32 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            Err(_) => pending().await,
        }
    }
}
