//! One call: what the caller gives it.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::capture::{Capture, Recorder};
use super::ending::Ending;
use super::exchange::Exchange;
use super::outbound::{Background, Propagate};

/// What a call is given.
#[derive(Debug, Default)]
pub struct Invocation {
    /// Arguments. The first is the function's name.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// What the guest reads.
    pub input: Input,
    /// Headers that requests of the guest carry, such as its place in a distributed trace.
    pub trace: Option<Arc<dyn Propagate>>,
}

/// What a guest reads, and where it answers.
#[derive(Debug)]
pub enum Input {
    /// Standard input from memory; output is captured in memory.
    Captured(Bytes),
    /// This process's own standard streams.
    Inherited,
    /// An HTTP request, for functions that answer those ([`Kind::speaks_http`](crate::Kind::speaks_http)).
    Http(Box<Exchange>),
}

impl Default for Input {
    fn default() -> Self {
        Self::Captured(Bytes::new())
    }
}

pub struct Call<'a> {
    pub invocation: Invocation,
    pub recorder: &'a Arc<Recorder>,
    pub background: Background,
    /// Where standard output goes.
    pub stdout: fn(Arc<Recorder>) -> Capture,
}

impl<'a> Call<'a> {
    pub fn new(invocation: Invocation, recorder: &'a Arc<Recorder>, background: Background) -> Self {
        Self { invocation, recorder, background, stdout: Capture::Output }
    }

    /// Takes the HTTP request, for a guest that answers those. What such a guest prints is no answer and goes to the log.
    pub fn take_exchange(&mut self) -> Result<Exchange, Ending> {
        self.stdout = Capture::Log;
        match mem::take(&mut self.invocation.input) {
            Input::Http(exchange) => Ok(*exchange),
            _ => Err(Ending::BadInput("the function answers HTTP requests: call it with one".into())),
        }
    }
}

/// Why a guest that reads stdin cannot be called with an HTTP request.
pub const NO_HTTP: &str = "the function does not answer HTTP requests: call it with an input";
