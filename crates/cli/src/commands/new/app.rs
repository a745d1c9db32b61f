//! What is written for a workspace of one's own?

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

use super::event::tests_of;
use super::job::TESTING;
use super::names::package;
use super::paths::{absolute, current, read, seen_from, shown};
use super::plan::Plan;
use super::text::{filled, formatted};
use super::{Made, refused};

/// The files, with what goes into them.
const FILES: [(&str, &str); 15] = [
    ("Cargo.toml", include_str!("templates/app/workspace.toml")),
    (".gitignore", include_str!("templates/app/gitignore")),
    ("README.md", include_str!("templates/app/README.md")),
    ("detector.toml", include_str!("templates/app/detector.toml")),
    ("app/Cargo.toml", include_str!("templates/app/app.toml")),
    ("app/demo.jsonl", include_str!("templates/app/demo.jsonl")),
    ("app/src/main.rs", include_str!("templates/app/main.rs")),
    ("events/Cargo.toml", include_str!("templates/app/events.toml")),
    ("events/src/lib.rs", include_str!("templates/app/events.rs")),
    ("events/src/parcel.rs", include_str!("templates/app/parcel.rs")),
    ("jobs/Cargo.toml", include_str!("templates/app/jobs.toml")),
    ("jobs/src/lib.rs", include_str!("templates/app/jobs.rs")),
    ("jobs/src/notify_recipient.rs", include_str!("templates/app/notify_recipient.rs")),
    ("jobs/src/testing.rs", TESTING),
    ("Cargo.lock", ""),
];

/// The crates of ours that a workspace names, with their folders in a checkout.
const OURS: [(&str, &str); 2] = [("event-detector", "crates/detector"), ("event-detector-cli", "crates/cli")];

/// Where the crates come from.
enum Origin {
    Git(String),
    Checkout(PathBuf),
}

/// Plans a workspace in `dir`, which must be empty or missing.
pub(super) fn app(dir: &Path, path: Option<&Path>, git: Option<&str>) -> Result<Made, Failure> {
    let root = absolute(dir).map_err(|error| Failure::input(format!("`{}` cannot be found", dir.display()), &error))?;
    is_empty(&root)?;
    let origin = origin(path, git)?;
    let title = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = package(&title);
    let (dependencies, lock) = (origin.dependencies(&root)?, origin.lock()?);
    let tests = tests_of("parcel.delivered");
    let rust = env!("CARGO_PKG_RUST_VERSION");
    let values =
        [("name", &*name), ("title", &*title), ("rust", rust), ("dependencies", &*dependencies), ("tests", tests.trim_end())];

    let mut plan = Plan::default();
    for (file, template) in FILES {
        let (path, text) = (root.join(file), filled(template, &values));
        match file {
            "Cargo.lock" => lock.iter().for_each(|lock| plan.create(path.clone(), lock)),
            file if file.ends_with(".rs") => plan.create(path, formatted(&text, &root)),
            _ => plan.create(path, text),
        }
    }
    let folder = shown(&root);
    let quoted = if folder.contains(|char: char| char.is_whitespace()) { format!("\"{folder}\"") } else { folder };
    let go = (folder_is_elsewhere(&root)?).then(|| (format!("cd {quoted}"), String::new()));
    let next = [
        ("cargo run -- demo", "plays recorded changes; the first build takes a minute or two"),
        ("cargo test", "asks the rules and the jobs, without a database"),
        ("cargo run -- new event parcel.returned", "adds an event; README.md says more"),
    ];
    let next = go.into_iter().chain(next.map(|(line, why)| (line.to_owned(), why.to_owned()))).collect();
    Ok(Made { plan, next })
}

fn folder_is_elsewhere(root: &Path) -> Result<bool, Failure> {
    Ok(current()? != root)
}

/// Refuses a folder with anything in it but the history of a repository that was just begun.
fn is_empty(root: &Path) -> Result<(), Failure> {
    let mut entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(format!("`{}` is no folder to write to: {error}", shown(root)))),
    };
    let found = entries.find_map(|entry| entry.ok().map(|entry| entry.file_name()).filter(|name| name != ".git"));
    found.map_or(Ok(()), |found| {
        Err(refused(format!("the folder `{}` is not empty: `{}` is in it", shown(root), found.display()))
            .with_hint("name a folder that is empty or not there yet; nothing is ever overwritten"))
    })
}

fn origin(path: Option<&Path>, git: Option<&str>) -> Result<Origin, Failure> {
    if let Some(url) = git {
        return address(url).map(Origin::Git);
    }
    if let Some(path) = path {
        let checkout = absolute(path).unwrap_or_else(|_| path.to_owned());
        return match missing(&checkout) {
            None => Ok(Origin::Checkout(checkout)),
            Some(file) => Err(Failure::new(
                Exit::NoInput,
                format!("`{}` is no checkout of event-detector: it has no `{file}`", path.display()),
            )
            .with_hint("name the folder that has `crates/` in it, or take `--git URL`")),
        };
    }
    built_from(Path::new(env!("CARGO_MANIFEST_DIR")))
}

