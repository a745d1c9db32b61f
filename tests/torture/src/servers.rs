//! Which MongoDB does a run use? The one of MONGODB_URI, else one that is started here when the first run asks for it.

use std::env;

use anyhow::anyhow;
use xtask::mongod::{Deployment, Options, Program};

/// A MongoDB for all runs.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    started: Option<Deployment>,
}

impl Servers {
    /// Its address; nothing, where there is no server.
    ///
    /// # Errors
    ///
    /// When a server does not start.
    pub(crate) fn uri(&mut self) -> anyhow::Result<Option<String>> {
        if let Some(uri) = env::var("MONGODB_URI").ok().filter(|uri| !uri.is_empty()) {
            return Ok(Some(uri));
        }
        if self.started.is_none() {
            let Some(program) = Program::from_env() else { return Ok(None) };
            self.started = Some(Deployment::start(&program, &Options::default()).map_err(|failure| anyhow!("{failure}"))?);
        }
        Ok(self.started.as_ref().map(|started| started.uri().to_owned()))
    }
}
