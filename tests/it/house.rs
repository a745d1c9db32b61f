//! Is the house built as ARCHITECTURE.md says?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::files::{declared_events, from_root, root, sources, without_comments};

/// Which crate of ours may depend on which, by folder. `tests` and `examples` may depend on what they show.
const ALLOWED: &[(&str, &[&str])] = &[
    ("detector-macros", &[]),
    ("detector", &["detector-macros"]),
    ("jobs", &["detector"]),
    ("events", &["detector", "jobs"]),
    ("runtime", &["detector"]),
    ("sources", &["detector", "runtime"]),
    ("ledger", &["detector", "runtime"]),
    ("server", &["detector", "runtime"]),
    ("cli", &["detector", "ledger", "runtime", "server", "sources"]),
    ("app", &["cli", "events"]),
    ("xtask", &[]),
];

/// What the tests of a framework crate may use besides its dependencies.
const ALLOWED_IN_TESTS: &[&str] = &["detector", "detector-macros", "runtime"];

const LONGEST_FILE: usize = 600;

/// One package of the workspace.
struct Member {
    /// The folder that names it in rules: `runtime` for `crates/runtime`, `tests` for all that stands in `tests`.
    name: String,
    /// In `crates/`, and not the program itself.
    is_framework: bool,
    edges: BTreeSet<String>,
    dev_edges: BTreeSet<String>,
}

fn members() -> Vec<Member> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let folders: BTreeMap<&str, String> = packages
        .iter()
        .map(|package| (package["name"].as_str().unwrap(), folder(package["manifest_path"].as_str().unwrap())))
        .collect();
    packages.iter().map(|package| member(package, &folders)).collect()
}

fn folder(manifest: &str) -> String {
    from_root(Path::new(manifest).parent().unwrap())
}

fn member(package: &Value, folders: &BTreeMap<&str, String>) -> Member {
    let edges = |is_wanted: fn(Option<&str>) -> bool| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let wanted = dependencies.filter(|dependency| is_wanted(dependency["kind"].as_str()));
        wanted.filter_map(|dependency| folders.get(dependency["name"].as_str().unwrap())).map(|to| rule_name(to)).collect()
    };
    let folder = &folders[package["name"].as_str().unwrap()];
    Member {
        name: rule_name(folder),
        is_framework: folder.starts_with("crates/") && folder != "crates/app",
        edges: edges(|kind| kind != Some("dev")),
        dev_edges: edges(|kind| kind == Some("dev")),
    }
}

fn rule_name(folder: &str) -> String {
    let mut parts = folder.split('/');
    match parts.next() {
        Some("crates") => parts.collect::<Vec<_>>().join("/"),
        first => first.unwrap_or_default().to_owned(),
    }
}

/// The allowed edges as lines `a -> b`.
fn allowed_edges() -> BTreeSet<String> {
    ALLOWED.iter().flat_map(|(from, to)| to.iter().map(move |to| format!("{from} -> {to}"))).collect()
}

#[test]
fn a_crate_depends_on_the_crates_that_architecture_allows_and_no_other() {
    for Member { name, is_framework, edges, dev_edges } in members() {
        if name == "tests" || name == "examples" {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(from, _)| *from == name) else {
            panic!("`{name}` is new: list what it may depend on in ARCHITECTURE.md and in tests/it/house.rs");
        };
        for to in &edges {
            assert!(
                allowed.contains(&to.as_str()),
                "forbidden edge `{name} -> {to}`: of ours, `{name}` may depend on {allowed:?} and on nothing else (ARCHITECTURE.md)"
            );
        }
        // A package may name itself, to turn on a feature for its own tests.
        for to in dev_edges.iter().filter(|to| is_framework && **to != name) {
            assert!(
                allowed.contains(&to.as_str()) || ALLOWED_IN_TESTS.contains(&to.as_str()),
                "forbidden edge `{name} -> {to}` (dev): tests of a framework crate may use {ALLOWED_IN_TESTS:?}; \
                 what needs more belongs in tests/"
            );
        }
    }
}

#[test]
fn architecture_lists_the_edges_that_are_checked() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let block = text.split("```edges\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = block.expect("ARCHITECTURE.md has a block ```edges with lines `a -> b, c`").lines();

    let written: BTreeSet<String> = lines
        .filter_map(|line| line.split_once("->"))
        .flat_map(|(from, to)| to.split(',').map(move |to| format!("{} -> {}", from.trim(), to.trim())))
        .collect();

    assert_eq!(written, allowed_edges(), "left: ARCHITECTURE.md, right: tests/it/house.rs");
}

#[test]
fn no_framework_crate_knows_an_event_by_name() {
    let names: Vec<String> = sources("events/src").iter().flat_map(|(_, source)| declared_events(source)).collect();
    assert!(!names.is_empty());

    for (path, source) in sources("crates").iter().filter(|(path, _)| !path.starts_with("crates/app/")) {
        for (line, code) in without_comments(source).lines().enumerate() {
            for name in &names {
                assert!(
                    !code.contains(&format!("\"{name}\"")),
                    "{path}:{} names the event `{name}`; framework crates know no event by name",
                    line + 1
                );
            }
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for (path, source) in sources("") {
        let lines = source.lines().count();

        assert!(lines <= LONGEST_FILE, "{path} has {lines} lines; look for the seam, {LONGEST_FILE} is the most");
    }
}
