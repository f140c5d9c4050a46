//! One call: what it is given, its deadline, how it ended.

use std::future::ready;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::{Store, Trap};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use super::capture::{Capture, OutputFull, Recorder};
use super::completion::{Completion, Ending};
use super::epoch::yield_at_ticks;
use super::exchange::Exchange;
use super::guest::Limiter;
use super::host::Host;
use super::outbound::{Background, Outbound, Propagate};
use super::program::{Body, Program};

/// How long the log of a failed call may show its stack, in characters.
const BACKTRACE_MAX: usize = 4000;

/// Random bytes that a guest gets at once. The host makes them without yielding, and the guest's deadline does not
/// interrupt it: with wasmtime's default of 64 MiB two guests can keep everybody else waiting for seconds. Browsers
/// draw the line here too. Source: W3C Web Cryptography, `getRandomValues`.
const RANDOM_BYTES_MAX: u64 = 65_536;

/// Bytes that a guest may hand to the host at once whatever its output may be.
const HOST_CALL_MIN: usize = 1 << 20;

/// What a call is given.
#[derive(Debug, Default)]
pub struct Invocation {
    /// Arguments, the function's name first.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// What it reads, and where it answers.
    pub input: Input,
    /// Its place in a distributed trace, for the requests that the guest sends.
    pub trace: Option<Arc<dyn Propagate>>,
}

/// A directory of the host that a guest sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The host's path.
    pub host: PathBuf,
    /// The guest's.
    pub guest: String,
    /// Whether the guest may change what is in it.
    pub writable: bool,
}

/// What a guest reads, and where it answers.
#[derive(Debug)]
pub enum Input {
    /// Standard input from memory, output into memory.
    Captured(Bytes),
    /// This process's own standard streams.
    Inherited,
    /// An HTTP request, for guests that answer those.
    Http(Box<Exchange>),
}

impl Default for Input {
    fn default() -> Self {
        Self::Captured(Bytes::new())
    }
}

impl Program {
    /// Calls the function once, in an instance of its own. What it leaves goes into `recorder`.
    ///
    /// Yields whenever the engine's epoch advances. Dropping the future ends the call.
    pub async fn call(&self, invocation: Invocation, recorder: Arc<Recorder>) -> Completion {
        let background = Background::new();
        let run = self.run(invocation, &recorder, background.clone());
        let ended = tokio::time::timeout(self.grants.limits.wall, background.beside(run)).await;
        recorder.complete(ended.unwrap_or(Ending::TimedOut))
    }

    /// What drives the call: on the heap, and for each kind no larger than that kind needs.
    fn run<'a>(
        &'a self,
        mut invocation: Invocation,
        recorder: &'a Arc<Recorder>,
        background: Background,
    ) -> Pin<Box<dyn Future<Output = Ending> + Send + 'a>> {
        let bad = |why: &str| Box::pin(ready(Ending::BadInput(why.into())));
        match (&self.body, std::mem::take(&mut invocation.input)) {
            (Body::Proxy(proxy, waiting), Input::Http(exchange)) => {
                Box::pin(self.answer(proxy, waiting.as_ref(), invocation, *exchange, recorder, background))
            }
            (Body::Service(service), Input::Http(exchange)) => {
                Box::pin(self.serve(service, invocation, *exchange, recorder, background))
            }
            (Body::Proxy(..) | Body::Service(_), _) => bad("it answers HTTP requests, and was given none"),
            (_, Input::Http(_)) => bad("it does not answer HTTP requests"),
            (Body::Command(command, start), input) => {
                Box::pin(self.run_command(command, start, Invocation { input, ..invocation }, recorder))
            }
            (Body::Numeric(numeric), input) => {
                Box::pin(self.run_numeric(numeric, Invocation { input, ..invocation }, recorder))
            }
            (Body::Component(component), input) => {
                Box::pin(self.run_component(component, Invocation { input, ..invocation }, recorder, background))
            }
        }
    }

    /// What the guest sees of the host.
    pub(super) fn wasi(&self, invocation: Invocation, recorder: &Arc<Recorder>) -> wasmtime::Result<WasiCtxBuilder> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.args(&invocation.arguments).envs(&invocation.environment).max_random_size(RANDOM_BYTES_MAX);
        match invocation.input {
            Input::Captured(input) => {
                let output = if self.kind().speaks_http() { Capture::Log } else { Capture::Output };
                wasi.stdin(MemoryInputPipe::new(input));
                wasi.stdout(output(recorder.clone())).stderr(Capture::Log(recorder.clone()));
            }
            // Only `nebula run` inherits.
            Input::Inherited | Input::Http(_) => drop(wasi.inherit_stdio()),
        }
        if !self.grants.directories.is_empty() {
            // On this thread, so that what the files take from the processor is charged to the call.
            wasi.allow_blocking_current_thread(true);
        }
        for Directory { host, guest, writable } in &self.grants.directories {
            let permissions = if *writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(host, guest, permissions)?;
        }
        Ok(wasi)
    }

    /// A store for a component's instance.
    pub(super) fn host(
        &self,
        engine: &wasmtime::Engine,
        invocation: Invocation,
        recorder: &Arc<Recorder>,
        background: Background,
    ) -> wasmtime::Result<Store<Host>> {
        let outbound = self.outbound(&invocation, background);
        let wasi = self.wasi(invocation, recorder)?.build();
        let mut store = Store::new(engine, Host::new(wasi, outbound, self.limiter()));
        store.limiter(|host| &mut host.limiter);
        self.prepare(&mut store);
        Ok(store)
    }

    /// What a call may send.
    pub(super) fn outbound(&self, invocation: &Invocation, background: Background) -> Outbound {
        let function = invocation.arguments.first().map(String::as_str).unwrap_or_default();
        Outbound::new(self.grants.outbound.clone(), background, function.into(), invocation.trace.clone())
    }

    /// Sets the bounds of a call that is about to begin.
    pub(super) fn prepare<T: Send>(&self, store: &mut Store<T>) {
        store.set_hostcall_fuel(host_call_bytes(self.grants.limits.stdout));
        yield_at_ticks(store);
    }

    pub(super) fn limiter(&self) -> Limiter {
        Limiter::new(self.grants.limits.memory, self.grants.limits.table_elements)
    }
}

/// How many bytes a guest may hand to the host at once: an answer in one piece, and some more for what is no answer,
/// such as what it waits for. The host copies them before it looks at any limit of ours.
fn host_call_bytes(stdout: usize) -> usize {
    stdout.max(HOST_CALL_MIN).saturating_add(HOST_CALL_MIN)
}

/// What an error from wasmtime means for the call.
pub(super) fn ending(error: &wasmtime::Error, limiter: &Limiter) -> Ending {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return if *code == 0 { Ending::Returned } else { Ending::Exited(*code) };
    }
    if error.downcast_ref::<OutputFull>().is_some() {
        return Ending::OutputTooLarge;
    }
    if limiter.refused {
        return Ending::OutOfMemory;
    }
    // Drawing a stack takes up to tenths of a second, in which nobody else has a turn.
    if tracing::enabled!(tracing::Level::DEBUG) {
        let backtrace: String = format!("{error:?}").chars().take(BACKTRACE_MAX).collect();
        tracing::debug!("a guest trapped: {backtrace}");
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => Ending::Trapped(trap.to_string()),
        None => Ending::Trapped(error.root_cause().to_string()),
    }
}
