//! What a call leaves behind while it runs: output and log, in memory and bounded, and the moment the guest began.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{self, AsyncWrite};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use super::ending::{Completion, Ending};
use super::grants::Limits;

/// What one call leaves behind. It survives the call however that ends, also if its future is dropped.
#[derive(Debug)]
pub struct Recorder {
    output: Mutex<Written>,
    log: Mutex<Written>,
    limits: Limits,
    /// The HTTP answer: its status, or an error.
    answer: OnceLock<Result<u16, String>>,
    /// Whether the guest ended before it had finished the body of its answer.
    abandoned: AtomicBool,
    started: Instant,
    /// From `started` to the guest's first instruction, in nanoseconds; zero until then.
    startup: AtomicU64,
}

#[derive(Debug, Default)]
struct Written {
    bytes: Vec<u8>,
    /// Whether the guest wrote more than its limit.
    overflowed: bool,
}

impl Recorder {
    /// For a call that starts now.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            output: Mutex::default(),
            log: Mutex::default(),
            limits: *limits,
            answer: OnceLock::new(),
            abandoned: AtomicBool::new(false),
            started: Instant::now(),
            startup: AtomicU64::new(0),
        })
    }

    /// Ends the call, and hands over all that it left. A call that wrote too much ends as [`Ending::OutputTooLarge`],
    /// whatever `ending` says.
    #[must_use]
    pub fn complete(&self, mut ending: Ending) -> Completion {
        let total = self.started.elapsed();
        let startup = match self.startup.load(Ordering::Relaxed) {
            0 => total,
            startup => Duration::from_nanos(startup),
        };
        let output = std::mem::take(&mut *self.output.lock());
        if output.overflowed {
            ending = Ending::OutputTooLarge;
        }
        let mut log = std::mem::take(&mut *self.log.lock());
        let surplus = log.bytes.len().saturating_sub(self.limits.stderr);
        log.bytes.drain(..surplus);
        Completion {
            ending,
            answered: self.answer.get().and_then(|answer| answer.as_ref().ok().copied()),
            output: output.bytes,
            log: log.bytes,
            log_truncated: log.overflowed,
            startup,
            execution: total.saturating_sub(startup),
        }
    }

    /// The guest begins to run now.
    pub(super) fn begin(&self) {
        let startup = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.startup.store(startup.max(1), Ordering::Relaxed);
    }

    /// Adds to the output. A write beyond the limit ends the call, because half an answer is no answer.
    pub(super) fn push_output(&self, bytes: &[u8]) -> Result<(), OutputFull> {
        let mut written = self.output.lock();
        if bytes.len() > self.limits.stdout - written.bytes.len() {
            written.overflowed = true;
            return Err(OutputFull);
        }
        written.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The body of the HTTP answer is larger than its limit.
    pub(super) fn overflow(&self) {
        self.output.lock().overflowed = true;
    }

    /// The guest answered. Only the first answer counts.
    pub(super) fn answer(&self, answer: Result<u16, String>) {
        let _ = self.answer.set(answer);
    }

    /// The guest ended before it had finished the body of its answer.
    pub(super) fn abandon_answer(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(super) fn has_abandoned_answer(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// The ending of a guest that answers HTTP requests and has returned.
    pub(super) fn answered(&self) -> Ending {
        match self.answer.get() {
            Some(Ok(status)) => Ending::Answered(*status),
            Some(Err(why)) => Ending::Refused(why.clone()),
            None => Ending::NoAnswer,
        }
    }

    /// Moves the log of `other` here.
    pub(super) fn take_log_of(&self, other: &Self) {
        let log = std::mem::take(&mut *other.log.lock());
        if !log.bytes.is_empty() {
            self.push_log(&log.bytes);
            self.log.lock().overflowed |= log.overflowed;
        }
    }

    /// Adds to the log. If it outgrows its limit the beginning is dropped, because the end says most.
    fn push_log(&self, bytes: &[u8]) {
        let (mut written, max) = (self.log.lock(), self.limits.stderr);
        written.overflowed |= written.bytes.len() + bytes.len() > max;
        written.bytes.extend_from_slice(&bytes[bytes.len().saturating_sub(max)..]);
        // Up to twice the limit is held, so that dropping costs little per byte.
        if written.bytes.len() > 2 * max {
            let surplus = written.bytes.len() - max;
            written.bytes.drain(..surplus);
        }
    }
}

/// One of a guest's streams, which writes to the recorder of its call.
#[derive(Clone, Debug)]
pub enum Capture {
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

    /// One byte more than the limit, so that the write that exceeds it arrives and is noticed.
    fn room(&self) -> usize {
        let max = match self {
            Self::Output(recorder) => recorder.limits.stdout,
            Self::Log(recorder) => recorder.limits.stderr,
        };
        max.saturating_add(1)
    }
}

/// A write exceeded the limit of the output.
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
        // As if the reader had gone: wasmtime logs every other error.
        let gone = |full| io::Error::new(io::ErrorKind::BrokenPipe, full);
        Poll::Ready(self.push(bytes).map(|()| bytes.len()).map_err(gone))
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
        let limits = Limits {
            wall: Duration::MAX,
            memory: 0,
            table_elements: 0,
            stdout: bytes_max,
            stderr: bytes_max,
            files: 0,
        };
        Recorder::new(&limits)
    }

    #[test]
    fn output_up_to_the_limit_is_kept_and_more_is_an_error() {
        let answer = recorder(4);
        assert!(answer.push_output(b"abcd").is_ok());
        assert!(answer.push_output(b"").is_ok());
        assert!(answer.push_output(b"e").is_err());
        let completion = answer.complete(Ending::Returned);
        assert_eq!((&completion.output[..], completion.ending), (&b"abcd"[..], Ending::OutputTooLarge));
    }

    #[test]
    fn the_end_of_a_long_log_is_kept() {
        let log = recorder(4);
        log.push_log(b"abcd");
        assert!(!log.log.lock().overflowed);
        for bytes in [&b"ef"[..], b"ghijk", b"l", b"mnopqrstuvwxyz"] {
            log.push_log(bytes);
            assert!(log.log.lock().bytes.len() <= 8);
        }
        let completion = log.complete(Ending::Returned);
        assert_eq!((&completion.log[..], completion.log_truncated), (&b"wxyz"[..], true));
    }

    #[test]
    fn until_the_guest_runs_all_time_counts_as_startup() {
        let never = recorder(4).complete(Ending::TimedOut);
        assert!(never.execution.is_zero());
        let ran = recorder(4);
        ran.begin();
        std::thread::sleep(Duration::from_millis(2));
        let ran = ran.complete(Ending::Returned);
        assert!(ran.execution >= Duration::from_millis(2) && !ran.startup.is_zero(), "{ran:?}");
    }
}
