//! How is a fresh server told to be a replica set, without a driver?
//!
//! A few commands over MongoDB's wire protocol (OP_MSG), with their BSON written by hand: a driver would make every
//! `cargo xtask` wait for its compilation.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A command is answered in milliseconds; a server that takes longer is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

const OP_MSG: i32 = 2013;

// Kinds of BSON elements.
const STRING: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const INT: u8 = 0x10;

/// Bytes before the document of an OP_MSG: length, request, response to, opcode, flags, kind of section.
const HEADER: usize = 21;

/// Bytes of an ObjectId.
const ELECTION: usize = 12;

/// Longest answer that is believed; the real ones have a few hundred bytes.
const LONGEST: usize = 1 << 20;

/// What a server is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// To be a member of a replica set that nobody has initiated.
    Fresh,
    /// Takes writes; a standalone server does so too.
    Primary,
    Secondary,
    /// On its way to one of the others.
    Other,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) role: Role,
    /// What a primary was elected in; later elections are greater.
    pub(super) election: Option<[u8; ELECTION]>,
}

impl Hello {
    fn read(answer: &[u8]) -> Self {
        let role = if holds(answer, b"\x08isWritablePrimary\0\x01") {
            Role::Primary
        } else if holds(answer, b"\x08secondary\0\x01") {
            Role::Secondary
        } else if holds(answer, b"\x08isreplicaset\0\x01") {
            Role::Fresh
        } else {
            Role::Other
        };
        let name = b"\x07electionId\0";
        let place = answer.windows(name.len()).position(|window| window == name).map(|start| start + name.len());
        let election = place.and_then(|start| answer.get(start..start + ELECTION)?.try_into().ok());
        Self { role, election }
    }
}

/// One connection to a server on the loopback.
pub(super) struct Session(TcpStream);

impl Session {
    pub(super) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self(stream))
    }

    /// Makes the servers on `ports` the members of the replica set `name`.
    pub(super) fn initiate(&mut self, name: &str, ports: &[u16]) -> io::Result<()> {
        let member = |(id, port): (i32, &u16)| document(&[int("_id", id), string("host", &format!("127.0.0.1:{port}"))]);
        let members: Vec<Vec<u8>> = (0..).zip(ports).map(member).collect();
        let config = document(&[string("_id", name), array("members", DOCUMENT, &members)]);
        self.run("replSetInitiate", &[element(DOCUMENT, "replSetInitiate", &config), string("$db", "admin")])
    }

    /// Has a secondary run for primary now.
    pub(super) fn step_up(&mut self) -> io::Result<()> {
        self.run("replSetStepUp", &[int("replSetStepUp", 1), string("$db", "admin")])
    }

    /// Adds a user who may do everything, on `nodes` servers at once.
    pub(super) fn create_user(&mut self, name: &str, password: &str, nodes: i32) -> io::Result<()> {
        let roles = array("roles", STRING, &[text("root")]);
        let concern = element(DOCUMENT, "writeConcern", &document(&[int("w", nodes)]));
        let user = [string("createUser", name), string("pwd", password), roles, concern, string("$db", "admin")];
        self.run("createUser", &user)
    }

    /// What the server is at the moment.
    pub(super) fn hello(&mut self) -> io::Result<Hello> {
        Ok(Hello::read(&self.call(&[int("hello", 1), string("$db", "admin")])?))
    }

    /// Sends one command that must succeed.
    fn run(&mut self, name: &str, elements: &[Vec<u8>]) -> io::Result<()> {
        let answer = self.call(elements)?;
        if is_ok(&answer) {
            return Ok(());
        }
        Err(io::Error::other(format!("{name} failed: {}", String::from_utf8_lossy(&answer))))
    }

    /// Sends one command; its answer as BSON.
    fn call(&mut self, elements: &[Vec<u8>]) -> io::Result<Vec<u8>> {
        self.0.write_all(&message(&document(elements)))?;
        let mut header = [0; HEADER];
        self.0.read_exact(&mut header)?;
        let length = i32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let length = usize::try_from(length).ok().filter(|length| (HEADER..LONGEST).contains(length));
        let length = length.ok_or_else(|| io::Error::other("what listens there is no MongoDB"))?;
        let mut answer = vec![0; length - HEADER];
        self.0.read_exact(&mut answer)?;
        Ok(answer)
    }
}

