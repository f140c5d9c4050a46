//! A compiled function: everything that its calls share is prepared once.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{Engine, Module};
use wasmtime_wasi::{p2, p3};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::call::{Call, Invocation};
use super::capture::Recorder;
use super::code_cache::{Code, Found};
use super::compile_error::CompileError;
use super::compiler::EngineKind;
use super::ending::{Completion, Ending};
use super::engine::Runtime;
use super::grants::Grants;
use super::kinds::{Command, CommandComponent, Kind, Numeric, Proxy, Service, Task, signature};
use super::outbound::Background;
use super::reuse::Instances;
use super::sandbox::Sandbox;
use super::shortened::{shortened, shortened_chain};

/// The export that starts a WASI command.
const COMMAND_ENTRY: &str = "_start";

/// The export that a numeric function is called by, unless its grants name another.
const NUMERIC_ENTRY: &str = "run";

/// A function, compiled and linked. Each call instantiates it afresh.
pub struct Program {
    sandbox: Sandbox,
    guest: Guest,
    found: Found,
}

enum Guest {
    Command(Command),
    Numeric(Numeric),
    Component(CommandComponent),
    Proxy(Proxy),
    Service(Service),
    Task(Task),
}

impl Program {
    /// Compiles `wasm`, binary or text, or finds its code in the runtime's cache. The kind is recognised from the binary.
    ///
    /// # Errors
    /// If it is no WebAssembly that can be called; the error says what it lacks.
    pub fn compile(runtime: &Runtime, wasm: &[u8], grants: Grants) -> Result<Self, CompileError> {
        Self::compile_watched(runtime, wasm, grants, &mut |_| {})
    }

    /// The same. If a [`Compiler`](crate::Compiler) compiles it elsewhere, `spent` gets the CPU time of that as it is used.
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn compile_watched(
        runtime: &Runtime,
        wasm: &[u8],
        grants: Grants,
        spent: &mut dyn FnMut(Duration),
    ) -> Result<Self, CompileError> {
        let (guest, found) = match runtime.code(EngineKind::Plain, &runtime.plain().engine, wasm, spent) {
            Ok((Code::Module(code), found)) => (module(runtime, &code, &grants)?, found),
            Ok((Code::Component(code), found)) => (component(runtime, &code, &grants)?, found),
            // What the plain engine does not understand may be WASI 0.3.
            Err(CompileError::Compile(_)) if is_component(wasm) => concurrent(runtime, wasm, spent)?,
            Err(error) => return Err(error),
        };
        Ok(Self { sandbox: Sandbox { runtime: runtime.clone(), grants }, guest, found })
    }

    /// Calls the function once, in an instance of its own. Output and log go into `recorder`, where they remain if the
    /// future is dropped; dropping it ends the call.
    ///
    /// The guest yields at every tick of the runtime.
    pub async fn call(&self, invocation: Invocation, recorder: Arc<Recorder>) -> Completion {
        let background = Background::new();
        let entered = self.enter(Call::new(invocation, &recorder, background.clone()));
        let ended = tokio::time::timeout(self.sandbox.grants.limits.wall, background.beside(entered)).await;
        let (Ok(ending) | Err(ending)) = ended.unwrap_or(Err(Ending::TimedOut));
        recorder.complete(ending)
    }

    /// On the heap, because the futures of the kinds differ much in size.
    fn enter<'a>(&'a self, call: Call<'a>) -> Pin<Box<dyn Future<Output = Result<Ending, Ending>> + Send + 'a>> {
        match &self.guest {
            Guest::Command(guest) => Box::pin(guest.call(&self.sandbox, call)),
            Guest::Numeric(guest) => Box::pin(guest.call(&self.sandbox, call)),
            Guest::Component(guest) => Box::pin(guest.call(&self.sandbox, call)),
            Guest::Proxy(guest) => Box::pin(guest.call(&self.sandbox, call)),
            Guest::Service(guest) => Box::pin(guest.call(&self.sandbox, call)),
            Guest::Task(guest) => Box::pin(guest.call(&self.sandbox, call)),
        }
    }

    /// Whether its code was compiled or found in the cache.
    pub fn found(&self) -> Found {
        self.found
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self.guest {
            Guest::Command(_) => Kind::Command,
            Guest::Numeric(_) => Kind::Numeric,
            Guest::Component(_) | Guest::Task(_) => Kind::Component,
            Guest::Proxy(_) => Kind::Proxy,
            Guest::Service(_) => Kind::Service,
        }
    }

