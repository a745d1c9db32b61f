//! How does docker run a MongoDB?

use std::process::Command;

use xtask::mongod::Program;

use super::{Consent, may_fetch};
use crate::run;

/// The official image; its server has all that the tests need.
const IMAGE: &str = "mongo:7";

/// The server of docker's image, which is fetched where docker does not have it.
///
/// # Errors
///
/// The reason why there is none, as the end of a sentence.
pub(super) fn image(consent: Consent) -> Result<Program, String> {
    if !run::succeeds(Command::new("docker").arg("info")) {
        return Err("no docker daemon answers".to_owned());
    }
    if !run::succeeds(Command::new("docker").args(["image", "inspect", IMAGE])) {
        if !may_fetch(consent, &format!("MongoDB 7.0 (300 MB): docker's official image {IMAGE}, into docker's own store")) {
            return Err(format!("docker's {IMAGE} was not to be fetched"));
        }
        run::finish(Command::new("docker").args(["pull", "--quiet", IMAGE]), &format!("docker could not fetch {IMAGE}"))?;
    }
    Ok(Program::image(IMAGE))
}
