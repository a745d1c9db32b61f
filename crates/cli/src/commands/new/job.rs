//! What is written for a job?

use crate::exit::{Exit, Failure};

use super::edit::{Item, names_module, with_item};
use super::names::check_job;
use super::paths::{read, shown, workspace};
use super::plan::Plan;
use super::text::{filled, formatted};
use super::{Made, lacking, refused};

const JOB: &str = include_str!("templates/job.rs");

/// What the tests of jobs stand on.
pub(super) const TESTING: &str = include_str!("templates/testing.rs");

/// Plans the file of the job `name` with its test, and its place in `jobs/src/lib.rs`.
pub(super) fn job(name: &str) -> Result<Made, Failure> {
    check_job(name).map_err(|(fault, cure)| Failure::new(Exit::Usage, fault).with_hint(cure))?;
    let root = workspace()?;
    let source = root.join("jobs/src");
    let index_path = source.join("lib.rs");
    if !index_path.is_file() {
        return Err(Failure::new(Exit::NoInput, format!("there is no `{}`", shown(&index_path)))
            .with_hint("jobs stand in a crate `jobs`, beside `events`: `new app DIR` makes such a workspace"));
    }
    let index = read(&index_path)?;
    let file = source.join(name).with_extension("rs");
    let is_there = file.exists() || source.join(name).exists() || names_module(&index, name).is_some();
    if is_there {
        return Err(refused(format!("`{}` has a module `{name}` already", shown(&index_path)))
            .with_hint("change that one, or choose another name"));
    }

    let mut plan = Plan::default();
    plan.create(file.clone(), formatted(&filled(JOB, &[("job", name)]), &source));
    let mut text = with_item(&index, Item::Module, name, &format!("mod {name};"));
    let testing = source.join("testing.rs");
    if !testing.exists() {
        plan.create(testing, formatted(TESTING, &source));
    }
    if names_module(&index, "testing").is_none() {
        text = with_item(&text, Item::Module, "testing", "#[cfg(test)]\nmod testing;");
    }
    text = with_item(&text, Item::Reexport, name, &format!("pub use {name}::{name};"));
    plan.change(index_path, index, text);
    let mut next = vec![
        (format!("write the work and its test in {}", shown(&file)), String::new()),
        ("cargo test --workspace".to_owned(), "its test is among them".to_owned()),
        (format!("name it in the `jobs` of an event: `vec![jobs::{name}()]`"), String::new()),
    ];
    let tokio = ("tokio", "--dev --features macros,rt");
    next.splice(0..0, lacking(&root.join("jobs"), &[("anyhow", ""), ("event-detector", ""), tokio]));
    Ok(Made { plan, next })
}
