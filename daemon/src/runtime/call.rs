//! One call: a fresh instance, its standard streams, its deadline.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmtime::{Store, Trap, Val};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use super::capture::{Capture, OutputFull};
use super::completion::{Completion, Ending};
use super::guest::{Guest, Limiter};
use super::numeric;
use super::program::{Entry, Program};

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
    /// Directories that it may open.
    pub directories: Vec<Directory>,
    /// Its input and where its output goes.
    pub stdio: Stdio,
}

/// A directory of the host that a guest sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The host's path.
    pub host: PathBuf,
    /// The guest's.
    pub guest: String,
}

/// A guest's standard streams.
#[derive(Debug)]
pub enum Stdio {
    /// Input from memory, output into memory.
    Captured(Bytes),
    /// This process's own.
    Inherited,
}

impl Default for Stdio {
    fn default() -> Self {
        Self::Captured(Bytes::new())
    }
}

impl Program {
    /// Calls the function once, in an instance of its own.
    ///
    /// Yields whenever the engine's epoch advances. Dropping the future ends the call.
    pub async fn call(&self, invocation: Invocation) -> Completion {
        let started = Instant::now();
        let limits = self.runtime.limits();
        let (output, log) = (Capture::answer(limits.stdout), Capture::log(limits.stderr));
        let mut startup = Duration::ZERO;
        let run = self.run(invocation, &output, &log, started, &mut startup);
        let result = tokio::time::timeout(limits.wall, run).await;
        let mut ending = result.unwrap_or(Ending::TimedOut);
        let total = started.elapsed();
        let (output, log) = (output.take(), log.take());
        if output.overflowed {
            ending = Ending::OutputTooLarge;
        }
        let execution = total.saturating_sub(startup);
        Completion { ending, output: output.bytes, log: log.bytes, log_truncated: log.overflowed, startup, execution }
    }

    async fn run(
        &self,
        invocation: Invocation,
        output: &Capture,
        log: &Capture,
        started: Instant,
        startup: &mut Duration,
    ) -> Ending {
        let parameters = match (&self.entry, &invocation.stdio) {
            (Entry::Numeric(signature), Stdio::Captured(input)) => signature.parse(input),
            (Entry::Numeric(signature), Stdio::Inherited) => {
                signature.parse(invocation.arguments.get(1..).unwrap_or_default().join(",").as_bytes())
            }
            (Entry::Command, _) => Ok(Vec::new()),
        };
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(why) => return Ending::BadInput(why),
        };
        let guest = match self.guest(invocation, output, log) {
            Ok(guest) => guest,
            Err(error) => return Ending::Trapped(format!("{error:#}")),
        };
        let mut store = Store::new(&self.runtime.engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(host_call_bytes(self.runtime.limits().stdout));
        store.epoch_deadline_async_yield_and_update(1);
        // A new store is overdue, and would yield before its first instruction.
        store.set_epoch_deadline(1);
        let result = self.enter(&mut store, &parameters, output, started, startup).await;
        result.map_or_else(|error| ending(&error, &store.data().limiter), |()| Ending::Returned)
    }

    fn guest(&self, invocation: Invocation, output: &Capture, log: &Capture) -> wasmtime::Result<Guest> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.args(&invocation.arguments).envs(&invocation.environment).max_random_size(RANDOM_BYTES_MAX);
        match invocation.stdio {
            Stdio::Captured(input) => {
                wasi.stdin(MemoryInputPipe::new(input)).stdout(output.clone()).stderr(log.clone());
            }
            Stdio::Inherited => {
                // Only `nebula run` inherits; it has nobody else to keep waiting, and file access on this thread is
                // charged to the call.
                wasi.inherit_stdio().allow_blocking_current_thread(true);
            }
        }
        for Directory { host, guest } in &invocation.directories {
            wasi.preopened_dir(host, guest, FsPerms::ReadWrite)?;
        }
        let limiter = Limiter::new(self.runtime.limits.memory, self.runtime.limits.table_elements);
        Ok(Guest { wasi: wasi.build_p1(), limiter })
    }

    async fn enter(
        &self,
        store: &mut Store<Guest>,
        parameters: &[Val],
        output: &Capture,
        started: Instant,
        startup: &mut Duration,
    ) -> wasmtime::Result<()> {
        let instance = self.instance.instantiate_async(&mut *store).await?;
        *startup = started.elapsed();
        match &self.entry {
            Entry::Command => {
                let start = instance.get_typed_func::<(), ()>(&mut *store, self.entry_name())?;
                start.call_async(&mut *store, ()).await
            }
            Entry::Numeric(signature) => {
                let Some(run) = instance.get_func(&mut *store, self.entry_name()) else {
                    wasmtime::bail!("the export `{}` has gone", self.entry_name());
                };
                let mut results = signature.results();
                run.call_async(&mut *store, parameters, &mut results).await?;
                output.push(numeric::show(&results).as_bytes())?;
                Ok(())
            }
        }
    }
}

/// How many bytes a guest may hand to the host at once: an answer in one piece, and some more for what is no answer,
/// such as what it waits for. The host copies them before it looks at any limit of ours.
fn host_call_bytes(stdout: usize) -> usize {
    stdout.max(HOST_CALL_MIN).saturating_add(HOST_CALL_MIN)
}

/// What an error from wasmtime means for the call.
fn ending(error: &wasmtime::Error, limiter: &Limiter) -> Ending {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return if *code == 0 { Ending::Returned } else { Ending::Exited(*code) };
    }
    if error.downcast_ref::<OutputFull>().is_some() {
        return Ending::OutputTooLarge;
    }
    if limiter.refused {
        return Ending::OutOfMemory;
    }
    let backtrace: String = format!("{error:?}").chars().take(BACKTRACE_MAX).collect();
    tracing::debug!("a guest trapped: {backtrace}");
    match error.downcast_ref::<Trap>() {
        Some(trap) => Ending::Trapped(trap.to_string()),
        None => Ending::Trapped(error.root_cause().to_string()),
    }
}
