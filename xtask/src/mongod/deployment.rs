//! How do servers become a deployment that takes writes?

use std::time::Duration;

use super::guard::wait_until;
use super::node::{Node, PAUSE_OF_QUESTIONS, READY_WITHIN, random};
use super::program::Program;
use super::wire::{Hello, Role, Session};
use crate::Failure;

/// The name of every replica set that is started here.
pub const REPLICA_SET: &str = "rs0";

/// The user of a deployment with [`Options::auth`], with the role `root`.
pub const USER: &str = "root";

/// The password of [`USER`].
pub const PASSWORD: &str = "event-detector";

/// How many servers there are, and what they are to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// One server that is no replica set: without change streams and transactions.
    Standalone,
    /// A replica set with one member.
    #[default]
    OneNode,
    /// A replica set with three members; one may fail.
    ThreeNodes,
}

impl Topology {
    fn nodes(self) -> i32 {
        match self {
            Self::Standalone | Self::OneNode => 1,
            Self::ThreeNodes => 3,
        }
    }
}

/// What is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many servers, and what they are to each other.
    pub topology: Topology,
    /// The size of the oplog of each member, in megabytes.
    pub oplog_size_mb: u32,
    /// Whether clients must say who they are; [`USER`] and [`PASSWORD`] are in the address then.
    pub auth: bool,
    /// More arguments for every server, such as `--setParameter` and its value.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { topology: Topology::default(), oplog_size_mb: 128, auth: false, arguments: Vec::new() }
    }
}

/// Servers on the loopback, with data that nobody keeps; they end when this is dropped.
#[derive(Debug)]
pub struct Deployment {
    topology: Topology,
    nodes: Vec<Node>,
    uri: String,
}

impl Deployment {
    /// Starts servers and waits until one of them takes writes and all others follow it.
    ///
    /// Elections are as they are everywhere: a member that is not heard of for 10 s is replaced.
    ///
    /// # Errors
    ///
    /// When they do not start; the message has the end of a server's log.
    pub fn start(program: &Program, options: &Options) -> Result<Self, Failure> {
        let Options { topology, auth, .. } = *options;
        let arguments = arguments(options);
        let key = (auth && topology != Topology::Standalone).then(random_key);
        let is_alone = topology != Topology::ThreeNodes;
        let nodes = (0..topology.nodes())
            .map(|_| Node::start(program, &arguments, key.as_deref(), is_alone))
            .collect::<Result<Vec<Node>, Failure>>()?;
        let uri = uri(options, &nodes.iter().map(Node::port).collect::<Vec<u16>>());
        let deployment = Self { topology, nodes, uri };
        let initiated = if topology == Topology::Standalone { Ok(()) } else { deployment.initiate() };
        initiated.and_then(|()| deployment.become_ready(READY_WITHIN)).map_err(|(node, why)| node.did_not_start(&why))?;
        if auth {
            deployment.add_user()?;
        }
        Ok(deployment)
    }

    /// Where the servers are, for a client; a single one is to be talked to directly.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The servers, in the order of the address.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The server that takes writes now; of two that both believe so, the one that was elected last.
    #[must_use]
    pub fn primary(&self) -> Option<&Node> {
        let hellos = self.nodes.iter().filter_map(|node| Some((node, node.hello().ok()?)));
        let primaries = hellos.filter(|(_, hello)| hello.role == Role::Primary);
        primaries.max_by_key(|(_, hello)| hello.election).map(|(node, _)| node)
    }

    /// Waits until a server takes writes.
    ///
    /// # Errors
    ///
    /// When none does after the time `within`.
    pub fn wait_for_primary(&self, within: Duration) -> Result<&Node, Failure> {
        let mut primary = None;
        wait_until(within, PAUSE_OF_QUESTIONS, || {
            primary = self.primary();
            primary.is_some()
        });
        primary.ok_or_else(|| Failure::failed(format!("there is no primary after {} s", within.as_secs_f64())))
    }

    /// Waits until one server takes writes and all others follow it.
    ///
    /// # Errors
    ///
    /// When that is not so after the time `within`, or a server has ended.
    pub fn wait_until_ready(&self, within: Duration) -> Result<(), Failure> {
        self.become_ready(within).map_err(|(node, why)| Failure::failed(format!("the server on port {}: {why}", node.port())))
    }

    /// Makes fresh servers a replica set; else says which is in the way, and why.
    fn initiate(&self) -> Result<(), (&Node, String)> {
        let ports: Vec<u16> = self.nodes.iter().map(Node::port).collect();
        self.wait_until_hellos(READY_WITHIN, "it cannot be initiated", |hellos| {
            if hellos.iter().all(|hello| hello.role == Role::Fresh) {
                let initiate = |mut session: Session| session.initiate(REPLICA_SET, &ports);
                self.nodes[0].session().and_then(initiate).map_err(|error| error.to_string())?;
            }
            Ok(hellos.iter().all(|hello| matches!(hello.role, Role::Primary | Role::Secondary)))
        })?;
        // Nobody is missed yet, so that nobody would run for primary for 10 s. Where users are asked for, there is none yet who
        // might say this: then it takes the 10 s.
        let _ = self.nodes[0].session().and_then(|mut session| session.step_up());
        Ok(())
    }

