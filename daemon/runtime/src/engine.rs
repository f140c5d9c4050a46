//! The wasmtime engines with the settings that calls rely on, and the linkers that all functions share.
//!
//! There are two engines, because calls of WASI 0.3 run side by side in one store and that bookkeeping costs every call.
//! The engine for WASI 0.3 is set up when the first function needs it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thiserror::Error;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, Linker, PoolingAllocationConfig, component};
use wasmtime_wasi::{p0, p1, p2, p3};

use super::code_cache::{self, Code, CodeCache, Found, Key};
use super::compile_error::CompileError;
use super::compiler::{Compiler, EngineKind};
use super::epoch::EpochClock;
use super::errors::describe_without_stacks;
use super::files::{OpenFiles, guard_preview_0, guard_preview_1, guard_preview_2, guard_preview_3};
use super::grants::Limits;
use super::shortened::shortened_chain;
use super::sockets;
use super::state::{ComponentState, ModuleState};

/// Linear memory in bytes that a pooled slot keeps between two calls: it is overwritten instead of returned to the kernel.
/// Most calls touch less, and so never fault in a page.
const MEMORY_KEEP_RESIDENT: usize = 256 << 10;

/// The same for tables and stacks.
const TABLE_KEEP_RESIDENT: usize = 16 << 10;
const STACK_KEEP_RESIDENT: usize = 16 << 10;

/// Tables in one module. Toolchains emit one; reference types allow more.
pub const TABLES_MAX: u32 = 4;

/// Core instances in one component. The program, the adapter to preview 1 and the glue between them are four.
const CORE_INSTANCES_MAX: u32 = 16;

/// Pooled core instances for each call that may run at once.
pub const CORE_INSTANCES: u32 = 4;

/// Pooled memories for each call that may run at once: its own, and the heap of a guest that has garbage to collect, of which
/// exceptions are a part.
pub const MEMORIES: u32 = 2;

/// WebAssembly stack of one call, in bytes: wasmtime's default. Deeper recursion traps.
const STACK_MAX: usize = 512 << 10;

/// Native stack of one call, in bytes: the guest's, and what host functions need.
const ASYNC_STACK: usize = 1 << 20;

/// How instances get their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// From so many slots that are set up in advance. Best for many short calls.
    Slots(u32),
    /// From the kernel, call by call. Best for a single call.
    OnDemand,
}

/// Why a [`Runtime`] could not be set up.
#[derive(Debug, Error)]
pub enum EngineError {
    /// wasmtime refused the settings.
    #[error("cannot set up the WebAssembly engine")]
    Configure(#[source] wasmtime::Error),
    /// The thread that makes guests yield did not start.
    #[error("cannot start the epoch thread")]
    StartEpochClock(#[source] std::io::Error),
}

/// The engines and everything else that functions share. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
    cache: Option<Arc<CodeCache>>,
    files: Arc<OpenFiles>,
    /// `None` if functions are compiled in this process.
    compiler: Option<Arc<Compiler>>,
}

struct Shared {
    limits: Limits,
    pool: Pool,
    /// For core modules and WASI 0.2.
    plain: Plain,
    /// For WASI 0.3; the inner `None` if it could not be set up.
    concurrent: OnceLock<Option<Concurrent>>,
    epoch: EpochClock,
}

pub struct Plain {
    pub engine: Engine,
    pub modules: Linker<ModuleState>,
    pub components: component::Linker<ComponentState>,
}

pub struct Concurrent {
    pub engine: Engine,
    pub components: component::Linker<ComponentState>,
}

impl Runtime {
    /// A runtime for calls within `limits`, whose guests yield every `tick`.
    ///
    /// # Errors
    /// If the engine cannot be set up. If the address space is too small for the pool, instances are allocated on demand
    /// and the log says so.
    pub fn new(limits: Limits, pool: Pool, tick: Duration) -> Result<Self, EngineError> {
        let epoch = EpochClock::start(tick).map_err(EngineError::StartEpochClock)?;
        let plain = plain(&limits, pool).map_err(EngineError::Configure)?;
        epoch.drive(&plain.engine);
        let shared = Shared { limits, pool, plain, concurrent: OnceLock::new(), epoch };
        Ok(Self { shared: Arc::new(shared), cache: None, files: OpenFiles::new(None), compiler: None })
    }

    /// Lets all calls together have `max` files, directories and connections open; by default a quarter of what the
    /// process may open.
    #[must_use]
    pub fn with_files_max(self, max: usize) -> Self {
        Self { files: OpenFiles::new(Some(max)), ..self }
    }

    /// What guests have open.
    pub(super) fn files(&self) -> &Arc<OpenFiles> {
        &self.files
    }

    /// Keeps compiled code in `cache`.
    #[must_use]
    pub fn with_cache(self, cache: CodeCache) -> Self {
        Self { cache: Some(Arc::new(cache)), ..self }
    }

    /// Compiles functions with `compiler`.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        Self { compiler: Some(Arc::new(compiler)), ..self }
    }

    /// The same runtime, which compiles in this process: for functions that are trusted.
    #[must_use]
    pub fn compiling_here(&self) -> Self {
        Self { compiler: None, ..self.clone() }
    }

