//! Reads from a connection so that a line of HTTP/1 that ends with a bare line feed is refused.
//!
//! The parser takes such a line, others do not, and what two programs understand differently can be a second request to
//! one of them. There is no setting for it. So the line feed is made a byte that no parser takes, which is answered with 400,
//! and nothing more is read.

mod lines;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use lines::Lines;

/// A connection whose heads are looked at as they are read.
#[derive(Debug)]
pub(super) struct Strict {
    stream: TcpStream,
    lines: Lines,
    /// Set when the connection goes on in another protocol.
    upgraded: Arc<AtomicBool>,
}

impl Strict {
    pub(super) fn new(stream: TcpStream, upgraded: Arc<AtomicBool>) -> Self {
        Self { stream, lines: Lines::default(), upgraded }
    }
}

impl AsyncRead for Strict {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.lines.are_refused() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if !self.upgraded.load(Ordering::Acquire) {
            self.lines.check(&mut buf.filled_mut()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Strict {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
