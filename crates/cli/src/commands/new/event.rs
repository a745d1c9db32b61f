//! What is written for an event?

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};

use super::edit::{Item, Named, before_tests, declares_event, imports_event, names_module, with_item};
use super::names::{EventNames, check_event};
use super::paths::{read, shown, workspace};
use super::plan::Plan;
use super::text::{filled, formatted};
use super::{Made, lacking, refused};

const EVENT: &str = include_str!("templates/event.rs");
const TESTS: &str = include_str!("templates/event_tests.rs");

/// Plans the module of the event `name`, its tests, and its place in `events/src`.
pub(super) fn event(name: &str) -> Result<Made, Failure> {
    check_event(name).map_err(|(fault, cure)| Failure::new(Exit::Usage, fault).with_hint(cure))?;
    let names = EventNames::of(name);
    let root = workspace()?;
    let source = root.join("events/src");
    let file = source.join(&names.file).with_extension("rs");
    is_new(name, &source)?;
    let (index_path, index) = index(&source, &names)?;

    let mut plan = Plan::default();
    if file.exists() {
        let text = read(&file)?;
        plan.change(file.clone(), text.clone(), appended(name, &names, &file, &text)?);
    } else {
        plan.create(file.clone(), whole(name, &names, &source));
    }
    if names_module(&index, &names.file).is_none() {
        let item = format!("pub mod {};", names.file);
        let text = with_item(&index, Item::Module, &names.file, &item);
        plan.change(index_path, index, text);
    }
    let mut next = vec![
        (format!("write the rule, the jobs and the tests in {}", shown(&file)), String::new()),
        ("cargo test --workspace".to_owned(), "its tests are among them".to_owned()),
        (format!("cargo run -- list --only {name}"), String::new()),
    ];
    next.splice(0..0, lacking(&root.join("events"), &[("event-detector", ""), ("serde_json", "--dev")]));
    Ok(Made { plan, next })
}

/// Refuses an event that is declared already, in whichever file.
fn is_new(name: &str, source: &Path) -> Result<(), Failure> {
    for path in rust_files(source) {
        if let Some(line) = fs::read_to_string(&path).ok().and_then(|text| declares_event(&text, name)) {
            return Err(refused(format!("the event `{name}` is declared already: {}:{line}", shown(&path)))
                .with_hint("change it there, or choose another name"));
        }
    }
    Ok(())
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The file that lists the modules, where the one of `names` must be free or a file.
fn index(source: &Path, names: &EventNames) -> Result<(PathBuf, String), Failure> {
    let path = source.join("lib.rs");
    let text = read(&path)?;
    let folder = source.join(&names.file).join("mod.rs");
    if names_module(&text, &names.file) == Some(Named::Inline) {
        return Err(refused(format!("`{}` has a module `{}` inside, so that it can be no file", shown(&path), names.file))
            .with_hint("write the event into that module, or choose another name"));
    }
    if folder.exists() {
        return Err(refused(format!("the module `{}` is a folder: `{}`", names.file, shown(&folder)))
            .with_hint("write the event into that file, or choose another name"));
    }
    Ok((path, text))
}

/// A file of its own for the event.
fn whole(name: &str, names: &EventNames, folder: &Path) -> String {
    let subject = name.rsplit_once('.').map_or(name, |(subject, _)| subject);
    // A module named like its file is what one word leaves; clippy would have two.
    let allowed = if names.file == names.module { "#![allow(clippy::module_inception)]\n\n" } else { "" };
    let head = format!("//! What can happen to `{subject}`?\n\n{allowed}use event_detector::event;\n\n");
    let text =
        head + &filled_for(EVENT, name, names, "event", "tests") + "\n" + &filled_for(TESTS, name, names, "event", "tests");
    formatted(&text, folder)
}

/// The text of `file` with the event in it.
fn appended(name: &str, names: &EventNames, file: &Path, text: &str) -> Result<String, Failure> {
    if names_module(text, &names.module).is_some() {
        return Err(refused(format!("`{}` has a module `{}` already", shown(file), names.module)).with_hint(format!(
            "write `#[event(\"{name}\")]` on a module of another name in that file, or choose another event"
        )));
    }
    let attribute = if imports_event(text) { "event" } else { "event_detector::event" };
    let tests = if names_module(text, "tests").is_none() { "tests".to_owned() } else { format!("{}_tests", names.module) };
    if names_module(text, &tests).is_some() {
        return Err(refused(format!("`{}` has a module `{tests}` already", shown(file))).with_hint("rename it, and try again"));
    }
    let folder = file.parent().unwrap_or(file);
    let fill = |template| formatted(&filled_for(template, name, names, attribute, &tests), folder);
    let with_event = before_tests(text, &fill(EVENT));
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    Ok(with_event + end + &fill(TESTS).replace('\n', end))
}

fn filled_for(template: &str, name: &str, names: &EventNames, attribute: &str, tests: &str) -> String {
    filled(
        template,
        &[
            ("event", name),
            ("attribute", attribute),
            ("module", &names.module),
            ("collection", &names.collection),
            ("column", &names.column),
            ("value", &names.value),
            ("tests", tests),
        ],
    )
}

/// The tests of an event, as `new app` writes them.
pub(super) fn tests_of(name: &str) -> String {
    filled_for(TESTS, name, &EventNames::of(name), "event", "tests")
}