fn message(document: &[u8]) -> Vec<u8> {
    let length = size(HEADER + document.len());
    let mut message = Vec::new();
    for word in [length, 1, 0, OP_MSG, 0] {
        message.extend_from_slice(&word.to_le_bytes());
    }
    message.push(0);
    message.extend_from_slice(document);
    message
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    let mut document = size(body.len() + 5).to_le_bytes().to_vec();
    document.extend_from_slice(&body);
    document.push(0);
    document
}

fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn int(name: &str, value: i32) -> Vec<u8> {
    element(INT, name, &value.to_le_bytes())
}

fn string(name: &str, value: &str) -> Vec<u8> {
    element(STRING, name, &text(value))
}

fn text(value: &str) -> Vec<u8> {
    [&size(value.len() + 1).to_le_bytes(), value.as_bytes(), &[0]].concat()
}

/// An array is a document whose names are numbers.
fn array(name: &str, kind: u8, values: &[Vec<u8>]) -> Vec<u8> {
    let elements: Vec<Vec<u8>> =
        (0..).zip(values).map(|(nth, value): (usize, _)| element(kind, &nth.to_string(), value)).collect();
    element(ARRAY, name, &document(&elements))
}

fn size(length: usize) -> i32 {
    i32::try_from(length).expect("a command of a few hundred bytes")
}

fn is_ok(answer: &[u8]) -> bool {
    holds(answer, b"\x01ok\0\0\0\0\0\0\0\xf0\x3f")
}

fn holds(answer: &[u8], wanted: &[u8]) -> bool {
    answer.windows(wanted.len()).any(|window| window == wanted)
}

/// What a test asks of a server besides.
#[cfg(test)]
impl Session {
    /// Keeps a document with the identifier `id`.
    pub(super) fn insert(&mut self, id: i32) -> io::Result<()> {
        let documents = array("documents", DOCUMENT, &[document(&[int("_id", id)])]);
        self.run("insert", &[string("insert", "kept"), documents, string("$db", "test")])
    }

    /// Whether there is exactly one document, with the identifier `id`.
    pub(super) fn has_only(&mut self, id: i32) -> io::Result<bool> {
        let answer = self.call(&[string("find", "kept"), string("$db", "test")])?;
        let batch = array("firstBatch", DOCUMENT, &[document(&[int("_id", id)])]);
        Ok(is_ok(&answer) && holds(&answer, &batch))
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn a_document_is_framed_as_bson_is() {
        let hello = document(&[int("hello", 1), string("$db", "admin")]);

        assert_eq!(hello, b"\x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0");
    }

    #[test]
    fn a_message_counts_its_own_header() {
        let message = message(&document(&[]));

        assert_eq!(message.len(), 26);
        assert_eq!(message[..4], 26_i32.to_le_bytes());
        assert_eq!(message[12..16], OP_MSG.to_le_bytes());
    }

    #[test]
    fn an_answer_tells_the_role_and_the_election() {
        let yes = |name| element(0x08, name, &[1]);
        let elected = |last| element(0x07, "electionId", &[[0x7f; 11].as_slice(), &[last]].concat());
        let hello = |elements: &[Vec<u8>]| Hello::read(&document(elements));

        assert_eq!(hello(&[yes("isreplicaset")]).role, Role::Fresh);
        assert_eq!(hello(&[yes("secondary")]), Hello { role: Role::Secondary, election: None });
        assert_eq!(hello(&[element(0x08, "secondary", &[0])]).role, Role::Other);
        let primary = |last| hello(&[yes("isWritablePrimary"), elected(last)]);
        assert_eq!(primary(1).role, Role::Primary);
        assert!(primary(1).election < primary(2).election);
        assert_eq!(hello(&[element(0x07, "electionId", &[1])]).election, None, "cut off");
    }
}