    /// Whether it can open sockets, if it is granted some: only components of WASI 0.3 can.
    pub fn can_have_sockets(&self) -> bool {
        matches!(self.guest, Guest::Service(_) | Guest::Task(_))
    }

    /// What it may use.
    pub fn grants(&self) -> &Grants {
        &self.sandbox.grants
    }
}

fn module(runtime: &Runtime, module: &Module, grants: &Grants) -> Result<Guest, CompileError> {
    let function = |name: &str| module.get_export(name).and_then(|export| export.func().cloned());
    let link = || runtime.plain().modules.instantiate_pre(module).map_err(not_linked);
    let start = grants.start.as_deref().unwrap_or(COMMAND_ENTRY);
    let is_command = function(start).is_some_and(|entry| entry.params().len() + entry.results().len() == 0);
    if is_command && grants.entry.is_none() {
        return Ok(Guest::Command(Command { module: link()?, start: start.into() }));
    }
    if let Some(start) = &grants.start {
        return Err(CompileError::NoStart(shortened(start)));
    }
    let entry = grants.entry.clone().unwrap_or_else(|| NUMERIC_ENTRY.into());
    let run = function(&entry).ok_or_else(|| CompileError::NoEntry(shortened(&entry)))?;
    match signature(&run) {
        Ok(signature) => {
            let instances = Instances::new(grants.reused);
            Ok(Guest::Numeric(Numeric { module: link()?, entry, signature, instances }))
        }
        Err(what) => Err(CompileError::NotNumeric(shortened(&entry), what)),
    }
}

fn component(runtime: &Runtime, component: &Component, grants: &Grants) -> Result<Guest, CompileError> {
    let plain = runtime.plain();
    let exports = exports(component, &plain.engine);
    let has = |interface: &str| exports.iter().any(|export| export.starts_with(interface));
    let link = || plain.components.instantiate_pre(component).map_err(not_linked);
    if has("wasi:http/incoming-handler@0.2") {
        let component = ProxyPre::new(link()?).map_err(not_linked)?;
        return Ok(Guest::Proxy(Proxy { component, instances: Instances::new(grants.reused) }));
    }
    if has("wasi:cli/run@0.2") {
        return Ok(Guest::Component(CommandComponent(p2::bindings::CommandPre::new(link()?).map_err(not_linked)?)));
    }
    Err(no_interface(&exports))
}

/// A WASI 0.3 service or command.
fn concurrent(runtime: &Runtime, wasm: &[u8], spent: &mut dyn FnMut(Duration)) -> Result<(Guest, Found), CompileError> {
    let Some(concurrent) = runtime.concurrent() else { return Err(CompileError::NoConcurrency) };
    let (code, found) = runtime.code(EngineKind::Concurrent, &concurrent.engine, wasm, spent)?;
    let Code::Component(component) = code else { return Err(CompileError::NoInterface("nothing".into())) };
    let exports = exports(&component, &concurrent.engine);
    let has = |interface: &str| exports.iter().any(|export| export.starts_with(interface));
    let link = || concurrent.components.instantiate_pre(&component).map_err(not_linked);
    let guest = if has("wasi:http/handler@0.3") {
        Guest::Service(Service(ServicePre::new(link()?).map_err(not_linked)?))
    } else if has("wasi:cli/run@0.3") {
        Guest::Task(Task(p3::bindings::CommandPre::new(link()?).map_err(not_linked)?))
    } else {
        return Err(no_interface(&exports));
    };
    Ok((guest, found))
}

/// Whether this is a component in binary, or text of any kind.
///
/// Source: the component model's `Binary.md`: the layer field is 1.
fn is_component(wasm: &[u8]) -> bool {
    match wasm.strip_prefix(b"\0asm") {
        Some(version) => version.get(2..4) == Some(&[1, 0]),
        None => true,
    }
}

fn exports(component: &Component, engine: &Engine) -> Vec<String> {
    component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect()
}

fn no_interface(exports: &[String]) -> CompileError {
    CompileError::NoInterface(if exports.is_empty() { "nothing".into() } else { shortened(&exports.join(", ")) })
}

/// Names of imports are quoted, and a module can have long ones.
#[allow(clippy::needless_pass_by_value, reason = "it is a parameter of `map_err`")]
fn not_linked(error: wasmtime::Error) -> CompileError {
    CompileError::Link(wasmtime::Error::msg(shortened_chain(&error)))
}
