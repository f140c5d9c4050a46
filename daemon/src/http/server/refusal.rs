//! What hyper answers by itself: it refuses a head that it cannot read with a bare status. Here the status gets its problem.
//!
//! Only answers on a connection from which no request has been taken are hyper's own beyond doubt: later, what is written may
//! be a function's. Behind a request, an unreadable one is refused with the status alone.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::StatusCode;
use tokio::io::AsyncWrite;

use crate::http::answer::problem::Problem;
use crate::http::settings::ConnectionSettings;

/// The lengths that hyper keeps for itself. It refuses them as if the head were too large.
const RESERVED_LENGTHS: [&[u8]; 2] = [b"18446744073709551614", b"18446744073709551615"];

pub struct RefusalWriter<W> {
    writer: W,
    /// Whether a request has been taken from the connection.
    asked: Arc<AtomicBool>,
    settings: ConnectionSettings,
    /// Whether its first bytes announce a body that is longer than any.
    is_endless: bool,
    /// What is written instead of a bare refusal, and how much of it has been.
    refusal: Option<(Vec<u8>, usize)>,
}

impl<W> RefusalWriter<W> {
    /// `first` are the first bytes that the client sent.
    pub fn new(writer: W, asked: Arc<AtomicBool>, settings: ConnectionSettings, first: &[u8]) -> Self {
        let is_endless = first.windows(20).any(|window| RESERVED_LENGTHS.contains(&window));
        Self { writer, asked, settings, is_endless, refusal: None }
    }

    /// The refusal with its problem, if these are the bytes of one.
    fn explained(&self, bare: &[u8]) -> Option<Vec<u8>> {
        let head = str::from_utf8(bare).ok()?.strip_prefix("HTTP/1.1 ")?.strip_suffix("\r\n\r\n")?;
        let status = StatusCode::from_bytes(head.get(..3)?.as_bytes()).ok()?;
        let (bytes_max, head_max) = (self.settings.body_max, self.settings.head);
        let problem = match status {
            StatusCode::BAD_REQUEST => Problem::BadRequest("the head of the request cannot be read".into()),
            StatusCode::URI_TOO_LONG => Problem::TargetTooLong,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if self.is_endless => {
                Problem::BodyTooLarge { bytes_max, limit: "limits.body" }
            }
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Problem::HeadTooLarge(head_max),
            _ => return None,
        };
        let document = problem.document(None);
        let status = StatusCode::from_u16(document.status).ok()?;
        let body = serde_json::to_vec(&document).ok()?;
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Some([head.into_bytes(), body].concat())
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for RefusalWriter<W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.refusal.is_none() && !this.asked.load(Ordering::Relaxed) {
            this.asked.store(true, Ordering::Relaxed);
            this.refusal = this.explained(bytes).map(|explained| (explained, 0));
        }
        let Some((explained, written)) = &mut this.refusal else {
            return Pin::new(&mut this.writer).poll_write(context, bytes);
        };
        while *written < explained.len() {
            match ready!(Pin::new(&mut this.writer).poll_write(context, &explained[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.refusal.is_some() || !self.asked.load(Ordering::Relaxed) {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(context, first.map_or(&[], |slice| slice));
        }
        Pin::new(&mut self.writer).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}
