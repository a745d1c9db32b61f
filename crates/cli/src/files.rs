//! How is a file written so that it is whole, or as it was before?

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure};

/// A file that takes its place when it is whole.
pub(crate) struct Whole {
    path: PathBuf,
    to: To,
}

enum To {
    /// A new file, and the place that it takes.
    Place(NamedTempFile, PathBuf),
    /// What is no file, such as a pipe or `/dev/null`, is written to and stays what it is.
    Straight(File),
}

impl Whole {
    /// Begins the file at `path`, so that a place that cannot be written to is told before anything is done.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        let there = path.metadata().ok();
        let to = match &there {
            Some(about) if about.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Some(about) if !about.is_file() => OpenOptions::new().write(true).open(path).map(To::Straight),
            there => begin_beside(path, there.as_ref()),
        };
        Ok(Self { path: path.to_owned(), to: to.map_err(|error| cannot(path, &error))? })
    }

    /// Writes what `write` does, and puts the file into its place.
    pub(crate) fn finish(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let written = match self.to {
            To::Straight(file) => write_to(&file, write),
            To::Place(file, place) => write_to(file.as_file(), write)
                .and_then(|()| file.as_file().sync_all())
                .and_then(|()| file.persist(place).map(drop).map_err(|error| error.error)),
        };
        written.map_err(|error| cannot(&self.path, &error))
    }
}

/// A new file in the folder of `path`, which others may read as they may read what is there. A link stays one.
fn begin_beside(path: &Path, there: Option<&Metadata>) -> io::Result<To> {
    let place = if there.is_some() { path.canonicalize()? } else { path.to_owned() };
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".new");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What others may read of a new one is as the user's mask has it.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(io::ErrorKind::NotFound, "its folder is not there"),
        // Without the name of the file that was to be made there.
        kind => kind.into(),
    })?;
    if let Some(there) = there {
        file.as_file().set_permissions(there.permissions())?;
    }
    Ok(To::Place(file, place))
}

fn write_to(file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut to = BufWriter::new(file);
    write(&mut to)?;
    to.flush()
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
    #[test]
    fn a_place_that_cannot_be_written_to_is_told_first_and_without_names_that_nobody_gave() {
        let folder = tempfile::tempdir().unwrap();

        let failures = [folder.path().to_owned(), folder.path().join("no/such")].map(|path| Whole::begin(&path).err().unwrap());

        assert!(failures[0].message.ends_with("cannot be written: is a directory"), "{}", failures[0].message);
        assert!(failures[1].message.ends_with("cannot be written: its folder is not there"), "{}", failures[1].message);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_a_file_is_read_by_those_who_might_read_it_before() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "before").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink("file", &link).unwrap();

        Whole::begin(&link).unwrap().finish(|to| to.write_all(b"after")).unwrap();

        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "after");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_no_file_is_written_to_and_not_replaced() {
        use std::io::Read as _;
        use std::os::fd::AsRawFd as _;

        let (mut reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());

        Whole::begin(path.as_ref()).unwrap().finish(|to| to.write_all(b"text")).unwrap();
        drop(writer);

        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
    }
}
