//! How is a fresh server told to be a replica set, without a driver?
//!
//! Two commands over MongoDB's wire protocol (OP_MSG), with their BSON written by hand: a driver would make every
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

/// Longest answer that is believed; the real ones have a few hundred bytes.
const LONGEST: usize = 1 << 20;

/// One connection to a server on the loopback.
pub(super) struct Session(TcpStream);

impl Session {
    pub(super) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self(stream))
    }

    /// Makes the server the only member of the replica set `name`.
    pub(super) fn initiate(&mut self, name: &str, port: u16) -> io::Result<()> {
        let member = document(&[int("_id", 0), string("host", &format!("127.0.0.1:{port}"))]);
        // An array is a document whose names are numbers.
        let members = document(&[element(DOCUMENT, "0", &member)]);
        let config = document(&[string("_id", name), element(ARRAY, "members", &members)]);
        let answer = self.call(&[element(DOCUMENT, "replSetInitiate", &config), string("$db", "admin")])?;
        if holds(&answer, b"\x01ok\0\0\0\0\0\0\0\xf0\x3f") {
            return Ok(());
        }
        Err(io::Error::other(format!("replSetInitiate failed: {}", String::from_utf8_lossy(&answer))))
    }

    /// Whether the server takes writes.
    pub(super) fn is_primary(&mut self) -> io::Result<bool> {
        let answer = self.call(&[int("hello", 1), string("$db", "admin")])?;
        Ok(holds(&answer, b"\x08isWritablePrimary\0\x01"))
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
    element(STRING, name, &[&size(value.len() + 1).to_le_bytes(), value.as_bytes(), &[0]].concat())
}

fn size(length: usize) -> i32 {
    i32::try_from(length).expect("a command of a few hundred bytes")
}

fn holds(answer: &[u8], wanted: &[u8]) -> bool {
    answer.windows(wanted.len()).any(|window| window == wanted)
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
}
