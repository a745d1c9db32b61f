//! Does what `new` writes compile, pass its tests, and do what it says? It is written outside of this workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Ended, Start, parsed};
use crate::files::root;

/// A workspace that `new app` wrote, in a folder that is removed in the end.
struct Workspace {
    folder: TempDir,
}

impl Workspace {
    fn new(arguments: &[&str]) -> (Self, Ended) {
        let folder = tempfile::tempdir().unwrap();
        let ended = new(folder.path(), &[&["app", "shop"], arguments].concat()).expect(0);
        (Self { folder }, ended)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("shop").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs cargo in it. What it builds of ours, and of others, stays in the `target` of this workspace for the next time.
    fn cargo(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).current_dir(self.path("")).env("CARGO_TARGET_DIR", target());
        // What cargo tells a test about itself would make build scripts run again that watch it.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
                command.env_remove(name);
            }
        }
        Ended::new(command.output().unwrap())
    }
}

/// Where what is written here is built.
fn target() -> PathBuf {
    root().join("target/new-app")
}

/// Does `new` with `arguments` in `folder`.
fn new(folder: &Path, arguments: &[&str]) -> Ended {
    let mut start = Start::detector([&["new"], arguments].concat());
    start.command.current_dir(folder);
    start.ended()
}

/// Every file below `folder` with its text.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push((path.clone(), fs::read_to_string(path).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn a_new_workspace_with_new_events_and_a_new_job_passes_its_tests_and_detects() {
    let (workspace, _) = Workspace::new(&[]);
    for name in ["parcel.returned", "parcel.pickup.picked-up", "move"] {
        new(&workspace.path("events/src"), &["event", name]).expect(0);
    }
    new(&workspace.path(""), &["job", "send_receipt"]).expect(0);

    let tests = workspace.cargo(&["test", "--offline"]).expect(0);
    workspace.cargo(&["build", "--offline"]).expect(0);

    for test in ["parcel::tests", "parcel::returned_tests", "parcel_pickup::tests", "move_::tests"] {
        assert!(tests.out.contains(&format!("{test}::nothing_else_is_one ... ok")), "{}", tests.out);
    }
    assert!(tests.out.contains("send_receipt::tests::it_says_which_document_it_ran_for ... ok"), "{}", tests.out);
    assert!(!tests.err.contains("warning"), "{}", tests.err);

    let shop = target().join("debug/shop");
    let list = Start::of(&shop, ["list", "--json"]).ended().expect(0).json();
    let events: Vec<_> = list.iter().map(|event| (event["name"].as_str().unwrap(), event["file"].as_str().unwrap())).collect();
    assert_eq!(
        events,
        [
            ("move", "events/src/move_.rs"),
            ("parcel.delivered", "events/src/parcel.rs"),
            ("parcel.pickup.picked-up", "events/src/parcel_pickup.rs"),
            ("parcel.returned", "events/src/parcel.rs"),
        ]
    );

    let change = r#"{"operation":"update","collection":"parcels","before":{"id":7},"after":{"id":7,"status":"returned"}}"#;
    let detected = Start::of(&shop, ["detect", "-", "--quiet"]).input(change).ended().expect(0);
    assert!(detected.out.contains("parcel.returned") && !detected.out.contains("parcel.delivered"), "{}", detected.out);

    let reports = Start::of(&shop, ["demo", "--json"]).ended().expect(0).json();
    let job = |key: u32| {
        let detected = |report: &&Value| report["change"]["key"] == key && report["events"][0]["name"] == "parcel.delivered";
        let report = reports.iter().find(detected).unwrap_or_else(|| panic!("no parcel {key}: {reports:?}"));
        report["events"][0]["jobs"][0].clone()
    };
    assert_eq!(job(7)["result"], "Told Ana that parcel 7 is there");
    assert_eq!((&job(8)["status"], &job(8)["attempts"]), (&json!("failed"), &json!(1)));

    // Not all of it, or the next run would build everything again.
    workspace.cargo(&["clean", "--offline", "-p", "shop", "-p", "shop-events", "-p", "shop-jobs"]).expect(0);
}

#[test]
fn what_is_written_looks_as_cargo_fmt_leaves_it() {
    let (workspace, _) = Workspace::new(&[]);
    let long = "some-subject-with-a-long-name.and-an-object-that-has-one-as-well.became-what-nobody-expected";
    for name in ["parcel.returned", "move", long] {
        new(&workspace.path(""), &["event", name]).expect(0);
    }
    for name in ["send_receipt", "a_job_that_has_a_name_of_so_many_words_that_its_calls_fill_a_whole_line"] {
        new(&workspace.path(""), &["job", name]).expect(0);
    }

    let ended = workspace.cargo(&["fmt", "--check"]);

    if ended.err.contains("no such command") || ended.err.contains("not installed") {
        eprintln!("skipped: no rustfmt: {}", ended.err);
        return;
    }
    ended.expect(0);
}