/// The checkout that `package` is a package of, where it is still there and not cargo's own.
fn built_from(package: &Path) -> Result<Origin, Failure> {
    let checkout = package.ancestors().nth(2).and_then(|folder| absolute(folder).ok());
    checkout.filter(|folder| missing(folder).is_none() && !is_cargos(folder)).map(Origin::Checkout).ok_or_else(|| {
        Failure::new(Exit::NoInput, "there is no checkout of event-detector where this program was built")
            .with_hint("say where one is: `--path CHECKOUT`, a folder, or `--git URL`, a repository")
    })
}

/// The first of the manifests of a checkout that is not in `folder`.
fn missing(folder: &Path) -> Option<String> {
    OURS.iter().map(|(_, crate_folder)| format!("{crate_folder}/Cargo.toml")).find(|file| !folder.join(file).is_file())
}

/// Whether cargo fetched `folder` for itself; it may be gone tomorrow.
fn is_cargos(folder: &Path) -> bool {
    let parts: Vec<_> = folder.components().map(|part| part.as_os_str()).collect();
    parts.windows(2).any(|parts| parts == ["git", "checkouts"] || parts == ["registry", "src"])
}

/// An address that cargo can read.
fn address(url: &str) -> Result<String, Failure> {
    if url.contains("://") {
        return Ok(url.to_owned());
    }
    let cure = match url.split_once(':') {
        Some((host, path)) if host.contains('@') => format!("write `ssh://{host}/{path}`"),
        _ => "write it as `https://HOST/PATH.git`, or take `--path CHECKOUT` for a folder".to_owned(),
    };
    Err(Failure::new(Exit::Usage, format!("`{url}` is no URL, as cargo wants them")).with_hint(cure))
}

impl Origin {
    /// The lines of the manifest that name our crates.
    fn dependencies(&self, root: &Path) -> Result<String, Failure> {
        let lines = OURS.iter().map(|(name, folder)| {
            let (key, value) = match self {
                Self::Git(url) => ("git", url.clone()),
                Self::Checkout(checkout) => ("path", seen_from(root, &checkout.join(folder))),
            };
            // What JSON escapes, TOML reads.
            format!("{name} = {{ {key} = {} }}\n", serde_json::Value::from(value))
        });
        let text: String = lines.collect();
        if text.contains('\u{fffd}') {
            return Err(Failure::new(Exit::CannotCreate, "the path of event-detector is not UTF-8, as a `Cargo.toml` wants it")
                .with_hint("move one of the two folders, or take `--git URL`"));
        }
        Ok(text)
    }

    /// The versions that the checkout is tried with; cargo takes out what the workspace does not need.
    fn lock(&self) -> Result<Option<String>, Failure> {
        let Self::Checkout(checkout) = self else { return Ok(None) };
        let path = checkout.join("Cargo.lock");
        path.is_file().then(|| read(&path)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::{address, built_from, is_cargos};
    use crate::args::Cli;
    use crate::exit::Exit;

    #[test]
    fn an_address_is_a_url() {
        assert!(["https://example.com/e.git", "ssh://git@example.com/e", "file:///srv/e"].iter().all(|url| address(url).is_ok()));
        for (url, cure) in [("git@example.com:a/e.git", "`ssh://git@example.com/a/e.git`"), ("../e", "--path"), ("", "https://")]
        {
            let failure = address(url).err().unwrap();

            assert!(failure.hint.as_ref().unwrap().contains(cure), "{failure:?}");
        }
    }

    #[test]
    fn a_folder_of_cargo_itself_is_no_checkout() {
        assert!(is_cargos(Path::new("/home/ana/.cargo/git/checkouts/event-detector-1/2")));
        assert!(!is_cargos(Path::new("/home/ana/git/event-detector")));
    }

    #[test]
    fn without_its_checkout_the_program_asks_for_one() {
        let folder = tempfile::tempdir().unwrap();

        let failure = built_from(&folder.path().join("crates/cli")).err().unwrap();

        assert_eq!(failure.exit, Exit::NoInput);
        assert!(["`--path CHECKOUT`", "`--git URL`"].iter().all(|flag| failure.hint.as_ref().unwrap().contains(flag)));
        assert!(built_from(Path::new(env!("CARGO_MANIFEST_DIR"))).is_ok());
    }

    #[test]
    fn the_commands_in_the_readme_are_commands() {
        let text = include_str!("templates/app/README.md");
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("cargo run -- ")).collect();

        assert!(lines.len() >= 8, "{lines:?}");
        for line in lines {
            let words = line.split('#').next().unwrap().split_whitespace();
            Cli::try_parse_from(["detector"].into_iter().chain(words)).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn the_settings_in_the_config_file_are_settings() {
        let text = include_str!("templates/app/detector.toml");
        let line = |line: &str| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting.to_owned() + "\n",
            _ => String::new(),
        };

        crate::settings::check(text).unwrap();
        crate::settings::check(&text.lines().map(line).collect::<String>()).unwrap();
    }
}
