//! Do servers do what is asked of them? Each test starts its own, where there is a program to start.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, io};

use super::*;

const WITHIN: Duration = Duration::from_secs(60);

/// A deployment of its own for one test, or nothing where there is no program; then the test says so and ends.
fn started(options: &Options) -> Option<Deployment> {
    let Some(program) = Program::from_env() else {
        eprintln!("skipped: no MongoDB: MONGOD is not set; `cargo xtask test` provides it");
        return None;
    };
    Some(Deployment::start(&program, options).unwrap())
}

fn folder(node: &Node) -> PathBuf {
    env::temp_dir().join(format!("event-detector-mongod-{}", node.port()))
}

#[test]
fn a_program_that_ends_at_once_is_reported_with_its_words() {
    let failure = Deployment::start(&Program::new("/bin/echo"), &Options::default()).unwrap_err().to_string();

    assert!(failure.contains("/bin/echo did not start: it ended"), "{failure}");
    assert!(failure.contains("--replSet rs0"), "the words of echo: {failure}");
}

#[test]
fn a_program_that_is_not_there_is_reported() {
    let failure = Deployment::start(&Program::new("/nowhere/mongod"), &Options::default()).unwrap_err().to_string();

    assert!(failure.contains("/nowhere/mongod did not start"), "{failure}");
}

#[test]
fn a_single_node_restarts_with_its_data_and_leaves_nothing() {
    let Some(deployment) = started(&Options::default()) else { return };
    let node = &deployment.nodes()[0];
    node.session().unwrap().insert(7).unwrap();

    node.terminate().unwrap();
    assert!(!node.is_primary());
    assert!(folder(node).is_dir(), "the data of a server that ended stays");
    node.restart().unwrap();
    assert!(node.is_primary());
    assert!(node.session().unwrap().has_only(7).unwrap(), "after SIGTERM");
    node.kill().unwrap();
    node.restart().unwrap();
    assert!(node.session().unwrap().has_only(7).unwrap(), "after SIGKILL");

    let folder = folder(node);
    drop(deployment);
    assert!(!folder.exists(), "{}", folder.display());
}

#[test]
fn a_frozen_node_is_no_primary_until_it_is_thawed() {
    let Some(deployment) = started(&Options { topology: Topology::Standalone, ..Options::default() }) else { return };
    let node = &deployment.nodes()[0];

    node.freeze().unwrap();
    assert!(deployment.primary().is_none());
    node.thaw().unwrap();
    assert!(node.is_primary());
    node.freeze().unwrap();
    node.terminate().unwrap();

    assert!(node.freeze().unwrap_err().to_string().contains("has ended"));
}

#[test]
fn three_nodes_elect_another_primary_when_theirs_is_terminated() {
    // Else a member that is told to end waits 15 s for its clients to go.
    let arguments = ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=1000"].map(str::to_owned).to_vec();
    let options = Options { topology: Topology::ThreeNodes, arguments, ..Options::default() };
    let Some(deployment) = started(&options) else { return };
    let first = deployment.primary().unwrap();
    first.session().unwrap().insert(7).unwrap();

    first.terminate().unwrap();
    let second = deployment.wait_for_primary(WITHIN).unwrap();
    assert_ne!(second.port(), first.port());
    assert!(second.session().unwrap().has_only(7).unwrap());
    assert!(deployment.wait_until_ready(WITHIN).unwrap_err().to_string().contains("it ended"));
    first.restart().unwrap();

    deployment.wait_until_ready(WITHIN).unwrap();
    assert_eq!(deployment.uri().matches("127.0.0.1:").count(), 3, "{}", deployment.uri());
}

#[test]
fn with_auth_a_stranger_is_refused() {
    for topology in [Topology::Standalone, Topology::OneNode] {
        let Some(deployment) = started(&Options { topology, auth: true, ..Options::default() }) else { return };
        let node = &deployment.nodes()[0];

        let refused = node.session().unwrap().insert(7).unwrap_err();

        assert_eq!(refused.kind(), io::ErrorKind::Other);
        assert!(refused.to_string().contains("requires authentication"), "{refused}");
        assert!(deployment.uri().contains("root:event-detector@"), "{}", deployment.uri());
        if topology == Topology::OneNode {
            let key = fs::metadata(folder(node).join("key")).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
        }
    }
}
