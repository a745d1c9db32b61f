//! What did the jobs do? The program tells it here, line by line, and each line is answered once it is noted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::history::Arrival;

/// How long the lines of a program that has ended may be on their way.
const LEFT_WITHIN: Duration = Duration::from_secs(10);

/// Notes what arrives, in order.
pub(crate) struct Receiver {
    address: SocketAddr,
    noted: Arc<Noted>,
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct Noted {
    lines: Mutex<Lines>,
    connections: watch::Sender<usize>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Lines {
    arrivals: Vec<Arrival>,
    /// What is no line of the program's.
    unreadable: Vec<String>,
}

impl Receiver {
    /// Listens on the loopback.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let noted = Arc::new(Noted::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&noted)));
        Ok(Self { address, noted, _accepting: accepting })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many effects have arrived.
    pub(crate) fn count(&self) -> usize {
        *self.noted.count.borrow()
    }

    /// Waits until more than `count` effects have arrived, or `within` has passed; whether they have.
    pub(crate) async fn more_than(&self, count: usize, within: Duration) -> bool {
        let mut counts = self.noted.count.subscribe();
        timeout(within, counts.wait_for(|now| *now > count)).await.is_ok()
    }

    /// Waits until all that a program has sent is noted, once it has ended.
    ///
    /// # Errors
    ///
    /// When a connection stays open: the program has not ended.
    pub(crate) async fn left(&self) -> Result<(), String> {
        let mut connections = self.noted.connections.subscribe();
        match timeout(LEFT_WITHIN, connections.wait_for(|open| *open == 0)).await {
            Ok(_) => Ok(()),
            Err(_) => Err("the program has ended, and still holds a connection".to_owned()),
        }
    }

    /// What has arrived, in order.
    ///
    /// # Errors
    ///
    /// A line that the program does not send.
    pub(crate) fn arrivals(&self) -> Result<Vec<Arrival>, String> {
        let lines = self.noted.lines();
        match lines.unreadable.first() {
            Some(line) => Err(line.clone()),
            None => Ok(lines.arrivals.clone()),
        }
    }
}

impl Noted {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, noted: Arc<Noted>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        noted.connections.send_modify(|open| *open += 1);
        connections.spawn(receive(stream, Arc::clone(&noted)));
        while connections.try_join_next().is_some() {}
    }
}

/// Notes the lines of one connection. Part of a line is none: its program was killed before it had sent it.
async fn receive(stream: TcpStream, noted: Arc<Noted>) {
    let _not_worth_ending_for = stream.set_nodelay(true);
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    while let Ok(1..) = stream.read_line(&mut line).await
        && line.ends_with('\n')
    {
        {
            let mut lines = noted.lines();
            match Arrival::read(&line) {
                Ok(arrival) => lines.arrivals.push(arrival),
                Err(unreadable) => lines.unreadable.push(unreadable),
            }
        }
        noted.count.send_modify(|count| *count += 1);
        line.clear();
        if stream.write_all(b"\n").await.is_err() || stream.flush().await.is_err() {
            // What it had sent before it was killed may still be read.
            continue;
        }
    }
    noted.connections.send_modify(|open| *open -= 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_noted_in_order_and_answered_and_half_a_line_is_none() {
        let receiver = Receiver::start().await.unwrap();
        let mut stream = BufStream::new(TcpStream::connect(receiver.address()).await.unwrap());

        for attempt in 1..=2 {
            stream.write_all(format!("key\tw1\t7\twall.painted\tnote\t{attempt}\tfail\n").as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let mut answer = String::new();
            stream.read_line(&mut answer).await.unwrap();
        }
        stream.write_all(b"key\tw1").await.unwrap();
        stream.flush().await.unwrap();
        drop(stream);

        receiver.left().await.unwrap();
        let attempts: Vec<i64> = receiver.arrivals().unwrap().iter().map(|arrival| arrival.attempt).collect();
        assert_eq!(attempts, [1, 2]);
        assert!(receiver.more_than(1, Duration::ZERO).await);
        assert!(!receiver.more_than(2, Duration::ZERO).await);
    }

    #[tokio::test]
    async fn a_line_that_the_program_does_not_send_is_told() {
        let receiver = Receiver::start().await.unwrap();
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();

        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        drop(stream);

        assert!(receiver.more_than(0, LEFT_WITHIN).await);
        assert!(receiver.arrivals().unwrap_err().contains("GET / HTTP/1.1"));
    }
}
