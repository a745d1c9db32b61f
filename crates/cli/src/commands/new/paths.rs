//! How is a path written, and where do things stand?

use std::env;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::exit::{Exit, Failure};

/// The folders that a relative path may go up before it says less than an absolute one.
const FARTHEST: usize = 3;

/// The folder nearest upward from the current one that has `events/src/lib.rs`.
pub(super) fn workspace() -> Result<PathBuf, Failure> {
    let here = current()?;
    let is_workspace = |folder: &&Path| folder.join("events/src/lib.rs").is_file();
    here.ancestors().find(is_workspace).map(Path::to_owned).ok_or_else(|| {
        Failure::new(Exit::NoInput, format!("no `events/src/lib.rs` in `{}`, nor in a folder above it", here.display()))
            .with_hint("go into a workspace that has one, or make one with `new app DIR`")
    })
}

/// The current folder.
pub(super) fn current() -> Result<PathBuf, Failure> {
    let here = env::current_dir().and_then(fs::canonicalize);
    here.map_err(|error| Failure::input("the current folder cannot be found", &error))
}

/// What a file of the workspace says.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::input(format!("`{}` cannot be read", shown(path)), &error))
}

/// `path` from the root of the file system, without links as far as it is there; the rest of it may be missing.
pub(super) fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(&path);
    let mut whole = fs::canonicalize(there)?;
    for part in path.strip_prefix(there).unwrap_or(Path::new("")).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    Ok(whole)
}

/// `path` as one writes it in the current folder.
pub(super) fn shown(path: &Path) -> String {
    let here = env::current_dir().and_then(fs::canonicalize);
    here.map_or_else(|_| slashes(path), |here| seen_from(&here, path))
}

/// `to` as one writes it in the folder `from`: relative where it is near.
pub(super) fn seen_from(from: &Path, to: &Path) -> String {
    let shared = from.components().zip(to.components()).take_while(|(from, to)| from == to).count();
    let up = from.components().count() - shared;
    let is_near = from.components().take(shared).any(|part| matches!(part, Component::Normal(_)));
    if up > FARTHEST || !(is_near || up == 0) {
        return slashes(to);
    }
    let relative: PathBuf = std::iter::repeat_n(Component::ParentDir, up).chain(to.components().skip(shared)).collect();
    if relative.as_os_str().is_empty() { ".".to_owned() } else { slashes(&relative) }
}

/// With slashes, which every system and every `Cargo.toml` understands.
fn slashes(path: &Path) -> String {
    let text = path.display().to_string();
    if cfg!(windows) { text.trim_start_matches(r"\\?\").replace('\\', "/") } else { text }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;

    use super::{absolute, seen_from};

    #[test]
    fn what_is_near_is_written_as_seen_from_here() {
        let cases = [
            ("/home/ana/shop", "/home/ana/shop/app/src", "app/src"),
            ("/home/ana/shop", "/home/ana/event-detector", "../event-detector"),
            ("/home/ana/a/b/c", "/home/ana/x", "../../../x"),
            ("/home/ana/a/b/c/d", "/home/ana/x", "/home/ana/x"),
            ("/tmp", "/home/ana", "/home/ana"),
            ("/home", "/home", "."),
        ];
        for (from, to, seen) in cases {
            assert_eq!(seen_from(Path::new(from), Path::new(to)), seen, "{to} from {from}");
        }
    }

    #[test]
    fn a_path_may_be_missing_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&root, root.join("link")).unwrap();

        assert_eq!(absolute(&root.join("link/a/../b/c")).unwrap(), root.join("b/c"));
    }
}
