//! How is a file written so that it is whole, or as it was before?

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure};

/// A file that takes its place when it is whole.
pub(crate) struct Whole {
    path: PathBuf,
    file: NamedTempFile,
}

impl Whole {
    /// Begins the file at `path`, so that a place that cannot be written to is told before anything is done.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(".new");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // What others may read of it is as the user's mask has it.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder).map_err(|error| cannot(path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes what `write` does, and puts the file into its place.
    pub(crate) fn finish(mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let mut to = BufWriter::new(self.file.as_file_mut());
        let written = write(&mut to).and_then(|()| to.flush());
        drop(to);
        written.and_then(|()| self.file.as_file().sync_all()).map_err(|error| cannot(&self.path, &error))?;
        self.file.persist(&self.path).map(drop).map_err(|error| cannot(&self.path, &error.error))
    }
}

/// The failure that a file is which cannot be written.
pub(crate) fn cannot(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::Permission,
        _ => Exit::CannotCreate,
    };
    Failure::new(exit, format!("`{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Whole;
    use crate::exit::Exit;

    #[test]
    fn a_file_that_is_not_written_whole_leaves_the_one_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "before").unwrap();

        let failed = Whole::begin(&path).unwrap().finish(|to| {
            to.write_all(b"half of it")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().exit, Exit::CannotCreate);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");

        Whole::begin(&path).unwrap().finish(|to| to.write_all(b"after")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(Whole::begin(&folder.path().join("no/such")).err().unwrap().exit, Exit::CannotCreate);
    }
}
