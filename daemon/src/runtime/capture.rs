//! Where a guest's output goes: into memory, with a bound.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{self, AsyncWrite};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

/// What happens to output beyond the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    /// The call ends: half an answer is no answer.
    Fails,
    /// The beginning is forgotten: of a log the end tells most.
    ForgetsBeginning,
}

/// A bounded stream in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct Capture {
    bytes_max: usize,
    overflow: Overflow,
    written: Arc<Mutex<Written>>,
}

/// What has been written.
#[derive(Debug, Default)]
pub struct Written {
    /// The bytes that were kept.
    pub bytes: Vec<u8>,
    /// Whether there were more than the bound allows.
    pub overflowed: bool,
}

impl Capture {
    /// Standard output: a write beyond `bytes_max` ends the call.
    pub fn answer(bytes_max: usize) -> Self {
        Self { bytes_max, overflow: Overflow::Fails, written: Arc::default() }
    }

    /// Standard error: the last `bytes_max` bytes are kept.
    pub fn log(bytes_max: usize) -> Self {
        Self { bytes_max, overflow: Overflow::ForgetsBeginning, written: Arc::default() }
    }

    /// Takes out what was written.
    pub fn take(&self) -> Written {
        let mut written = std::mem::take(&mut *self.lock());
        let surplus = written.bytes.len().saturating_sub(self.bytes_max);
        written.bytes.drain(..surplus);
        written
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        // Nothing panics while holding it; and bytes stay bytes.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, bytes: &[u8]) -> Result<(), OutputFull> {
        let mut written = self.lock();
        match self.overflow {
            Overflow::Fails if bytes.len() > self.bytes_max - written.bytes.len() => {
                written.overflowed = true;
                Err(OutputFull)
            }
            Overflow::Fails => {
                written.bytes.extend_from_slice(bytes);
                Ok(())
            }
            Overflow::ForgetsBeginning => {
                let bytes_kept = &bytes[bytes.len().saturating_sub(self.bytes_max)..];
                written.bytes.extend_from_slice(bytes_kept);
                if bytes_kept.len() < bytes.len() || written.bytes.len() > self.bytes_max {
                    written.overflowed = true;
                }
                // Up to twice the bound is held, so that forgetting costs little per byte.
                if written.bytes.len() > 2 * self.bytes_max {
                    let surplus = written.bytes.len() - self.bytes_max;
                    written.bytes.drain(..surplus);
                }
                Ok(())
            }
        }
    }
}

/// A write went beyond the bound of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the output is larger than allowed")]
pub struct OutputFull;

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.push(&bytes).map_err(|full| StreamError::Trap(full.into()))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    /// Always room for more than the bound, so that the write that goes beyond it arrives and is recognised.
    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(self.bytes_max.saturating_add(1))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Capture {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.push(bytes).map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_be_as_long_as_the_bound_and_not_a_byte_longer() {
        let answer = Capture::answer(4);
        assert!(answer.push(b"abcd").is_ok());
        assert!(answer.push(b"").is_ok());
        assert!(answer.push(b"e").is_err());
        let written = answer.take();
        assert_eq!((&written.bytes[..], written.overflowed), (&b"abcd"[..], true));
    }

    #[test]
    fn of_a_log_the_end_is_kept() {
        let log = Capture::log(4);
        log.push(b"abcd").unwrap();
        assert!(!log.lock().overflowed);
        for bytes in [&b"ef"[..], b"ghijk", b"l", b"mnopqrstuvwxyz"] {
            log.push(bytes).unwrap();
            assert!(log.lock().bytes.len() <= 8);
        }
        let written = log.take();
        assert_eq!((&written.bytes[..], written.overflowed), (&b"wxyz"[..], true));
    }
}
