//! How does a test get MongoDB servers of its own?
//!
//! [`Program::from_env`] says which server `cargo xtask test` found, and [`Deployment::start`] starts it, alone or as a
//! replica set. Everything here blocks: an async test calls it within `spawn_blocking`.
//!
//! ```no_run
//! use xtask::mongod::{Deployment, Options, Program, Topology};
//!
//! # fn main() -> Result<(), xtask::Failure> {
//! let Some(program) = Program::from_env() else { return Ok(()) };
//! let deployment = Deployment::start(&program, &Options { topology: Topology::ThreeNodes, ..Options::default() })?;
//! deployment.primary().expect("a started deployment has a primary").terminate()?;
//! deployment.wait_for_primary(std::time::Duration::from_secs(60))?;
//! # Ok(())
//! # }
//! ```

#[cfg(all(test, unix))]
mod cases;
mod deployment;
mod guard;
mod node;
mod program;
mod wire;

pub use deployment::{Deployment, Options, PASSWORD, REPLICA_SET, Topology, USER};
pub use node::Node;
pub use program::Program;
