//! A compiled function: what kind it is, and everything a call needs that can be prepared once.

use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{InstancePre, Module};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::call::Directory;
use super::code_cache::{Code, Found};
use super::engine::{Limits, Runtime};
use super::guest::Guest;
use super::host::Host;
use super::module::Numeric;
use super::numeric;
use super::outbound::Policy;
use super::proxy;
use super::warm::Waiting;

/// The export that every WASI command starts with.
const COMMAND_ENTRY: &str = "_start";

/// The export that a numeric function is called by, if nothing else is said.
const NUMERIC_ENTRY: &str = "run";

/// What a function is, recognised from its binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A WASI preview 1 command: input on stdin, output on stdout.
    Command,
    /// A core module that exports a function of numbers: parameters from the input, result as text.
    Numeric,
    /// A WASI 0.2 command component: input on stdin, output on stdout.
    Component,
    /// A component that answers HTTP requests: `wasi:http/incoming-handler` of WASI 0.2.
    Proxy,
    /// A component that answers HTTP requests: `wasi:http/handler` of WASI 0.3.
    Service,
}

impl Kind {
    /// The name shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Numeric => "numeric",
            Self::Component => "component",
            Self::Proxy => "proxy",
            Self::Service => "service",
        }
    }

    /// Whether an instance can be entered more than once.
    #[must_use]
    pub fn can_be_reused(self) -> bool {
        matches!(self, Self::Numeric | Self::Proxy)
    }

    /// Whether it answers HTTP requests itself, instead of reading stdin and writing stdout.
    #[must_use]
    pub fn speaks_http(self) -> bool {
        matches!(self, Self::Proxy | Self::Service)
    }
}

/// What a function is granted, whoever calls it.
#[derive(Clone, Debug)]
pub struct Grants {
    /// What each call may use.
    pub limits: Limits,
    /// The export that a command starts with; `_start` if not given.
    pub start: Option<String>,
    /// The export that a numeric function is called by; `run` if not given.
    pub entry: Option<String>,
    /// Directories that it may open.
    pub directories: Vec<Directory>,
    /// Hosts that it may send requests to.
    pub outbound: Policy,
    /// How many instances are kept for further calls, where they are reused at all.
    pub reused: Option<u32>,
}

impl Grants {
    /// Nothing but what `limits` allow.
    #[must_use]
    pub fn of(limits: Limits) -> Self {
        Self { limits, start: None, entry: None, directories: Vec::new(), outbound: Policy::nobody(), reused: None }
    }
}

/// The binary cannot become a function.
#[derive(Debug, Error)]
pub enum CompileError {
    /// Not WebAssembly, not valid, or beyond what the pool holds.
    #[error("cannot compile it")]
    Compile(#[source] wasmtime::Error),
    /// Valid, but it wants imports that nobody provides.
    #[error("cannot link it")]
    Link(#[source] wasmtime::Error),
    /// A core module in which nothing can be called.
    #[error("it exports neither `_start` (a WASI command) nor a function `{0}` of numbers")]
    NoEntry(String),
    /// The start that was asked for is not there.
    #[error("it exports no function `{0}` without parameters and results")]
    NoStart(String),
    /// The entry is there, but not of numbers.
    #[error("its export `{0}` takes or gives a `{1}`; only i32, i64, f32 and f64 can be written as text")]
    NotNumeric(String, String),
    /// A component in which nothing can be called.
    #[error(
        "it is a component that exports none of `wasi:cli/run@0.2` (a command), `wasi:http/incoming-handler@0.2` (a proxy) \
         and `wasi:http/handler@0.3` (a service); it exports: {0}"
    )]
    NoInterface(String),
    /// It needs an engine that cannot be had.
    #[error("there is no engine for WASI 0.3 here")]
    NoConcurrency,
}

/// A function, compiled and linked. Each call instantiates it afresh.
pub struct Program {
    pub(super) runtime: Runtime,
    pub(super) grants: Grants,
    pub(super) body: Body,
    found: Found,
}

/// What is instantiated, and how it is entered.
pub(super) enum Body {
    Command(InstancePre<Guest>, Box<str>),
    Numeric(Numeric),
    Component(CommandPre<Host>),
    Proxy(ProxyPre<Host>, Option<Waiting<proxy::Instance>>),
    Service(ServicePre<Host>),
}

