//! Which program is the server, and how is it called?

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the program for the tests.
const PROGRAM: &str = "MONGOD";

/// Names the folder of the libraries that the program needs and the machine lacks.
const LIBRARIES: &str = "MONGOD_LIBRARY_PATH";

/// The image's own folder for data; it goes with the container.
const DATA_IN_IMAGE: &str = "/data/db";

/// A `mongod` that can be started here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    File { path: PathBuf, library_path: Option<PathBuf> },
    Image(String),
}

impl Program {
    /// The program at `path`, which finds its libraries on the machine.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File { path: path.into(), library_path: None })
    }

    /// The program at `path`, which looks for its libraries in the folder `library_path` first.
    pub fn with_libraries(path: impl Into<PathBuf>, library_path: impl Into<PathBuf>) -> Self {
        Self(Kind::File { path: path.into(), library_path: Some(library_path.into()) })
    }

    /// The server of an image that docker runs in the machine's network, with data that ends with the container.
    ///
    /// Nothing is left of its data when a node is restarted, and [`Options::auth`](super::Options) has no key file there.
    pub fn image(name: impl Into<String>) -> Self {
        Self(Kind::Image(name.into()))
    }

    /// The program that the variables `MONGOD` and `MONGOD_LIBRARY_PATH` name; `cargo xtask test` sets them.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        Self::named_by(|name| env::var_os(name))
    }

    /// Sets for `command` what [`Program::from_env`] reads; docker's server has no path, and takes the variables away.
    pub fn hand_on(&self, command: &mut Command) {
        command.env_remove(PROGRAM).env_remove(LIBRARIES);
        if let Kind::File { path, library_path } = &self.0 {
            command.env(PROGRAM, path).envs(library_path.iter().map(|folder| (LIBRARIES, folder)));
        }
    }

    /// Whether this is a file that others can start too, and not docker's.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.0, Kind::File { .. })
    }

    /// A command that runs the program; its libraries are set for it alone.
    #[must_use]
    pub fn command(&self) -> Command {
        let words = self.words("event-detector-mongod");
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    fn named_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Some(Self(Kind::File { path: path(PROGRAM)?, library_path: path(LIBRARIES) }))
    }

    /// The words that start the program; a container gets the name `container`.
    pub(super) fn words(&self, container: &str) -> Vec<OsString> {
        match &self.0 {
            Kind::File { path, library_path: None } => vec![path.into()],
            // `env` becomes the server: signals reach it, and the shell that started it keeps its own libraries.
            Kind::File { path, library_path: Some(folder) } => {
                let mut libraries = OsString::from("LD_LIBRARY_PATH=");
                libraries.push(folder);
                vec!["env".into(), libraries, path.into()]
            }
            Kind::Image(image) => {
                let run = ["docker", "run", "--rm", "--name", container, "--network", "host", image, "mongod"];
                run.map(OsString::from).to_vec()
            }
        }
    }

    /// Whether a container is to be ended besides the process that was started.
    pub(super) fn is_image(&self) -> bool {
        !self.is_file()
    }

    /// Where the server keeps its data, if `folder` is its folder on this machine.
    pub(super) fn data_path(&self, folder: &Path) -> PathBuf {
        if self.is_image() { PathBuf::from(OsStr::new(DATA_IN_IMAGE)) } else { folder.join("data") }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File { path, .. } => path.display().fmt(out),
            Kind::Image(image) => write!(out, "docker's {image}"),
        }
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    fn named_by(pairs: &[(&str, &str)]) -> Option<Program> {
        Program::named_by(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| OsString::from(pair.1)))
    }

    #[test]
    fn the_environment_names_the_program_and_may_name_its_libraries() {
        assert_eq!(named_by(&[]), None);
        assert_eq!(named_by(&[("MONGOD", "")]), None);
        assert_eq!(named_by(&[("MONGOD_LIBRARY_PATH", "/lib")]), None);
        assert_eq!(named_by(&[("MONGOD", "/mongod"), ("MONGOD_LIBRARY_PATH", "")]), Some(Program::new("/mongod")));
        assert_eq!(
            named_by(&[("MONGOD", "/mongod"), ("MONGOD_LIBRARY_PATH", "/lib")]),
            Some(Program::with_libraries("/mongod", "/lib"))
        );
    }

    #[test]
    fn what_is_handed_on_is_what_the_environment_names() {
        for program in [Program::new("/mongod"), Program::with_libraries("/mongod", "/lib")] {
            let mut command = Command::new("true");
            program.hand_on(&mut command);

            let set = |name: &str| command.get_envs().find(|pair| pair.0 == name)?.1.map(OsStr::to_owned);
            assert_eq!(Program::named_by(set), Some(program));
        }
    }

    #[test]
    fn libraries_are_set_for_the_server_alone() {
        assert_eq!(Program::new("/mongod").words("x"), ["/mongod"]);
        assert_eq!(Program::with_libraries("/mongod", "/lib").words("x"), ["env", "LD_LIBRARY_PATH=/lib", "/mongod"]);
        assert_eq!(Program::with_libraries("/mongod", "/lib").command().get_envs().count(), 0);
    }
}
