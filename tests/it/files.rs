//! What do the sources of this workspace say?

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of the workspace").to_owned()
}

/// Every Rust file under `folder` of the workspace, named from the root, with its text.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                sources.push((from_root(&path), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort();
    sources
}

/// `path` as a reader of the repository writes it.
pub(crate) fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The names in the `#[event("…")]` attributes of `source`, outside of comments, in the order of the file.
pub(crate) fn declared_events(source: &str) -> Vec<String> {
    let code = without_comments(source);
    let attributes = code.split("#[event(").skip(1);
    attributes.filter_map(|rest| Some(rest.split('"').nth(1)?.to_owned())).collect()
}

/// `source` without the lines that are comments; line numbers stay.
pub(crate) fn without_comments(source: &str) -> String {
    source.lines().map(|line| if line.trim_start().starts_with("//") { "\n".to_owned() } else { format!("{line}\n") }).collect()
}

#[test]
fn names_are_read_from_attributes_and_not_from_comments() {
    let source = "/// As `#[event(\"a.comment\")]`.\n#[event(\"a.b\")]\npub mod b {}\n#[event(\n    \"a.c\",\n    crate = other,\n)]\npub mod c {}\n";

    assert_eq!(declared_events(source), ["a.b", "a.c"]);
}
