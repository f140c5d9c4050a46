//! What a call leaves behind while it runs: its output and its log, in memory and bounded, and when it began to run.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{self, AsyncWrite};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use super::completion::{Completion, Ending};
use super::engine::Limits;

/// What one call leaves behind. It is there however the call ends, also when it is cut off.
#[derive(Debug)]
pub struct Recorder {
    output: Mutex<Written>,
    output_max: usize,
    log: Mutex<Written>,
    log_max: usize,
    /// What a guest that answers requests has answered: its status, or an error.
    answer: OnceLock<Result<u16, String>>,
    started: Instant,
    /// From `started` to the guest's first instruction, in nanoseconds; zero until then.
    startup: AtomicU64,
}

/// What has been written.
#[derive(Debug, Default)]
struct Written {
    /// The bytes that were kept.
    bytes: Vec<u8>,
    /// Whether there were more than the bound allows.
    overflowed: bool,
}

impl Recorder {
    /// Nothing yet of a call that starts now.
    #[must_use]
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            output: Mutex::default(),
            output_max: limits.stdout,
            log: Mutex::default(),
            log_max: limits.stderr,
            answer: OnceLock::new(),
            started: Instant::now(),
            startup: AtomicU64::new(0),
        })
    }

    /// How a call that ended so has ended, with all that it left.
    #[must_use]
    pub fn complete(&self, mut ending: Ending) -> Completion {
        let total = self.started.elapsed();
        let startup = match self.startup.load(Ordering::Relaxed) {
            0 => total,
            startup => Duration::from_nanos(startup),
        };
        let output = std::mem::take(&mut *lock(&self.output));
        if output.overflowed {
            ending = Ending::OutputTooLarge;
        }
        let mut log = std::mem::take(&mut *lock(&self.log));
        let surplus = log.bytes.len().saturating_sub(self.log_max);
        log.bytes.drain(..surplus);
        Completion {
            ending,
            output: output.bytes,
            log: log.bytes,
            log_truncated: log.overflowed,
            startup,
            execution: total.saturating_sub(startup),
        }
    }

    /// Notes that the guest begins to run.
    pub(super) fn begin(&self) {
        let startup = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.startup.store(startup.max(1), Ordering::Relaxed);
    }

    /// Adds to the output. A write beyond the bound ends the call: half an answer is no answer.
    pub(super) fn push_output(&self, bytes: &[u8]) -> Result<(), OutputFull> {
        let mut written = lock(&self.output);
        if bytes.len() > self.output_max - written.bytes.len() {
            written.overflowed = true;
            return Err(OutputFull);
        }
        written.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Notes that an answer grows beyond its bound.
    pub(super) fn overflow(&self) {
        lock(&self.output).overflowed = true;
    }

    /// Notes what was answered. Only the first answer counts.
    pub(super) fn answer(&self, answer: Result<u16, String>) {
        let _ = self.answer.set(answer);
    }

    /// What was answered.
    pub(super) fn answered(&self) -> Option<&Result<u16, String>> {
        self.answer.get()
    }

    /// Takes over what is in the log of `other`.
    pub(super) fn take_log_of(&self, other: &Self) {
        let log = std::mem::take(&mut *lock(&other.log));
        if !log.bytes.is_empty() {
            self.push_log(&log.bytes);
            lock(&self.log).overflowed |= log.overflowed;
        }
    }

    /// Adds to the log. The beginning is forgotten when there is more than the bound: the end tells most.
    fn push_log(&self, bytes: &[u8]) {
        let mut written = lock(&self.log);
        let bytes_kept = &bytes[bytes.len().saturating_sub(self.log_max)..];
        written.bytes.extend_from_slice(bytes_kept);
        if bytes_kept.len() < bytes.len() || written.bytes.len() > self.log_max {
            written.overflowed = true;
        }
        // Up to twice the bound is held, so that forgetting costs little per byte.
        if written.bytes.len() > 2 * self.log_max {
            let surplus = written.bytes.len() - self.log_max;
            written.bytes.drain(..surplus);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding it; and bytes stay bytes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of a guest's streams, into the recorder of its call.
#[derive(Clone, Debug)]
pub(super) enum Capture {
    Output(Arc<Recorder>),
    Log(Arc<Recorder>),
}

impl Capture {
    fn push(&self, bytes: &[u8]) -> Result<(), OutputFull> {
        match self {
            Self::Output(recorder) => recorder.push_output(bytes),
            Self::Log(recorder) => {
                recorder.push_log(bytes);
                Ok(())
            }
        }
    }

    /// Always room for more than the bound, so that the write that goes beyond it arrives and is recognised.
    fn room(&self) -> usize {
        let (Self::Output(recorder) | Self::Log(recorder)) = self;
        let max = match self {
            Self::Output(_) => recorder.output_max,
            Self::Log(_) => recorder.log_max,
        };
        max.saturating_add(1)
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

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(self.room())
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

    fn recorder(bytes_max: usize) -> Arc<Recorder> {
        let limits = Limits { wall: Duration::MAX, memory: 0, table_elements: 0, stdout: bytes_max, stderr: bytes_max };
        Recorder::new(&limits)
    }

    #[test]
    fn an_answer_may_be_as_long_as_the_bound_and_not_a_byte_longer() {
        let answer = recorder(4);
        assert!(answer.push_output(b"abcd").is_ok());
        assert!(answer.push_output(b"").is_ok());
        assert!(answer.push_output(b"e").is_err());
        let completion = answer.complete(Ending::Returned);
        assert_eq!((&completion.output[..], completion.ending), (&b"abcd"[..], Ending::OutputTooLarge));
    }

    #[test]
    fn of_a_log_the_end_is_kept() {
        let log = recorder(4);
        log.push_log(b"abcd");
        assert!(!lock(&log.log).overflowed);
        for bytes in [&b"ef"[..], b"ghijk", b"l", b"mnopqrstuvwxyz"] {
            log.push_log(bytes);
            assert!(lock(&log.log).bytes.len() <= 8);
        }
        let completion = log.complete(Ending::Returned);
        assert_eq!((&completion.log[..], completion.log_truncated), (&b"wxyz"[..], true));
    }

    #[test]
    fn what_never_ran_was_starting_all_the_time() {
        let never = recorder(4).complete(Ending::TimedOut);
        assert!(never.execution.is_zero());
        let ran = recorder(4);
        ran.begin();
        std::thread::sleep(Duration::from_millis(2));
        let ran = ran.complete(Ending::Returned);
        assert!(ran.execution >= Duration::from_millis(2) && !ran.startup.is_zero(), "{ran:?}");
    }
}