    /// The code of `wasm` for one of the engines, compiled or found in the cache. `spent` gets the CPU time of a compiler in
    /// another process.
    pub(super) fn code(
        &self,
        kind: EngineKind,
        engine: &Engine,
        wasm: &[u8],
        spent: &mut dyn FnMut(Duration),
    ) -> Result<(Code, Found), CompileError> {
        let failed = |error: wasmtime::Error| CompileError::Compile(wasmtime::Error::msg(shortened_chain(&error)));
        let mut compile = |key: &Key| match &self.compiler {
            Some(compiler) => {
                let artefact = compiler.compile(kind, key, wasm, spent)?;
                code_cache::load(engine, &artefact).map_err(failed)
            }
            None => Code::compile(engine, wasm).map_err(failed),
        };
        match &self.cache {
            Some(cache) => cache.code_by(engine, wasm, compile),
            None => Ok((compile(&Key::of(engine, wasm))?, Found::Compiled)),
        }
    }

    pub(super) fn plain(&self) -> &Plain {
        &self.shared.plain
    }

    pub(super) fn pool(&self) -> Pool {
        self.shared.pool
    }

    /// The cache of compiled code, if there is one.
    pub fn cache(&self) -> Option<&Arc<CodeCache>> {
        self.cache.as_ref()
    }

    /// The engine for WASI 0.3, if a function has needed it.
    pub(super) fn concurrent_if_made(&self) -> Option<&Concurrent> {
        self.shared.concurrent.get()?.as_ref()
    }

    /// The engine for WASI 0.3, set up now if need be; `None` if that fails, and the log says why.
    pub(super) fn concurrent(&self) -> Option<&Concurrent> {
        let make = || {
            let made = concurrent(&self.shared.limits, self.shared.pool);
            if let Err(error) = &made {
                tracing::error!("cannot set up the engine for WASI 0.3: {error:#}");
            }
            let made = made.ok()?;
            self.shared.epoch.drive(&made.engine);
            Some(made)
        };
        self.shared.concurrent.get_or_init(make).as_ref()
    }
}

fn plain(limits: &Limits, pool: Pool) -> wasmtime::Result<Plain> {
    let engine = engine(limits, pool, adaptation(EngineKind::Plain))?;
    let mut modules = Linker::new(&engine);
    p1::add_to_linker_async(&mut modules, |state: &mut ModuleState| &mut state.wasi)?;
    guard_preview_1(&mut modules)?;
    p0::add_to_linker_async(&mut modules, |state: &mut ModuleState| &mut state.wasi)?;
    guard_preview_0(&mut modules)?;
    let mut components = component::Linker::new(&engine);
    add_preview_2(&mut components)?;
    Ok(Plain { engine, modules, components })
}

fn concurrent(limits: &Limits, pool: Pool) -> wasmtime::Result<Concurrent> {
    let engine = engine(limits, pool, adaptation(EngineKind::Concurrent))?;
    let mut components = component::Linker::new(&engine);
    add_preview_2(&mut components)?;
    p3::add_to_linker(&mut components)?;
    guard_preview_3(&mut components)?;
    sockets::guard_preview_3(&mut components)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut components)?;
    Ok(Concurrent { engine, components })
}

fn add_preview_2(linker: &mut component::Linker<ComponentState>) -> wasmtime::Result<()> {
    p2::add_to_linker_async(linker)?;
    guard_preview_2(linker)?;
    sockets::close_preview_2(linker)?;
    describe_without_stacks(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

/// An engine whose code the other engine of this kind runs. It has no pool, which does not change the code.
///
/// Source: wasmtime 48, `PoolingAllocationConfig`.
pub fn compiling_engine(kind: EngineKind) -> wasmtime::Result<Engine> {
    // They bound calls, and nothing is called here.
    let limits = Limits { wall: Duration::ZERO, memory: 0, table_elements: 0, stdout: 0, stderr: 0, files: 0 };
    engine(&limits, Pool::OnDemand, adaptation(kind))
}

/// What tells the engines apart.
fn adaptation(kind: EngineKind) -> impl Fn(&mut Config) {
    move |config| {
        match kind {
            // Bookkeeping for several tasks in one store: neither preview 1 nor WASI 0.2 needs it.
            EngineKind::Plain => config.concurrency_support(false),
            EngineKind::Concurrent => config.wasm_component_model_async(true),
        };
    }
}

fn engine(limits: &Limits, pool: Pool, adapt: impl Fn(&mut Config)) -> wasmtime::Result<Engine> {
    let make = |pool| {
        let mut config = config(limits, pool);
        adapt(&mut config);
        Engine::new(&config)
    };
    make(pool).or_else(|error| {
        if pool == Pool::OnDemand {
            return Err(error);
        }
        tracing::warn!("cannot set up the pool of instances, calls will start more slowly: {error:#}");
        make(Pool::OnDemand)
    })
}

fn config(limits: &Limits, pool: Pool) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // One thread compiles one function, so that whoever measures that thread sees all of the work. Several functions can
    // be compiled side by side.
    config.parallel_compilation(false);
    config.max_wasm_stack(STACK_MAX);
    config.async_stack_size(ASYNC_STACK);
    if let Pool::Slots(slots) = pool {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(slots.saturating_mul(CORE_INSTANCES))
            .total_component_instances(slots)
            .total_memories(slots.saturating_mul(MEMORIES))
            .total_gc_heaps(slots)
            .total_tables(slots.saturating_mul(TABLES_MAX))
            .total_stacks(slots)
            .max_memories_per_module(1)
            .max_tables_per_module(TABLES_MAX)
            .max_core_instances_per_component(CORE_INSTANCES_MAX)
            .max_tables_per_component(TABLES_MAX)
            .max_memory_size(limits.memory)
            .table_elements(limits.table_elements)
            .max_unused_warm_slots(slots)
            .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
            .table_keep_resident(TABLE_KEEP_RESIDENT)
            .async_stack_keep_resident(STACK_KEEP_RESIDENT)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}
