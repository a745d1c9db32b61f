//! What is logged, and where?

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::exit::{Exit, Failure};
use crate::terminal::Log;

/// Logs to standard error by `filter`; without one it is warnings.
///
/// Where the console shows undecided events with their cures, they are not logged besides, unless the filter asks for them.
pub(crate) fn start(filter: Option<&str>, console_shows_cures: bool) -> Result<(), Failure> {
    let text = filter.unwrap_or("warn");
    let shown = if console_shows_cures { "event_detector::undecided=off," } else { "" };
    let filter = EnvFilter::builder().parse(format!("{shown}{text}")).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{text}` is not a log filter: {error}"))
            .with_hint("write a level (off, error, warn, info, debug, trace), or one for each target, such as `warn,jobs=debug`")
    })?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log).with_ansi(colours);
    // That nobody reads the log is no reason to end the program. A user's program may have installed its own; then that is used.
    let _installed = subscriber.log_internal_errors(false).try_init();
    Ok(())
}
