//! Writes to a socket, and gives up on a client that reads too slowly.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep, sleep_until};

use super::outlet::Outlet;

pub struct PacedWriter<W> {
    writer: W,
    outlet: Arc<Outlet>,
    /// Fires when the client is too far behind.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the client has had to be waited for, and has not caught up since.
    is_behind: bool,
}

impl<W> PacedWriter<W> {
    pub fn new(writer: W, outlet: Arc<Outlet>) -> Self {
        Self { writer, outlet, timer: None, is_behind: false }
    }

    /// Checks what came of a write of so many bytes.
    fn checked<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Ready(Ok(written)) if self.is_behind => self.wrote(bytes(written)),
            Poll::Pending if self.is_too_late(context) => return Poll::Ready(Err(ErrorKind::TimedOut.into())),
            _ => {}
        }
        polled
    }

    fn wrote(&mut self, bytes: usize) {
        let now = Instant::now().into_std();
        let mut pace = self.outlet.pace.lock();
        pace.earn(now, self.outlet.backlog.time_for(bytes));
        pace.pause(now);
        self.is_behind = !pace.behind(now).is_zero();
    }

    fn is_too_late(&mut self, context: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let behind = {
            let mut pace = self.outlet.pace.lock();
            pace.start(now.into_std());
            pace.behind(now.into_std())
        };
        self.is_behind = true;
        let Some(left) = self.outlet.backlog.bounds.behind.checked_sub(behind) else { return true };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(now + left)));
        timer.as_mut().reset(now + left);
        timer.as_mut().poll(context).is_ready()
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for PacedWriter<W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.writer).poll_write(context, bytes);
        self.checked(polled, |written| *written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.writer).poll_write_vectored(context, slices);
        self.checked(polled, |written| *written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.writer).poll_flush(context);
        self.checked(polled, |()| 0, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.writer).poll_shutdown(context);
        self.checked(polled, |()| 0, context)
    }
}
