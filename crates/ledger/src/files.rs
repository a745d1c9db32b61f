//! Where does a ledger keep what, and who may read it?

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use event_detector_runtime::Millis;

use crate::open_error::OpenError;

/// The files of a ledger.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    dir: PathBuf,
}

impl Files {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The folder, which is made where it is missing, for its owner alone.
    pub(crate) fn make_dir(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.dir)
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database; SQLite gives its own two files beside it the same mode.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("ledger.db")
    }

    /// The database, which must be there already.
    pub(crate) fn existing_database(&self) -> Result<PathBuf, OpenError> {
        let path = self.database();
        if path.exists() { Ok(path) } else { Err(OpenError::Missing { dir: self.dir.clone() }) }
    }

    /// What its owner holds.
    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// The high-water mark.
    pub(crate) fn mark(&self) -> PathBuf {
        self.dir.join("mark")
    }

    /// The copy that is made before the tables of this version are changed.
    pub(crate) fn backup(&self, version: u32) -> PathBuf {
        self.dir.join(format!("ledger.db.v{version}.bak"))
    }
}

/// Opens a file for reading and writing, makes it where it is missing, for its owner alone, and leaves its content.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a database's file where it is missing, for its owner alone; SQLite makes the files beside it alike.
///
/// One that is there is not opened: to close it again would end the locks that SQLite has on it in this process.
/// (<https://www.sqlite.org/howtocorrupt.html>, section 2.2)
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Waits until the names in the folder are on disk.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// The time by the system's clock.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