impl Program {
    /// Compiles `wasm`, which may be binary or text, or finds it in the runtime's cache.
    ///
    /// # Errors
    /// When it is not a function; the error says what it lacks.
    pub fn compile(runtime: &Runtime, wasm: &[u8], grants: Grants) -> Result<Self, CompileError> {
        let (body, found) = match runtime.code(&runtime.plain().engine, wasm) {
            Ok((Code::Module(code), found)) => (module(runtime, &code, &grants)?, found),
            Ok((Code::Component(code), found)) => (plain_component(runtime, &code, &grants)?, found),
            // What the plain engine does not know may be WASI 0.3.
            Err(error) if is_component(wasm) => service(runtime, wasm)?.ok_or(CompileError::Compile(error))?,
            Err(error) => return Err(CompileError::Compile(error)),
        };
        Ok(Self { runtime: runtime.clone(), grants, body, found })
    }

    /// Whether its code had to be compiled.
    #[must_use]
    pub fn found(&self) -> Found {
        self.found
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.body {
            Body::Command(..) => Kind::Command,
            Body::Numeric(_) => Kind::Numeric,
            Body::Component(_) => Kind::Component,
            Body::Proxy(..) => Kind::Proxy,
            Body::Service(_) => Kind::Service,
        }
    }

    /// What it is granted.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }
}

fn module(runtime: &Runtime, module: &Module, grants: &Grants) -> Result<Body, CompileError> {
    let function = |name: &str| module.get_export(name).and_then(|export| export.func().cloned());
    let link = || runtime.plain().modules.instantiate_pre(module).map_err(CompileError::Link);
    let start = grants.start.as_deref().unwrap_or(COMMAND_ENTRY);
    let is_command = function(start).is_some_and(|entry| entry.params().len() + entry.results().len() == 0);
    if is_command && grants.entry.is_none() {
        return Ok(Body::Command(link()?, start.into()));
    }
    if let Some(start) = &grants.start {
        return Err(CompileError::NoStart(start.clone()));
    }
    let entry = grants.entry.clone().unwrap_or_else(|| NUMERIC_ENTRY.into());
    let run = function(&entry).ok_or_else(|| CompileError::NoEntry(entry.clone()))?;
    match numeric::signature(&run) {
        Ok(signature) => {
            let waiting = grants.reused.map(Waiting::new);
            Ok(Body::Numeric(Numeric { module: link()?, entry, signature, waiting }))
        }
        Err(what) => Err(CompileError::NotNumeric(entry, what)),
    }
}

fn plain_component(runtime: &Runtime, component: &Component, grants: &Grants) -> Result<Body, CompileError> {
    let plain = runtime.plain();
    let exports = exports(component, &plain.engine);
    let exports_of = |interface: &str| exports.iter().any(|export| export.starts_with(interface));
    let link = || plain.components.instantiate_pre(component).map_err(CompileError::Link);
    if exports_of("wasi:http/incoming-handler@0.2") {
        let proxy = ProxyPre::new(link()?).map_err(CompileError::Link)?;
        return Ok(Body::Proxy(proxy, grants.reused.map(Waiting::new)));
    }
    if exports_of("wasi:cli/run@0.2") {
        return Ok(Body::Component(CommandPre::new(link()?).map_err(CompileError::Link)?));
    }
    Err(no_interface(&exports))
}

/// A WASI 0.3 service; `None` where the engine for those does not understand it either.
fn service(runtime: &Runtime, wasm: &[u8]) -> Result<Option<(Body, Found)>, CompileError> {
    let Some(concurrent) = runtime.concurrent() else { return Err(CompileError::NoConcurrency) };
    let Ok((Code::Component(component), found)) = runtime.code(&concurrent.engine, wasm) else { return Ok(None) };
    let exports = exports(&component, &concurrent.engine);
    if !exports.iter().any(|export| export.starts_with("wasi:http/handler@0.3")) {
        return Err(no_interface(&exports));
    }
    let linked = concurrent.components.instantiate_pre(&component).map_err(CompileError::Link)?;
    let service = ServicePre::new(linked).map_err(CompileError::Link)?;
    Ok(Some((Body::Service(service), found)))
}

/// Whether this is a component, or the text of one; what else it may be is no matter here.
///
/// Source: the component model's `Binary.md`: the layer field is 1.
fn is_component(wasm: &[u8]) -> bool {
    match wasm.strip_prefix(b"\0asm") {
        Some(version) => version.get(2..4) == Some(&[1, 0]),
        None => true,
    }
}

fn exports(component: &Component, engine: &wasmtime::Engine) -> Vec<String> {
    component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect()
}

fn no_interface(exports: &[String]) -> CompileError {
    CompileError::NoInterface(if exports.is_empty() { "nothing".into() } else { exports.join(", ") })
}