    fn become_ready(&self, within: Duration) -> Result<(), (&Node, String)> {
        self.wait_until_hellos(within, "there is no primary that all follow", |hellos| {
            let count = |role| hellos.iter().filter(|hello| hello.role == role).count();
            Ok(count(Role::Primary) == 1 && count(Role::Primary) + count(Role::Secondary) == hellos.len())
        })
    }

    /// Waits until every server answers and `is_done` says so of the answers; a server that has ended is not waited for.
    fn wait_until_hellos(
        &self,
        within: Duration,
        what_if_not: &str,
        mut is_done: impl FnMut(&[Hello]) -> Result<bool, String>,
    ) -> Result<(), (&Node, String)> {
        let mut last = Ok(false);
        wait_until(within, PAUSE_OF_QUESTIONS, || {
            last = self.hellos().and_then(|hellos| is_done(&hellos).map_err(|why| (&self.nodes[0], why)));
            matches!(last, Ok(true)) || self.nodes.iter().any(Node::has_ended)
        });
        match (last, self.nodes.iter().find(|node| node.has_ended())) {
            (Ok(true), _) => Ok(()),
            (_, Some(node)) => Err((node, "it ended".to_owned())),
            (Ok(false), None) => Err((&self.nodes[0], what_if_not.to_owned())),
            (Err(why), None) => Err(why),
        }
    }

    fn hellos(&self) -> Result<Vec<Hello>, (&Node, String)> {
        self.nodes.iter().map(|node| node.hello().map_err(|error| (node, error.to_string()))).collect()
    }

    /// Adds the one user, which a client on the loopback may do while there is none.
    fn add_user(&self) -> Result<(), Failure> {
        let primary = self.wait_for_primary(READY_WITHIN)?;
        // On every member, so that a client can speak to each at once.
        let add = |mut session: Session| session.create_user(USER, PASSWORD, self.topology.nodes());
        primary.session().and_then(add).map_err(|error| Failure::failed(format!("the user could not be added: {error}")))
    }
}

fn arguments(options: &Options) -> Vec<String> {
    // Without a socket file in a folder that all share, which a killed server would leave.
    let mut arguments =
        ["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"].map(str::to_owned).to_vec();
    if options.topology != Topology::Standalone {
        arguments.extend(["--replSet", REPLICA_SET, "--oplogSize"].map(str::to_owned));
        arguments.push(options.oplog_size_mb.to_string());
    }
    if options.auth {
        arguments.push("--auth".to_owned());
    }
    arguments.extend_from_slice(&options.arguments);
    arguments
}

fn uri(options: &Options, ports: &[u16]) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let user = if options.auth { format!("{USER}:{PASSWORD}@") } else { String::new() };
    let settings = match options.topology {
        Topology::Standalone => "directConnection=true".to_owned(),
        Topology::OneNode => format!("replicaSet={REPLICA_SET}&directConnection=true"),
        Topology::ThreeNodes => format!("replicaSet={REPLICA_SET}"),
    };
    format!("mongodb://{user}{}/?{settings}", hosts.join(","))
}

fn random_key() -> String {
    (0..4).map(|_| format!("{:016x}", random())).collect()
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn an_address_names_every_member_and_the_user() {
        let with = |topology, auth| Options { topology, auth, ..Options::default() };

        assert_eq!(uri(&with(Topology::Standalone, false), &[1]), "mongodb://127.0.0.1:1/?directConnection=true");
        assert_eq!(uri(&with(Topology::OneNode, false), &[1]), "mongodb://127.0.0.1:1/?replicaSet=rs0&directConnection=true");
        assert_eq!(
            uri(&with(Topology::ThreeNodes, true), &[1, 2, 3]),
            "mongodb://root:event-detector@127.0.0.1:1,127.0.0.1:2,127.0.0.1:3/?replicaSet=rs0"
        );
    }

    #[test]
    fn arguments_of_the_caller_come_last() {
        let given = vec!["--setParameter".to_owned(), "enableTestCommands=1".to_owned()];
        let options = Options { auth: true, oplog_size_mb: 1, arguments: given, ..Options::default() };

        let words = arguments(&options).join(" ");

        assert!(words.ends_with("--replSet rs0 --oplogSize 1 --auth --setParameter enableTestCommands=1"), "{words}");
        let alone = arguments(&Options { topology: Topology::Standalone, ..Options::default() });
        assert!(!alone.iter().any(|word| word == "--replSet" || word == "--oplogSize"), "{alone:?}");
    }
}
