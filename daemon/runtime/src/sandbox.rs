//! What every instance of a function gets: a store with its view of the host and its limits.

use std::sync::Arc;

use wasmtime::{Engine, Store, Trap};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use super::call::{Call, Input, Invocation, NO_HTTP};
use super::capture::{Capture, OutputFull};
use super::ending::Ending;
use super::engine::Runtime;
use super::epoch::yield_at_ticks;
use super::files::FilesOfCall;
use super::grants::{Directory, Grants};
use super::limiter::Limiter;
use super::outbound::{Background, Outbound};
use super::sockets::Gate;
use super::state::{Bounded, ComponentState, ModuleState, RESOURCES_MAX};

/// The most characters of a failed call's stack that the log shows.
const BACKTRACE_MAX: usize = 4000;

/// The most random bytes that a guest gets at once. The host makes them without yielding, out of reach of the guest's
/// deadline: with wasmtime's default of 64 MiB two guests can keep all others waiting for seconds. Browsers have the same
/// bound. Source: W3C Web Cryptography, `getRandomValues`.
const RANDOM_BYTES_MAX: u64 = 65_536;

/// Bytes that a guest may hand to the host at once, however small the limit of its output.
const HOST_CALL_MIN: usize = 1 << 20;

/// What a function runs in.
pub struct Sandbox {
    pub runtime: Runtime,
    pub grants: Grants,
}

impl Sandbox {
    pub fn module_store(&self, call: Call<'_>) -> Result<Store<ModuleState>, Ending> {
        let (limiter, files) = (Limiter::new(self.grants.limits), self.files()?);
        let state = ModuleState { wasi: self.wasi(call)?.build_p1(), limiter, files };
        let mut store = Store::new(&self.runtime.plain().engine, state);
        store.limiter(|state| state);
        self.arm(&mut store);
        Ok(store)
    }

    pub fn component_store(&self, engine: &Engine, call: Call<'_>) -> Result<Store<ComponentState>, Ending> {
        let outbound = self.outbound(&call.invocation, call.background.clone());
        let (limiter, files) = (Limiter::new(self.grants.limits), self.files()?);
        let gate = self.gate(&call.invocation)?;
        let mut wasi = self.wasi(call)?;
        if let Some(gate) = &gate {
            gate.open(&mut wasi);
        }
        let mut state = ComponentState::new(wasi.build(), outbound, limiter, files);
        state.gate = gate;
        let mut store = Store::new(engine, state);
        store.limiter(|state| state);
        if let Some(concurrently) = store.concurrent_resource_table() {
            concurrently.set_max_capacity(RESOURCES_MAX);
        }
        self.arm(&mut store);
        Ok(store)
    }

    /// Gives a component's store that served another call to this one.
    pub fn renew(&self, store: &mut Store<ComponentState>, call: &Call<'_>) {
        store.data_mut().outbound = self.outbound(&call.invocation, call.background.clone());
        self.arm(store);
    }

    /// Sets the bounds of a call that is about to begin.
    pub fn arm<T: Bounded>(&self, store: &mut Store<T>) {
        store.set_hostcall_fuel(host_call_bytes(self.grants.limits.stdout));
        yield_at_ticks(store);
    }

    fn wasi(&self, call: Call<'_>) -> Result<WasiCtxBuilder, Ending> {
        let Call { invocation, recorder, stdout, .. } = call;
        let mut wasi = WasiCtxBuilder::new();
        wasi.args(&invocation.arguments).envs(&invocation.environment).max_random_size(RANDOM_BYTES_MAX);
        match invocation.input {
            Input::Captured(input) => {
                wasi.stdin(MemoryInputPipe::new(input));
                wasi.stdout(stdout(recorder.clone())).stderr(Capture::Log(recorder.clone()));
            }
            Input::Inherited => drop(wasi.inherit_stdio()),
            Input::Http(_) => return Err(Ending::BadInput(NO_HTTP.into())),
        }
        let given = &self.grants.directories;
        if !given.is_empty() && !given.iter().any(|directory| directory.special) {
            // On this thread, so that whoever measures the call's thread sees what files cost. Special files may wait, and do
            // so on threads that nobody else needs.
            wasi.allow_blocking_current_thread(true);
        }
        for Directory { host, guest, writable, special: _ } in given {
            let permissions = if *writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(host, guest, permissions).map_err(|error| Ending::Trapped(format!("{error:#}")))?;
        }
        Ok(wasi)
    }

    /// Room for the files of a call, of which the directories that it is given are the first; `None` if it can open nothing.
    fn files(&self) -> Result<Option<FilesOfCall>, Ending> {
        let given = &self.grants.directories;
        if given.is_empty() {
            return Ok(None);
        }
        let special = given.iter().any(|directory| directory.special);
        let files = FilesOfCall::new(self.runtime.files(), given.len(), self.grants.limits.files, special);
        files.map(Some).ok_or_else(|| Ending::Trapped("too many files are open".into()))
    }

    /// What decides about the sockets of a call; `None` if it can have none.
    fn gate(&self, invocation: &Invocation) -> Result<Option<Arc<Gate>>, Ending> {
        let Grants { network, outbound, limits, .. } = &self.grants;
        if network.is_empty() {
            return Ok(None);
        }
        let sockets = FilesOfCall::new(self.runtime.files(), 0, limits.files, false);
        let sockets = sockets.ok_or_else(|| Ending::Trapped("too many files are open".into()))?;
        let networks = outbound.networks().clone();
        Ok(Some(Gate::new(network.clone(), networks, name(invocation).into(), sockets)))
    }

    fn outbound(&self, invocation: &Invocation, background: Background) -> Outbound {
        let (policy, files) = (self.grants.outbound.clone(), self.runtime.files().clone());
        Outbound::new(policy, background, name(invocation).into(), invocation.trace.clone(), files)
    }
}

/// The function's name, for the log.
fn name(invocation: &Invocation) -> &str {
    invocation.arguments.first().map(String::as_str).unwrap_or_default()
}

/// How many bytes a guest may hand to the host at once: an answer in one piece, and some more for data that is not part of it, such as
/// the list of what it waits for. The host copies them before it looks at any limit of ours.
fn host_call_bytes(stdout: usize) -> usize {
    stdout.max(HOST_CALL_MIN).saturating_add(HOST_CALL_MIN)
}

/// What an error from wasmtime means for the call.
pub fn ending_of(error: &wasmtime::Error, limiter: &Limiter) -> Ending {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return if *code == 0 { Ending::Returned } else { Ending::Exited(*code) };
    }
    if error.downcast_ref::<OutputFull>().is_some() {
        return Ending::OutputTooLarge;
    }
    if limiter.refused {
        return Ending::OutOfMemory;
    }
    // Formatting a stack takes up to tenths of a second, in which no other call of this thread runs.
    if tracing::enabled!(tracing::Level::DEBUG) {
        let backtrace: String = format!("{error:?}").chars().take(BACKTRACE_MAX).collect();
        tracing::debug!("guest trapped: {backtrace}");
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => Ending::Trapped(trap.to_string()),
        None => Ending::Trapped(error.root_cause().to_string()),
    }
}
