//! What will be written? Everything is planned first; then all of it is written, or nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

use super::paths::shown;

/// The files to write.
#[derive(Debug, Default)]
pub(super) struct Plan {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// What it says now; nothing for a file that is not there.
    before: Option<String>,
    text: String,
}

/// What was done so far, to be taken back.
#[derive(Debug, Default)]
struct Done {
    folders: Vec<PathBuf>,
    created: Vec<PathBuf>,
    changed: Vec<(PathBuf, String)>,
}

/// The files that were written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) created: Vec<String>,
    pub(super) changed: Vec<String>,
}

impl Plan {
    pub(super) fn create(&mut self, path: PathBuf, text: impl Into<String>) {
        self.files.push(File { path, before: None, text: text.into() });
    }

    pub(super) fn change(&mut self, path: PathBuf, before: String, text: String) {
        self.files.push(File { path, before: Some(before), text });
    }

    /// Writes every file; what was written is taken back when one cannot be.
    pub(super) fn write(self) -> Result<Written, Failure> {
        let mut done = Done::default();
        for file in &self.files {
            if let Err(error) = file.write(&mut done) {
                done.take_back();
                return Err(Failure::new(Exit::CannotCreate, format!("`{}` cannot be written: {error}", shown(&file.path)))
                    .with_hint("nothing was changed"));
            }
        }
        let paths = |is_new: bool| {
            let files = self.files.iter().filter(|file| file.before.is_none() == is_new);
            files.map(|file| shown(&file.path)).collect()
        };
        Ok(Written { created: paths(true), changed: paths(false) })
    }
}

impl File {
    fn write(&self, done: &mut Done) -> io::Result<()> {
        let Some(before) = &self.before else {
            done.make_folders(self.path.parent().unwrap_or(&self.path))?;
            // Creates it or fails: what somebody else wrote meanwhile stays.
            let mut file = OpenOptions::new().write(true).create_new(true).open(&self.path)?;
            done.created.push(self.path.clone());
            return file.write_all(self.text.as_bytes());
        };
        // Renamed over the old one, so that a reader finds one of the two and never a half.
        let mut file = tempfile::NamedTempFile::new_in(self.path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(self.text.as_bytes())?;
        file.as_file().set_permissions(fs::metadata(&self.path)?.permissions())?;
        file.persist(&self.path)?;
        done.changed.push((self.path.clone(), before.clone()));
        Ok(())
    }
}

impl Done {
    fn make_folders(&mut self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
        }
        Ok(())
    }

    /// As far as it goes: the error that led here is the one to tell.
    fn take_back(self) {
        for path in &self.created {
            let _untold = fs::remove_file(path);
        }
        for (path, text) in &self.changed {
            let _untold = fs::write(path, text);
        }
        for folder in self.folders.iter().rev() {
            let _untold = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Plan;
    use crate::exit::Exit;

    #[test]
    fn when_one_file_cannot_be_written_none_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("lib.rs"), "old").unwrap();
        fs::write(path("there.rs"), "there").unwrap();
        let mut plan = Plan::default();
        plan.create(path("a/b/new.rs"), "new");
        plan.change(path("lib.rs"), "old".to_owned(), "changed".to_owned());
        plan.create(path("there.rs"), "new");

        let failure = plan.write().unwrap_err();

        assert_eq!(failure.exit, Exit::CannotCreate);
        assert!(failure.message.contains("there.rs` cannot be written: "), "{}", failure.message);
        assert_eq!(fs::read_to_string(path("lib.rs")).unwrap(), "old");
        assert_eq!(fs::read_to_string(path("there.rs")).unwrap(), "there");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    #[cfg(unix)]
    fn a_changed_file_may_be_read_by_whom_it_was_before() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lib.rs");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        let mut plan = Plan::default();
        plan.change(path.clone(), "old".to_owned(), "new".to_owned());

        plan.write().unwrap();

        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o664);
    }
}
