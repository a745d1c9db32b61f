//! How long is a client waited for?
//!
//! Between requests clients may be quiet for long, so that a connection is not closed under a request; a head that has begun must
//! end soon. (hyper has one limit for both, and arms a timer for each request.)

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::requests::Requests;

/// How long a connection is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a head to its last.
    pub(super) head: Duration,
    /// For the next request, and for the client to read on.
    pub(super) idle: Duration,
}

/// A connection that gives up on a client that is silent, sends a head too slowly, or does not read its answers.
pub(super) struct Patient {
    stream: TcpStream,
    patience: Patience,
    requests: Requests,
    awaits: Awaits,
    /// Sleeps until an earlier deadline, mostly, and is set anew when it wakes, so that a request arms no timer.
    read: Option<Pin<Box<Sleep>>>,
    write: Option<Pin<Box<Sleep>>>,
}

/// What is awaited from the client while no request is answered, and since when. (A body has a limit of its own.)
#[derive(Debug, Clone, Copy)]
enum Awaits {
    Request(Instant),
    RestOfHead(Instant),
}

impl Patient {
    /// The clock of the first head starts at once: who connects has something to say.
    pub(super) fn new(stream: TcpStream, requests: Requests, patience: Patience) -> Self {
        Self { stream, patience, requests, awaits: Awaits::RestOfHead(Instant::now()), read: None, write: None }
    }

    /// Whether what is awaited has been awaited for too long.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.requests.is_quiet() {
            return false;
        }
        let until = match self.awaits {
            Awaits::Request(since) => since + self.patience.idle,
            Awaits::RestOfHead(since) => since + self.patience.head,
        };
        let sleep = self.read.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= until {
                return true;
            }
            sleep.as_mut().reset(until);
        }
        false
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write = None;
            return written;
        }
        let limit = self.patience.idle;
        ready!(self.write.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.requests.end();
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if Pin::new(&mut this.stream).poll_read(cx, buffer)?.is_pending() {
            return if this.is_late(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending };
        }
        if buffer.filled().len() > before
            && let Awaits::Request(_) = this.awaits
            && this.requests.is_quiet()
        {
            this.awaits = Awaits::RestOfHead(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when nothing is left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.requests.written() {
            self.awaits = Awaits::Request(Instant::now());
            // hyper may read no more until it is woken, so the timer must be armed here; nothing is late yet.
            let _late = self.is_late(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
