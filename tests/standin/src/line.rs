// SPDX-License-Identifier: Apache-2.0
//! Connections that can be cut from this end in the middle of a call, as networks do.

use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::Connected;

/// The handle of a connection; a call finds it in the extensions of its request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Arc<Mutex<LineState>>);

#[derive(Debug, Default)]
struct LineState {
    is_cut: bool,
    reader: Option<Waker>,
}

impl Line {
    /// Cuts the connection: whoever reads or writes on it next gets an error, and closes it.
    pub(crate) fn cut(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_cut = true;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    fn check(&self, reader: Option<&Waker>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_cut {
            return Err(io::Error::from(io::ErrorKind::ConnectionReset));
        }
        if let Some(reader) = reader {
            state.reader = Some(reader.clone());
        }
        Ok(())
    }
}

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Line,
}

impl Connected for Wire {
    type ConnectInfo = Line;

    fn connect_info(&self) -> Line {
        self.line.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.check(Some(context.waker()))?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.line.check(None)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.line.check(None)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Connections as they come in.
pub(crate) struct Incoming(tokio::net::TcpListener);

impl Incoming {
    /// Has to be called within a runtime.
    pub(crate) fn new(listener: TcpListener) -> io::Result<Incoming> {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener).map(Incoming)
    }
}

impl Stream for Incoming {
    type Item = io::Result<Wire>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.0.poll_accept(context));
        Poll::Ready(Some(accepted.and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            let line = Line::default();
            Ok(Wire { stream, line })
        })))
    }
}