#[test]
fn every_file_is_named_with_what_to_do_next() {
    let (workspace, ended) = Workspace::new(&[]);
    assert_snapshot!(ended.out, @r"
    created  shop/Cargo.toml
    created  shop/.gitignore
    created  shop/README.md
    created  shop/detector.toml
    created  shop/app/Cargo.toml
    created  shop/app/demo.jsonl
    created  shop/app/src/main.rs
    created  shop/events/Cargo.toml
    created  shop/events/src/lib.rs
    created  shop/events/src/parcel.rs
    created  shop/jobs/Cargo.toml
    created  shop/jobs/src/lib.rs
    created  shop/jobs/src/notify_recipient.rs
    created  shop/jobs/src/testing.rs
    created  shop/Cargo.lock

    Next:
      cd shop
      cargo run -- demo                        plays recorded changes; the first build takes a minute or two
      cargo test                               asks the rules and the jobs, without a database
      cargo run -- new event parcel.returned   adds an event; README.md says more
    ");
    for line in ended.out.lines().filter_map(|line| line.strip_prefix("created  ")) {
        assert!(workspace.folder.path().join(line).is_file(), "{line}");
    }

    let folder = workspace.path("events/src");
    assert_snapshot!(new(&folder, &["event", "parcel.returned"]).expect(0).out, @r"
    changed  parcel.rs

    Next:
      write the rule, the jobs and the tests in parcel.rs
      cargo test --workspace   its tests are among them
      cargo run -- list --only parcel.returned
    ");
    assert_snapshot!(new(&folder, &["event", "parcel.pickup.failed", "--json"]).expect(0).out, @r#"{"changed":["lib.rs"],"created":["parcel_pickup.rs"]}"#);
    assert_snapshot!(new(&workspace.path(""), &["job", "send_receipt"]).expect(0).out, @r"
    created  jobs/src/send_receipt.rs
    changed  jobs/src/lib.rs

    Next:
      write the work and its test in jobs/src/send_receipt.rs
      cargo test --workspace   its test is among them
      name it in the `jobs` of an event: `vec![jobs::send_receipt()]`
    ");
    assert_eq!(
        new(&workspace.path(""), &["job", "a_first", "--quiet"]).expect(0).out,
        "created  jobs/src/a_first.rs\nchanged  jobs/src/lib.rs\n"
    );
    assert_snapshot!(workspace.text("events/src/lib.rs"), @r"
    //! When is there work to do? One file for each subject, with an inline module for each event.

    pub mod parcel;
    pub mod parcel_pickup;
    ");
    assert_snapshot!(workspace.text("jobs/src/lib.rs"), @r"
    //! What work can events ask for? One job per file, shared by all events.

    mod a_first;
    mod notify_recipient;
    mod send_receipt;
    #[cfg(test)]
    mod testing;

    pub use a_first::a_first;
    pub use notify_recipient::notify_recipient;
    pub use send_receipt::send_receipt;
    ");
}

#[test]
fn a_crate_that_what_is_written_needs_is_asked_for() {
    let (workspace, _) = Workspace::new(&[]);
    let manifest = workspace.text("jobs/Cargo.toml");
    fs::write(workspace.path("jobs/Cargo.toml"), manifest.replace("tokio.workspace = true", "")).unwrap();

    let ended = new(&workspace.path(""), &["job", "send_receipt"]).expect(0);

    assert!(ended.out.contains("cargo add --package shop-jobs tokio --dev --features macros,rt"), "{}", ended.out);
}

#[test]
fn a_workspace_says_where_event_detector_comes_from() {
    let url = "https://example.com/event-detector.git";
    let (git, _) = Workspace::new(&["--git", url]);
    assert!(git.text("Cargo.toml").contains(&format!("\nevent-detector-cli = {{ git = \"{url}\" }}\n")));
    assert!(!git.path("Cargo.lock").exists());

    let checkout = root();
    let (path, _) = Workspace::new(&["--path", checkout.to_str().unwrap()]);
    let (default, _) = Workspace::new(&[]);
    assert_eq!(path.text("Cargo.toml"), default.text("Cargo.toml"));
    assert_eq!(path.text("Cargo.lock"), fs::read_to_string(checkout.join("Cargo.lock")).unwrap());
    assert!(path.text("Cargo.toml").contains("\nevent-detector = { path = \""));
}

#[test]
fn what_is_refused_leaves_everything_as_it_was() {
    let (workspace, _) = Workspace::new(&[]);
    fs::create_dir_all(workspace.path("events/src/box_")).unwrap();
    fs::write(workspace.path("events/src/box_/mod.rs"), "").unwrap();
    fs::write(workspace.path("events/src/pallet_load.rs"), "pub mod lost {}\n").unwrap();
    let before = files(workspace.folder.path());
    let cases: [(&[&str], i32, &str, &str); 23] = [
        (&[], 2, "requires a subcommand", "`--help` shows more"),
        (&["evnt", "a.b"], 2, "unrecognized subcommand 'evnt'", "did you mean `event`? what can be made is event, job, app"),
        (&["jbo", "a"], 2, "unrecognized subcommand 'jbo'", "did you mean `job`?"),
        (&["subscription"], 2, "unrecognized subcommand", "what can be made is event, job, app"),
        (&["event"], 2, "<NAME>", "usage: detector new event <NAME>"),
        (&["event", "Parcel.Delivered"], 2, "`Parcel.Delivered` contains `P`", "write `parcel.delivered`"),
        (&["event", "parcel..x"], 2, "has an empty segment", "write `parcel.x`"),
        (&["event", ""], 2, "the name is empty", "e.g. `parcel.delivered`"),
        (&["event", "parcel.delivered"], 73, "declared already: events/src/parcel.rs:6", "choose another name"),
        (
            &["event", "pallet.load.lost"],
            73,
            "`events/src/pallet_load.rs` has a module `lost` already",
            "on a module of another name",
        ),
        (&["event", "box.lost"], 73, "is a folder: `events/src/box_/mod.rs`", "choose another name"),
        (&["event", "a.b", "--path", "x"], 2, "unexpected argument '--path'", "`new app --path`"),
        (&["job", "SendReceipt"], 2, "`SendReceipt` contains `S`", "write `send_receipt`"),
        (&["job", "move"], 2, "`move` is a word of Rust", "write `move_job`"),
        (&["job", "testing"], 2, "`testing` means something else already", "write `testing_job`"),
        (&["job", "notify_recipient"], 73, "has a module `notify_recipient` already", "choose another name"),
        (&["app"], 2, "<DIR>", "usage: detector new app <DIR>"),
        (&["app", "."], 73, "the folder `.` is not empty", "nothing is ever overwritten"),
        (&["app", "Cargo.toml"], 73, "`Cargo.toml` is no folder to write to", ""),
        (&["app", "new", "--path", "jobs"], 66, "`jobs` is no checkout of event-detector", "`crates/`"),
        (&["app", "new", "--git", "git@example.com:a/b.git"], 2, "is no URL", "write `ssh://git@example.com/a/b.git`"),
        (&["app", "new", "--git", "https://x", "--path", "y"], 2, "cannot be used with", ""),
        (&["event", "parcel.lost", "--quiet", "--json"], 2, "cannot be used with", ""),
    ];
    for (arguments, code, message, hint) in cases {
        let ended = new(&workspace.path(""), arguments).expect(code);

        assert!(ended.out.is_empty() && ended.err.contains(message) && ended.err.contains(hint), "{arguments:?}: {}", ended.err);
    }
    assert_eq!(files(workspace.folder.path()), before);

    let ended = new(&workspace.path(""), &["app", ".", "--json"]).expect(73);
    assert_eq!(parsed(&ended.err)[0]["error"]["code"], json!(73));
}

#[test]
fn outside_of_a_workspace_the_cure_is_a_workspace() {
    let folder = tempfile::tempdir().unwrap();

    for arguments in [["event", "parcel.delivered"], ["job", "send_receipt"]] {
        let ended = new(folder.path(), &arguments).expect(66);

        assert!(ended.err.contains("no `events/src/lib.rs`") && ended.err.contains("`new app DIR`"), "{}", ended.err);
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_folder_of_any_name_becomes_a_workspace_that_cargo_reads() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("begun/.git")).unwrap();
    for (dir, package) in
        [("begun", "begun"), ("My \"Shop\"", "my-shop"), ("東京", "app"), ("events", "events-app"), ("a/b", "b")]
    {
        new(folder.path(), &["app", dir]).expect(0);

        let mut command = Command::new(env!("CARGO"));
        command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(folder.path().join(dir));
        let metadata = Ended::new(command.output().unwrap()).expect(0).json();
        let members = metadata[0]["packages"].as_array().unwrap();
        let names: Vec<_> = members.iter().map(|member| member["name"].as_str().unwrap()).collect();
        assert_eq!(names, [package.to_owned(), format!("{package}-events"), format!("{package}-jobs")]);
    }
}

#[test]
fn each_shell_completes_the_name_of_the_program() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = Start::detector(["completions", shell]).ended().expect(0).out;

        assert!(
            script.contains("detector") && script.contains("completions") && script.contains("in-flight"),
            "{shell}: {script}"
        );
    }
    let ended = Start::detector(["completions", "bsh"]).ended().expect(2);
    assert!(ended.err.contains("similar value exists: 'bash'"), "{}", ended.err);
}

#[test]
fn the_help_teaches_by_examples() {
    for (arguments, example) in [
        (&["new", "--help"][..], "cargo run -- new app ../shop "),
        (&["new", "event", "--help"], "cargo run -- new event parcel.pickup.failed "),
        (&["new", "job", "--help"], "cargo run -- new job send_receipt "),
        (&["new", "app", "--help"], "cargo run -- new app ../shop --path ../event-detector\n"),
        (&["completions", "--help"], "detector completions bash > "),
    ] {
        let help = Start::detector(arguments).ended().expect(0).out;

        assert!(help.contains(&format!("\n  {example}")), "{help}");
    }
}
