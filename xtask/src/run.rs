//! How is another program run from here?

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use xtask::Failure;

/// A command that runs in the root of the workspace, wherever `cargo xtask` was called.
///
/// What `cargo run` tells this program about itself is taken away: build scripts of dependencies (ring's) watch
/// these variables, and would be built again at every change between `cargo test` and `cargo xtask test`.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_BIN_")
        });
        if told {
            command.env_remove(name);
        }
    }
    command
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// Whether nothing may be skipped.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// Whether the caller has a MongoDB.
pub(crate) fn has_mongodb_uri() -> bool {
    env::var_os("MONGODB_URI").is_some_and(|uri| !uri.is_empty())
}

/// Runs `command` to its end, on this terminal, and ends as it did.
pub(crate) fn run(command: &mut Command) -> Result<ExitCode, Failure> {
    let status = command
        .status()
        .map_err(|error| Failure::failed(format!("cannot run `{}`: {error}", command.get_program().to_string_lossy())))?;
    // No code: a signal ended it.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Whether `command` can be run and succeeds; it prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs `command` to its end without a word of its own; when it fails, its last words follow `what`.
pub(crate) fn finish(command: &mut Command, what: &str) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{what}: {error}")),
    }
}
