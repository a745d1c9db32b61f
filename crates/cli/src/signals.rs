//! When does somebody want the program to stop?

use std::process;

/// Waits for Ctrl-C or SIGTERM; a second one ends the program at once.
pub(crate) async fn stop_requested() {
    next().await;
    tokio::spawn(async {
        let code = next().await;
        anstream::eprintln!("stopped at once; the work in flight is lost");
        process::exit(code);
    });
}

/// Waits for a signal, and returns the exit code that shells know it by.
#[cfg(unix)]
async fn next() -> i32 {
    use tokio::signal::unix::{SignalKind, signal};

    // Where no handler can be installed, the system's own handling ends the program.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
async fn next() -> i32 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => 130,
        Err(_) => std::future::pending().await,
    }
}
